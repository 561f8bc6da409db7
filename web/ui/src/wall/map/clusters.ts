// Divides enterprises into those drawn one by one and those drawn together, as a disc with their number.

import type { Site } from '../state/wall.svelte';
import { discDiameter } from './shapes';

export type Mark = { x: number; y: number; site: Site } | { x: number; y: number; count: number };

type Group = { x: number; y: number; members: Projected[] };
export type Projected = { x: number; y: number; site: Site };

/** The side of a cell in pixels of the design. */
const CELL = 56;
/** So many or fewer are drawn as points. */
const FEW = 3;

/**
 * Marks for all `sites`, none lost: those of major and high risk each, the others in discs at the mean of their members.
 * `pixel` is the length of one pixel of the design on the map, in the units of x and y.
 */
export function cluster(sites: Iterable<Projected>, pixel: number, together: boolean): Mark[] {
  const marks: Mark[] = [];
  const cells = new Map<string, Group>();
  const side = CELL * pixel;
  for (const projected of sites) {
    const { x, y, site } = projected;
    if (!together || site.grade === 'RED' || site.grade === 'ORANGE') {
      marks.push(projected);
      continue;
    }
    const key = `${Math.floor(x / side)} ${Math.floor(y / side)}`;
    const group = cells.get(key);
    if (group) add(group, [projected]);
    else cells.set(key, { x, y, members: [projected] });
  }
  for (const group of merged([...cells.values()], pixel)) {
    if (group.members.length <= FEW) marks.push(...group.members);
    else marks.push({ x: group.x, y: group.y, count: group.members.length });
  }
  return marks;
}

/** Groups whose discs would overlap become one, the largest first. */
function merged(groups: Group[], pixel: number): Group[] {
  const result: Group[] = [];
  for (const group of groups.toSorted((a, b) => b.members.length - a.members.length)) {
    const near = result.find((other) => {
      const reach = ((discDiameter(other.members.length) + discDiameter(group.members.length)) / 2) * pixel;
      return Math.hypot(other.x - group.x, other.y - group.y) < reach;
    });
    if (near) add(near, group.members);
    else result.push(group);
  }
  return result;
}

function add(group: Group, members: Projected[]): void {
  const count = group.members.length + members.length;
  for (const axis of ['x', 'y'] as const) {
    const sum = members.reduce((total, member) => total + member[axis], 0);
    group[axis] = (group[axis] * group.members.length + sum) / count;
  }
  group.members.push(...members);
}
