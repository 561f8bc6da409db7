"""The events that each mutation must append to the log, as a table of steps that run one after another.

A step begins with C, I, E or N (commander, inspector, enterprise, the next commander) and the mutation. `name=@row` is
an argument with the id that an earlier success returned under that name; `+name` adds the arguments under that name in
ARGUMENTS.

Below a step stand its events: kind, status before and after, and changes as `field:before→after`. `T` is the time of
the action, `-` is null. `!major` concerns a major hazard, `!zone` is in a zone but at no enterprise, `!venue` is at a
venue but no enterprise, `!nowhere` is in no zone, `!placeless` is of the whole district, `!nobody` has no actor, `!red`
has the highest risk.
"""

from dataclasses import dataclass, replace
from typing import Any

from tests.conftest import NOW
from tests.support.actors import DAY, at

SOON, LATER, LATEST, T = (*(at(NOW + days * DAY) for days in (10, 90, 120)), at(NOW))
FINDING = {"level": "GENERAL", "description": "线路老化"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "found": {"result": "HAZARDS_FOUND", "findings": [FINDING, {**FINDING, "level": "MAJOR"}]},
    "spot": {"result": "HAZARDS_FOUND", "findings": [{**FINDING, "fixedOnSpot": True}]},
    "amended": {"result": "HAZARDS_FOUND", "findings": [{**FINDING, "description": "漏电", "hazard": "@hazards"}]},
    "people": {"legalRepresentative": {"name": "新人", "phone": "2"}, "safetyContact": {"name": "安"}},
    "new": {"externalId": "new", "name": "新企业", "address": "路", "legalRepresentative": {"name": "人"}},
    "fine": {"outcome": "DECIDED", "penalty": {"kinds": ["FINE"], "fineYuan": 50_000}},
    "responsible": {"responsible": {"name": "管", "phone": "3"}},
}
TABLE = f"""
E dutyReportSubmit
  DUTY_REPORT_SUBMITTED
  ASSISTANCE_REQUESTED - OPEN
E assistanceWithdraw assistanceRequest=@assistanceRequests
  ASSISTANCE_WITHDRAWN OPEN WITHDRAWN
E assistanceRequest
  ASSISTANCE_REQUESTED - OPEN
C assistanceDispatch assistanceRequest=@assistanceRequest
  ASSISTANCE_DISPATCHED OPEN DISPATCHED
  INSPECTION_DISPATCHED - DISPATCHED
C inspectionCancel inspection=@inspection
  INSPECTION_CANCELLED DISPATCHED CANCELLED reason:-→改期
  ASSISTANCE_REOPENED DISPATCHED OPEN
C assistanceResolve assistanceRequest=@assistanceRequest
  ASSISTANCE_RESOLVED OPEN RESOLVED resolution:-→已解决 resolvedAt:-→T
I inspectionPlan
  INSPECTION_PLANNED - PLANNED
C inspectionDispatch inspection=@inspection
  INSPECTION_DISPATCHED PLANNED DISPATCHED dispatchedAt:-→T
I inspectionAcknowledge inspection=@inspection
  INSPECTION_ACKNOWLEDGED DISPATCHED ACKNOWLEDGED acknowledgedAt:-→T
I inspectionDepart inspection=@inspection
  INSPECTION_DEPARTED ACKNOWLEDGED EN_ROUTE departedAt:-→T
I inspectionArrive inspection=@inspection
  INSPECTION_ARRIVED EN_ROUTE ON_SITE arrivedAt:-→T
I inspectionSubmit inspection=@inspection +found
  INSPECTION_SUBMITTED ON_SITE SUBMITTED result:-→HAZARDS_FOUND submittedAt:-→T !major
  HAZARD_FOUND - FOUND
  HAZARD_FOUND - FOUND !major
C inspectionReview inspection=@inspection
  INSPECTION_REVIEWED SUBMITTED IN_REVIEW !major
C inspectionReturn inspection=@inspection
  INSPECTION_RETURNED IN_REVIEW ON_SITE reason:-→不全 !major
I inspectionSubmit inspection=@inspection +amended
  INSPECTION_SUBMITTED ON_SITE SUBMITTED !major
  HAZARD_AMENDED FOUND FOUND description:线路老化→漏电
C hazardDismiss hazard=@hazards
  HAZARD_DISMISSED FOUND DISMISSED reason:-→误报
I casePropose inspection=@inspection
  CASE_PROPOSED - PROPOSED !major
C caseDecline case=@case reason=轻微
  CASE_DECLINED PROPOSED NOT_FILED reason:-→轻微 !major
I casePropose inspection=@inspection
  CASE_PROPOSED - PROPOSED !major
C caseFile case=@case number=七号
  CASE_FILED PROPOSED FILED number:-→七号 filedAt:-→T !major
C caseInvestigate case=@case
  CASE_INVESTIGATED FILED INVESTIGATING !major
C caseNotify case=@case
  CASE_NOTIFIED INVESTIGATING NOTIFIED !major
C caseHear case=@case
  CASE_HEARD NOTIFIED HEARING !major
C caseDecide case=@case +fine
  CASE_DECIDED HEARING DECIDED penaltyKinds:-→["FINE"] fineYuan:-→50000 decidedAt:-→T !major
C caseExecute case=@case
  CASE_EXECUTED DECIDED EXECUTING !major
C caseClose case=@case
  CASE_CLOSED EXECUTING CLOSED closedAt:-→T !major
E hazardReport level=MAJOR
  HAZARD_REPORTED - UNDER_REVIEW !major
C hazardAssign hazard=@hazard
  HAZARD_ASSIGNED UNDER_REVIEW ASSIGNED ownerName:-→责任人 ownerPhone:-→138 deadline:-→{SOON} !major
E hazardStartRectifying hazard=@hazard
  HAZARD_RECTIFYING_STARTED ASSIGNED RECTIFYING fixResponsibility:-→落实 fixMeasures:-→落实 fixFunds:-→落实 \
fixContingencyPlan:-→落实 fixDeadline:-→{SOON} !major
E hazardRequestExtension hazard=@hazard
  HAZARD_EXTENSION_REQUESTED RECTIFYING RECTIFYING extension:{SOON}→{LATER} !major
C hazardDecideExtension hazard=@hazard
  HAZARD_EXTENSION_DECIDED RECTIFYING RECTIFYING extension:REQUESTED→APPROVED deadline:{SOON}→{LATER} !major
E hazardSubmitRectification hazard=@hazard
  HAZARD_RECTIFICATION_SUBMITTED RECTIFYING PENDING_ACCEPTANCE rectification:-→已整改 rectifiedAt:-→T !major
C hazardReject hazard=@hazard
  HAZARD_REJECTED PENDING_ACCEPTANCE RECTIFYING rectifiedAt:T→- reason:-→不彻底 !major
E hazardSubmitRectification hazard=@hazard statement=再次
  HAZARD_RECTIFICATION_SUBMITTED RECTIFYING PENDING_ACCEPTANCE rectification:已整改→再次 rectifiedAt:-→T !major
C hazardAccept hazard=@hazard
  HAZARD_ACCEPTED PENDING_ACCEPTANCE ACCEPTED acceptedAt:-→T !major
C hazardReopen hazard=@hazard
  HAZARD_REOPENED ACCEPTED RECTIFYING rectifiedAt:T→- acceptedAt:T→- reason:-→复发 !major
E hazardRequestExtension hazard=@hazard to={LATEST}
  HAZARD_EXTENSION_REQUESTED RECTIFYING RECTIFYING extension:{LATER}→{LATEST} !major
E hazardSubmitRectification hazard=@hazard statement=三次
  HAZARD_RECTIFICATION_SUBMITTED RECTIFYING PENDING_ACCEPTANCE rectification:再次→三次 rectifiedAt:-→T !major
C hazardAccept hazard=@hazard
  HAZARD_ACCEPTED PENDING_ACCEPTANCE ACCEPTED acceptedAt:-→T !major
  HAZARD_EXTENSION_LAPSED ACCEPTED ACCEPTED extension:REQUESTED→LAPSED !major !nobody
C hazardClose hazard=@hazard
  HAZARD_CLOSED ACCEPTED CLOSED closedAt:-→T !major
I inspectionPlan
  INSPECTION_PLANNED - PLANNED
C inspectionDispatch inspection=@inspection
  INSPECTION_DISPATCHED PLANNED DISPATCHED dispatchedAt:-→T
I inspectionAcknowledge inspection=@inspection
  INSPECTION_ACKNOWLEDGED DISPATCHED ACKNOWLEDGED acknowledgedAt:-→T
I inspectionDepart inspection=@inspection
  INSPECTION_DEPARTED ACKNOWLEDGED EN_ROUTE departedAt:-→T
I inspectionArrive inspection=@inspection
  INSPECTION_ARRIVED EN_ROUTE ON_SITE arrivedAt:-→T
I inspectionSubmit inspection=@inspection +spot
  INSPECTION_SUBMITTED ON_SITE SUBMITTED result:-→HAZARDS_FOUND submittedAt:-→T
  HAZARD_FOUND - FOUND
  HAZARD_RECTIFICATION_SUBMITTED FOUND PENDING_ACCEPTANCE
I hazardAccept hazard=@hazards
  HAZARD_ACCEPTED PENDING_ACCEPTANCE ACCEPTED acceptedAt:-→T
C hazardClose hazard=@hazards
  HAZARD_CLOSED ACCEPTED CLOSED closedAt:-→T
C inspectionReview inspection=@inspection
  INSPECTION_REVIEWED SUBMITTED IN_REVIEW
C inspectionClose inspection=@inspection
  INSPECTION_CLOSED IN_REVIEW CLOSED closedAt:-→T
C dispatchRequest enterprise=@enterprise
  DISPATCH_REQUESTED - REQUESTED
C dispatchAssign dispatch=@dispatch
  DISPATCH_ASSIGNED REQUESTED ASSIGNED stockItemId:-→@stockItem quantity:-→1
  STOCK_RESERVED - - reserved:0→1 !zone
C dispatchDecline dispatch=@dispatch reason=无车
  DISPATCH_DECLINED ASSIGNED DECLINED reason:-→无车
  STOCK_FREED - - reserved:1→0 !zone
C dispatchAssign dispatch=@dispatch
  DISPATCH_ASSIGNED DECLINED ASSIGNED
  STOCK_RESERVED - - reserved:0→1 !zone
C dispatchAcknowledge dispatch=@dispatch
  DISPATCH_ACKNOWLEDGED ASSIGNED ACKNOWLEDGED
C dispatchDepart dispatch=@dispatch
  DISPATCH_DEPARTED ACKNOWLEDGED EN_ROUTE
C dispatchArrive dispatch=@dispatch
  DISPATCH_ARRIVED EN_ROUTE ON_SCENE arrivedAt:-→T
C dispatchComplete dispatch=@dispatch
  DISPATCH_COMPLETED ON_SCENE COMPLETED drawn:-→1 completedAt:-→T
  STOCK_DRAWN - - quantity:100→99 reserved:1→0 !zone
C dispatchRelease dispatch=@dispatch
  DISPATCH_RELEASED COMPLETED RELEASED
C dispatchRequest venue=@venue
  DISPATCH_REQUESTED - REQUESTED !venue
C dispatchCancel dispatch=@dispatch reason=雨停
  DISPATCH_CANCELLED REQUESTED CANCELLED reason:-→雨停 !venue
C stockReceive
  STOCK_RECEIVED - - quantity:99→104 !zone
E controlMeasureAdd +responsible
  CONTROL_MEASURE_ADDED
E controlMeasureLift controlMeasure=@controlMeasure
  CONTROL_MEASURE_LIFTED - - liftedAt:-→T
I inspectorSetDuty
  INSPECTOR_DUTY_SET - - !zone
C teamSetStandby
  TEAM_STANDBY_SET - - !zone
C expertSetStandby
  EXPERT_STANDBY_SET - - !zone
I inspectorReportPosition
C rainfallReport
C rainfallReport millimetres=50.0
  WARNING_RAISED - - !zone !nobody
C warningIssue
  WARNING_ISSUED - - !zone
C warningLift warning=@warning
  WARNING_LIFTED - - liftedAt:-→T !zone
C handoverSign
  HANDOVER_SIGNED - - !placeless
N handoverTake handover=@handover
  HANDOVER_TAKEN - - !placeless
C enterpriseUpsert +people
  ENTERPRISE_CHANGED - - industry:-→化工 legalName:法人→新人 legalPhone:1→2 safetyName:-→安
C enterpriseUpsert
C enterpriseUpsert +new
  ENTERPRISE_REGISTERED - - !nowhere
C enterpriseGrade
  ENTERPRISE_GRADED - - riskGrade:YELLOW→RED !red
"""


@dataclass(frozen=True)
class ExpectedEvent:
    """The values that an event must have."""

    kind: str
    before: str | None
    after: str | None
    changes: frozenset[tuple[str, str | None, str | None]]
    flags: frozenset[str]


@dataclass(frozen=True)
class AuditStep:
    """A mutation, and the events that it must append."""

    role: str  # C, I, E or N
    mutation: str
    arguments: tuple[str, ...]  # as in the table
    events: tuple[ExpectedEvent, ...]


def audit_steps() -> list[AuditStep]:
    steps: list[AuditStep] = []
    for line in TABLE.strip().splitlines():
        words = line.split()
        if line.startswith("  "):
            last = steps.pop()
            steps.append(replace(last, events=(*last.events, _expected_event(words))))
        else:
            steps.append(AuditStep(words[0], words[1], tuple(words[2:]), ()))
    return steps


def _expected_event(words: list[str]) -> ExpectedEvent:
    kind, before, after = [*words, "-", "-"][:3] if len(words) < 3 else words[:3]
    flags = frozenset(word[1:] for word in words[3:] if word.startswith("!"))
    changes = frozenset(_change(word) for word in words[3:] if not word.startswith("!"))
    return ExpectedEvent(kind, _or_none(before), _or_none(after), changes, flags)


def _change(word: str) -> tuple[str, str | None, str | None]:
    name, _, values = word.partition(":")
    before, _, after = values.partition("→")
    return name, _or_none(before), _or_none(after)


def _or_none(text: str) -> str | None:
    return {"-": None, "T": T}.get(text, text)
