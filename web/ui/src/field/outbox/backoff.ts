// The time to wait before the next attempt.

const FIRST = 1_000;
const LONGEST = 60_000;

/**
 * Milliseconds after `failures` failures in a row: one second, doubled each time up to a minute, less up to half at random so
 * that phones that lost the server together do not come back together. At least what the server asked for.
 */
export function backoff(failures: number, random: () => number, asked = 0): number {
  const most = Math.min(LONGEST, FIRST * 2 ** Math.min(failures - 1, 16));
  return Math.max(asked, most * (1 - random() / 2));
}
