"""A request for assistance from its report to its resolution, with every step in the enterprise's timeline."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.sqlite_functions import great_circle_metres
from models.db.tables import table_of
from schema.build import Graph
from schema.types import node_id
from tests.conftest import NOW
from tests.support.actors import DAY, DUTY, HOUR, Desk, at, change, enterprise, inspector

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
VISIT = ("PLANNED", "DISPATCHED", "ACKNOWLEDGED", "DEPARTED", "CANCELLED")
HIDDEN = {*(f"INSPECTION_{step}" for step in VISIT), "CASE_PROPOSED", "CASE_DECLINED"}  # from the enterprise
# The events of the timeline, oldest first, and the role that caused each.
EVENTS_IN_ORDER = [
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
    """The people involved, and the ids of the rows that they create, by name."""

    desk: Desk
    enterprise: int
    inspectors: list[Any]
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return node_id.encode("Enterprise", self.enterprise)

    async def act(self, role: str, mutation: str, selection: str = "", **arguments: Any) -> dict[str, Any]:
        """Let an hour pass, then act in this role. The mutation must succeed."""
        self.desk.later(HOUR)
        row = self.inspectors[0]
        viewers = {C: DUTY, E: enterprise(self.enterprise), F: inspector(row.id, row.full_name)}
        return await self.desk.done(viewers[role], mutation, selection, **arguments)


async def begin(graph: Graph, database: Database) -> Story:
    """Choose an enterprise without open hazards, and the inspectors on duty in order of their distance from it."""
    # The demo's inspectors reported before the day began; each chapter's steps take an hour.
    await change(database, sa.update(models.Inspector).values(position_at=NOW + 2 * HOUR))
    async with database.read() as connection:
        rows = list(await connection.execute(sa.select(table_of(models.Inspector))))
        places = list(await connection.execute(sa.select(table_of(models.Enterprise))))
    place = next(p for p in places if p.latitude is not None and p.open_hazards == 0 and p.zone_id is not None)

    def distance(row: Any) -> float:
        return great_circle_metres(place.latitude, place.longitude, row.latitude, row.longitude)

    on_duty = [row for row in rows if row.on_duty and row.latitude is not None]
    assert any(not row.on_duty for row in rows)
    assert len(on_duty) > 5
    return Story(Desk(graph, database), place.id, sorted(on_duty, key=distance))


async def call(story: Story) -> None:
    """The enterprise reports two problems; the nearest inspectors on duty are dispatched for the first."""
    report = {"measuresInPlace": "围堰两处", "supplies": "沙袋 200", "expertsOnStandby": 2, "problems": PROBLEMS}
    shown = "dutyReport { expertsOnStandby } assistanceRequests { id problem status }"
    result = await story.act(E, "dutyReportSubmit", shown, enterprise=story.id, **report)
    assert [(r["problem"], r["status"]) for r in result["assistanceRequests"]] == [(p, "OPEN") for p in PROBLEMS]
    story.ids["first"], story.ids["second"] = (r["id"] for r in result["assistanceRequests"])
    shown = "assistanceRequest { status } inspection { id kind status inspectors { id onDuty } }"
    dispatched = await story.act(C, "assistanceDispatch", shown, assistanceRequest=story.ids["first"], count=3)
    visit = dispatched["inspection"]
    assert (dispatched["assistanceRequest"]["status"], visit["kind"], visit["status"]) == (
        "DISPATCHED",
        "ASSISTANCE",
        "DISPATCHED",
    )
    nearest = {node_id.encode("Inspector", row.id) for row in story.inspectors[:3]}
    assert {i["id"] for i in visit["inspectors"]} == nearest
    story.ids["visit"] = visit["id"]


async def visit(story: Story) -> None:
    """An inspector goes there and finds two hazards: one is fixed on the spot, one is major."""
    for step in ("Acknowledge", "Depart", "Arrive"):
        await story.act(F, f"inspection{step}", inspection=story.ids["visit"])
    findings = [
        {"level": "GENERAL", "description": "灭火器过期", "fixedOnSpot": True},
        {"level": "MAJOR", "description": "可燃气体报警失效", "category": "GAS"},
    ]
    result = await story.act(
        F,
        "inspectionSubmit",
        inspection=story.ids["visit"],
        result="HAZARDS_FOUND",
        summary="两处隐患",
        findings=findings,
    )
    assert [h["status"] for h in result["hazards"]] == ["PENDING_ACCEPTANCE", "FOUND"]
    story.ids["general"], story.ids["major"] = (h["id"] for h in result["hazards"])


async def rectify(story: Story) -> None:
    """Close both hazards; the major one needs a rectification plan and a second attempt."""
    general, major = {"hazard": story.ids["general"]}, {"hazard": story.ids["major"]}
    await story.act(F, "hazardAccept", **general)
    await story.act(C, "hazardClose", **general)
    deadline = at(story.desk.now + 5 * DAY)
    await story.act(C, "hazardAssign", **major, owner={"name": "王工", "phone": "13800000000"}, deadline=deadline)
    fixes = {"responsibility": "王工", "measures": "更换探头", "funds": "自筹", "contingencyPlan": "停产撤人"}
    await story.act(E, "hazardStartRectifying", **major, fiveFix={**fixes, "deadline": deadline})
    await story.act(E, "hazardSubmitRectification", **major, statement="已更换一半")
    await story.act(F, "hazardReject", **major, reason="不彻底")
    await story.act(E, "hazardSubmitRectification", **major, statement="全部更换")
    await story.act(F, "hazardAccept", **major)
    closed = await story.act(C, "hazardClose", "hazard { status fiveFix { measures } owner { name } }", **major)
    assert closed["hazard"] == {"status": "CLOSED", "fiveFix": {"measures": "更换探头"}, "owner": {"name": "王工"}}


async def punish(story: Story) -> None:
    """Take a case from the inspection to its fine."""
    result = await story.act(F, "casePropose", inspection=story.ids["visit"], grounds="报警装置失效")
    case = {"case": result["case"]["id"]}
    for step in ("File", "Investigate", "Notify"):
        await story.act(C, f"case{step}", **case)
    await story.act(C, "caseDecide", **case, outcome="DECIDED", penalty={"kinds": ["FINE"], "fineYuan": 50_000})
    await story.act(C, "caseExecute", **case)
    await story.act(C, "caseClose", **case)


async def end(story: Story) -> None:
    """Close the inspection, and resolve both requests for assistance."""
    for step in ("Review", "Close"):
        await story.act(C, f"inspection{step}", inspection=story.ids["visit"])
    await story.act(F, "assistanceResolve", assistanceRequest=story.ids["first"], resolution="水泵到位")
    await story.act(C, "assistanceResolve", assistanceRequest=story.ids["second"], resolution="已派人")


async def test_assistance_is_requested_and_resolved_with_every_step_in_the_timeline(
    graph: Graph, own_demo: Database
) -> None:
    story = await begin(graph, own_demo)
    before = (await story.desk.ask("{ cursor }"))["cursor"]
    for chapter in (call, visit, rectify, punish, end):
        await chapter(story)
    file = (await story.desk.ask(TIMELINE, id=story.id))["enterprise"]
    assert file["open"] == {"totalCount": 0}
    statuses = {h["id"]: h["status"] for h in file["hazards"]["nodes"]}
    assert [statuses[story.ids[name]] for name in ("general", "major")] == ["CLOSED", "CLOSED"]
    assert {"status": "CLOSED", "penalty": {"fineYuan": 50_000}} in file["cases"]["nodes"]
    assert [(r["status"], r["resolution"]) for r in file["assistanceRequests"]["nodes"][:2]] == [
        ("RESOLVED", "已派人"),
        ("RESOLVED", "水泵到位"),
    ]
    timeline = file["timeline"]["nodes"][: len(EVENTS_IN_ORDER)][::-1]
    assert [(event["kind"], event["actor"]["role"]) for event in timeline] == EVENTS_IN_ORDER
    inspector_name = story.inspectors[0].full_name
    assert {(e["actor"]["role"], e["actor"]["name"]) for e in timeline} == {
        (C, "值班长"),
        (F, inspector_name),
        (E, "安全员"),
    }
    assert [event["at"] for event in timeline] == sorted(event["at"] for event in timeline)
    assert all(event["enterprise"]["id"] == story.id for event in timeline)
    rejected = next(event for event in timeline if event["kind"] == "HAZARD_REJECTED")
    assert {"field": "reason", "from": None, "to": "不彻底"} in rejected["changes"]
    await check_the_log_has_the_same(story, before, timeline)
    await check_the_enterprise_may_read_it(story)


async def check_the_log_has_the_same(story: Story, before: str, timeline: list[dict[str, Any]]) -> None:
    edges = (await story.desk.ask(EVENTS, id=story.id, after=before))["events"]["edges"]
    assert [edge["cursor"] for edge in edges] == [edge["node"]["cursor"] for edge in edges]
    columns = ("cursor", "kind", "from", "to", "actor")
    assert [[edge["node"][c] for c in columns] for edge in edges] == [[event[c] for c in columns] for event in timeline]
    hazards = [edge["node"]["hazard"]["id"] for edge in edges if "hazard" in edge["node"]]
    assert (hazards.count(story.ids["general"]), hazards.count(story.ids["major"])) == (4, 8)


async def check_the_enterprise_may_read_it(story: Story) -> None:
    """All of it, but for the steps of a visit before the inspectors arrive, and of a case before it is filed."""
    own = (await story.desk.ask(TIMELINE, enterprise(story.enterprise), id=story.id))["enterprise"]["timeline"]["nodes"]
    whole = (await story.desk.ask(TIMELINE, id=story.id))["enterprise"]["timeline"]["nodes"]
    assert own == [event for event in whole if event in own]
    assert {event["kind"] for event in whole if event not in own} <= HIDDEN
    assert "CASE_PROPOSED" not in {event["kind"] for event in own}
