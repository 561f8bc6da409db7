// The limits that time runs against.

import { timeOfDay } from '../../shared/format';

/** The end of the district's day, which is the next midnight of its clock. */
export function dayEnd(now: number): number {
  const [hours, minutes, seconds] = timeOfDay(now).split(':').map(Number) as [number, number, number];
  return now + 86_400_000 - ((hours * 60 + minutes) * 60 + seconds) * 1000 - (now % 1000);
}

/** A running time as on a stop-watch: 2:14, or 1:02:14 from an hour on. */
export function stopwatch(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** The last second of a day of the district, for a date such as 2026-12-02. */
export function endOfDate(date: string): string {
  const utc = Date.parse(`${date}T23:59:59Z`);
  const [hours, minutes, seconds] = timeOfDay(utc).split(':').map(Number) as [number, number, number];
  // The time on the district's clock at that moment is ahead of UTC by the offset, which is from -12 to +14 hours.
  let offset = (hours * 60 + minutes) * 60 + seconds - 86_399;
  if (offset <= -12 * 3600) offset += 86_400;
  return new Date(utc - offset * 1000).toISOString();
}
