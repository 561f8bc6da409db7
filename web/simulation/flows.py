"""Flows of work: each is one strand of work from its beginning to its end, in simulated minutes.

The proportions are a guess of an ordinary day before a great event: two of three visits find nothing serious, one of
seven rectifications is rejected, one of five cases is not filed, and one of twelve reviews returns the inspection.
"""

import datetime as dt
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from models.visibility import Role
from web.simulation.calls import COMMANDER, Call, Flow, Identity, Pause
from web.simulation.words import CATEGORIES, GROUNDS, PROBLEMS, PURPOSES, SUMMARIES

INSPECTION = "... on {0} {{ inspection {{ id status }} }}"
HAZARD = "... on {0} {{ hazard {{ id status level }} }}"
STEPS_ON_THE_WAY = 4
ROLL_CALLS = 12  # one an hour


@dataclass(frozen=True)
class Enterprise:
    id: str
    code: str
    latitude: float
    longitude: float

    @property
    def identity(self) -> Identity:
        return Identity(Role.ENTERPRISE, self.code)


@dataclass
class Inspector:
    id: str
    badge: str
    latitude: float
    longitude: float
    visit: object | None = None  # the one that the inspector is busy with

    @property
    def identity(self) -> Identity:
        return Identity(Role.INSPECTOR, self.badge)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The inspector is busy until the visit is submitted, or its flow ends for another reason."""
        visit = self.visit = object()
        try:
            yield
        finally:
            if self.visit is visit:
                self.visit = None


@dataclass
class World:
    """What the flows share: the rows of the district, chance, the clock, and how to start another flow."""

    random: random.Random
    enterprises: list[Enterprise]
    inspectors: list[Inspector]
    teams: list[str]
    experts: list[str]
    stock: list[str]
    fronts: dict[str, dt.datetime | None]  # by zone: when its next front began
    now: Callable[[], dt.datetime]
    start: Callable[[Flow], None]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def later(self, **span: float) -> str:
        return (self.now() + dt.timedelta(**span)).isoformat()

    def free_inspector(self) -> Inspector | None:
        free = [i for i in self.inspectors if i.visit is None]
        return self.random.choice(free) if free else None


def visit(world: World) -> Flow:
    """A routine inspection, from its planning to its closing."""
    inspector = world.free_inspector()
    if inspector is None:
        return
    with inspector.at_work():
        yield from inspect(world, inspector)


def inspect(world: World, inspector: Inspector) -> Flow:
    enterprise = world.random.choice(world.enterprises)
    kind = world.random.choice(["ROUTINE", "ROUTINE", "ROUTINE", "SPECIAL", "COMPLAINT"])
    arguments = {"enterprise": enterprise.id, "kind": kind, "plannedFor": world.later(hours=1)}
    planned = yield Call(COMMANDER, "inspectionPlan", arguments, INSPECTION.format("InspectionPlanned"))
    inspection = planned["inspection"]["id"]
    if world.chance(0.05):
        inspector.visit = None
        yield Call(COMMANDER, "inspectionCancel", {"inspection": inspection, "reason": "企业临时停产"})
        return
    yield Pause(5)
    yield Call(COMMANDER, "inspectionDispatch", {"inspection": inspection, "inspectors": [inspector.id]})
    yield from on_the_way(world, inspector, inspection, enterprise)
    yield from on_site(world, inspector, inspection, enterprise)


def on_the_way(world: World, inspector: Inspector, inspection: str, enterprise: Enterprise) -> Flow:
    """From the dispatch to the arrival, with positions along the way."""
    arguments = {"inspection": inspection}
    yield Pause(world.random.uniform(1, 6))
    yield Call(inspector.identity, "inspectionAcknowledge", arguments)
    yield Pause(world.random.uniform(2, 10))
    yield Call(inspector.identity, "inspectionDepart", arguments)
    start = (inspector.latitude, inspector.longitude)
    for step in range(1, STEPS_ON_THE_WAY + 1):
        yield Pause(world.random.uniform(3, 7))
        share = step / STEPS_ON_THE_WAY
        # Streets are not straight, so the way goes a little aside and back.
        aside = world.random.uniform(-0.002, 0.002) * (1 - share)
        inspector.latitude = start[0] + share * (enterprise.latitude - start[0]) + aside
        inspector.longitude = start[1] + share * (enterprise.longitude - start[1]) - aside
        yield position(inspector)
    yield Call(inspector.identity, "inspectionArrive", arguments)


def position(inspector: Inspector) -> Call:
    return Call(inspector.identity, "inspectorReportPosition", whereabouts(inspector))


def whereabouts(inspector: Inspector) -> dict[str, Any]:
    point = {"latitude": round(inspector.latitude, 6), "longitude": round(inspector.longitude, 6)}
    return {"inspector": inspector.id, "position": point}


def roll_call(world: World) -> Flow:
    """All inspectors report where they are, so that their positions stay recent."""
    for _ in range(ROLL_CALLS):
        if world.inspectors:
            yield Call(COMMANDER, "positionsReport", {"rows": [whereabouts(each) for each in world.inspectors]})
        yield Pause(60)


def on_site(world: World, inspector: Inspector, inspection: str, enterprise: Enterprise) -> Flow:
    """The visit, its findings and the review."""
    if world.chance(0.02):
        # Somebody presses the wrong button. The failure lists what is allowed.
        yield Call(COMMANDER, "inspectionClose", {"inspection": inspection}, expected="IllegalTransition")
    yield Pause(world.random.uniform(20, 70))
    findings = [finding(world) for _ in range(world.random.choice([0, 0, 1, 1, 2, 3]))]
    arguments = {
        "inspection": inspection,
        "result": "HAZARDS_FOUND" if findings else world.random.choice(["PASS", "PASS", "PASS", "NOT_OPERATING"]),
        "summary": world.random.choice(SUMMARIES),
        "findings": findings,
    }
    selection = "... on InspectionSubmitted { hazards { id status level } }"
    submitted = yield Call(inspector.identity, "inspectionSubmit", arguments, selection)
    inspector.visit = None
    hazards = submitted["hazards"]
    done = [False] * len(hazards)
    for i, hazard in enumerate(hazards):
        ended = partial(done.__setitem__, i, True)
        world.start(until_ended(rectification(world, inspector.identity, enterprise, hazard), ended))
    if any(h["level"] == "MAJOR" for h in hazards) or world.chance(0.05):
        world.start(prosecution(world, inspector, inspection))
    yield Pause(world.random.uniform(10, 40))
    yield Call(COMMANDER, "inspectionReview", {"inspection": inspection})
    if world.chance(0.08):
        yield Call(COMMANDER, "inspectionReturn", {"inspection": inspection, "reason": "检查情况填写不完整"})
        yield Pause(world.random.uniform(10, 30))
        # The findings stay; only the summary is corrected.
        yield Call(inspector.identity, "inspectionSubmit", {**arguments, "findings": [], "summary": "已补充检查情况"})
        yield Pause(10)
        yield Call(COMMANDER, "inspectionReview", {"inspection": inspection})
    while not all(done):
        yield Pause(30)
    yield Call(COMMANDER, "inspectionClose", {"inspection": inspection})


def finding(world: World) -> dict[str, Any]:
    category, descriptions = world.random.choice(CATEGORIES)
    major = world.chance(0.08)
    return {
        "level": "MAJOR" if major else "GENERAL",
        "category": category,
        "description": world.random.choice(descriptions),
        "fixedOnSpot": not major and world.chance(0.25),
    }


def until_ended(flow: Flow, ended: Callable[[], None]) -> Flow:
    """The flow, which calls `ended` at its end: also where a call of it failed."""
    try:
        yield from flow
    finally:
        ended()


def rectification(world: World, judge: Identity, enterprise: Enterprise, hazard: dict[str, Any]) -> Flow:
    """The rectification of a hazard until it is closed or dismissed."""
    arguments = {"hazard": hazard["id"]}
    if hazard["status"] in ("FOUND", "UNDER_REVIEW"):
        yield Pause(world.random.uniform(5, 40))
        if world.chance(0.06):
            yield Call(COMMANDER, "hazardDismiss", {**arguments, "reason": "复核后不构成隐患"})
            return
        owner = {"name": "模拟整改责任人"}
        yield Call(COMMANDER, "hazardAssign", {**arguments, "owner": owner, "deadline": world.later(days=7)})
        yield from rectifying(world, enterprise, hazard)
    for _ in range(2):
        yield Pause(world.random.uniform(20, 60))
        if not world.chance(0.15):
            break
        yield Call(judge, "hazardReject", {**arguments, "reason": "整改照片不清晰"})
        yield Pause(40)
        yield Call(enterprise.identity, "hazardSubmitRectification", {**arguments, "statement": "已重新整改并复查"})
    yield Call(judge, "hazardAccept", arguments)
    if world.chance(0.04):
        yield Call(COMMANDER, "hazardReopen", {**arguments, "reason": "抽查发现反弹"})
        yield Call(enterprise.identity, "hazardSubmitRectification", {**arguments, "statement": "反弹问题已消除"})
        yield Call(COMMANDER, "hazardAccept", arguments)
    yield Pause(15)
    yield Call(COMMANDER, "hazardClose", arguments)


def rectifying(world: World, enterprise: Enterprise, hazard: dict[str, Any]) -> Flow:
    """The enterprise's work from the assignment to the submission."""
    arguments = {"hazard": hazard["id"]}
    yield Pause(world.random.uniform(20, 90))
    fixes = {
        "responsibility": "主要负责人",
        "measures": "停用并更换",
        "funds": "安全生产费用",
        "deadline": world.later(days=5),
        "contingencyPlan": "专人值守,异常立即停产",
    }
    major = {"fiveFix": fixes} if hazard["level"] == "MAJOR" else {}
    yield Call(enterprise.identity, "hazardStartRectifying", {**arguments, **major})
    if world.chance(0.1):
        extension = {**arguments, "to": world.later(days=14), "reason": "配件到货延迟"}
        yield Call(enterprise.identity, "hazardRequestExtension", extension)
        yield Pause(30)
        yield Call(COMMANDER, "hazardDecideExtension", {**arguments, "approve": world.chance(0.7)})
    yield Pause(world.random.uniform(30, 120))
    yield Call(enterprise.identity, "hazardSubmitRectification", {**arguments, "statement": "已按要求完成整改"})


def prosecution(world: World, inspector: Inspector, inspection: str) -> Flow:
    """A case from its proposal to its end."""
    grounds = {"inspection": inspection, "grounds": world.random.choice(GROUNDS)}
    proposed = yield Call(inspector.identity, "casePropose", grounds, "... on CaseProposed { case { id } }")
    arguments = {"case": proposed["case"]["id"]}
    yield Pause(30)
    if world.chance(0.2):
        yield Call(COMMANDER, "caseDecline", {**arguments, "reason": "情节轻微并已改正"})
        return
    yield Call(COMMANDER, "caseFile", arguments)
    yield Pause(60)
    yield Call(COMMANDER, "caseInvestigate", arguments)
    if world.chance(0.1):
        yield Call(COMMANDER, "caseDecide", {**arguments, "outcome": world.random.choice(["TRANSFERRED", "WITHDRAWN"])})
        return
    yield Pause(60)
    yield Call(COMMANDER, "caseNotify", arguments)
    if world.chance(0.3):
        yield Pause(60)
        yield Call(COMMANDER, "caseHear", arguments)
    yield Pause(60)
    if world.chance(0.15):
        yield Call(COMMANDER, "caseDecide", {**arguments, "outcome": "NO_PENALTY"})
    else:
        penalty = {"kinds": ["WARNING", "FINE"], "fineYuan": world.random.randrange(1, 50) * 1000}
        yield Call(COMMANDER, "caseDecide", {**arguments, "outcome": "DECIDED", "penalty": penalty})
        yield Pause(60)
        yield Call(COMMANDER, "caseExecute", arguments)
    yield Pause(60)
    yield Call(COMMANDER, "caseClose", arguments)


def duty(world: World) -> Flow:
    """An enterprise sends its duty report or asks for help, and inspectors are sent. Some report a hazard as well."""
    enterprise = world.random.choice(world.enterprises)
    if world.chance(0.15):
        request = {"enterprise": enterprise.id, "problem": world.random.choice(PROBLEMS)}
        selection = "... on AssistanceRequested { assistanceRequest { id } }"
        called = yield Call(COMMANDER, "assistanceRequest", request, selection)
        world.start(assistance(world, enterprise, called["assistanceRequest"]["id"]))
        return
    problems = world.random.sample(PROBLEMS, world.random.choice([0, 0, 1, 1, 2]))
    report = {
        "enterprise": enterprise.id,
        "measuresInPlace": "值班人员在岗,阀门双锁,每两小时巡查一次",
        "supplies": "灭火器 40 具,沙袋 200 个,防化服 6 套",
        "expertsOnStandby": world.random.randrange(0, 4),
        "problems": problems,
    }
    selection = "... on DutyReportSubmitted { assistanceRequests { id } }"
    submitted = yield Call(enterprise.identity, "dutyReportSubmit", report, selection)
    for request in submitted["assistanceRequests"]:
        world.start(assistance(world, enterprise, request["id"]))
    if world.chance(0.2):
        hazard = {"enterprise": enterprise.id, **finding(world)}
        del hazard["fixedOnSpot"]
        reported = yield Call(enterprise.identity, "hazardReport", hazard, HAZARD.format("HazardReported"))
        world.start(rectification(world, COMMANDER, enterprise, reported["hazard"]))


def assistance(world: World, enterprise: Enterprise, request: str) -> Flow:
    """A request for assistance until it is resolved or withdrawn."""
    arguments = {"assistanceRequest": request}
    yield Pause(world.random.uniform(2, 8))
    if world.chance(0.1):
        yield Call(enterprise.identity, "assistanceWithdraw", arguments)
        return
    inspector = world.free_inspector()
    if inspector is None:
        yield Call(COMMANDER, "assistanceResolve", {**arguments, "resolution": "电话指导解决"})
        return
    with inspector.at_work():
        sent = yield Call(
            COMMANDER,
            "assistanceDispatch",
            {**arguments, "inspectors": [inspector.id]},
            INSPECTION.format("AssistanceDispatched"),
        )
        inspection = sent["inspection"]["id"]
        yield from on_the_way(world, inspector, inspection, enterprise)
        yield Pause(world.random.uniform(10, 40))
        yield Call(inspector.identity, "assistanceResolve", {**arguments, "resolution": "现场指导并协助处置"})
        yield from on_site(world, inspector, inspection, enterprise)


def dispatch(world: World) -> Flow:
    """A team, an expert or stock is dispatched and comes back."""
    place = world.random.choice(world.enterprises)
    purpose = {"purpose": world.random.choice(PURPOSES), "enterprise": place.id}
    requested = yield Call(COMMANDER, "dispatchRequest", purpose, "... on DispatchRequested { dispatch { id } }")
    arguments = {"dispatch": requested["dispatch"]["id"]}
    pools = {"team": world.teams, "expert": world.experts, "stock": world.stock}
    kind = world.random.choice([name for name, pool in pools.items() if pool])
    if kind == "stock":
        item, quantity = world.random.choice(world.stock), world.random.randrange(1, 5)
        yield Call(COMMANDER, "stockReceive", {"stockItem": item, "quantity": quantity})
        yield Call(COMMANDER, "dispatchAssign", {**arguments, "stockItem": item, "quantity": quantity})
        yield from carried_out(world, arguments, quantity)
        return
    pool = pools[kind]
    resource = pool.pop(world.random.randrange(len(pool)))
    yield Call(COMMANDER, "dispatchAssign", {**arguments, kind: resource})
    if world.chance(0.1):
        yield Call(COMMANDER, "dispatchDecline", {**arguments, "reason": "正在执行其他任务"})
        yield Call(COMMANDER, "dispatchAssign", {**arguments, kind: resource})
    yield from carried_out(world, arguments, None)
    # Not where a call failed: nobody knows then whether the resource is free again.
    pool.append(resource)


def carried_out(world: World, arguments: dict[str, Any], quantity: int | None) -> Flow:
    """An assigned dispatch until it is cancelled or released; `quantity` is that of stock."""
    if world.chance(0.05):
        yield Call(COMMANDER, "dispatchCancel", {**arguments, "reason": "险情已排除"})
    else:
        for step in ("dispatchAcknowledge", "dispatchDepart", "dispatchArrive"):
            yield Pause(world.random.uniform(2, 20))
            yield Call(COMMANDER, step, arguments)
        yield Pause(world.random.uniform(20, 90))
        drawn = {} if quantity is None else {"drawn": world.random.randrange(0, quantity + 1)}
        yield Call(COMMANDER, "dispatchComplete", {**arguments, **drawn})
        yield Pause(10)
        yield Call(COMMANDER, "dispatchRelease", arguments)
