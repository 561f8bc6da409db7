"""How work goes: each flow is one thread of it, from its beginning to its end, in simulated minutes.

The proportions are a person's guess of an ordinary day before a great event: two visits of three find nothing grave,
one rectification of seven is sent back, one case of five is not filed, one review of twelve is not content.
"""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from models.visibility import Role
from web.simulation.calls import COMMANDER, Call, Flow, Pause, Who
from web.simulation.words import CATEGORIES, GROUNDS, PROBLEMS, PURPOSES, SUMMARIES

INSPECTION = "... on {0} {{ inspection {{ id status }} }}"
HAZARD = "... on {0} {{ hazard {{ id status level }} }}"
STEPS_OF_A_WAY = 4


@dataclass(frozen=True)
class Enterprise:
    id: str
    code: str
    latitude: float
    longitude: float

    @property
    def who(self) -> Who:
        return Who(Role.ENTERPRISE, self.code)


@dataclass
class Inspector:
    id: str
    badge: str
    latitude: float
    longitude: float
    busy: bool = False

    @property
    def who(self) -> Who:
        return Who(Role.INSPECTOR, self.badge)


@dataclass
class World:
    """What the flows share: who there is, chance, the clock, and how to start another flow."""

    random: random.Random
    enterprises: list[Enterprise]
    inspectors: list[Inspector]
    teams: list[str]
    experts: list[str]
    stock: list[str]
    fronts: dict[str, dt.datetime | None]  # by zone, when the next one began
    now: Callable[[], dt.datetime]
    start: Callable[[Flow], None]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def later(self, **span: float) -> str:
        return (self.now() + dt.timedelta(**span)).isoformat()

    def free_inspector(self) -> Inspector | None:
        free = [i for i in self.inspectors if not i.busy]
        return self.random.choice(free) if free else None


def visit(world: World) -> Flow:
    """A routine inspection, from the plan to the close."""
    inspector = world.free_inspector()
    if inspector is None:
        return
    inspector.busy = True
    enterprise = world.random.choice(world.enterprises)
    kind = world.random.choice(["ROUTINE", "ROUTINE", "ROUTINE", "SPECIAL", "COMPLAINT"])
    given = {"enterprise": enterprise.id, "kind": kind, "plannedFor": world.later(hours=1)}
    planned = yield Call(COMMANDER, "inspectionPlan", given, INSPECTION.format("InspectionPlanned"))
    inspection = planned["inspection"]["id"]
    if world.chance(0.05):
        inspector.busy = False
        yield Call(COMMANDER, "inspectionCancel", {"inspection": inspection, "reason": "企业临时停产"})
        return
    yield Pause(5)
    yield Call(COMMANDER, "inspectionDispatch", {"inspection": inspection, "inspectors": [inspector.id]})
    yield from on_the_way(world, inspector, inspection, enterprise)
    yield from on_site(world, inspector, inspection, enterprise)


def on_the_way(world: World, inspector: Inspector, inspection: str, enterprise: Enterprise) -> Flow:
    """From the dispatch to the arrival, with positions along the way."""
    given = {"inspection": inspection}
    yield Pause(world.random.uniform(1, 6))
    yield Call(inspector.who, "inspectionAcknowledge", given)
    yield Pause(world.random.uniform(2, 10))
    yield Call(inspector.who, "inspectionDepart", given)
    start = (inspector.latitude, inspector.longitude)
    for step in range(1, STEPS_OF_A_WAY + 1):
        yield Pause(world.random.uniform(3, 7))
        share = step / STEPS_OF_A_WAY
        # Streets are not straight: a little to the side, and back at the end.
        aside = world.random.uniform(-0.002, 0.002) * (1 - share)
        inspector.latitude = start[0] + share * (enterprise.latitude - start[0]) + aside
        inspector.longitude = start[1] + share * (enterprise.longitude - start[1]) - aside
        yield position(inspector)
    yield Call(inspector.who, "inspectionArrive", given)


def position(inspector: Inspector) -> Call:
    point = {"latitude": round(inspector.latitude, 6), "longitude": round(inspector.longitude, 6)}
    return Call(inspector.who, "inspectorReportPosition", {"inspector": inspector.id, "position": point})


def on_site(world: World, inspector: Inspector, inspection: str, enterprise: Enterprise) -> Flow:
    """The visit itself, what was found, and the review."""
    if world.chance(0.02):
        # Somebody presses the wrong button: the refusal says what is legal.
        yield Call(COMMANDER, "inspectionClose", {"inspection": inspection}, means="IllegalTransition")
    yield Pause(world.random.uniform(20, 70))
    findings = [finding(world) for _ in range(world.random.choice([0, 0, 1, 1, 2, 3]))]
    given = {
        "inspection": inspection,
        "result": "HAZARDS_FOUND" if findings else world.random.choice(["PASS", "PASS", "PASS", "NOT_OPERATING"]),
        "summary": world.random.choice(SUMMARIES),
        "findings": findings,
    }
    gives = "... on InspectionSubmitted { hazards { id status level } }"
    submitted = yield Call(inspector.who, "inspectionSubmit", given, gives)
    inspector.busy = False
    hazards = submitted["hazards"]
    done = [False] * len(hazards)
    for i, hazard in enumerate(hazards):
        ended = partial(done.__setitem__, i, True)
        world.start(rectification(world, inspector.who, enterprise, hazard, ended))
    if any(h["level"] == "MAJOR" for h in hazards) or world.chance(0.05):
        world.start(prosecution(world, inspector, inspection))
    yield Pause(world.random.uniform(10, 40))
    yield Call(COMMANDER, "inspectionReview", {"inspection": inspection})
    if world.chance(0.08):
        yield Call(COMMANDER, "inspectionReturn", {"inspection": inspection, "reason": "检查情况填写不完整"})
        yield Pause(world.random.uniform(10, 30))
        # What was found stays as it is; only the words are better.
        yield Call(inspector.who, "inspectionSubmit", {**given, "findings": [], "summary": "已补充检查情况"})
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


def rectification(
    world: World, judge: Who, enterprise: Enterprise, hazard: dict[str, Any], done: Callable[[], None] = lambda: None
) -> Flow:
    """A hazard, until it is closed or dismissed."""
    given = {"hazard": hazard["id"]}
    if hazard["status"] in ("FOUND", "UNDER_REVIEW"):
        yield Pause(world.random.uniform(5, 40))
        if world.chance(0.06):
            yield Call(COMMANDER, "hazardDismiss", {**given, "reason": "复核后不构成隐患"})
            done()
            return
        owner = {"name": "模拟整改责任人"}
        yield Call(COMMANDER, "hazardAssign", {**given, "owner": owner, "deadline": world.later(days=7)})
        yield from mending(world, enterprise, hazard)
    for _ in range(2):
        yield Pause(world.random.uniform(20, 60))
        if not world.chance(0.15):
            break
        yield Call(judge, "hazardReject", {**given, "reason": "整改照片不清晰"})
        yield Pause(40)
        yield Call(enterprise.who, "hazardSubmitRectification", {**given, "statement": "已重新整改并复查"})
    yield Call(judge, "hazardAccept", given)
    if world.chance(0.04):
        yield Call(COMMANDER, "hazardReopen", {**given, "reason": "抽查发现反弹"})
        yield Call(enterprise.who, "hazardSubmitRectification", {**given, "statement": "反弹问题已消除"})
        yield Call(COMMANDER, "hazardAccept", given)
    yield Pause(15)
    yield Call(COMMANDER, "hazardClose", given)
    done()


def mending(world: World, enterprise: Enterprise, hazard: dict[str, Any]) -> Flow:
    """From the assignment to the submission, by the enterprise."""
    given = {"hazard": hazard["id"]}
    yield Pause(world.random.uniform(20, 90))
    fixes = {
        "responsibility": "主要负责人",
        "measures": "停用并更换",
        "funds": "安全生产费用",
        "deadline": world.later(days=5),
        "contingencyPlan": "专人值守,异常立即停产",
    }
    major = {"fiveFix": fixes} if hazard["level"] == "MAJOR" else {}
    yield Call(enterprise.who, "hazardStartRectifying", {**given, **major})
    if world.chance(0.1):
        asked = {**given, "to": world.later(days=14), "reason": "配件到货延迟"}
        yield Call(enterprise.who, "hazardRequestExtension", asked)
        yield Pause(30)
        yield Call(COMMANDER, "hazardDecideExtension", {**given, "approve": world.chance(0.7)})
    yield Pause(world.random.uniform(30, 120))
    yield Call(enterprise.who, "hazardSubmitRectification", {**given, "statement": "已按要求完成整改"})


def prosecution(world: World, inspector: Inspector, inspection: str) -> Flow:
    """A case, until it ends."""
    grounds = {"inspection": inspection, "grounds": world.random.choice(GROUNDS)}
    proposed = yield Call(inspector.who, "casePropose", grounds, "... on CaseProposed { case { id } }")
    given = {"case": proposed["case"]["id"]}
    yield Pause(30)
    if world.chance(0.2):
        yield Call(COMMANDER, "caseDecline", {**given, "reason": "情节轻微并已改正"})
        return
    yield Call(COMMANDER, "caseFile", given)
    yield Pause(60)
    yield Call(COMMANDER, "caseInvestigate", given)
    if world.chance(0.1):
        yield Call(COMMANDER, "caseDecide", {**given, "outcome": world.random.choice(["TRANSFERRED", "WITHDRAWN"])})
        return
    yield Pause(60)
    yield Call(COMMANDER, "caseNotify", given)
    if world.chance(0.3):
        yield Pause(60)
        yield Call(COMMANDER, "caseHear", given)
    yield Pause(60)
    if world.chance(0.15):
        yield Call(COMMANDER, "caseDecide", {**given, "outcome": "NO_PENALTY"})
    else:
        penalty = {"kinds": ["WARNING", "FINE"], "fineYuan": world.random.randrange(1, 50) * 1000}
        yield Call(COMMANDER, "caseDecide", {**given, "outcome": "DECIDED", "penalty": penalty})
        yield Pause(60)
        yield Call(COMMANDER, "caseExecute", given)
    yield Pause(60)
    yield Call(COMMANDER, "caseClose", given)


def duty(world: World) -> Flow:
    """An enterprise reports on duty, or is called; officers nearby are sent to help. Some report a hazard as well."""
    enterprise = world.random.choice(world.enterprises)
    if world.chance(0.15):
        asked = {"enterprise": enterprise.id, "problem": world.random.choice(PROBLEMS)}
        gives = "... on AssistanceRequested { assistanceRequest { id } }"
        called = yield Call(COMMANDER, "assistanceRequest", asked, gives)
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
    gives = "... on DutyReportSubmitted { assistanceRequests { id } }"
    submitted = yield Call(enterprise.who, "dutyReportSubmit", report, gives)
    for request in submitted["assistanceRequests"]:
        world.start(assistance(world, enterprise, request["id"]))
    if world.chance(0.2):
        found = {"enterprise": enterprise.id, **finding(world)}
        del found["fixedOnSpot"]
        reported = yield Call(enterprise.who, "hazardReport", found, HAZARD.format("HazardReported"))
        world.start(rectification(world, COMMANDER, enterprise, reported["hazard"]))


def assistance(world: World, enterprise: Enterprise, request: str) -> Flow:
    """A call for help, until it is answered."""
    given = {"assistanceRequest": request}
    yield Pause(world.random.uniform(2, 8))
    if world.chance(0.1):
        yield Call(enterprise.who, "assistanceWithdraw", given)
        return
    inspector = world.free_inspector()
    if inspector is None:
        yield Call(COMMANDER, "assistanceResolve", {**given, "resolution": "电话指导解决"})
        return
    inspector.busy = True
    sent = yield Call(
        COMMANDER,
        "assistanceDispatch",
        {**given, "inspectors": [inspector.id]},
        INSPECTION.format("AssistanceDispatched"),
    )
    inspection = sent["inspection"]["id"]
    yield from on_the_way(world, inspector, inspection, enterprise)
    yield Pause(world.random.uniform(10, 40))
    yield Call(inspector.who, "assistanceResolve", {**given, "resolution": "现场指导并协助处置"})
    yield from on_site(world, inspector, inspection, enterprise)


def dispatch(world: World) -> Flow:
    """A team, an expert or stock is sent, and comes back."""
    place = world.random.choice(world.enterprises)
    asked = {"purpose": world.random.choice(PURPOSES), "enterprise": place.id}
    requested = yield Call(COMMANDER, "dispatchRequest", asked, "... on DispatchRequested { dispatch { id } }")
    given = {"dispatch": requested["dispatch"]["id"]}
    pools = {"team": world.teams, "expert": world.experts, "stock": world.stock}
    kind = world.random.choice([name for name, pool in pools.items() if pool])
    if kind == "stock":
        item, quantity = world.random.choice(world.stock), world.random.randrange(1, 5)
        yield Call(COMMANDER, "stockReceive", {"stockItem": item, "quantity": quantity})
        yield Call(COMMANDER, "dispatchAssign", {**given, "stockItem": item, "quantity": quantity})
    else:
        pool = pools[kind]
        resource = pool.pop(world.random.randrange(len(pool)))
        yield Call(COMMANDER, "dispatchAssign", {**given, kind: resource})
        if world.chance(0.1):
            yield Call(COMMANDER, "dispatchDecline", {**given, "reason": "正在执行其他任务"})
            yield Call(COMMANDER, "dispatchAssign", {**given, kind: resource})
    if world.chance(0.05):
        yield Call(COMMANDER, "dispatchCancel", {**given, "reason": "险情已排除"})
    else:
        for step in ("dispatchAcknowledge", "dispatchDepart", "dispatchArrive"):
            yield Pause(world.random.uniform(2, 20))
            yield Call(COMMANDER, step, given)
        yield Pause(world.random.uniform(20, 90))
        drawn = {"drawn": world.random.randrange(0, quantity + 1)} if kind == "stock" else {}
        yield Call(COMMANDER, "dispatchComplete", {**given, **drawn})
        yield Pause(10)
        yield Call(COMMANDER, "dispatchRelease", given)
    if kind != "stock":
        pool.append(resource)
