// The lines of a briefing in words.

import type { BriefedEnterpriseFragment, BriefingItemsFragment, BriefingKind } from '#graph';
import * as m from '#messages';

import { valueName } from '../../shared/forms/words';

type Line = BriefingItemsFragment['lines'][number];
type Group = BriefingItemsFragment['rest'][number];

const STATUSES: Record<BriefingKind, string> = {
  ASSISTANCE: 'AssistanceStatus', HAZARD: 'HazardStatus', EXTENSION: '', INSPECTION: 'InspectionStatus', CASE: 'CaseStatus',
  DISPATCH: 'DispatchStatus',
};
const NOUNS: Record<BriefingKind, () => string> = {
  ASSISTANCE: m.noun_assistance, HAZARD: m.noun_hazard, EXTENSION: m.noun_extension, INSPECTION: m.noun_inspection, CASE: m.noun_case,
  DISPATCH: m.noun_dispatch,
};

/** The number that the log gave the event. */
export const numberOf = (cursor: string): string => `#${cursor.split('-').at(-1) ?? ''}`;

const EXTENSIONS: Record<string, () => string> = {
  REQUESTED: m.briefing_extension_asked, DECIDED: m.briefing_extension_decided, LAPSED: m.briefing_extension_lapsed,
};

export function statusName(kind: BriefingKind, status: string): string {
  if (kind === 'EXTENSION') return EXTENSIONS[status]?.() ?? status;
  return valueName(STATUSES[kind], status);
}

export function enterpriseOf({ item }: Line): BriefedEnterpriseFragment | null {
  return item.__typename === 'Dispatch' ? (item.destination ?? null) : item.enterprise;
}

export function contentOf({ item }: Line): string {
  switch (item.__typename) {
    case 'AssistanceRequest': return item.problem;
    case 'Hazard': return item.description;
    case 'Inspection': return valueName('InspectionKind', item.inspectionKind);
    case 'Case': return item.grounds;
    case 'Dispatch': return item.purpose;
  }
}

/** "14 hazards found, 3 inspections submitted" */
export const restOf = (groups: Group[]): string =>
  groups.map(({ kind, status, count }) => m.briefing_group({ noun: NOUNS[kind](), status: statusName(kind, status), count })).join(m.briefing_comma());

/** The first and the last event of groups. */
export function rangeOf(groups: Group[]): string {
  const numbers = groups.flatMap(({ firstEvent, lastEvent }) => [firstEvent, lastEvent]).flatMap((event) => (event ? [Number(event.cursor.split('-').at(-1))] : []));
  return numbers.length === 0 ? '' : m.briefing_range({ first: `#${Math.min(...numbers)}`, last: `#${Math.max(...numbers)}` });
}
