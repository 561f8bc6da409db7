"""The life cycles of the domain, written a second time, and valid inputs for each transition.

Nothing here comes from models/lifecycle.py: the tests compare the two by the graph's behaviour.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from tests.conftest import NOW
from tests.support.actors import DAY, World, at

# from → to | mutation | who: C commander, I inspector, E enterprise; the commander may do everything
HAZARD = """
FOUND → PENDING_ACCEPTANCE | inspectionSubmit | I
FOUND, UNDER_REVIEW → ASSIGNED | hazardAssign | C
FOUND, UNDER_REVIEW → DISMISSED | hazardDismiss | C
ASSIGNED → RECTIFYING | hazardStartRectifying | E
RECTIFYING → PENDING_ACCEPTANCE | hazardSubmitRectification | E
PENDING_ACCEPTANCE → ACCEPTED | hazardAccept | I C
PENDING_ACCEPTANCE → RECTIFYING | hazardReject | I C
ACCEPTED → CLOSED | hazardClose | C
ACCEPTED → RECTIFYING | hazardReopen | C
"""
INSPECTION = """
PLANNED → DISPATCHED | inspectionDispatch | C
DISPATCHED → ACKNOWLEDGED | inspectionAcknowledge | I
ACKNOWLEDGED → EN_ROUTE | inspectionDepart | I
EN_ROUTE → ON_SITE | inspectionArrive | I
ON_SITE → SUBMITTED | inspectionSubmit | I
SUBMITTED → IN_REVIEW | inspectionReview | C
IN_REVIEW → CLOSED | inspectionClose | C
IN_REVIEW → ON_SITE | inspectionReturn | C
PLANNED, DISPATCHED, ACKNOWLEDGED, EN_ROUTE → CANCELLED | inspectionCancel | C
"""
CASE = """
PROPOSED → FILED | caseFile | C
PROPOSED → NOT_FILED | caseDecline | C
FILED → INVESTIGATING | caseInvestigate | C
INVESTIGATING → NOTIFIED | caseNotify | C
NOTIFIED → HEARING | caseHear | C
INVESTIGATING, NOTIFIED, HEARING → NO_PENALTY | caseDecide | C
INVESTIGATING, NOTIFIED, HEARING → TRANSFERRED | caseDecide | C
INVESTIGATING, NOTIFIED, HEARING → WITHDRAWN | caseDecide | C
NOTIFIED, HEARING → DECIDED | caseDecide | C
DECIDED → EXECUTING | caseExecute | C
EXECUTING, NO_PENALTY → CLOSED | caseClose | C
"""
DISPATCH = """
REQUESTED → ASSIGNED | dispatchRequest | C
REQUESTED, DECLINED → ASSIGNED | dispatchAssign | C
ASSIGNED → ACKNOWLEDGED | dispatchAcknowledge | C
ACKNOWLEDGED → EN_ROUTE | dispatchDepart | C
EN_ROUTE → ON_SCENE | dispatchArrive | C
ON_SCENE → COMPLETED | dispatchComplete | C
COMPLETED → RELEASED | dispatchRelease | C
ASSIGNED → DECLINED | dispatchDecline | C
REQUESTED, ASSIGNED, ACKNOWLEDGED, EN_ROUTE → CANCELLED | dispatchCancel | C
"""
ASSISTANCE = """
OPEN → DISPATCHED | assistanceDispatch | C
OPEN, DISPATCHED → RESOLVED | assistanceResolve | I C
OPEN → WITHDRAWN | assistanceWithdraw | E
DISPATCHED → OPEN | inspectionCancel | C
"""
# state | mutation | who: mutations that keep the status
HAZARD_STAYS = """
ASSIGNED, RECTIFYING | hazardRequestExtension | E
ASSIGNED, RECTIFYING, PENDING_ACCEPTANCE | hazardDecideExtension | C
"""
# mutation | who | scope of a program: mutations that create a row, or whose row has no status
OTHER_MUTATIONS = """
inspectionPlan | I C |
hazardReport | I E |
casePropose | I C |
dutyReportSubmit | E |
assistanceRequest | E |
dispatchRequest | C |
enterpriseUpsert | C | register
enterprisesUpsert | C | register
enterpriseGrade | C |
controlMeasureAdd | C E |
controlMeasureLift | C E |
inspectorSetDuty | I C | positions
inspectorReportPosition | I C | positions
positionsReport | I C | positions
teamSetStandby | C |
expertSetStandby | C |
stockReceive | C |
rainfallReport | C | readings
readingsReport | C | readings
warningIssue | C | warnings
warningLift | C | warnings
handoverSign | C |
handoverTake | C |
"""


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    mutation: str
    sources: tuple[str, ...]
    to: str | None
    who: frozenset[str]

    @property
    def extra(self) -> dict[str, Any]:
        """The arguments that choose this line among those of the same mutation."""
        if self.mutation != "caseDecide":
            return {}
        penalty = {"penalty": {"kinds": ["FINE", "WARNING"], "fineYuan": 50_000}} if self.to == "DECIDED" else {}
        return {"outcome": self.to, **penalty}


def lines(table: str) -> tuple[Line, ...]:
    parsed = []
    for row in table.strip().splitlines():
        states, mutation, who = (part.strip() for part in row.split("|"))
        sources, _, to = states.partition(" → ")
        parsed.append(Line(mutation, tuple(sources.split(", ")), to or None, frozenset({*who.split(), "C"})))
    return tuple(parsed)


CYCLES = {
    "hazard": lines(HAZARD),
    "inspection": lines(INSPECTION),
    "case": lines(CASE),
    "dispatch": lines(DISPATCH),
    "assistance": lines(ASSISTANCE),
}
STAYS = lines(HAZARD_STAYS)
# By noun: the argument for the row, and the type of its id.
SUBJECTS = {
    "hazard": ("hazard", "Hazard"),
    "inspection": ("inspection", "Inspection"),
    "case": ("case", "Case"),
    "dispatch": ("dispatch", "Dispatch"),
    "assistance": ("assistanceRequest", "AssistanceRequest"),
}
MUTATIONS = frozenset(
    {line.mutation for table in (*CYCLES.values(), STAYS) for line in table}
    | {row.split(" |")[0] for row in OTHER_MUTATIONS.strip().splitlines()}
)


def transitions_of(noun: str) -> list[Line]:
    """The lines whose mutation has the noun as its subject. dispatchRequest has none: it makes its row."""
    own = [line for line in CYCLES[noun] if line.mutation.startswith(noun) and line.mutation != "dispatchRequest"]
    return own + (list(STAYS) if noun == "hazard" else [])


def legal(noun: str, state: str) -> list[str]:
    """The states that can follow."""
    return list(dict.fromkeys(line.to for line in CYCLES[noun] if state in line.sources and line.to is not None))


def valid_inputs(world: World, now: dt.datetime = NOW) -> dict[str, dict[str, Any]]:
    """By mutation: the required arguments besides the subject, where there are any."""
    return {**_steps(world, now), **_besides(world, now)}


def _steps(world: World, now: dt.datetime) -> dict[str, dict[str, Any]]:
    soon = at(now + 10 * DAY)
    fixes = dict.fromkeys(("responsibility", "measures", "funds", "contingencyPlan"), "落实")
    return {
        "hazardAssign": {"owner": {"name": "责任人", "phone": "138"}, "deadline": soon},
        "hazardDismiss": {"reason": "误报"},
        "hazardStartRectifying": {"fiveFix": {**fixes, "deadline": soon}},
        "hazardSubmitRectification": {"statement": "已整改"},
        "hazardReject": {"reason": "不彻底"},
        "hazardReopen": {"reason": "复发"},
        "hazardRequestExtension": {"to": at(now + 90 * DAY), "reason": "缺配件"},
        "hazardDecideExtension": {"approve": True},
        "inspectionDispatch": {"inspectors": [world.id("inspector")]},
        "inspectionSubmit": {"result": "PASS"},
        "inspectionReturn": {"reason": "不全"},
        "inspectionCancel": {"reason": "改期"},
        "caseDecide": {"outcome": "NO_PENALTY"},
        "dispatchAssign": {"stockItem": world.id("stock_item"), "quantity": 1},
        "dispatchComplete": {"drawn": 1},
        "assistanceDispatch": {"inspectors": [world.id("inspector")]},
        "assistanceResolve": {"resolution": "已解决"},
    }


def _besides(world: World, now: dt.datetime) -> dict[str, dict[str, Any]]:
    enterprise = {"enterprise": world.id("enterprise")}
    return {
        "inspectionPlan": {**enterprise, "kind": "ROUTINE", "plannedFor": at(now + 10 * DAY)},
        "hazardReport": {**enterprise, "level": "GENERAL", "description": "线路老化"},
        "casePropose": {"grounds": "违法"},
        "dutyReportSubmit": {**enterprise, "measuresInPlace": "有", "supplies": "沙袋", "problems": ["排水"]},
        "assistanceRequest": {**enterprise, "problem": "排水"},
        "dispatchRequest": {"purpose": "抢险", "to": {"latitude": 30.1, "longitude": 120.1}},
        "enterpriseUpsert": {"externalId": f"e0{world.mark}", "industry": "化工"},
        "enterpriseGrade": {**enterprise, "riskGrade": "RED"},
        "controlMeasureAdd": {**enterprise, "kind": "ENGINEERING", "description": "围堰"},
        "controlMeasureLift": {},
        "inspectorSetDuty": {"inspector": world.id("inspector"), "onDuty": True},
        "inspectorReportPosition": {
            "inspector": world.id("inspector"),
            "position": {"latitude": 30.1, "longitude": 120.1},
        },
        "teamSetStandby": {"team": world.id("team"), "onStandby": True},
        "expertSetStandby": {"expert": world.id("expert"), "onStandby": True},
        "stockReceive": {"stockItem": world.id("stock_item"), "quantity": 5},
        "rainfallReport": {"zone": world.id("zone"), "millimetres": 1.0},
        "enterprisesUpsert": {"rows": [{"externalId": f"e0{world.mark}", "industry": "化工"}]},
        "positionsReport": {"rows": []},
        "readingsReport": {"rows": [{"zone": world.id("zone"), "millimetres": 1.0}]},
        "warningIssue": {"kind": "HEAT", "level": "BLUE", "headline": "高温", "zone": world.id("zone")},
        "warningLift": {},
        "handoverSign": {"note": "一切正常"},
        "handoverTake": {},
    }
