"""The life cycles: the legal changes of each noun's status, who may make them, and what they need.

Anything else is refused. The actions, the legal transitions that a refusal lists, and docs/reference/lifecycles.md all
come from these tables.
"""

import enum
from dataclasses import dataclass

from models.assistance import AssistanceStatus as A
from models.case import CaseStatus as C
from models.dispatch import DispatchStatus as D
from models.event import EventKind as K
from models.hazard import HazardStatus as H
from models.inspection import InspectionStatus as I
from models.visibility import Role, Scope, Viewer

Status = H | I | C | D | A


class Who(enum.Enum):
    """A role that may call a mutation. The commander may call every mutation that any role may."""

    COMMANDER = "C"
    INSPECTOR = "I"
    ENTERPRISE = "E"

    @property
    def role(self) -> Role:
        return Role[self.name]


class Need(enum.Enum):
    """A condition of a mutation besides a legal status. The text stands in docs/reference/lifecycles.md."""

    ON_DUTY = "one or more inspectors on duty"
    OWN_ROUND = "an inspector plans only for themselves"
    REPEATED = "a re-inspection names the inspection that it repeats"
    RESULT = "a result; the hazards found are written in the same transaction"
    HAZARDS_DONE = "every hazard terminal, or taken over by a linked re-inspection"
    REASON = "a reason"
    FINDING = "a level and a description"
    OWNER = "an owner and a deadline"
    GENERAL_ONLY = "general hazards only; it appends two events"
    FIVE_FIXES = "for a major hazard, all five fixes (五落实)"
    PROOF = "evidence or a statement"
    SUBMITTED = "a submitted inspection"
    PENALTY = "a penalty"
    RESOURCE = "a team, an expert, or a stock item and a quantity, which is then reserved"
    DRAWN = "for stock, the quantity that was used"
    FREES = "frees what was reserved"
    INSPECTORS = "named inspectors, or else the nearest on duty with a recent position"


@dataclass(frozen=True)
class Transition:
    """A change of status by a mutation, from any of `sources` to `to`. Without sources it creates the row."""

    mutation: str
    sources: tuple[Status, ...]
    to: Status
    who: tuple[Who, ...]
    kind: K
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class Action:
    """A mutation that changes no status. If `states` are given, the row must be in one of them."""

    mutation: str
    who: tuple[Who, ...]
    states: tuple[Status, ...] = ()
    scope: Scope | None = None


COMMANDER, INSPECTOR, ENTERPRISE = (Who.COMMANDER,), (Who.INSPECTOR,), (Who.ENTERPRISE,)
EITHER = (Who.INSPECTOR, Who.COMMANDER)

HAZARD = (
    Transition("inspectionSubmit", (), H.FOUND, INSPECTOR, K.HAZARD_FOUND, (Need.FINDING,)),
    Transition("hazardReport", (), H.FOUND, INSPECTOR, K.HAZARD_REPORTED, (Need.FINDING,)),
    Transition("hazardReport", (), H.UNDER_REVIEW, ENTERPRISE, K.HAZARD_REPORTED, (Need.FINDING,)),
    Transition(
        "inspectionSubmit",
        (H.FOUND,),
        H.PENDING_ACCEPTANCE,
        INSPECTOR,
        K.HAZARD_RECTIFICATION_SUBMITTED,
        (Need.GENERAL_ONLY,),
    ),
    Transition("hazardAssign", (H.FOUND, H.UNDER_REVIEW), H.ASSIGNED, COMMANDER, K.HAZARD_ASSIGNED, (Need.OWNER,)),
    Transition("hazardDismiss", (H.FOUND, H.UNDER_REVIEW), H.DISMISSED, COMMANDER, K.HAZARD_DISMISSED, (Need.REASON,)),
    Transition(
        "hazardStartRectifying",
        (H.ASSIGNED,),
        H.RECTIFYING,
        ENTERPRISE,
        K.HAZARD_RECTIFYING_STARTED,
        (Need.FIVE_FIXES,),
    ),
    Transition(
        "hazardSubmitRectification",
        (H.RECTIFYING,),
        H.PENDING_ACCEPTANCE,
        ENTERPRISE,
        K.HAZARD_RECTIFICATION_SUBMITTED,
        (Need.PROOF,),
    ),
    Transition("hazardAccept", (H.PENDING_ACCEPTANCE,), H.ACCEPTED, EITHER, K.HAZARD_ACCEPTED),
    Transition("hazardReject", (H.PENDING_ACCEPTANCE,), H.RECTIFYING, EITHER, K.HAZARD_REJECTED, (Need.REASON,)),
    Transition("hazardClose", (H.ACCEPTED,), H.CLOSED, COMMANDER, K.HAZARD_CLOSED),
    Transition("hazardReopen", (H.ACCEPTED,), H.RECTIFYING, COMMANDER, K.HAZARD_REOPENED, (Need.REASON,)),
)

INSPECTION = (
    Transition("inspectionPlan", (), I.PLANNED, EITHER, K.INSPECTION_PLANNED, (Need.OWN_ROUND, Need.REPEATED)),
    Transition("inspectionDispatch", (I.PLANNED,), I.DISPATCHED, COMMANDER, K.INSPECTION_DISPATCHED, (Need.ON_DUTY,)),
    Transition("inspectionAcknowledge", (I.DISPATCHED,), I.ACKNOWLEDGED, INSPECTOR, K.INSPECTION_ACKNOWLEDGED),
    Transition("inspectionDepart", (I.ACKNOWLEDGED,), I.EN_ROUTE, INSPECTOR, K.INSPECTION_DEPARTED),
    Transition("inspectionArrive", (I.EN_ROUTE,), I.ON_SITE, INSPECTOR, K.INSPECTION_ARRIVED),
    Transition("inspectionSubmit", (I.ON_SITE,), I.SUBMITTED, INSPECTOR, K.INSPECTION_SUBMITTED, (Need.RESULT,)),
    Transition("inspectionReview", (I.SUBMITTED,), I.IN_REVIEW, COMMANDER, K.INSPECTION_REVIEWED),
    Transition("inspectionClose", (I.IN_REVIEW,), I.CLOSED, COMMANDER, K.INSPECTION_CLOSED, (Need.HAZARDS_DONE,)),
    Transition("inspectionReturn", (I.IN_REVIEW,), I.ON_SITE, COMMANDER, K.INSPECTION_RETURNED, (Need.REASON,)),
    Transition(
        "inspectionCancel",
        (I.PLANNED, I.DISPATCHED, I.ACKNOWLEDGED, I.EN_ROUTE),
        I.CANCELLED,
        COMMANDER,
        K.INSPECTION_CANCELLED,
        (Need.REASON,),
    ),
)

CASE = (
    Transition("casePropose", (), C.PROPOSED, EITHER, K.CASE_PROPOSED, (Need.SUBMITTED,)),
    Transition("caseFile", (C.PROPOSED,), C.FILED, COMMANDER, K.CASE_FILED),
    Transition("caseDecline", (C.PROPOSED,), C.NOT_FILED, COMMANDER, K.CASE_DECLINED),
    Transition("caseInvestigate", (C.FILED,), C.INVESTIGATING, COMMANDER, K.CASE_INVESTIGATED),
    Transition("caseNotify", (C.INVESTIGATING,), C.NOTIFIED, COMMANDER, K.CASE_NOTIFIED),
    Transition("caseHear", (C.NOTIFIED,), C.HEARING, COMMANDER, K.CASE_HEARD),
    *(
        Transition("caseDecide", (C.INVESTIGATING, C.NOTIFIED, C.HEARING), outcome, COMMANDER, K.CASE_DECIDED)
        for outcome in (C.NO_PENALTY, C.TRANSFERRED, C.WITHDRAWN)
    ),
    Transition("caseDecide", (C.NOTIFIED, C.HEARING), C.DECIDED, COMMANDER, K.CASE_DECIDED, (Need.PENALTY,)),
    Transition("caseExecute", (C.DECIDED,), C.EXECUTING, COMMANDER, K.CASE_EXECUTED),
    Transition("caseClose", (C.EXECUTING, C.NO_PENALTY), C.CLOSED, COMMANDER, K.CASE_CLOSED),
)

DISPATCH = (
    Transition("dispatchRequest", (), D.REQUESTED, COMMANDER, K.DISPATCH_REQUESTED),
    # In the same call, if it names a resource.
    Transition("dispatchRequest", (D.REQUESTED,), D.ASSIGNED, COMMANDER, K.DISPATCH_ASSIGNED, (Need.RESOURCE,)),
    Transition(
        "dispatchAssign", (D.REQUESTED, D.DECLINED), D.ASSIGNED, COMMANDER, K.DISPATCH_ASSIGNED, (Need.RESOURCE,)
    ),
    Transition("dispatchAcknowledge", (D.ASSIGNED,), D.ACKNOWLEDGED, COMMANDER, K.DISPATCH_ACKNOWLEDGED),
    Transition("dispatchDepart", (D.ACKNOWLEDGED,), D.EN_ROUTE, COMMANDER, K.DISPATCH_DEPARTED),
    Transition("dispatchArrive", (D.EN_ROUTE,), D.ON_SCENE, COMMANDER, K.DISPATCH_ARRIVED),
    Transition("dispatchComplete", (D.ON_SCENE,), D.COMPLETED, COMMANDER, K.DISPATCH_COMPLETED, (Need.DRAWN,)),
    Transition("dispatchRelease", (D.COMPLETED,), D.RELEASED, COMMANDER, K.DISPATCH_RELEASED),
    Transition("dispatchDecline", (D.ASSIGNED,), D.DECLINED, COMMANDER, K.DISPATCH_DECLINED, (Need.FREES,)),
    Transition(
        "dispatchCancel",
        (D.REQUESTED, D.ASSIGNED, D.ACKNOWLEDGED, D.EN_ROUTE),
        D.CANCELLED,
        COMMANDER,
        K.DISPATCH_CANCELLED,
        (Need.FREES,),
    ),
)

ASSISTANCE = (
    Transition("dutyReportSubmit", (), A.OPEN, ENTERPRISE, K.ASSISTANCE_REQUESTED),
    Transition("assistanceRequest", (), A.OPEN, ENTERPRISE, K.ASSISTANCE_REQUESTED),
    Transition("assistanceDispatch", (A.OPEN,), A.DISPATCHED, COMMANDER, K.ASSISTANCE_DISPATCHED, (Need.INSPECTORS,)),
    Transition("assistanceResolve", (A.OPEN, A.DISPATCHED), A.RESOLVED, EITHER, K.ASSISTANCE_RESOLVED),
    Transition("assistanceWithdraw", (A.OPEN,), A.WITHDRAWN, ENTERPRISE, K.ASSISTANCE_WITHDRAWN),
    # A consequence of cancelling the inspection that served it.
    Transition("inspectionCancel", (A.DISPATCHED,), A.OPEN, COMMANDER, K.ASSISTANCE_REOPENED),
)

LIFECYCLES: dict[str, tuple[Transition, ...]] = {
    "hazard": HAZARD,
    "inspection": INSPECTION,
    "case": CASE,
    "dispatch": DISPATCH,
    "assistance": ASSISTANCE,
}

ACTIONS = (
    Action("hazardRequestExtension", ENTERPRISE, (H.ASSIGNED, H.RECTIFYING)),
    Action("hazardDecideExtension", COMMANDER, (H.ASSIGNED, H.RECTIFYING, H.PENDING_ACCEPTANCE)),
    Action("enterpriseUpsert", COMMANDER, scope=Scope.REGISTER),
    Action("enterprisesUpsert", COMMANDER, scope=Scope.REGISTER),
    Action("enterpriseGrade", COMMANDER),
    Action("controlMeasureAdd", (Who.COMMANDER, Who.ENTERPRISE)),
    Action("controlMeasureLift", (Who.COMMANDER, Who.ENTERPRISE)),
    Action("inspectorSetDuty", EITHER, scope=Scope.POSITIONS),
    Action("inspectorReportPosition", EITHER, scope=Scope.POSITIONS),
    Action("positionsReport", EITHER, scope=Scope.POSITIONS),
    Action("teamSetStandby", COMMANDER),
    Action("expertSetStandby", COMMANDER),
    Action("stockReceive", COMMANDER),
    Action("rainfallReport", COMMANDER, scope=Scope.READINGS),
    Action("readingsReport", COMMANDER, scope=Scope.READINGS),
    Action("warningIssue", COMMANDER, scope=Scope.WARNINGS),
    Action("warningLift", COMMANDER, scope=Scope.WARNINGS),
    Action("handoverSign", COMMANDER),
    Action("handoverTake", COMMANDER),
)


def _permitted() -> dict[str, tuple[frozenset[Role], Scope | None]]:
    roles: dict[str, set[Role]] = {}
    scopes: dict[str, Scope | None] = {}
    lines: list[Transition | Action] = [*(line for cycle in LIFECYCLES.values() for line in cycle), *ACTIONS]
    for line in lines:
        roles.setdefault(line.mutation, {Role.COMMANDER}).update(w.role for w in line.who)
        scopes[line.mutation] = line.scope if isinstance(line, Action) else None
    return {mutation: (frozenset(allowed), scopes[mutation]) for mutation, allowed in roles.items()}


# By mutation: the roles that may call it at all, and the scope that a program needs.
PERMITTED = _permitted()

# Mutations of people in the field, who may have no network: they take the time of the act, `occurredAt`. Positions have
# a time of their own.
FIELD_MUTATIONS = frozenset(
    {mutation for mutation, (roles, _) in PERMITTED.items() if roles & {Role.INSPECTOR, Role.ENTERPRISE}}
    | {"dispatchAcknowledge", "dispatchDepart", "dispatchArrive", "dispatchComplete", "dispatchDecline"}
) - {"inspectorReportPosition", "positionsReport"}


def may_call(viewer: Viewer, mutation: str) -> bool:
    """Whether the viewer's role and scopes allow the mutation at all. The action decides about the row."""
    roles, scope = PERMITTED[mutation]
    if viewer.role is Role.INTEGRATOR:
        return scope is not None and scope in viewer.visibility.scopes
    return viewer.role in roles


def find_transition(cycle: str, mutation: str, current: Status | None, to: Status | None = None) -> Transition | None:
    """The transition by this mutation from this status, or None. `to` chooses among several."""
    for line in LIFECYCLES[cycle]:
        starts_here = not line.sources if current is None else current in line.sources
        if line.mutation == mutation and starts_here and to in (None, line.to):
            return line
    return None


def target_status(cycle: str, mutation: str) -> Status:
    """The status that the mutation leads to, whatever the current one."""
    return next(line.to for line in LIFECYCLES[cycle] if line.mutation == mutation)


def next_statuses(cycle: str, current: Status) -> list[str]:
    """The statuses that can follow this one, by any role, in the order of the table."""
    return list(dict.fromkeys(line.to.name for line in LIFECYCLES[cycle] if current in line.sources))


def legal_statuses(mutation: str) -> list[str]:
    """The statuses of the row that a mutation changes in which it is legal; empty where it has no such row."""
    lines = [line for cycle, all_lines in LIFECYCLES.items() for line in all_lines if mutation.startswith(cycle)]
    own = [line for line in lines if line.mutation == mutation]
    makes_its_row = any(not line.sources for line in own)
    sources = [] if makes_its_row else [status for line in own for status in line.sources]
    states = [status for action in ACTIONS if action.mutation == mutation for status in action.states]
    return list(dict.fromkeys(status.name for status in (*sources, *states)))


def next_steps(cycle: str, current: Status, viewer: Viewer) -> dict[str, list[str]]:
    """The mutations that the viewer may call for a row in this status, and the statuses that each can lead to.

    A mutation that keeps the status leads to none. One that creates rows, or is about another noun, is no step.
    """
    steps: dict[str, list[str]] = {}
    creating = {line.mutation for line in LIFECYCLES[cycle] if not line.sources}
    for line in LIFECYCLES[cycle]:
        own = line.mutation.startswith(cycle) and line.mutation not in creating
        if own and current in line.sources and may_call(viewer, line.mutation):
            steps.setdefault(line.mutation, []).append(line.to.name)
    for action in ACTIONS:
        if current in action.states and may_call(viewer, action.mutation):
            steps[action.mutation] = []
    return steps
