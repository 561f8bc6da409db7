// Teams, depots and experts as letters in squares, and officers as arrows with their trail.

import Feature from 'ol/Feature';
import LineString from 'ol/geom/LineString';
import Point from 'ol/geom/Point';
import { fromLonLat } from 'ol/proj';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';

import type { ResourcesQuery } from '#graph';

import type { Officer } from './points';
import { place, type Mark, type Room } from './clusters';
import { RESOURCE, type Shapes } from './shapes';

/** A line from a place to a means of help: longitude and latitude of its ends, and its words. One not listed has no line. */
export type Link = { from: [number, number]; to: [number, number]; letter: string; text: string; listed?: boolean };
export type Letters = { team: string; warehouse: string; expert: string };

type Node = { id: string; location: { longitude: number; latitude: number } | null };

/** Squares of resources. With `room`, one that finds no place joins the nearest of its letter, which shows their number. */
export function resourceFeatures(resources: ResourcesQuery, letters: Letters, shapes: Shapes, pixel: number, room: Room | null, dim: boolean): Feature[] {
  const marks = (nodes: Node[], letter: string): Mark<Node>[] =>
    nodes.flatMap((node) => {
      if (!node.location) return [];
      const [x, y] = fromLonLat([node.location.longitude, node.location.latitude]);
      return [{ x: x!, y: y!, size: RESOURCE, kind: letter, members: [node] }];
    });
  const all = [...marks(resources.teams.nodes, letters.team), ...marks(resources.warehouses.nodes, letters.warehouse), ...marks(resources.experts.nodes, letters.expert)];
  return (room ? place(all, pixel, room) : all).map(({ x, y, kind, members }) => {
    const feature = new Feature(new Point([x, y]));
    feature.setId(members[0]!.id);
    feature.setStyle(shapes.resource(kind, false, dim, members.length));
    return feature;
  });
}

/** The lines to the means of help that a panel lists, and their marks. */
export function linkFeatures(links: Link[], shapes: Shapes): Feature[] {
  const { unit, text } = shapes.theme;
  const lines = links.filter(({ listed = true }) => listed).map(({ from, to }) => {
    const line = new Feature(new LineString([fromLonLat(from), fromLonLat(to)]));
    line.setStyle(new Style({ stroke: new Stroke({ color: text, width: unit }) }));
    return line;
  });
  const marks = links.map(({ to, letter, listed = true }) => {
    const mark = new Feature(new Point(fromLonLat(to)));
    mark.setStyle(shapes.resource(letter, listed));
    return mark;
  });
  return [...lines, ...marks];
}

/** Officers as arrows. Positions of before `since` are drawn hollow, without a trail. */
export function officerFeatures(officers: Iterable<Officer>, shapes: Shapes, since: number): Feature[] {
  const features: Feature[] = [];
  for (const { longitude, latitude, at, trail, id } of officers) {
    const path = trail.map(([x, y]) => fromLonLat([x, y]));
    const here = fromLonLat([longitude, latitude]);
    if (path.length > 1 && at >= since) {
      const line = new Feature(new LineString(path));
      line.setStyle(new Style({ stroke: new Stroke({ color: shapes.theme.label, width: 1.5 * shapes.theme.unit }), zIndex: 6 }));
      features.push(line);
    }
    const before = path.length > 1 ? path[path.length - 2]! : here;
    const heading = Math.atan2(here[0]! - before[0]!, here[1]! - before[1]!);
    const feature = new Feature(new Point(here));
    feature.setId(id);
    feature.setStyle(shapes.officer(heading, at < since));
    features.push(feature);
  }
  return features;
}
