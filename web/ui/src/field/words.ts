// Names of actions and results, and the times that a deadline leaves.

import type { HazardStatus, InspectionKind, InspectionResult, InspectionStatus, RiskGrade } from '#graph';
import * as m from '#messages';

import { moment, roughDuration } from '../shared/format';
import type { ActionKind } from './outbox/action';

const ACTIONS: Record<ActionKind, () => string> = {
  acknowledge: m.phone_act_acknowledge, depart: m.phone_act_depart, arrive: m.phone_act_arrive, submit: m.phone_act_submit,
  plan: m.phone_act_plan, duty: m.phone_act_duty, accept: m.phone_act_accept, reject: m.phone_act_reject, resolve: m.phone_act_resolve,
  startRectifying: m.phone_act_start, rectify: m.phone_act_rectify, extend: m.phone_act_extend, dutyReport: m.phone_act_duty_report,
  help: m.phone_act_help, withdraw: m.phone_act_withdraw,
};
const RESULTS: Record<InspectionResult, () => string> = {
  PASS: m.phone_result_pass, HAZARDS_FOUND: m.phone_result_hazards, REFUSED: m.phone_result_refused,
  NOT_OPERATING: m.phone_result_not_operating, NOT_APPLICABLE: m.phone_result_not_applicable,
};
const STATUSES: Partial<Record<InspectionStatus, () => string>> = {
  PLANNED: m.phone_status_planned, DISPATCHED: m.phone_status_dispatched, ACKNOWLEDGED: m.phone_status_acknowledged,
  EN_ROUTE: m.phone_status_en_route, ON_SITE: m.phone_status_on_site, SUBMITTED: m.phone_status_submitted,
};
const HAZARDS: Record<HazardStatus, () => string> = {
  FOUND: m.hazard_found, UNDER_REVIEW: m.hazard_under_review, ASSIGNED: m.hazard_assigned, RECTIFYING: m.hazard_rectifying,
  PENDING_ACCEPTANCE: m.hazard_pending, ACCEPTED: m.hazard_accepted, CLOSED: m.hazard_closed, DISMISSED: m.hazard_dismissed,
};
const RISKS: Record<RiskGrade, () => string> = {
  RED: m.phone_risk_red, ORANGE: m.phone_risk_orange, YELLOW: m.phone_risk_yellow, BLUE: m.phone_risk_blue,
};
const HOUR = 3_600_000;

export const actionName = (kind: ActionKind): string => ACTIONS[kind]();
export const resultName = (result: InspectionResult): string => RESULTS[result]();
export const statusName = (status: InspectionStatus): string => STATUSES[status]?.() ?? status;
export const hazardStatusName = (status: HazardStatus): string => HAZARDS[status]();
export const riskName = (grade: RiskGrade | null): string => (grade ? RISKS[grade]() : m.phone_risk_unknown());

/** The time until a deadline, or the time since it passed: whole days rounded down, hours under 48 h. */
export function left(deadline: string, now: number): { text: string; late: boolean } {
  const milliseconds = Date.parse(deadline) - now;
  const duration = roughDuration(Math.abs(milliseconds));
  return milliseconds >= 0 ? { text: m.phone_left_time({ duration }), late: false } : { text: m.phone_late({ duration }), late: true };
}

/** A deadline with its day. One that ends with the day is 24:00 of that day. */
export function deadlineText(deadline: string): string {
  const at = Date.parse(deadline);
  const next = moment(at + 1000);
  const endsDay = /00[:：]00$/.test(next) && !/00[:：]00$/.test(moment(at - HOUR));
  return m.phone_by({ moment: endsDay ? `${moment(at - HOUR).replace(/\d\d[:：]\d\d$/, '24:00')}` : moment(at) });
}

const KINDS: Record<InspectionKind, () => string> = {
  ROUTINE: m.inspection_routine, SPECIAL: m.inspection_special, ASSISTANCE: m.inspection_assistance,
  REINSPECTION: m.inspection_reinspection, COMPLAINT: m.inspection_complaint,
};
export const inspectionKind = (kind: InspectionKind): string => KINDS[kind]();
