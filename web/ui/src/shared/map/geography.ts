// Zones, rings, venues and towns as features of the map.

import type { Geometry } from 'geojson';
import Feature from 'ol/Feature';
import { getIntersection, type Extent } from 'ol/extent';
import GeoJSON from 'ol/format/GeoJSON';
import Point from 'ol/geom/Point';
import type Polygon from 'ol/geom/Polygon';
import type MultiPolygon from 'ol/geom/MultiPolygon';
import { circular } from 'ol/geom/Polygon';
import { fromLonLat } from 'ol/proj';
import type VectorSource from 'ol/source/Vector';
import Fill from 'ol/style/Fill';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';

import type { ControlGrade, MapVenueFragment, MapZoneFragment } from '#graph';

import type { Theme } from './theme';

export type Zone = MapZoneFragment;
export type Venue = MapVenueFragment;

const PLACES = 12;
/** Half the width and height of a zone's name in pixels of the design, and how many sites a venue counts for. */
const NAME = [60, 22] as const;
const VENUE = 20;

const reader = new GeoJSON({ dataProjection: 'EPSG:4326', featureProjection: 'EPSG:3857' });

export function zoneFeature(zone: Zone): Feature {
  const feature = new Feature(reader.readGeometry(zone.boundary as Geometry) ?? undefined);
  feature.setId(zone.id);
  return feature;
}

/** A point inside the zone, for its name. */
function middle(feature: Feature): [number, number] {
  const geometry = feature.getGeometry() as Polygon | MultiPolygon;
  const [x, y] = geometry.getType() === 'Polygon'
    ? (geometry as Polygon).getInteriorPoint().getCoordinates()
    : largest(geometry as MultiPolygon).getInteriorPoint().getCoordinates();
  return [x!, y!];
}

/** The place in the visible part of a zone where its name covers the fewest sites and venues; one near the middle among equals. */
export function emptiest(feature: Feature, visible: Extent, pixel: number, sites: { x: number; y: number }[], venues: number[][]): number[] {
  const [width, height] = [NAME[0] * pixel, NAME[1] * pixel];
  let best = middle(feature);
  let least = Infinity;
  for (const [x, y] of placesWithin(feature, visible)) {
    const near = (otherX: number, otherY: number, times: number): boolean => Math.abs(otherX - x) < times * width && Math.abs(otherY - y) < times * height;
    const covered = sites.filter((site) => near(site.x, site.y, 1)).length + VENUE * venues.filter(([venueX, venueY]) => near(venueX!, venueY!, 2)).length;
    if (covered < least) [least, best] = [covered, [x, y]];
  }
  return best;
}

/** Places in the visible part of a zone, evenly spread, those near its middle first. */
function placesWithin(feature: Feature, visible: Extent): [number, number][] {
  const geometry = feature.getGeometry()!;
  const [left, bottom, right, top] = getIntersection(geometry.getExtent(), visible) as [number, number, number, number];
  const [centreX, centreY] = middle(feature);
  const places: [number, number][] = [];
  for (let row = 1; row < PLACES; row++) {
    for (let column = 1; column < PLACES; column++) {
      const place: [number, number] = [left + ((right - left) * column) / PLACES, bottom + ((top - bottom) * row) / PLACES];
      if (geometry.intersectsCoordinate(place)) places.push(place);
    }
  }
  const away = ([x, y]: [number, number]): number => Math.hypot(x - centreX, y - centreY);
  return places.sort((a, b) => away(a) - away(b));
}

function largest(geometry: MultiPolygon): Polygon {
  return geometry.getPolygons().reduce((a, b) => (b.getArea() > a.getArea() ? b : a));
}

export function ringFeature(venue: Venue, grade: ControlGrade, radius: number): Feature | null {
  if (!venue.location) return null;
  const circle = circular([venue.location.longitude, venue.location.latitude], radius, 96);
  const feature = new Feature(circle.transform('EPSG:4326', 'EPSG:3857'));
  feature.set('grade', grade);
  feature.set('venue', venue.id);
  return feature;
}

/** A place in the map's coordinates. */
export function place({ longitude, latitude }: { longitude: number; latitude: number }): { x: number; y: number } {
  const [x, y] = fromLonLat([longitude, latitude]);
  return { x: x!, y: y! };
}

/** Put these features in the place of those that a source has. */
export function replace(source: VectorSource, features: Feature[]): void {
  source.clear(true);
  source.addFeatures(features);
}

export function pointFeature(id: string, { longitude, latitude }: { longitude: number; latitude: number }): Feature<Point> {
  const feature = new Feature(new Point(fromLonLat([longitude, latitude])));
  feature.setId(id);
  return feature;
}

/** Strict rings are solid, control rings dashed, alert rings dotted. */
export function ringStyle(grade: ControlGrade, theme: Theme): Style {
  const { unit } = theme;
  const dashes = { STRICT: [], CONTROL: [8 * unit, 6 * unit], ALERT: [1.5 * unit, 6 * unit] }[grade];
  return new Style({
    stroke: new Stroke({
      color: grade === 'STRICT' ? theme.text : theme.label,
      width: (grade === 'STRICT' ? 1.5 : 1.25) * unit,
      lineDash: dashes,
      lineCap: grade === 'ALERT' ? 'round' : 'butt',
    }),
  });
}

/** A zone, which lets a base map through; with slant lines and an edge in the hue of the warning that is in force there. */
export function zoneStyles(theme: Theme, based: boolean, hue: string | null): Style[] {
  const ground = new Style({ fill: new Fill({ color: based ? `${theme.land}59` : theme.land }), stroke: new Stroke({ color: theme.line, width: 1.25 * theme.unit }) });
  if (hue === null) return [ground];
  return [
    ground,
    new Style({ fill: new Fill({ color: slant(hue, theme) }), stroke: new Stroke({ color: hue, width: 1.5 * theme.unit }), zIndex: 1 }),
  ];
}

function slant(hue: string, { unit }: Theme): CanvasPattern {
  const size = Math.round(14 * unit * devicePixelRatio);
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const context = canvas.getContext('2d')!;
  context.strokeStyle = hue;
  context.globalAlpha = 0.3;
  context.lineWidth = 1.5 * unit * devicePixelRatio;
  for (const shift of [-size, 0, size]) {
    context.moveTo(shift, size);
    context.lineTo(shift + size, 0);
  }
  context.stroke();
  return context.createPattern(canvas, 'repeat')!;
}
