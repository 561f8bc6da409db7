// Arranges enterprises on the map of the district so that no mark hides another. Those of major and high risk are drawn one
// by one while there is room, and else as one mark of their shape with their number; the others are discs with their number.

import { countedSize, discDiameter, SIZES } from './shapes';
import type { Site } from './points';

export type Projected = { x: number; y: number; site: Site };
/** A mark and what it stands for. Its kind is a grade, or MANY for a disc, or the letter of a resource. */
export type Mark<T = Projected> = { x: number; y: number; size: number; kind: string; members: T[] };
export type Circle = { x: number; y: number; radius: number };

/** The sides of cells in pixels of the design. Enterprises in one cell begin as one group. */
const CELLS = { RED: 16, ORANGE: 12, MANY: 56 } as const;
/** So many or fewer in a cell are drawn as points. */
const FEW = 3;
/** Marks closer than this part of their sizes become one. */
const CLOSE = 0.95;
/** How far a mark without room looks for one of its kind to join, in pixels of the design. */
const REACH = 80;
const PASSES = 4;
const DIRECTIONS = Array.from({ length: 12 }, (_, i) => [Math.cos((i * Math.PI) / 6), Math.sin((i * Math.PI) / 6)] as const);

/**
 * Marks for all `sites`, none lost. `pixel` is the length of one pixel of the design on the map, in the units of x and y.
 * `taken` holds what is drawn already, and then the marks. Those in `alone` keep a mark of their own at their true place.
 */
export function arrange(sites: Iterable<Projected>, pixel: number, taken: Room, alone: ReadonlySet<string>): Mark[] {
  const kinds = { RED: [] as Projected[], ORANGE: [] as Projected[], MANY: [] as Projected[] };
  const marks: Mark[] = [];
  for (const projected of sites) {
    const { grade, id } = projected.site;
    if (alone.has(id)) marks.push(settle(single(projected), pixel, taken));
    else kinds[grade === 'RED' || grade === 'ORANGE' ? grade : 'MANY'].push(projected);
  }
  const red = merged(grouped(kinds.RED, 'RED', pixel), pixel);
  marks.push(...red.map((mark) => settle(mark, pixel, taken)));
  marks.push(...place(merged(grouped(kinds.ORANGE, 'ORANGE', pixel), pixel), pixel, taken));
  const rest = merged(grouped(kinds.MANY, 'MANY', pixel), pixel);
  const points = rest.filter(({ members }) => members.length <= FEW).flatMap(({ members }) => members.map(single));
  marks.push(...place(points, pixel, taken), ...place(rest.filter(({ members }) => members.length > FEW), pixel, taken));
  return marks;
}

export function single(projected: Projected): Mark {
  const { x, y, site } = projected;
  const kind = site.grade ?? 'NONE';
  return { x, y, size: SIZES[kind], kind, members: [projected] };
}

function grouped(sites: Projected[], kind: keyof typeof CELLS, pixel: number): Mark[] {
  const side = CELLS[kind] * pixel;
  const cells = new Map<string, Mark>();
  for (const projected of sites) {
    const key = `${Math.floor(projected.x / side)} ${Math.floor(projected.y / side)}`;
    const mark = cells.get(key);
    if (mark) join(mark, [projected]);
    else cells.set(key, kind === 'MANY' ? sized({ ...single(projected), kind: 'MANY' }) : single(projected));
  }
  return [...cells.values()];
}

/** Marks that would hide each other become one, the largest first, until none would. */
function merged(marks: Mark[], pixel: number): Mark[] {
  let result = marks;
  for (let pass = 0; pass < PASSES; pass++) {
    const before = result;
    result = [];
    for (const mark of before.toSorted((a, b) => b.members.length - a.members.length)) {
      const near = result.find((other) => Math.hypot(other.x - mark.x, other.y - mark.y) < ((other.size + mark.size) / 2) * CLOSE * pixel);
      if (near) join(near, mark.members);
      else result.push(mark);
    }
    if (result.length === before.length) break;
  }
  return result;
}

function join(mark: Mark, members: Projected[]): void {
  const count = mark.members.length + members.length;
  for (const axis of ['x', 'y'] as const) {
    mark[axis] = (mark[axis] * mark.members.length + members.reduce((total, member) => total + member[axis], 0)) / count;
  }
  mark.members.push(...members);
  sized(mark);
}

function sized<T>(mark: Mark<T>): Mark<T> {
  const count = mark.members.length;
  if (mark.kind === 'MANY') mark.size = discDiameter(count);
  else if (count > 1 && (mark.kind === 'RED' || mark.kind === 'ORANGE')) mark.size = countedSize(mark.kind, count);
  return mark;
}

/** Put marks where there is room, at most their own size from their place. One without room joins the nearest of its kind. */
export function place<T>(marks: Mark<T>[], pixel: number, taken: Room): Mark<T>[] {
  const placed: Mark<T>[] = [];
  const left: Mark<T>[] = [];
  for (const mark of marks) {
    const free = taken.free(mark, (mark.size / 2) * pixel, mark.size * pixel);
    if (free) placed.push(settle(Object.assign(mark, free), pixel, taken));
    else left.push(mark);
  }
  for (const mark of left) {
    const near = nearest(placed, mark, REACH * pixel);
    if (near) {
      // It stays where there was room for it.
      near.members.push(...mark.members);
      sized(near);
    } else placed.push(settle(mark, pixel, taken));
  }
  return placed;
}

/** The nearest mark of the same kind. One that has a number already is preferred, since it does not grow. */
function nearest<T>(marks: Mark<T>[], { x, y, kind }: Mark<T>, reach: number): Mark<T> | null {
  let best: Mark<T> | null = null;
  let least = reach;
  for (const other of marks) {
    const away = Math.hypot(other.x - x, other.y - y);
    const better = away < reach && (!best || (other.members.length > 1) === (best.members.length > 1) ? away < least : other.members.length > 1);
    if (other.kind === kind && better) [best, least] = [other, away];
  }
  return best;
}

function settle<T>(mark: Mark<T>, pixel: number, taken: Room): Mark<T> {
  taken.take({ x: mark.x, y: mark.y, radius: (mark.size / 2) * pixel });
  return mark;
}

/** The circles that are taken on the map, found by their place. */
export class Room {
  #cells = new Map<string, Circle[]>();
  #largest = 0;

  constructor(readonly side: number) {}

  take(circle: Circle): void {
    const key = `${Math.floor(circle.x / this.side)} ${Math.floor(circle.y / this.side)}`;
    const cell = this.#cells.get(key);
    if (cell) cell.push(circle);
    else this.#cells.set(key, [circle]);
    this.#largest = Math.max(this.#largest, circle.radius);
  }

  /** The free place that is nearest to `x` and `y`, at most `reach` away; null if there is none. */
  free({ x, y }: { x: number; y: number }, radius: number, reach: number): { x: number; y: number } | null {
    if (this.#isFree(x, y, radius)) return { x, y };
    for (const part of [0.5, 1]) {
      for (const [dx, dy] of DIRECTIONS) {
        const there = { x: x + dx * reach * part, y: y + dy * reach * part };
        if (this.#isFree(there.x, there.y, radius)) return there;
      }
    }
    return null;
  }

  #isFree(x: number, y: number, radius: number): boolean {
    const reach = radius + this.#largest;
    for (let column = Math.floor((x - reach) / this.side); column <= Math.floor((x + reach) / this.side); column++) {
      for (let row = Math.floor((y - reach) / this.side); row <= Math.floor((y + reach) / this.side); row++) {
        for (const other of this.#cells.get(`${column} ${row}`) ?? []) {
          if (Math.hypot(other.x - x, other.y - y) < other.radius + radius) return false;
        }
      }
    }
    return true;
  }
}
