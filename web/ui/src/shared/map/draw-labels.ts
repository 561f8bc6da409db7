// The labels of the map as features, in the order in which they get a place: cause, zone, venue, nearest means, town.

import Feature from 'ol/Feature';
import type OlMap from 'ol/Map';
import Point from 'ol/geom/Point';
import Fill from 'ol/style/Fill';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';
import Text from 'ol/style/Text';

import { placeLabels, type Box, type Label, type Placed } from './labels';
import type { Theme } from './theme';

/** Words for a place, in the map's coordinates. */
export type Words = { at: number[]; text: string };
type Kind = 'causes' | 'zones' | 'venues' | 'links' | 'towns' | 'beyond';

/** Size in pixels of the design, weight, whether it is as bright as text, and the distance from its point. */
const KINDS: Record<Kind, { size: number; strong: boolean; bright: boolean; gap: number | null }> = {
  causes: { size: 22, strong: true, bright: true, gap: 30 },
  zones: { size: 28, strong: true, bright: false, gap: null },
  venues: { size: 18, strong: true, bright: true, gap: 12 },
  links: { size: 17, strong: true, bright: true, gap: 18 },
  towns: { size: 16, strong: false, bright: false, gap: null },
  beyond: { size: 16, strong: false, bright: false, gap: 12 },
};

export function drawLabels(map: OlMap, theme: Theme, words: Record<Kind, Words[]> & { marks: number[][] }): Feature[] {
  const [width, height] = map.getSize() as [number, number];
  const bright = new Set<Label>();
  const labels = (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
    words[kind].flatMap(({ at, text }): Label[] => {
      const pixel = map.getPixelFromCoordinate(at);
      if (!pixel) return [];
      const { size, strong, gap, ...rest } = KINDS[kind];
      const label = { text, x: pixel[0]!, y: pixel[1]!, size: size * theme.unit, strong, gap: gap === null ? null : gap * theme.unit };
      if (rest.bright) bright.add(label);
      return [label];
    }),
  );
  const half = 8 * theme.unit;
  const around = (at: number[]): Box[] => {
    const pixel = map.getPixelFromCoordinate(at);
    return pixel ? [{ left: pixel[0]! - half, top: pixel[1]! - half, right: pixel[0]! + half, bottom: pixel[1]! + half }] : [];
  };
  const taken = [...words.venues, ...words.beyond, ...words.links].flatMap(({ at }) => around(at));
  return placeLabels(labels, taken, words.marks.flatMap(around), theme.font, width, height).map((placed) => draw(map, theme, placed, bright.has(placed.label)));
}

function draw(map: OlMap, theme: Theme, { label, dx, dy, align }: Placed, bright: boolean): Feature {
  const feature = new Feature(new Point(map.getCoordinateFromPixel([label.x, label.y])));
  feature.setStyle(new Style({
    text: new Text({
      text: label.text,
      font: `${label.strong ? 600 : 400} ${label.size}px ${theme.font}`,
      fill: new Fill({ color: bright ? theme.text : theme.label }),
      stroke: new Stroke({ color: theme.ground, width: 3 * theme.unit }),
      offsetX: dx, offsetY: dy, textAlign: align, textBaseline: 'middle', overflow: true,
    }),
  }));
  return feature;
}
