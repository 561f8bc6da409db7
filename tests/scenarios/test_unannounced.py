"""Enterprises are not warned (四不两直): nothing that an enterprise can read changes before the inspectors arrive.

Everything is read before and after each step: every field of every type by every root field, every row by id, the log
from its beginning, and what its streams would give. Both executors read it, graphql-core not after every step.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
import pytest

import models
from models import InspectionKind
from models.db.database import Database
from models.notice import ANNOUNCEABLE, SHOWN_KINDS
from models.visibility import Viewer
from schema.build import Graph
from schema.execution import limits
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.live.streams import PreparedEventStream
from tests.conftest import NOW, SHANGHAI, make_executor
from tests.support.actors import DUTY, enterprise, log_after
from tests.support.district import SOON, Office
from tests.support.exhaustive_queries import ExhaustiveQueries
from tests.support.live_streams import make_streams
from tests.support.proof_mode import PROVING
from web.settings import announced_kinds

# Reading everything takes ten seconds a kind.
KINDS = sorted({k.name for k in InspectionKind} - {"ASSISTANCE"}) if PROVING else ["REINSPECTION", "SPECIAL"]
STEPS = ("Dispatch", "Acknowledge", "Depart")
STREAM = "subscription { updates { kind } }"
INSPECTIONS = """{
  inspections { totalCount nodes { kind status inspectors { badge fullName position { latitude } positionAt } } }
  events(first: 1000) { nodes { kind } }
  nearby(point: {latitude: 30.1, longitude: 120.1}, kinds: [INSPECTOR]) { distanceMetres }
}"""


@dataclass
class Outsider:
    """An enterprise that reads everything it can."""

    office: Office
    viewer: Viewer
    rows: list[str]  # ids of rows, of its own or not
    planned: Executor
    plain: Executor

    async def reads(self, *, by_both: bool = True) -> dict[str, Any]:
        """All answers, with the errors, by query; without the head of the log, which everybody sees move.

        They come from plans, and `by_both` also from graphql-core.
        """
        queries = dict(self.queries)
        queries["by id"] = f"{{ nodes(ids: {orjson.dumps(self.rows).decode()}) {{ __typename id }} }}"
        for number, row in enumerate(self.rows):
            queries[f"node {number}"] = f'{{ node(id: "{row}") {{ __typename id }} }}'
            queries[f"filter {number}"] = f'{{ hazards(filter: {{enterprises: ["{row}"]}}) {{ totalCount }} }}'
        answers: dict[str, Any] = {}
        for name, query in queries.items():
            prepared = await self.planned.prepare(Operation(query), self.viewer)
            for executor in (self.planned, self.plain) if by_both else (self.planned,):
                response = await executor.execute(prepared, self.viewer)
                assert response.started, response.errors
                answers[f"{name} {executor is self.plain}"] = self._unnamed(
                    [without_head(response.data), response.errors]
                )
        answers["stream"] = await self.stream()
        return answers

    def _unnamed(self, answer: Any) -> Any:
        """The answer, with numbers in place of the ids of `rows`: an error names the id that it refuses."""
        text = orjson.dumps(answer).decode()
        for number, row in enumerate(self.rows):
            text = text.replace(row, f"row {number}")
        return orjson.loads(text)

    async def sees_no_change(self, since: dict[str, Any], *, by_both: bool = True) -> bool:
        """Whether all answers are those that it had."""
        answers = await self.reads(by_both=by_both)
        return answers == {name: since[name] for name in answers}

    @cached_property
    def queries(self) -> dict[str, str]:
        """By root field of Query, everything within two rows."""
        names = {"ZoneKey": "zone", "VenueKey": "venue", "EnterpriseKey": "enterprise"}
        keys = {key: f'{{id: "{self.office.world.id(name)}"}}' for key, name in names.items()}
        queries = ExhaustiveQueries(self.office.graph, {"text": '"a"', **keys}, few=12).operations(2)
        return {name: query for name, query in queries.items() if name not in ("cursor", "node", "nodes")}

    async def stream(self) -> list[str]:
        """The kinds of all events that a stream would give that resumes from the beginning of the log."""
        live = make_streams(self.office.running, self.office.database, lambda: NOW)
        prepared = await live.prepare(await self.office.running.prepare(Operation(STREAM), self.viewer), self.viewer)
        assert isinstance(prepared, PreparedEventStream)
        return [e.kind.name for e in await log_after(self.office.database) if prepared.event_filter.matches(e)]

    async def sees(self) -> Any:
        return await self.office.ask(INSPECTIONS, self.viewer)


def without_head(data: Any) -> Any:
    if isinstance(data, dict):
        moving = ("Query_cursor", "Portrait_cursor")
        return {name: without_head(value) for name, value in data.items() if name not in moving}
    return [without_head(value) for value in data] if isinstance(data, list) else data


@pytest.fixture(autouse=True)
def _roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits under which one document may select everything."""
    for name in ("CHARACTERS_MAXIMUM", "TOKENS_MAXIMUM", "EXTENT_MAXIMUM"):
        monkeypatch.setattr(limits, name, 10**7)


@pytest.fixture(scope="module")
def executors(graph: Graph, shared_database: Database) -> list[Executor]:
    """With plans and without. All tests have them: preparing documents that select everything takes seconds."""
    return [make_executor(graph, shared_database, planned=planned, cost_limit=10**15) for planned in (True, False)]


@pytest.fixture
def outsider(office: Office, executors: list[Executor]) -> Outsider:
    return Outsider(office, enterprise(office.world.enterprise), [], *executors)


async def plan(office: Office, kind: str, **more: Any) -> str:
    given = {"enterprise": office.enterprise, "kind": kind, "plannedFor": SOON, **more}
    visit: str = (await office.done(office.world.officer, "inspectionPlan", **given))["inspection"]["id"]
    return visit


@pytest.mark.parametrize("kind", KINDS)
async def test_a_visit_is_invisible_until_the_inspectors_arrive(office: Office, outsider: Outsider, kind: str) -> None:
    more = {"reinspectionOf": await office.visit("SUBMITTED")} if kind == "REINSPECTION" else {}
    guess = await plan(office, "ROUTINE")  # not the enterprise's guess: rows are numbered one after the other
    outsider.rows = [guess, office.enterprise, office.world.id("inspector")]
    before = await outsider.reads()
    visit = await plan(office, kind, **more)
    outsider.rows = [visit, *outsider.rows[1:]]
    assert await outsider.sees_no_change(before, by_both=False)
    for step in STEPS:
        await office.done(DUTY, f"inspection{step}", inspection=visit)
        place: dict[str, Any] = {"inspector": office.world.id("inspector")}
        place["position"] = {"latitude": 30.1, "longitude": 120.1}
        await office.done(DUTY, "inspectorReportPosition", **place)
        assert await outsider.sees_no_change(before, by_both=step == STEPS[-1]), step
    earlier = (await outsider.sees())["inspections"]["totalCount"]
    await office.done(DUTY, "inspectionArrive", inspection=visit)
    seen = await outsider.sees()
    assert seen["inspections"]["totalCount"] == earlier + 1
    [here] = [node for node in seen["inspections"]["nodes"] if node["status"] == "ON_SITE"]
    assert here["kind"] == SHOWN_KINDS.get(InspectionKind[kind], InspectionKind[kind]).name
    assert here["inspectors"][0]["fullName"] is not None
    assert (here["inspectors"][0]["position"], here["inspectors"][0]["positionAt"]) == (None, None)
    assert seen["nearby"] == []
    # What came before the arrival stays invisible, in the list as in a stream that is resumed.
    assert (await outsider.stream())[len(before["stream"]) :] == ["INSPECTION_ARRIVED"]
    shown = [node["kind"] for node in seen["events"]["nodes"]]
    assert shown == await outsider.stream()


@pytest.mark.parametrize("steps", [(), STEPS[:1], STEPS])
async def test_a_visit_that_is_cancelled_never_happened(
    office: Office, outsider: Outsider, steps: tuple[str, ...]
) -> None:
    outsider.rows = [office.enterprise]
    by_both = steps == STEPS
    before = await outsider.reads(by_both=by_both)
    visit = await plan(office, "SPECIAL")
    for step in steps:
        await office.done(DUTY, f"inspection{step}", inspection=visit)
    await office.done(DUTY, "inspectionCancel", inspection=visit, reason="改期")
    assert await outsider.sees_no_change(before, by_both=by_both)


async def test_a_case_is_invisible_until_it_is_filed(office: Office, outsider: Outsider) -> None:
    visit = await office.visit("SUBMITTED")
    outsider.rows = [visit]
    before = await outsider.reads()
    propose = {"inspection": visit, "grounds": "违法"}
    declined = (await office.done(DUTY, "casePropose", **propose))["case"]["id"]
    assert await outsider.sees_no_change(before, by_both=False)
    await office.done(DUTY, "caseDecline", case=declined, **reason_of(office, "caseDecline"))
    assert await outsider.sees_no_change(before, by_both=False)
    case = (await office.done(DUTY, "casePropose", **propose))["case"]["id"]
    assert await outsider.sees_no_change(before)
    await office.done(DUTY, "caseFile", case=case)
    nodes = "nodes { status inspection { id cases { id } } }"
    seen = await office.ask(f"{{ cases {{ totalCount {nodes} }} }}", outsider.viewer)
    filed = {"status": "FILED", "inspection": {"id": visit, "cases": [{"id": case}]}}
    assert seen["cases"] == {"totalCount": 1, "nodes": [filed]}
    assert (await outsider.stream())[len(before["stream"]) :] == ["CASE_FILED"]


def reason_of(office: Office, mutation: str) -> dict[str, str]:
    """The reason that a mutation takes, if it takes one."""
    named: Any = office.graph._schema.type_map[f"{mutation[0].upper()}{mutation[1:]}Input"]
    return {"reason": "证据不足"} if "reason" in named.fields else {}


async def test_help_that_was_asked_for_is_seen_from_the_dispatch_on(office: Office, outsider: Outsider) -> None:
    asked = await office.done(outsider.viewer, "assistanceRequest", enterprise=office.enterprise, problem="排水")
    sent = {"assistanceRequest": asked["assistanceRequest"]["id"], "inspectors": [office.world.id("inspector")]}
    visit = (await office.done(DUTY, "assistanceDispatch", **sent))["inspection"]["id"]
    [node] = (await outsider.sees())["inspections"]["nodes"]
    assert (node["kind"], node["status"]) == ("ASSISTANCE", "DISPATCHED")
    assert node["inspectors"][0] == {"badge": node["inspectors"][0]["badge"], "fullName": "检查员0"} | {
        "position": None,
        "positionAt": None,
    }
    assert (await outsider.stream())[-2:] == ["ASSISTANCE_DISPATCHED", "INSPECTION_DISPATCHED"]
    await office.done(DUTY, "inspectionCancel", inspection=visit, reason="改派")
    assert [node["status"] for node in (await outsider.sees())["inspections"]["nodes"]] == ["CANCELLED"]


async def test_announced_kinds_are_seen_from_the_dispatch_on(office: Office, outsider: Outsider) -> None:
    kinds = announced_kinds("special")
    office.running = Executor(office.graph, office.database, SHANGHAI, lambda: office.now, announced=kinds)
    outsider.rows = [office.enterprise]
    before = await outsider.reads()
    visit = await plan(office, "SPECIAL")
    other = await plan(office, "ROUTINE")
    assert await outsider.sees_no_change(before)
    for one in (visit, other):
        await office.done(DUTY, "inspectionDispatch", inspection=one)
    assert [(n["kind"], n["status"]) for n in (await outsider.sees())["inspections"]["nodes"]] == [
        ("SPECIAL", "DISPATCHED")
    ]
    assert await outsider.stream() == [*before["stream"], "INSPECTION_DISPATCHED"]
    # What was announced stays so, whatever the setting is later.
    office.running = Executor(office.graph, office.database, SHANGHAI, lambda: office.now)
    await office.done(DUTY, "inspectionCancel", inspection=visit, reason="改期")
    assert [n["status"] for n in (await outsider.sees())["inspections"]["nodes"]] == ["CANCELLED"]


async def test_complaints_look_like_routine_in_filters_too(office: Office, outsider: Outsider) -> None:
    for kind in ("COMPLAINT", "ROUTINE", "SPECIAL"):
        visit = await plan(office, kind)
        for step in (*STEPS, "Arrive"):
            await office.done(DUTY, f"inspection{step}", inspection=visit)
    counts = " ".join(
        f"k{n}: inspections(filter: {{kinds: [{kinds}]}}) {{ totalCount }}"
        for n, kinds in enumerate(("COMPLAINT", "ROUTINE", "SPECIAL", "COMPLAINT, SPECIAL", "COMPLAINT, ROUTINE"))
    )
    seen = await office.ask(f"{{ {counts} }}", outsider.viewer)
    assert [value["totalCount"] for value in seen.values()] == [0, 2, 1, 1, 2]
    only = f'(filter: {{enterprises: ["{office.enterprise}"], kinds: [COMPLAINT]}})'
    everything = await office.ask(f"{{ inspections{only} {{ nodes {{ kind }} }} }}", DUTY)
    assert everything["inspections"]["nodes"] == [{"kind": "COMPLAINT"}]


def test_what_can_be_announced() -> None:
    assert {k.name for k in ANNOUNCEABLE} == {"ROUTINE", "SPECIAL", "REINSPECTION"}
    assert announced_kinds(" routine, REINSPECTION,") == {models.InspectionKind.ROUTINE, InspectionKind.REINSPECTION}
    for wrong in ("COMPLAINT", "ASSISTANCE", "RE_INSPECTION"):
        with pytest.raises(ValueError, match="can be announced"):
            announced_kinds(wrong)
