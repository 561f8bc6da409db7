// Distance and direction between two places on the ground.

import { getDistance } from 'ol/sphere';

export type Point = { longitude: number; latitude: number };

export function metresBetween(from: Point, to: Point): number {
  return Math.round(getDistance([from.longitude, from.latitude], [to.longitude, to.latitude]));
}

/** The direction at `from` in degrees clockwise from north, 0 to 360: the initial bearing of the great circle. */
export function bearing(from: Point, to: Point): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const [here, there, across] = [radians(from.latitude), radians(to.latitude), radians(to.longitude - from.longitude)];
  const east = Math.sin(across) * Math.cos(there);
  const north = Math.cos(here) * Math.sin(there) - Math.sin(here) * Math.cos(there) * Math.cos(across);
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}
