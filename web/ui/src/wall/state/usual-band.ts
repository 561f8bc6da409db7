// Compares a rate with its usual band: the middle 80 % of the last eight weeks.

import type { HistoryFragment } from '#graph';
import * as m from '#messages';

import { percent } from '../../shared/format';

export type UsualBand = { outside: 'below' | 'above' | null; text: string | null };

/** The place of the rate against its usual band, in words; no text where there is no band. */
export function usualBand(rate: number | null, history: HistoryFragment | null): UsualBand {
  if (history === null || history.usualLow === null || history.usualHigh === null) return { outside: null, text: null };
  const [low, high] = [percent(history.usualLow), percent(history.usualHigh)];
  if (rate !== null && rate < history.usualLow) return { outside: 'below', text: m.wall_below({ limit: low }) };
  if (rate !== null && rate > history.usualHigh) return { outside: 'above', text: m.wall_above({ limit: high }) };
  return { outside: null, text: m.wall_usual({ low: low.replace('%', ''), high }) };
}
