// The values that an enterprise fills in about a hazard, and the inputs that they become.

import type { FieldHazardFragment } from '#graph';

import { endOfDay } from './visit';

export type FiveFixDraft = { responsibility: string; measures: string; funds: string; day: string; contingencyPlan: string };
export type RectificationDraft = { statement: string; photos: string[]; five: FiveFixDraft; until: string; reason: string };

export const emptyRectification = (): RectificationDraft => ({
  statement: '', photos: [], five: { responsibility: '', measures: '', funds: '', day: '', contingencyPlan: '' }, until: '', reason: '',
});

/** A major hazard needs all five fixes before rectifying starts. */
export function startInput(hazard: FieldHazardFragment, five: FiveFixDraft, timeZone: string): Record<string, unknown> | null {
  if (hazard.level !== 'MAJOR') return { hazard: hazard.id };
  const { responsibility, measures, funds, day, contingencyPlan } = five;
  if ([responsibility, measures, funds, day, contingencyPlan].some((text) => text.trim() === '')) return null;
  const fiveFix = { responsibility, measures, funds, deadline: endOfDay(day, timeZone), contingencyPlan };
  return { hazard: hazard.id, fiveFix };
}
