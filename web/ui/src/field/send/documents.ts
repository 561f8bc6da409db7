// The mutation of each kind of action.

import {
  FieldAcceptDocument, FieldAcknowledgeDocument, FieldArriveDocument, FieldDepartDocument, FieldDutyDocument,
  FieldDutyReportDocument, FieldExtendDocument, FieldHelpDocument, FieldPlanDocument, FieldRectifyDocument,
  FieldRejectDocument, FieldResolveDocument, FieldStartRectifyingDocument, FieldSubmitDocument, FieldWithdrawDocument,
} from '#graph';

import type { ActionKind } from '../outbox/action';

export const DOCUMENTS: Record<ActionKind, { toString(): string }> = {
  acknowledge: FieldAcknowledgeDocument,
  depart: FieldDepartDocument,
  arrive: FieldArriveDocument,
  plan: FieldPlanDocument,
  submit: FieldSubmitDocument,
  duty: FieldDutyDocument,
  accept: FieldAcceptDocument,
  reject: FieldRejectDocument,
  resolve: FieldResolveDocument,
  startRectifying: FieldStartRectifyingDocument,
  rectify: FieldRectifyDocument,
  extend: FieldExtendDocument,
  dutyReport: FieldDutyReportDocument,
  help: FieldHelpDocument,
  withdraw: FieldWithdrawDocument,
};
