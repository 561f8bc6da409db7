// The steps of the life cycles, as the desk takes them: their names, what they ask for, and their mutations.

import {
  StepAssistanceResolveDocument, StepAssistanceWithdrawDocument, StepCaseCloseDocument, StepCaseDeclineDocument, StepCaseExecuteDocument,
  StepCaseFileDocument, StepCaseHearDocument, StepCaseInvestigateDocument, StepCaseNotifyDocument, StepDispatchAcknowledgeDocument,
  StepDispatchArriveDocument, StepDispatchCancelDocument, StepDispatchCompleteDocument, StepDispatchDeclineDocument, StepDispatchDepartDocument,
  StepDispatchReleaseDocument, StepHazardAcceptDocument, StepHazardAssignDocument, StepHazardCloseDocument, StepHazardDecideExtensionDocument,
  StepHazardDismissDocument, StepHazardRejectDocument, StepHazardReopenDocument, StepHazardSubmitRectificationDocument,
  StepInspectionAcknowledgeDocument, StepInspectionArriveDocument, StepInspectionCancelDocument, StepInspectionCloseDocument,
  StepInspectionDepartDocument, StepInspectionReturnDocument, StepInspectionReviewDocument, StepWarningLiftDocument,
  type FailureFragment, type TypedDocumentString,
} from '#graph';
import * as m from '#messages';

import { GraphError, request } from '../../shared/graph/request';
import { endOfDate } from './limits';

export type FieldName = 'reason' | 'statement' | 'resolution' | 'ownerName' | 'ownerPhone' | 'deadline' | 'number' | 'drawn';
export type StepField = { name: FieldName; required: boolean };
export type Typed = Partial<Record<FieldName, string>>;
type Result = { result: { __typename: string } & (FailureFragment | { cursor: string }) };

export type Step = {
  /** Its mutation; with a suffix where one mutation is two steps. */
  key: string;
  mutation: string;
  name: () => string;
  fields: StepField[];
  /** True if it is the one that usually follows. */
  primary: boolean;
  send: (subject: string, version: number, typed: Typed, id: string) => Promise<Result['result']>;
};

const required = (name: FieldName): StepField => ({ name, required: true });
const optional = (name: FieldName): StepField => ({ name, required: false });

type Input = { clientMutationId: string; expectedVersion: number };

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each document has an input of its own
type Sender = TypedDocumentString<any, any>;

function step(document: Sender, argument: string, mutation: string, name: () => string, fields: StepField[] = [], more: Partial<Pick<Step, 'primary' | 'key'>> & { input?: (typed: Typed) => object } = {}): Step {
  const { input = plain, primary = false, key = mutation } = more;
  return {
    key, mutation, name, fields, primary,
    send: async (subject, version, typed, id) => {
      const common: Input = { clientMutationId: id, expectedVersion: version };
      return ((await request(document, { input: { [argument]: subject, ...input(typed), ...common } }, null)) as Result).result;
    },
  };
}

/** Full-width digits are digits. */
const digits = (value: string): string => value.normalize('NFKC').trim();

/** By field, what can be seen to be wrong before it is sent. */
export function wrong({ drawn = '' }: Typed): Record<string, string> {
  return /^\d{0,9}$/.test(digits(drawn)) ? {} : { drawn: m.form_not_integer() };
}

/** The typed values, without those that were left empty. */
function plain(typed: Typed): object {
  return Object.fromEntries(Object.entries(typed).flatMap(([name, value]) => (value.trim() === '' ? [] : [[name, name === 'drawn' ? Number(digits(value)) : value.trim()]])));
}

function assigned({ ownerName = '', ownerPhone = '', deadline = '' }: Typed): object {
  // A date lasts to the end of that day in the district.
  return { owner: { name: ownerName.trim(), ...(ownerPhone.trim() ? { phone: ownerPhone.trim() } : {}) }, deadline: endOfDate(deadline) };
}

const reason = [required('reason')];
const usual = { primary: true };

export const STEPS: Step[] = [
  step(StepHazardAssignDocument, 'hazard', 'hazardAssign', m.step_hazard_assign, [required('ownerName'), optional('ownerPhone'), required('deadline')], { ...usual, input: assigned }),
  step(StepHazardDismissDocument, 'hazard', 'hazardDismiss', m.step_hazard_dismiss, reason),
  step(StepHazardAcceptDocument, 'hazard', 'hazardAccept', m.step_hazard_accept, [], usual),
  step(StepHazardRejectDocument, 'hazard', 'hazardReject', m.step_hazard_reject, reason),
  step(StepHazardCloseDocument, 'hazard', 'hazardClose', m.step_hazard_close, [], usual),
  step(StepHazardReopenDocument, 'hazard', 'hazardReopen', m.step_hazard_reopen, reason),
  step(StepHazardSubmitRectificationDocument, 'hazard', 'hazardSubmitRectification', m.step_hazard_submit, [required('statement')]),
  step(StepHazardDecideExtensionDocument, 'hazard', 'hazardDecideExtension', m.step_extension_approve, [], { ...usual, input: () => ({ approve: true }) }),
  step(StepHazardDecideExtensionDocument, 'hazard', 'hazardDecideExtension', m.step_extension_refuse, [], { key: 'hazardDecideExtension:refuse', input: () => ({ approve: false }) }),
  step(StepInspectionAcknowledgeDocument, 'inspection', 'inspectionAcknowledge', m.step_inspection_acknowledge, [], usual),
  step(StepInspectionDepartDocument, 'inspection', 'inspectionDepart', m.step_inspection_depart, [], usual),
  step(StepInspectionArriveDocument, 'inspection', 'inspectionArrive', m.step_inspection_arrive, [], usual),
  step(StepInspectionReviewDocument, 'inspection', 'inspectionReview', m.step_inspection_review, [], usual),
  step(StepInspectionCloseDocument, 'inspection', 'inspectionClose', m.step_inspection_close, [], usual),
  step(StepInspectionReturnDocument, 'inspection', 'inspectionReturn', m.step_inspection_return, reason),
  step(StepInspectionCancelDocument, 'inspection', 'inspectionCancel', m.step_inspection_cancel, reason),
  step(StepCaseFileDocument, 'case', 'caseFile', m.step_case_file, [optional('number')], usual),
  step(StepCaseDeclineDocument, 'case', 'caseDecline', m.step_case_decline, [optional('reason')]),
  step(StepCaseInvestigateDocument, 'case', 'caseInvestigate', m.step_case_investigate, [], usual),
  step(StepCaseNotifyDocument, 'case', 'caseNotify', m.step_case_notify, [], usual),
  step(StepCaseHearDocument, 'case', 'caseHear', m.step_case_hear),
  step(StepCaseExecuteDocument, 'case', 'caseExecute', m.step_case_execute, [], usual),
  step(StepCaseCloseDocument, 'case', 'caseClose', m.step_case_close, [], usual),
  step(StepDispatchAcknowledgeDocument, 'dispatch', 'dispatchAcknowledge', m.step_dispatch_acknowledge, [], usual),
  step(StepDispatchDepartDocument, 'dispatch', 'dispatchDepart', m.step_dispatch_depart, [], usual),
  step(StepDispatchArriveDocument, 'dispatch', 'dispatchArrive', m.step_dispatch_arrive, [], usual),
  step(StepDispatchCompleteDocument, 'dispatch', 'dispatchComplete', m.step_dispatch_complete, [optional('drawn')], usual),
  step(StepDispatchReleaseDocument, 'dispatch', 'dispatchRelease', m.step_dispatch_release, [], usual),
  step(StepDispatchDeclineDocument, 'dispatch', 'dispatchDecline', m.step_dispatch_decline, [optional('reason')]),
  step(StepDispatchCancelDocument, 'dispatch', 'dispatchCancel', m.step_dispatch_cancel, [optional('reason')]),
  step(StepAssistanceResolveDocument, 'assistanceRequest', 'assistanceResolve', m.step_assistance_resolve, [required('resolution')]),
  step(StepAssistanceWithdrawDocument, 'assistanceRequest', 'assistanceWithdraw', m.step_assistance_withdraw),
  step(StepWarningLiftDocument, 'warning', 'warningLift', m.step_warning_lift, [], usual),
];

export type Outcome =
  | { kind: 'done'; cursor: string }
  | { kind: 'conflict'; version: number }
  /** By field of the input, such as `owner.name`, what is wrong. */
  | { kind: 'fields'; errors: Record<string, string> }
  | { kind: 'refused'; message: string };

export function outcomeOf(result: Result['result']): Outcome {
  if ('cursor' in result) return { kind: 'done', cursor: result.cursor };
  if ('currentVersion' in result) return { kind: 'conflict', version: result.currentVersion };
  if ('errors' in result) return { kind: 'fields', errors: Object.fromEntries(result.errors.map(({ field, message }) => [field, message])) };
  return { kind: 'refused', message: result.message };
}

/** Take a step. A server that does not answer is a refusal, too; the same `id` makes another attempt harmless. */
export async function take({ send }: Step, subject: string, version: number, typed: Typed, id: string): Promise<Outcome> {
  return attempt(() => send(subject, version, typed, id));
}

export async function attempt(send: () => Promise<Result['result']>): Promise<Outcome> {
  try {
    return outcomeOf(await send());
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    return { kind: 'refused', message: error.code === 'SILENT' ? m.desk_silent() : m.error_other({ code: error.code, message: error.message }) };
  }
}
