// The head of an item: what it is, whose, how it stands, and how long it has.

import type { CaseStatus, DispatchStatus, HazardStatus, InspectionStatus, AssistanceStatus, RiskGrade } from '#graph';
import * as m from '#messages';

import { inspectionName, warningName } from '../../shared/describe';
import { moment, roughDuration, timeOfDay } from '../../shared/format';
import { localName } from '../../shared/local-name';
import type { Node, Of } from './item.svelte';
import { CALL, CONFIRM, resourceTitle } from './stacks';
import { stopwatch } from './limits';

export type State = 'late' | 'wait' | 'ok' | 'open';
export type Head = {
  kind: string;
  /** Facts of the item in the line above the title. */
  facts: string[];
  title: string;
  mark: RiskGrade | null;
  state: { state: State; name: string; value: string; detail: string };
};

const HAZARDS: Record<HazardStatus, () => string> = {
  FOUND: m.hazard_found, UNDER_REVIEW: m.hazard_under_review, ASSIGNED: m.hazard_assigned, RECTIFYING: m.hazard_rectifying,
  PENDING_ACCEPTANCE: m.hazard_pending, ACCEPTED: m.hazard_accepted, CLOSED: m.hazard_closed, DISMISSED: m.hazard_dismissed,
};
const CASES: Record<CaseStatus, () => string> = {
  PROPOSED: m.case_proposed, FILED: m.case_filed, NOT_FILED: m.case_not_filed, INVESTIGATING: m.case_investigating, NOTIFIED: m.case_notified,
  HEARING: m.case_hearing, DECIDED: m.case_decided, NO_PENALTY: m.case_no_penalty, TRANSFERRED: m.case_transferred, WITHDRAWN: m.case_withdrawn,
  EXECUTING: m.case_executing, CLOSED: m.case_closed,
};
const INSPECTIONS: Record<InspectionStatus, () => string> = {
  PLANNED: m.inspected_planned, DISPATCHED: m.inspected_dispatched, ACKNOWLEDGED: m.inspected_acknowledged, EN_ROUTE: m.inspected_en_route,
  ON_SITE: m.inspected_on_site, SUBMITTED: m.inspected_submitted, IN_REVIEW: m.inspected_in_review, CLOSED: m.inspected_closed, CANCELLED: m.inspected_cancelled,
};
const DISPATCHES: Record<DispatchStatus, () => string> = {
  REQUESTED: m.dispatched_requested, ASSIGNED: m.dispatched_assigned, ACKNOWLEDGED: m.inspected_acknowledged, EN_ROUTE: m.inspected_en_route,
  ON_SCENE: m.dispatched_on_scene, COMPLETED: m.dispatched_completed, RELEASED: m.dispatched_released, DECLINED: m.dispatched_declined, CANCELLED: m.inspected_cancelled,
};
const CALLS: Record<AssistanceStatus, () => string> = {
  OPEN: m.call_open, DISPATCHED: m.call_dispatched, RESOLVED: m.call_resolved, WITHDRAWN: m.call_withdrawn,
};

/** The name of any status of any noun, as events and conflicts have it. */
export function statusName(type: Node['__typename'], status: string): string {
  const names: Partial<Record<Node['__typename'], Record<string, () => string>>> = { Hazard: HAZARDS, Case: CASES, Inspection: INSPECTIONS, Dispatch: DISPATCHES, AssistanceRequest: CALLS };
  return names[type]?.[status]?.() ?? status;
}

export function statusOf(node: Node): string {
  switch (node.__typename) {
    case 'Hazard': return node.hazardStatus;
    case 'Case': return node.caseStatus;
    case 'Inspection': return node.inspectionStatus;
    case 'Dispatch': return node.dispatchStatus;
    case 'AssistanceRequest': return node.status;
    case 'Warning': return node.liftedAt === null ? 'IN_FORCE' : 'LIFTED';
    default: return '';
  }
}

export function headOf(node: Node, now: number): Head | null {
  switch (node.__typename) {
    case 'AssistanceRequest': return callHead(node, now);
    case 'Hazard': return hazardHead(node, now);
    case 'Inspection': {
      const since = [node.closedAt, node.submittedAt, node.arrivedAt, node.departedAt, node.acknowledgedAt, node.dispatchedAt].find((time) => time !== null) ?? null;
      const waits = node.inspectionStatus === 'DISPATCHED' && node.dispatchedAt !== null;
      const passed = since === null ? null : now - Date.parse(since);
      const state: State = waits ? (passed! > CONFIRM ? 'late' : 'wait') : node.inspectionStatus === 'CLOSED' ? 'ok' : 'open';
      return {
        kind: m.desk_noun_inspection(), facts: [inspectionName(node.kind), m.desk_version({ version: node.version })], title: node.enterprise.name, mark: node.enterprise.riskGrade,
        state: { state, name: INSPECTIONS[node.inspectionStatus](), value: passed === null ? '' : waits ? stopwatch(passed) : roughDuration(passed), detail: node.plannedFor ? m.desk_planned_for({ moment: moment(node.plannedFor) }) : '' },
      };
    }
    case 'Case':
      return {
        kind: m.desk_noun_case(), facts: [node.number ?? m.desk_no_number(), m.desk_version({ version: node.version })], title: node.enterprise.name, mark: node.enterprise.riskGrade,
        state: { state: 'open', name: CASES[node.caseStatus](), value: '', detail: node.filedAt ? m.desk_filed_at({ moment: moment(node.filedAt) }) : '' },
      };
    case 'Dispatch': {
      const passed = now - Date.parse(node.requestedAt);
      const waits = node.dispatchStatus === 'ASSIGNED';
      return {
        kind: m.desk_noun_dispatch(), facts: [node.purpose, m.desk_version({ version: node.version })], title: resourceTitle(node.resource) ?? node.purpose, mark: node.destination?.riskGrade ?? null,
        state: { state: waits ? (passed > CONFIRM ? 'late' : 'wait') : 'open', name: DISPATCHES[node.dispatchStatus](), value: waits ? stopwatch(passed) : roughDuration(passed), detail: m.desk_since({ time: moment(node.requestedAt) }) },
      };
    }
    case 'Warning':
      return {
        kind: m.desk_kind_warning(), facts: [node.zone ? localName(node.zone) : m.district_all(), m.desk_version({ version: node.version })], title: warningName(node.warningKind, node.warningLevel), mark: node.warningLevel,
        state: { state: node.liftedAt ? 'ok' : 'open', name: node.liftedAt ? m.desk_lifted() : m.desk_in_force(), value: roughDuration(now - Date.parse(node.issuedAt)), detail: m.desk_since({ time: moment(node.issuedAt) }) },
      };
    default: return null;
  }
}

function callHead(node: Of<'AssistanceRequest'>, now: number): Head {
  const open = node.enterprise.calls.nodes;
  const first = Math.min(Date.parse(node.requestedAt), ...open.map(({ requestedAt }) => Date.parse(requestedAt)));
  const passed = now - first;
  const waits = node.status === 'OPEN';
  return {
    kind: waits ? m.desk_calls({ count: open.length }) : m.desk_kind_call(),
    facts: [...(node.dutyReport ? [m.desk_from_report()] : []), m.desk_received({ time: timeOfDay(first) })], title: node.enterprise.name, mark: node.enterprise.riskGrade,
    state: waits
      ? { state: passed > CALL ? 'late' : 'wait', name: m.call_open(), value: passed < 36_000_000 ? stopwatch(passed) : roughDuration(passed), detail: m.desk_limit({ limit: stopwatch(CALL) }) }
      : { state: node.status === 'DISPATCHED' ? 'wait' : 'ok', name: CALLS[node.status](), value: node.inspection?.inspectors[0]?.fullName ?? '', detail: node.resolution ?? '' },
  };
}

function hazardHead(node: Of<'Hazard'>, now: number): Head {
  const left = node.deadline === null ? null : Date.parse(node.deadline) - now;
  const done = node.hazardStatus === 'ACCEPTED' || node.hazardStatus === 'CLOSED' || node.hazardStatus === 'DISMISSED';
  const value = done ? '' : left === null ? m.alarm_no_deadline() : node.overdue ? m.late_by({ duration: roughDuration(-left) }) : m.time_left({ duration: roughDuration(left) });
  return {
    kind: m.desk_noun_hazard(), facts: [node.level === 'MAJOR' ? m.desk_major() : m.desk_general(), m.desk_version({ version: node.version })], title: node.description, mark: node.level === 'MAJOR' ? 'RED' : 'YELLOW',
    state: { state: done ? 'ok' : node.overdue ? 'late' : 'open', name: HAZARDS[node.hazardStatus](), value, detail: node.deadline ? m.desk_deadline({ moment: moment(node.deadline) }) : '' },
  };
}
