// The words of forms and tables: each mutation, field of an input and value of an enum. TypeScript refuses the build where
// the schema has one that is missing here.

import type { EnumNames, FieldName, FormName } from '#forms';
import type { AssistanceStatus, DispatchStatus, HazardStatus, InspectionStatus } from '#graph';
import * as m from '#messages';

type Word = () => string;

const ACTIONS: Record<FormName, Word> = {
  inspectionPlan: m.act_inspection_plan, inspectionDispatch: m.act_inspection_dispatch,
  inspectionAcknowledge: m.act_inspection_acknowledge, inspectionDepart: m.act_inspection_depart,
  inspectionArrive: m.act_inspection_arrive, inspectionSubmit: m.act_inspection_submit,
  inspectionReview: m.act_inspection_review, inspectionReturn: m.act_inspection_return,
  inspectionClose: m.act_inspection_close, inspectionCancel: m.act_inspection_cancel,
  hazardReport: m.act_hazard_report, hazardAssign: m.act_hazard_assign,
  hazardStartRectifying: m.act_hazard_start_rectifying,
  hazardSubmitRectification: m.act_hazard_submit_rectification, hazardAccept: m.act_hazard_accept,
  hazardReject: m.act_hazard_reject, hazardClose: m.act_hazard_close, hazardReopen: m.act_hazard_reopen,
  hazardDismiss: m.act_hazard_dismiss, hazardRequestExtension: m.act_hazard_request_extension,
  hazardDecideExtension: m.act_hazard_decide_extension, casePropose: m.act_case_propose, caseFile: m.act_case_file,
  caseDecline: m.act_case_decline, caseInvestigate: m.act_case_investigate, caseNotify: m.act_case_notify,
  caseHear: m.act_case_hear, caseDecide: m.act_case_decide, caseExecute: m.act_case_execute,
  caseClose: m.act_case_close, dutyReportSubmit: m.act_duty_report_submit,
  assistanceRequest: m.act_assistance_request, assistanceDispatch: m.act_assistance_dispatch,
  assistanceResolve: m.act_assistance_resolve, assistanceWithdraw: m.act_assistance_withdraw,
  dispatchRequest: m.act_dispatch_request, dispatchAssign: m.act_dispatch_assign,
  dispatchAcknowledge: m.act_dispatch_acknowledge, dispatchDepart: m.act_dispatch_depart,
  dispatchArrive: m.act_dispatch_arrive, dispatchComplete: m.act_dispatch_complete,
  dispatchRelease: m.act_dispatch_release, dispatchDecline: m.act_dispatch_decline,
  dispatchCancel: m.act_dispatch_cancel, enterpriseUpsert: m.act_enterprise_upsert,
  enterprisesUpsert: m.act_enterprises_upsert, enterpriseGrade: m.act_enterprise_grade,
  controlMeasureAdd: m.act_control_measure_add, controlMeasureLift: m.act_control_measure_lift,
  inspectorSetDuty: m.act_inspector_set_duty, inspectorReportPosition: m.act_inspector_report_position,
  positionsReport: m.act_positions_report, teamSetStandby: m.act_team_set_standby,
  expertSetStandby: m.act_expert_set_standby, stockReceive: m.act_stock_receive,
  rainfallReport: m.act_rainfall_report, readingsReport: m.act_readings_report, warningIssue: m.act_warning_issue,
  warningLift: m.act_warning_lift, handoverSign: m.act_handover_sign, handoverTake: m.act_handover_take,
};

const FIELDS: Record<FieldName, Word> = {
  address: m.field_address, approve: m.field_approve, assistanceRequest: m.field_assistance_request, at: m.field_at,
  case: m.field_case, category: m.field_category, contingencyPlan: m.field_contingency_plan,
  controlMeasure: m.field_control_measure, count: m.field_count, creditCode: m.field_credit_code,
  deadline: m.field_deadline, description: m.field_description, dispatch: m.field_dispatch, drawn: m.field_drawn,
  enterprise: m.field_enterprise, evidence: m.field_evidence, expert: m.field_expert,
  expertsOnStandby: m.field_experts_on_standby, externalId: m.field_external_id, findings: m.field_findings,
  fineYuan: m.field_fine_yuan, fiveFix: m.field_five_fix, fixedOnSpot: m.field_fixed_on_spot, funds: m.field_funds,
  grounds: m.field_grounds, handover: m.field_handover, hazard: m.field_hazard, hazardousChemicals: m.field_hazardous_chemicals,
  headline: m.field_headline, industry: m.field_industry, inspection: m.field_inspection,
  inspector: m.field_inspector, inspectors: m.field_inspectors, kind: m.field_kind, kinds: m.field_kinds,
  latitude: m.field_latitude, legalRepresentative: m.field_legal_representative, level: m.field_level,
  location: m.field_location, longitude: m.field_longitude, majorHazardLevel: m.field_major_hazard_level,
  measures: m.field_measures, measuresInPlace: m.field_measures_in_place, millimetres: m.field_millimetres,
  name: m.field_name, note: m.field_note, number: m.field_number, onDuty: m.field_on_duty, onStandby: m.field_on_standby,
  outcome: m.field_outcome, owner: m.field_owner, penalty: m.field_penalty, phone: m.field_phone,
  plannedFor: m.field_planned_for, position: m.field_position, problem: m.field_problem, problems: m.field_problems,
  purpose: m.field_purpose, quantity: m.field_quantity, reason: m.field_reason,
  reinspectionOf: m.field_reinspection_of, resolution: m.field_resolution, responsibility: m.field_responsibility,
  responsible: m.field_responsible, result: m.field_result, riskGrade: m.field_risk_grade, rows: m.field_rows,
  safetyContact: m.field_safety_contact, since: m.field_since, statement: m.field_statement,
  stockItem: m.field_stock_item, summary: m.field_summary, supplies: m.field_supplies, team: m.field_team,
  to: m.field_to, venue: m.field_venue, warning: m.field_warning, zone: m.field_zone,
};

/** Fields whose name means something else in one input. */
const FIELDS_OF: Record<string, Word> = {
  'EnterpriseUpsertInput.name': m.field_enterprise_name,
  'EnterprisesUpsertRow.name': m.field_enterprise_name,
  'HazardRequestExtensionInput.to': m.field_new_deadline,
  'InspectionPlanInput.kind': m.field_inspection_kind,
  'FiveFixInput.deadline': m.field_fix_deadline,
};

type Enums = EnumNames & {
  AssistanceStatus: AssistanceStatus;
  DispatchStatus: DispatchStatus;
  HazardStatus: HazardStatus;
  InspectionStatus: InspectionStatus;
};

const ENUMS: { [Name in keyof Enums]: Record<Enums[Name], Word> } = {
  AssistanceStatus: {
    OPEN: m.assistance_status_open, DISPATCHED: m.assistance_status_dispatched,
    RESOLVED: m.assistance_status_resolved, WITHDRAWN: m.assistance_status_withdrawn,
  },
  CaseStatus: {
    PROPOSED: m.case_status_proposed, FILED: m.case_status_filed, NOT_FILED: m.case_status_not_filed,
    INVESTIGATING: m.case_status_investigating, NOTIFIED: m.case_status_notified, HEARING: m.case_status_hearing,
    DECIDED: m.case_status_decided, NO_PENALTY: m.case_status_no_penalty, TRANSFERRED: m.case_status_transferred,
    WITHDRAWN: m.case_status_withdrawn, EXECUTING: m.case_status_executing, CLOSED: m.case_status_closed,
  },
  DispatchStatus: {
    REQUESTED: m.dispatch_status_requested, ASSIGNED: m.dispatch_status_assigned,
    ACKNOWLEDGED: m.dispatch_status_acknowledged, EN_ROUTE: m.dispatch_status_en_route,
    ON_SCENE: m.dispatch_status_on_scene, COMPLETED: m.dispatch_status_completed,
    RELEASED: m.dispatch_status_released, DECLINED: m.dispatch_status_declined,
    CANCELLED: m.dispatch_status_cancelled,
  },
  HazardLevel: {
    GENERAL: m.hazard_level_general, MAJOR: m.hazard_level_major,
  },
  HazardStatus: {
    FOUND: m.hazard_found, UNDER_REVIEW: m.hazard_under_review, ASSIGNED: m.hazard_assigned,
    RECTIFYING: m.hazard_rectifying, PENDING_ACCEPTANCE: m.hazard_pending, ACCEPTED: m.hazard_accepted,
    CLOSED: m.hazard_closed, DISMISSED: m.hazard_dismissed,
  },
  InspectionKind: {
    ROUTINE: m.inspection_routine, SPECIAL: m.inspection_special, ASSISTANCE: m.inspection_assistance,
    REINSPECTION: m.inspection_reinspection, COMPLAINT: m.inspection_complaint,
  },
  InspectionResult: {
    PASS: m.inspection_result_pass, HAZARDS_FOUND: m.inspection_result_hazards_found,
    REFUSED: m.inspection_result_refused, NOT_OPERATING: m.inspection_result_not_operating,
    NOT_APPLICABLE: m.inspection_result_not_applicable,
  },
  InspectionStatus: {
    PLANNED: m.inspection_status_planned, DISPATCHED: m.inspection_status_dispatched,
    ACKNOWLEDGED: m.inspection_status_acknowledged, EN_ROUTE: m.inspection_status_en_route,
    ON_SITE: m.inspection_status_on_site, SUBMITTED: m.inspection_status_submitted,
    IN_REVIEW: m.inspection_status_in_review, CLOSED: m.inspection_status_closed,
    CANCELLED: m.inspection_status_cancelled,
  },
  MeasureKind: {
    ELIMINATION: m.measure_kind_elimination, ENGINEERING: m.measure_kind_engineering,
    ADMINISTRATIVE: m.measure_kind_administrative, TRAINING: m.measure_kind_training, PPE: m.measure_kind_ppe,
    EMERGENCY: m.measure_kind_emergency,
  },
  PenaltyKind: {
    WARNING: m.penalty_kind_warning, FINE: m.penalty_kind_fine, CONFISCATION: m.penalty_kind_confiscation,
    SUSPENSION: m.penalty_kind_suspension, REVOCATION: m.penalty_kind_revocation,
  },
  RiskGrade: {
    RED: m.risk_red, ORANGE: m.risk_orange, YELLOW: m.risk_yellow, BLUE: m.risk_blue,
  },
  WarningKind: {
    RAINSTORM: m.warning_kind_rainstorm, TYPHOON: m.warning_kind_typhoon, HEAT: m.warning_kind_heat,
    FIRE: m.warning_kind_fire, HAZMAT: m.warning_kind_hazmat, OTHER: m.warning_kind_other,
  },
  WarningLevel: {
    RED: m.level_red, ORANGE: m.level_orange, YELLOW: m.level_yellow, BLUE: m.level_blue,
  },
};

export const actionName = (name: FormName): string => ACTIONS[name]();

/** The label of a field of an input. */
export const fieldName = (input: string, name: string): string => (FIELDS_OF[`${input}.${name}`] ?? FIELDS[name as FieldName])();

/** The word for a value of an enum; the value itself where there is no word yet. */
export function valueName(of: string, value: string): string {
  const words = ENUMS[of as keyof Enums] as Record<string, Word> | undefined;
  return words?.[value]?.() ?? value;
}
