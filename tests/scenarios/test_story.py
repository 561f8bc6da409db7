"""One call for help from beginning to end: the closed loop of the bureau, as its people see it."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.sqlite_functions import great_circle_metres
from schema.build import Graph
from schema.types import node_id
from tests.support.actors import DAY, DUTY, HOUR, Desk, at, enterprise, inspector

PROBLEMS = ["地下车库排水不畅", "危化品仓库无人值守"]
TIMELINE = """
query($id: ID!, $kinds: [EventKind!]) {
  enterprise(by: {id: $id}) {
    open: hazards(filter: {open: true}) { totalCount }
    hazards { nodes { id status level } }
    cases { nodes { status penalty { fineYuan } } }
    assistanceRequests { nodes { status resolution } }
    timeline(first: 1000, filter: {kinds: $kinds}) {
      nodes { cursor at kind from to actor { role name } enterprise { id } changes { field from to } }
    }
  }
}
"""
EVENTS = """
query($id: ID!, $after: String) {
  events(first: 1000, after: $after, filter: {enterprises: [$id]}) {
    edges { cursor node { cursor kind from to actor { role name } ... on HazardUpdate { hazard { id } } } }
  }
}
"""
E, C, F = "ENTERPRISE", "COMMANDER", "INSPECTOR"
# What the timeline tells, oldest first, and who did it.
TOLD = [
    ("DUTY_REPORT_SUBMITTED", E),
    ("ASSISTANCE_REQUESTED", E),
    ("ASSISTANCE_REQUESTED", E),
    ("ASSISTANCE_DISPATCHED", C),
    ("INSPECTION_DISPATCHED", C),
    ("INSPECTION_ACKNOWLEDGED", F),
    ("INSPECTION_DEPARTED", F),
    ("INSPECTION_ARRIVED", F),
    ("INSPECTION_SUBMITTED", F),
    ("HAZARD_FOUND", F),
    ("HAZARD_RECTIFICATION_SUBMITTED", F),
    ("HAZARD_FOUND", F),
    ("HAZARD_ACCEPTED", F),
    ("HAZARD_CLOSED", C),
    ("HAZARD_ASSIGNED", C),
    ("HAZARD_RECTIFYING_STARTED", E),
    ("HAZARD_RECTIFICATION_SUBMITTED", E),
    ("HAZARD_REJECTED", F),
    ("HAZARD_RECTIFICATION_SUBMITTED", E),
    ("HAZARD_ACCEPTED", F),
    ("HAZARD_CLOSED", C),
    ("CASE_PROPOSED", F),
    ("CASE_FILED", C),
    ("CASE_INVESTIGATED", C),
    ("CASE_NOTIFIED", C),
    ("CASE_DECIDED", C),
    ("CASE_EXECUTED", C),
    ("CASE_CLOSED", C),
    ("INSPECTION_REVIEWED", C),
    ("INSPECTION_CLOSED", C),
    ("ASSISTANCE_RESOLVED", F),
    ("ASSISTANCE_RESOLVED", C),
]


@dataclass
class Story:
    """The people and the papers."""

    desk: Desk
    enterprise: int
    inspectors: list[Any]
    papers: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return node_id.encode("Enterprise", self.enterprise)

    async def by(self, who: str, mutation: str, selection: str = "", **given: Any) -> dict[str, Any]:
        """An act of the one whose turn it is; an hour passes."""
        self.desk.later(HOUR)
        officer = self.inspectors[0]
        viewers = {C: DUTY, E: enterprise(self.enterprise), F: inspector(officer.id, officer.full_name)}
        return await self.desk.done(viewers[who], mutation, selection, **given)


async def begin(graph: Graph, database: Database) -> Story:
    """At an enterprise about which nothing is open; inspectors by their distance from it, those on duty only."""
    async with database.read() as connection:
        officers = list(await connection.execute(sa.select(models.Inspector.__table__)))  # type: ignore[attr-defined]  # SQLModel adds it to tables
        places = list(await connection.execute(sa.select(models.Enterprise.__table__)))  # type: ignore[attr-defined]  # as above
    place = next(p for p in places if p.latitude is not None and p.open_hazards == 0 and p.zone_id is not None)

    def distance(officer: Any) -> float:
        return great_circle_metres(place.latitude, place.longitude, officer.latitude, officer.longitude)

    known = [officer for officer in officers if officer.on_duty and officer.latitude is not None]
    assert any(not officer.on_duty for officer in officers)
    assert len(known) > 5
    return Story(Desk(graph, database), place.id, sorted(known, key=distance))


async def call(story: Story) -> None:
    """The enterprise reports two problems; the nearest officers on duty are sent for the first."""
    report = {"measuresInPlace": "围堰两处", "supplies": "沙袋 200", "expertsOnStandby": 2, "problems": PROBLEMS}
    shown = "dutyReport { expertsOnStandby } assistanceRequests { id problem status }"
    found = await story.by(E, "dutyReportSubmit", shown, enterprise=story.id, **report)
    assert [(r["problem"], r["status"]) for r in found["assistanceRequests"]] == [(p, "OPEN") for p in PROBLEMS]
    story.papers["first"], story.papers["second"] = (r["id"] for r in found["assistanceRequests"])
    shown = "assistanceRequest { status } inspection { id kind status inspectors { id onDuty } }"
    sent = await story.by(C, "assistanceDispatch", shown, assistanceRequest=story.papers["first"], count=3)
    visit = sent["inspection"]
    assert (sent["assistanceRequest"]["status"], visit["kind"], visit["status"]) == (
        "DISPATCHED",
        "ASSISTANCE",
        "DISPATCHED",
    )
    nearest = {node_id.encode("Inspector", officer.id) for officer in story.inspectors[:3]}
    assert {i["id"] for i in visit["inspectors"]} == nearest
    story.papers["visit"] = visit["id"]


async def visit(story: Story) -> None:
    """The officer goes there, and finds two hazards: one is mended at once, one is major."""
    for step in ("Acknowledge", "Depart", "Arrive"):
        await story.by(F, f"inspection{step}", inspection=story.papers["visit"])
    findings = [
        {"level": "GENERAL", "description": "灭火器过期", "fixedOnSpot": True},
        {"level": "MAJOR", "description": "可燃气体报警失效", "category": "GAS"},
    ]
    found = await story.by(
        F,
        "inspectionSubmit",
        inspection=story.papers["visit"],
        result="HAZARDS_FOUND",
        summary="两处隐患",
        findings=findings,
    )
    assert [h["status"] for h in found["hazards"]] == ["PENDING_ACCEPTANCE", "FOUND"]
    story.papers["general"], story.papers["major"] = (h["id"] for h in found["hazards"])


async def rectify(story: Story) -> None:
    """Both hazards to their end, the major one with five fixes and not at the first try."""
    general, major = {"hazard": story.papers["general"]}, {"hazard": story.papers["major"]}
    await story.by(F, "hazardAccept", **general)
    await story.by(C, "hazardClose", **general)
    deadline = at(story.desk.now + 5 * DAY)
    await story.by(C, "hazardAssign", **major, owner={"name": "王工", "phone": "13800000000"}, deadline=deadline)
    fixes = {"responsibility": "王工", "measures": "更换探头", "funds": "自筹", "contingencyPlan": "停产撤人"}
    await story.by(E, "hazardStartRectifying", **major, fiveFix={**fixes, "deadline": deadline})
    await story.by(E, "hazardSubmitRectification", **major, statement="已更换一半")
    await story.by(F, "hazardReject", **major, reason="不彻底")
    await story.by(E, "hazardSubmitRectification", **major, statement="全部更换")
    await story.by(F, "hazardAccept", **major)
    closed = await story.by(C, "hazardClose", "hazard { status fiveFix { measures } owner { name } }", **major)
    assert closed["hazard"] == {"status": "CLOSED", "fiveFix": {"measures": "更换探头"}, "owner": {"name": "王工"}}


async def punish(story: Story) -> None:
    """A case from the visit, to its fine."""
    found = await story.by(F, "casePropose", inspection=story.papers["visit"], grounds="报警装置失效")
    case = {"case": found["case"]["id"]}
    for step in ("File", "Investigate", "Notify"):
        await story.by(C, f"case{step}", **case)
    await story.by(C, "caseDecide", **case, outcome="DECIDED", penalty={"kinds": ["FINE"], "fineYuan": 50_000})
    await story.by(C, "caseExecute", **case)
    await story.by(C, "caseClose", **case)


async def end(story: Story) -> None:
    for step in ("Review", "Close"):
        await story.by(C, f"inspection{step}", inspection=story.papers["visit"])
    await story.by(F, "assistanceResolve", assistanceRequest=story.papers["first"], resolution="水泵到位")
    await story.by(C, "assistanceResolve", assistanceRequest=story.papers["second"], resolution="已派人")


async def test_a_call_for_help_goes_the_whole_way_and_the_timeline_tells_it(graph: Graph, own_demo: Database) -> None:
    story = await begin(graph, own_demo)
    before = (await story.desk.ask("{ cursor }"))["cursor"]
    for chapter in (call, visit, rectify, punish, end):
        await chapter(story)
    file = (await story.desk.ask(TIMELINE, id=story.id))["enterprise"]
    assert file["open"] == {"totalCount": 0}
    mine = {h["id"]: h["status"] for h in file["hazards"]["nodes"]}
    assert [mine[story.papers[name]] for name in ("general", "major")] == ["CLOSED", "CLOSED"]
    assert {"status": "CLOSED", "penalty": {"fineYuan": 50_000}} in file["cases"]["nodes"]
    assert [(r["status"], r["resolution"]) for r in file["assistanceRequests"]["nodes"][:2]] == [
        ("RESOLVED", "已派人"),
        ("RESOLVED", "水泵到位"),
    ]
    told = file["timeline"]["nodes"][: len(TOLD)][::-1]
    assert [(event["kind"], event["actor"]["role"]) for event in told] == TOLD
    officer = story.inspectors[0].full_name
    assert {(e["actor"]["role"], e["actor"]["name"]) for e in told} == {(C, "值班长"), (F, officer), (E, "安全员")}
    assert [event["at"] for event in told] == sorted(event["at"] for event in told)
    assert all(event["enterprise"]["id"] == story.id for event in told)
    rejected = next(event for event in told if event["kind"] == "HAZARD_REJECTED")
    assert {"field": "reason", "from": None, "to": "不彻底"} in rejected["changes"]
    await the_log_gives_the_same(story, before, told)
    await the_enterprise_reads_it_as_well(story)


async def the_log_gives_the_same(story: Story, before: str, told: list[dict[str, Any]]) -> None:
    edges = (await story.desk.ask(EVENTS, id=story.id, after=before))["events"]["edges"]
    assert [edge["cursor"] for edge in edges] == [edge["node"]["cursor"] for edge in edges]
    columns = ("cursor", "kind", "from", "to", "actor")
    assert [[edge["node"][c] for c in columns] for edge in edges] == [[event[c] for c in columns] for event in told]
    hazards = [edge["node"]["hazard"]["id"] for edge in edges if "hazard" in edge["node"]]
    assert (hazards.count(story.papers["general"]), hazards.count(story.papers["major"])) == (4, 8)


async def the_enterprise_reads_it_as_well(story: Story) -> None:
    own = (await story.desk.ask(TIMELINE, enterprise(story.enterprise), id=story.id))["enterprise"]
    assert own["timeline"] == (await story.desk.ask(TIMELINE, id=story.id))["enterprise"]["timeline"]
