// The lines on the map from a venue to the nearest means that count.

import type { VenueFileQuery } from '#graph';
import * as m from '#messages';

import { distance } from '../../shared/format';
import type { Link } from '../../shared/map/means';

export function linksOf({ node }: VenueFileQuery): Link[] {
  if (!node || !('rings' in node) || !node.location) return [];
  const { longitude, latitude } = node.location;
  return [...node.officers, ...node.teams, ...node.warehouses, ...node.experts].flatMap(({ item, distanceMetres }): Link[] => {
    const [letter, place] = means(item);
    return place ? [{ from: [longitude, latitude], to: [place.longitude, place.latitude], letter, text: distance(distanceMetres) }] : [];
  });
}

type Venue = Extract<NonNullable<VenueFileQuery['node']>, { rings: unknown }>;
type Place = { longitude: number; latitude: number } | null;

/** The letter and the place of what counts: fresh positions, and what is on standby. */
function means(item: Venue['officers'][number]['item']): [string, Place] {
  switch (item.__typename) {
    case 'Inspector':
      return [m.wall_officer(), item.positionStale === false ? item.position : null];
    case 'Team':
      return [m.wall_team(), item.onStandby ? item.location : null];
    case 'Warehouse':
      return [m.wall_warehouse(), item.location];
    case 'Expert':
      return [m.wall_expert(), item.onStandby ? item.location : null];
    default:
      return ['', null];
  }
}
