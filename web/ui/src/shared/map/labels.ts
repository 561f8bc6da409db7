// Places labels so that none lies over another. What finds no free place is left out.

export type Label = {
  text: string;
  /** The point's place on the screen, in pixels. */
  x: number;
  y: number;
  /** Height of the letters, in pixels. */
  size: number;
  strong: boolean;
  /** Distance between the point and the text, in pixels; null for a text centred on the point. */
  gap: number | null;
};
export type Placed = { label: Label; dx: number; dy: number; align: 'left' | 'right' | 'center' };
export type Box = { left: number; top: number; right: number; bottom: number };

const context = document.createElement('canvas').getContext('2d')!;

/**
 * Labels with a place, those that come first in `labels` chosen first. `taken` are boxes that no label may cover. Of the
 * free places the one is chosen that covers the fewest of `marks`.
 */
export function placeLabels(labels: Label[], taken: Box[], marks: Box[], font: string, width: number, height: number): Placed[] {
  const boxes = [...taken];
  const placed: Placed[] = [];
  for (const label of labels) {
    context.font = `${label.strong ? 600 : 400} ${label.size}px ${font}`;
    const length = context.measureText(label.text).width;
    let found: Candidate | null = null;
    let least = Infinity;
    for (const candidate of candidates(label)) {
      const box = around(label, candidate, length);
      if (!inside(box, width, height) || boxes.some((other) => overlap(box, other))) continue;
      const covered = marks.filter((mark) => overlap(box, mark)).length;
      if (covered < least) [least, found] = [covered, candidate];
    }
    if (!found) continue;
    boxes.push(around(label, found, length));
    placed.push({ label, ...found });
  }
  return placed;
}

type Candidate = Omit<Placed, 'label'>;

function candidates({ gap, size }: Label): Candidate[] {
  const away = size * 1.1;
  if (gap === null) return [0, away, -away, 2 * away, -2 * away].map((dy) => ({ dx: 0, dy, align: 'center' }));
  return [
    { dx: gap, dy: 0, align: 'left' },
    { dx: -gap, dy: 0, align: 'right' },
    { dx: 0, dy: -gap - size * 0.5, align: 'center' },
    { dx: 0, dy: gap + size * 0.5, align: 'center' },
  ];
}

function around({ x, y, size }: Label, { dx, dy, align }: Candidate, length: number): Box {
  const start = align === 'left' ? 0 : align === 'right' ? -length : -length / 2;
  const left = x + dx + start;
  return { left: left - 2, top: y + dy - size * 0.62, right: left + length + 2, bottom: y + dy + size * 0.62 };
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function inside(box: Box, width: number, height: number): boolean {
  return box.left > 0 && box.top > 0 && box.right < width && box.bottom < height;
}
