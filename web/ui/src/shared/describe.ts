// Events in plain words: a mark, whom it is about, and what happened.

import type { EventKind, FeedEventFragment, InspectionKind, RiskGrade, WarningKind, WarningLevel } from '#graph';
import * as m from '#messages';

import { localName } from './local-name';

export type MarkName = 'ok' | 'wait' | 'late' | 'open' | RiskGrade;
export type Described = { mark: MarkName; title: string; text: string };

type Event = FeedEventFragment;
type Of<T extends Event['__typename']> = Extract<Event, { __typename: T }>;

const GRADES: Record<RiskGrade, () => string> = {
  RED: m.risk_red, ORANGE: m.risk_orange, YELLOW: m.risk_yellow, BLUE: m.risk_blue,
};
const LEVELS: Record<WarningLevel, () => string> = {
  RED: m.level_red, ORANGE: m.level_orange, YELLOW: m.level_yellow, BLUE: m.level_blue,
};
const WARNINGS: Record<WarningKind, (values: { level: string }) => string> = {
  RAINSTORM: m.warning_rainstorm, TYPHOON: m.warning_typhoon, HEAT: m.warning_heat, FIRE: m.warning_fire,
  HAZMAT: m.warning_hazmat, OTHER: m.warning_other,
};
const INSPECTIONS: Record<InspectionKind, () => string> = {
  ROUTINE: m.inspection_routine, SPECIAL: m.inspection_special, ASSISTANCE: m.inspection_assistance,
  REINSPECTION: m.inspection_reinspection, COMPLAINT: m.inspection_complaint,
};
const DONE: ReadonlySet<EventKind> = new Set<EventKind>([
  'HAZARD_ACCEPTED', 'HAZARD_CLOSED', 'HAZARD_DISMISSED', 'INSPECTION_REVIEWED', 'INSPECTION_CLOSED', 'CASE_CLOSED',
  'DISPATCH_COMPLETED', 'DISPATCH_RELEASED', 'ASSISTANCE_RESOLVED', 'ASSISTANCE_WITHDRAWN', 'WARNING_LIFTED',
  'CONTROL_MEASURE_ADDED', 'STOCK_RECEIVED',
]);
const UNDER_WAY: ReadonlySet<EventKind> = new Set<EventKind>([
  'INSPECTION_DISPATCHED', 'INSPECTION_ACKNOWLEDGED', 'INSPECTION_DEPARTED', 'DISPATCH_ASSIGNED', 'DISPATCH_ACKNOWLEDGED',
  'DISPATCH_DEPARTED', 'ASSISTANCE_DISPATCHED', 'HAZARD_ASSIGNED', 'HAZARD_RECTIFYING_STARTED', 'HAZARD_RECTIFICATION_SUBMITTED',
]);

export const gradeName = (grade: RiskGrade | null | undefined): string => (grade ? GRADES[grade]() : m.risk_unknown());
export const levelName = (level: WarningLevel): string => LEVELS[level]();
export const warningName = (kind: WarningKind, level: WarningLevel): string => WARNINGS[kind]({ level: LEVELS[level]() });
export const inspectionName = (kind: InspectionKind): string => INSPECTIONS[kind]();
/** A badge without the letters that all badges share. */
export const badgeNumber = (badge: string): string => badge.replace(/^[A-Z]+(?=\d)/, '');

export function describe(event: Event): Described {
  const [title, text] = words(event);
  return { mark: mark(event), title, text };
}

function place(event: Event): string {
  return event.enterprise?.name ?? (event.zone ? localName(event.zone) : m.district_all());
}

function mark(event: Event): MarkName {
  if (event.__typename === 'WarningUpdate' && event.kind !== 'WARNING_LIFTED') return event.warning.level;
  if (event.__typename === 'HazardUpdate' && ['HAZARD_FOUND', 'HAZARD_REPORTED', 'HAZARD_AMENDED', 'HAZARD_REOPENED', 'HAZARD_REJECTED'].includes(event.kind)) {
    return event.hazard.level === 'MAJOR' ? 'RED' : 'YELLOW';
  }
  if (event.kind === 'HAZARD_EXTENSION_REQUESTED') return 'ORANGE';
  if (event.kind === 'ASSISTANCE_REQUESTED' || event.kind === 'ASSISTANCE_REOPENED') return 'late';
  if (event.__typename === 'DutyReportUpdate') return event.dutyReport.problems.length > 0 ? 'late' : 'ok';
  if (event.__typename === 'InspectionUpdate' && event.kind === 'INSPECTION_SUBMITTED') return event.inspection.hazards.totalCount === 0 ? 'ok' : 'open';
  if (DONE.has(event.kind)) return 'ok';
  return UNDER_WAY.has(event.kind) ? 'wait' : 'open';
}

function words(event: Event): [string, string] {
  switch (event.__typename) {
    case 'HazardUpdate': return [place(event), hazardText(event)];
    case 'InspectionUpdate': return inspectionWords(event);
    case 'DispatchUpdate': return [resourceName(event.dispatch.resource, place(event)), dispatchText(event)];
    case 'WarningUpdate': return [event.zone ? localName(event.zone) : m.district_all(), warningText(event)];
    case 'AssistanceUpdate': return [place(event), assistanceText(event)];
    case 'DutyReportUpdate': {
      const count = event.dutyReport.problems.length;
      return [place(event), count > 0 ? m.event_duty_report_problems({ count }) : m.event_duty_report_clear()];
    }
    case 'CaseUpdate': return [place(event), CASES[event.kind]?.() ?? ''];
    case 'MeasureUpdate': {
      const what = event.controlMeasure.description;
      return [place(event), event.kind === 'CONTROL_MEASURE_LIFTED' ? m.event_measure_lifted({ what }) : m.event_measure_added({ what })];
    }
    case 'ResourceUpdate': return [resourceName(event.resource, place(event)), resourceText(event)];
    case 'EnterpriseUpdate': return [place(event), enterpriseText(event)];
    case 'HandoverUpdate': return [m.handover_title(), event.kind === 'HANDOVER_TAKEN' ? m.event_handover_taken() : m.event_handover_signed()];
    default: return [place(event), m.event_register_imported()];
  }
}

function hazardText(event: Of<'HazardUpdate'>): string {
  const what = event.hazard.description;
  switch (event.kind) {
    case 'HAZARD_FOUND': return event.hazard.level === 'MAJOR' ? m.event_hazard_found_major({ what }) : m.event_hazard_found_general({ what });
    case 'HAZARD_REPORTED': return m.event_hazard_reported({ what });
    case 'HAZARD_AMENDED': return m.event_hazard_amended({ what });
    case 'HAZARD_ASSIGNED': return m.event_hazard_assigned({ what });
    case 'HAZARD_RECTIFYING_STARTED': return m.event_hazard_rectifying({ what });
    case 'HAZARD_RECTIFICATION_SUBMITTED': return m.event_hazard_submitted();
    case 'HAZARD_ACCEPTED': return m.event_hazard_accepted();
    case 'HAZARD_REJECTED': return m.event_hazard_rejected();
    case 'HAZARD_CLOSED': return m.event_hazard_closed();
    case 'HAZARD_REOPENED': return m.event_hazard_reopened();
    case 'HAZARD_DISMISSED': return m.event_hazard_dismissed();
    case 'HAZARD_EXTENSION_REQUESTED': return m.event_hazard_extension_requested({ what });
    case 'HAZARD_EXTENSION_LAPSED': return m.event_hazard_extension_lapsed();
    default: return m.event_hazard_extension_decided();
  }
}

function inspectionWords(event: Of<'InspectionUpdate'>): [string, string] {
  const officer = event.inspection.inspectors[0];
  const who = officer ? m.officer_number({ badge: badgeNumber(officer.badge) }) : place(event);
  const where = { place: place(event) };
  switch (event.kind) {
    case 'INSPECTION_PLANNED': return [place(event), m.event_inspection_planned({ kind: inspectionName(event.inspection.kind) })];
    case 'INSPECTION_DISPATCHED': return [who, m.event_inspection_dispatched(where)];
    case 'INSPECTION_ACKNOWLEDGED': return [who, m.event_inspection_acknowledged(where)];
    case 'INSPECTION_DEPARTED': return [who, m.event_inspection_departed(where)];
    case 'INSPECTION_ARRIVED': return [who, m.event_inspection_arrived(where)];
    case 'INSPECTION_SUBMITTED': {
      const count = event.inspection.hazards.totalCount;
      return [place(event), count > 0 ? m.event_inspection_found({ count }) : m.event_inspection_passed()];
    }
    case 'INSPECTION_REVIEWED': return [place(event), m.event_inspection_reviewed()];
    case 'INSPECTION_RETURNED': return [place(event), m.event_inspection_returned()];
    case 'INSPECTION_CLOSED': return [place(event), m.event_inspection_closed()];
    default: return [place(event), m.event_inspection_cancelled()];
  }
}

const CASES: Partial<Record<EventKind, () => string>> = {
  CASE_PROPOSED: m.event_case_proposed, CASE_FILED: m.event_case_filed, CASE_DECLINED: m.event_case_declined,
  CASE_INVESTIGATED: m.event_case_investigated, CASE_NOTIFIED: m.event_case_notified, CASE_HEARD: m.event_case_heard,
  CASE_DECIDED: m.event_case_decided, CASE_EXECUTED: m.event_case_executed, CASE_CLOSED: m.event_case_closed,
};
const DISPATCHES: Partial<Record<EventKind, (values: { what: string }) => string>> = {
  DISPATCH_REQUESTED: m.event_dispatch_requested, DISPATCH_ASSIGNED: m.event_dispatch_assigned,
  DISPATCH_ACKNOWLEDGED: m.event_dispatch_acknowledged, DISPATCH_DEPARTED: m.event_dispatch_departed,
  DISPATCH_ARRIVED: m.event_dispatch_arrived, DISPATCH_COMPLETED: m.event_dispatch_completed,
  DISPATCH_DECLINED: m.event_dispatch_declined, DISPATCH_CANCELLED: m.event_dispatch_cancelled,
};
const STOCK: Partial<Record<EventKind, (values: { what: string }) => string>> = {
  STOCK_RECEIVED: m.event_stock_received, STOCK_RESERVED: m.event_stock_reserved, STOCK_FREED: m.event_stock_freed,
  STOCK_DRAWN: m.event_stock_drawn,
};

function dispatchText(event: Of<'DispatchUpdate'>): string {
  return DISPATCHES[event.kind]?.({ what: event.dispatch.purpose }) ?? m.event_dispatch_released();
}

function warningText(event: Of<'WarningUpdate'>): string {
  const warning = warningName(event.warning.kind, event.warning.level);
  const { headline } = event.warning;
  if (event.kind === 'WARNING_LIFTED') return m.event_warning_lifted({ warning });
  if (event.warning.automatic) return event.kind === 'WARNING_RAISED' ? m.event_rain_raised({ warning }) : m.event_rain_issued({ warning });
  return event.kind === 'WARNING_RAISED' ? m.event_warning_raised({ warning, headline }) : m.event_warning_issued({ warning, headline });
}

function assistanceText(event: Of<'AssistanceUpdate'>): string {
  switch (event.kind) {
    case 'ASSISTANCE_REQUESTED': return m.event_assistance_requested({ what: event.assistanceRequest.problem });
    case 'ASSISTANCE_DISPATCHED': return m.event_assistance_dispatched();
    case 'ASSISTANCE_REOPENED': return m.event_assistance_reopened();
    case 'ASSISTANCE_RESOLVED': return m.event_assistance_resolved();
    default: return m.event_assistance_withdrawn();
  }
}

function enterpriseText(event: Of<'EnterpriseUpdate'>): string {
  if (event.kind === 'ENTERPRISE_REGISTERED') return m.event_enterprise_registered();
  if (event.kind === 'ENTERPRISE_RETIRED') return m.event_enterprise_retired();
  if (event.kind === 'ENTERPRISE_RESTORED') return m.event_enterprise_restored();
  if (event.kind === 'ENTERPRISE_GRADED') return m.event_enterprise_graded({ grade: gradeName(event.enterprise?.riskGrade) });
  return event.kind === 'REGISTER_IMPORTED' ? m.event_register_imported() : m.event_enterprise_changed();
}

function resourceText(event: Of<'ResourceUpdate'>): string {
  const { resource } = event;
  if (resource.__typename === 'StockItem') return STOCK[event.kind]?.({ what: resource.name }) ?? '';
  if (resource.__typename === 'Inspector') return resource.onDuty ? m.event_duty_on() : m.event_duty_off();
  return m.event_standby_set();
}

type Resource = Of<'ResourceUpdate'>['resource'] | Of<'DispatchUpdate'>['dispatch']['resource'];

function resourceName(resource: Resource, otherwise: string): string {
  switch (resource?.__typename) {
    case 'Team': return resource.name;
    case 'Expert': return m.expert();
    case 'StockItem': return resource.warehouse.name;
    case 'Inspector': return m.officer_number({ badge: badgeNumber(resource.badge) });
    default: return otherwise;
  }
}
