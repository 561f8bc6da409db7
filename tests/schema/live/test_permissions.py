"""Permissions outside of queries: what streams and the results of mutations show to each viewer."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa
from graphql import GraphQLInputObjectType, get_named_type

from models import Event, EventKind, Inspector, Subject, lifecycle
from models.db.tables import table_of
from models.visibility import Scope
from resolvers.errors import ErrorCode, RequestError
from schema.build import Graph
from schema.execution.operation import Operation, PreparedOperation
from schema.live.streams import LiveStreams, PreparedEventStream, PreparedStream
from schema.subscription import Position
from schema.types import node_id
from schema.types.scalars import Point
from tests.conftest import NOW, Databases
from tests.support.actors import Desk, document
from tests.support.exhaustive_queries import scalar_values
from tests.support.live_streams import make_streams
from tests.support.personal_data import marks as marks_in
from tests.support.personal_data import own_marks
from tests.support.viewer_reads import MarkedDemo, marked_demo, program, without_steps

pytestmark = pytest.mark.usefixtures("unlimited_documents")

STREAMS = {
    "inspectionUpdates": {Subject.INSPECTION},
    "hazardUpdates": {Subject.HAZARD},
    "caseUpdates": {Subject.CASE},
    "dispatchUpdates": {Subject.DISPATCH},
    "assistanceUpdates": {Subject.ASSISTANCE},
    "updates": set(Subject),
}
MAY_READ = ("commander", "inspector", "enterprise", "wall", "read", "read and personal")
PERSONAL = ("commander", "inspector", "read and personal")
MAY_NOT_READ = ("no scope", "register", "personal without read")
LATEST = 6


@pytest_asyncio.fixture(scope="module")
async def scene(databases: Databases, demo_url: str, graph: Graph) -> AsyncIterator[MarkedDemo]:
    made = await marked_demo(await databases.new(demo_url), graph)
    yield made
    await made.database.close()


@pytest.fixture
def live(scene: MarkedDemo) -> LiveStreams:
    return make_streams(scene.executor, scene.database, lambda: NOW)


async def stream(scene: MarkedDemo, name: str, arguments: str = "") -> PreparedOperation:
    """A subscription that selects every field of its events' rows and of the rows around them."""
    root = scene.graph._schema.subscription_type
    assert root is not None
    depth = 1 if name == "updates" else 2
    inner = scene.walk().selection(get_named_type(root.fields[name].type), depth)
    return await scene.executor.prepare(
        Operation(f"subscription {{ {name}{arguments} {{ {inner} }} }}"), scene.viewers["commander"]
    )


async def events(scene: MarkedDemo, subjects: set[Subject]) -> list[Any]:
    """The latest events about these subjects: the enterprise's own, and all."""
    event = table_of(Event)
    newest = sa.select(event).order_by(event.c.id.desc()).limit(LATEST).where(event.c.subject.in_(subjects))
    async with scene.database.read() as connection:
        own = (await connection.execute(newest.where(event.c.enterprise_id == scene.enterprise))).all()
        return [*own, *(await connection.execute(newest)).all()]


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_shows_each_viewer_what_they_may_see(scene: MarkedDemo, live: LiveStreams, name: str) -> None:
    payloads_of: dict[str, list[bytes]] = {}
    happened = await events(scene, STREAMS[name])
    for who in MAY_READ:
        prepared = await live.prepare(await stream(scene, name), scene.viewers[who])
        assert isinstance(prepared, PreparedEventStream)
        topic = live.topic(prepared.request, prepared.event_filter)
        wanted = [event for event in happened if topic.matches(event)]
        if who == "enterprise":
            assert {event.enterprise_id for event in wanted} <= {scene.enterprise}
        payloads_of[who] = [(await topic.render(event)).payload for event in wanted]
        for payload in payloads_of[who]:
            assert "errors" not in orjson.loads(payload)
    marks = {who: marks_in(payloads) for who, payloads in payloads_of.items()}
    assert marks["wall"] == marks["read"] == set()
    assert marks["enterprise"] - own_marks(scene.own_keys) == set()
    assert marks["commander"] != set()
    shown = {who: [without_steps(orjson.loads(payload)) for payload in of] for who, of in payloads_of.items()}
    assert shown["commander"] == shown["inspector"] == shown["read and personal"]
    assert payloads_of["wall"] == payloads_of["read"]


@pytest.mark.parametrize("who", MAY_NOT_READ)
@pytest.mark.parametrize("name", ["updates", "positions"])
async def test_a_program_without_the_scope_read_has_no_stream(
    scene: MarkedDemo, live: LiveStreams, name: str, who: str
) -> None:
    with pytest.raises(RequestError) as refused:
        await live.prepare(await stream(scene, name), scene.viewers[who])
    assert refused.value.code is ErrorCode.FORBIDDEN


async def test_positions_hide_personal_data_and_are_not_for_enterprises(scene: MarkedDemo, live: LiveStreams) -> None:
    with pytest.raises(RequestError) as refused:
        await live.prepare(await stream(scene, "positions"), scene.viewers["enterprise"])
    assert refused.value.code is ErrorCode.FORBIDDEN
    for who in set(MAY_READ) - {"enterprise"}:
        prepared = await live.prepare(await stream(scene, "positions"), scene.viewers[who])
        place = Position((Inspector, 1), Point(latitude=30.2, longitude=120.3), NOW)
        payload = await live.renderer(prepared.request).execute(place, None)
        assert orjson.loads(payload)["data"]["positions"]["InspectorPosition_position"] is not None
        assert bool(marks_in([payload])) == (who in PERSONAL)


@pytest.mark.parametrize("who", MAY_READ)
@pytest.mark.parametrize("of", ["District", "Zone", "ControlRing", "Venue", "Enterprise", "other enterprise"])
async def test_an_enterprise_sees_only_its_own_portrait(
    scene: MarkedDemo, live: LiveStreams, of: str, who: str
) -> None:
    others = sorted(set(scene.all_ids["Enterprise"]) - set(scene.own_ids["Enterprise"]))
    given = others[0] if of == "other enterprise" else scene.ids[of][0]
    asked = await stream(scene, "portrait", f'(of: "{given}")')
    if who == "enterprise" and of != "Enterprise":
        with pytest.raises(RequestError) as refused:
            await live.prepare(asked, scene.viewers[who])
        assert refused.value.code is ErrorCode.FORBIDDEN
    else:
        assert isinstance(await live.prepare(asked, scene.viewers[who]), PreparedStream)


# -- results of mutations --


@pytest_asyncio.fixture
async def desk(databases: Databases, demo_url: str, graph: Graph) -> AsyncIterator[tuple[MarkedDemo, Desk]]:
    made = await marked_demo(await databases.new(demo_url), graph)
    yield made, Desk(graph, made.database)
    await made.database.close()


def result(scene: MarkedDemo, name: str) -> str:
    """Selects every field of a success, its rows and the rows around them."""
    root = scene.graph._schema.mutation_type
    assert root is not None
    success = get_named_type(root.fields[name].type).types[0]
    return document(scene.graph, name, scene.walk().selection(success, 2))


# The mutations of programs.
SCOPES = {name: scope for name, (_, scope) in lifecycle.PERMITTED.items() if scope is not None}
# The mutations of many rows.
BULK = {
    "enterpriseUpsert": "enterprisesUpsert",
    "inspectorReportPosition": "positionsReport",
    "rainfallReport": "readingsReport",
}


async def act(scene: MarkedDemo, desk: Desk, who: Any, name: str, **given: Any) -> Any:
    return (await desk.ask(result(scene, name), who, input=given))[name]


async def test_a_program_that_writes_sees_the_row_but_no_other(desk: tuple[MarkedDemo, Desk]) -> None:
    scene, at_desk = desk
    code = await external(scene)
    place = {"latitude": 30.2, "longitude": 120.3}
    writes: dict[str, tuple[Scope, dict[str, Any]]] = {
        "enterpriseUpsert": (Scope.REGISTER, {**code, "industry": "化工", "location": place}),
        "inspectorSetDuty": (Scope.POSITIONS, {"inspector": scene.ids["Inspector"][0], "onDuty": True}),
        "inspectorReportPosition": (Scope.POSITIONS, {"inspector": scene.ids["Inspector"][0], "position": place}),
        "rainfallReport": (Scope.READINGS, {"zone": scene.ids["Zone"][0], "millimetres": 1.0}),
        "warningIssue": (Scope.WARNINGS, {"kind": "HEAT", "level": "BLUE", "headline": "高温"}),
    }
    for name, (scope, given) in writes.items():
        for scopes in ((scope,), (scope, Scope.PERSONAL), (scope, Scope.READ), (scope, Scope.READ, Scope.PERSONAL)):
            result = await act(scene, at_desk, program(*scopes), name, **given)
            assert result["__typename"] not in ("Forbidden", "InvalidInput", "NotFound"), result
            if Scope.PERSONAL not in scopes:
                assert marks_in([result]) == set(), name
            if Scope.READ not in scopes:
                hangs = {key: value for key, value in scalar_values(result) if key.startswith(("Portrait_", "Nearby_"))}
                assert hangs == {}
                assert {v for k, v in scalar_values(result) if k.endswith("_id")} <= written(result), name


def vain_attempts(scene: MarkedDemo, code: dict[str, str], warning: str) -> list[tuple[str, dict[str, Any]]]:
    """Every mutation of programs: what changes nothing, what is refused, and what expects another version."""
    inspector, zone = scene.ids["Inspector"][0], scene.ids["Zone"][0]
    place = {"latitude": 30.2, "longitude": 120.3}
    at_place = {"inspector": inspector, "position": place}
    # Calls that repeat a row as it is, or come too late. A warning is always written.
    repeated: dict[str, dict[str, Any]] = {
        "enterpriseUpsert": code,
        "inspectorSetDuty": {"inspector": inspector, "onDuty": True},
        "inspectorReportPosition": {**at_place, "at": "2001-01-01T00:00:00Z"},
        "rainfallReport": {"zone": zone, "millimetres": 0.0},
    }
    refused: dict[str, dict[str, Any]] = {
        "enterpriseUpsert": {**code, "majorHazardLevel": 9},
        "inspectorSetDuty": {"inspector": node_id.encode("Inspector", 999_999), "onDuty": True},
        "inspectorReportPosition": {**at_place, "at": "2099-01-01T00:00:00Z"},
        "rainfallReport": {"zone": zone, "millimetres": -1.0},
        "warningIssue": {"kind": "HEAT", "level": "BLUE", "headline": "高温", "zone": "Wm9uZTo5OTk"},
        "warningLift": {"warning": "V2FybmluZzo5OTk5OTk"},
    }
    conflicts = {name: {**repeated.get(name, {"warning": warning}), "expectedVersion": 77} for name in versioned(scene)}
    assert refused.keys() | {BULK[name] for name in BULK} == set(SCOPES)
    assert repeated.keys() == refused.keys() - {"warningIssue", "warningLift"}
    assert conflicts.keys() == {"enterpriseUpsert", "warningLift"}
    attempts = [(name, given) for kind in (repeated, refused, conflicts) for name, given in kind.items()]
    attempts += [(BULK[name], {"rows": [given]}) for name, given in attempts if name in BULK]
    return attempts


async def test_a_program_that_changes_nothing_sees_nothing(desk: tuple[MarkedDemo, Desk]) -> None:
    """A write that repeats what is there, comes too late, or expects another version shows no row, and leaves none."""
    scene, at_desk = desk
    duty, code = scene.viewers["commander"], await external(scene)
    inspector, zone = scene.ids["Inspector"][0], scene.ids["Zone"][0]
    place = {"latitude": 30.2, "longitude": 120.3}
    await act(scene, at_desk, duty, "inspectorSetDuty", inspector=inspector, onDuty=True)
    await act(scene, at_desk, duty, "inspectorReportPosition", inspector=inspector, position=place)
    await act(scene, at_desk, duty, "rainfallReport", zone=zone, millimetres=0.0)
    [warning] = written(await act(scene, at_desk, duty, "warningIssue", kind="HEAT", level="BLUE", headline="高温"))
    for name, given in vain_attempts(scene, code, warning):
        scope = SCOPES[name]
        for scopes in ((scope,), (scope, Scope.PERSONAL)):
            shown = await act(scene, at_desk, program(*scopes), name, **given)
            assert marks_in([shown]) == set(), name
            assert shown_ids(shown) == set(), (name, shown)
        read = await act(scene, at_desk, program(scope, Scope.READ), name, **given)
        failed = {v for k, v in scalar_values(read) if k.endswith("__typename")} & {"InvalidInput", "NotFound"}
        assert bool(shown_ids(read)) == (not failed), (name, read)


def versioned(scene: MarkedDemo) -> set[str]:
    """The mutations of programs, of one row each, that take the version of the row that they expect."""
    inputs = {name: scene.graph._schema.type_map[f"{name[0].upper()}{name[1:]}Input"] for name in SCOPES}
    return {n for n, of in inputs.items() if isinstance(of, GraphQLInputObjectType) and "expectedVersion" in of.fields}


def shown_ids(result: dict[str, Any]) -> set[str]:
    """The ids of all rows that a result shows."""
    return {v for k, v in scalar_values(result) if (k == "id" or k.endswith("_id")) and v is not None}


def written(result: dict[str, Any]) -> set[str]:
    """The ids of a success's rows."""
    rows = [row for value in result.values() for row in (value if isinstance(value, list) else [value])]
    return {v for row in rows if isinstance(row, dict) for k, v in row.items() if k.endswith("_id")}


async def external(scene: MarkedDemo) -> dict[str, str]:
    """The keys of the enterprise in a register."""
    result = await scene.ask(
        "commander", f'{{ enterprise(by: {{id: "{scene.ids["Enterprise"][0]}"}}) {{ creditCode }} }}'
    )
    return {"creditCode": result["enterprise"]["creditCode"]}


async def test_an_enterprise_that_acts_sees_only_its_own_rows(desk: tuple[MarkedDemo, Desk]) -> None:
    scene, at_desk = desk
    own, viewer = scene.ids["Enterprise"][0], scene.viewers["enterprise"]
    given = {"level": "GENERAL", "description": "线路老化"}
    acts: dict[str, dict[str, Any]] = {
        "hazardReport": given,
        "controlMeasureAdd": {"kind": "ENGINEERING", "description": "围堰"},
        "assistanceRequest": {"problem": "排水"},
        "dutyReportSubmit": {"measuresInPlace": "有", "supplies": "沙袋", "problems": ["排水"]},
    }
    for name, more in acts.items():
        result = await act(scene, at_desk, viewer, name, enterprise=own, **more)
        shown = marks_in([result])
        assert shown - own_marks(scene.own_keys) == set()
        assert ("enterprise", "legal_name", scene.enterprise) in shown, name
    other = next(iter(set(scene.all_ids["Enterprise"]) - {own}))
    refused = await act(scene, at_desk, viewer, "hazardReport", enterprise=other, **given)
    nobody = await act(
        scene, at_desk, viewer, "hazardReport", enterprise=node_id.encode("Enterprise", 2_000_000), **given
    )
    # Another enterprise's row looks like one that does not exist.
    assert refused["__typename"] == nobody["__typename"] == "NotFound"
    assert refused["message"].replace(other, "") == nobody["message"].replace(
        node_id.encode("Enterprise", 2_000_000), ""
    )


async def test_changes_hide_peoples_names_and_numbers(
    desk: tuple[MarkedDemo, Desk],
) -> None:
    scene, at_desk = desk
    duty = scene.viewers["commander"]
    person = {"name": "~person.name.1~", "phone": "~person.phone.1~"}
    await act(
        scene,
        at_desk,
        duty,
        "enterpriseUpsert",
        **await external(scene),
        legalRepresentative=person,
        safetyContact=person,
    )
    [hazard, *_] = await in_review(scene)
    assigned = {"owner": person, "deadline": "2026-12-01T00:00:00Z"}
    assert (await act(scene, at_desk, duty, "hazardAssign", hazard=hazard, **assigned))[
        "__typename"
    ] == "HazardAssigned"
    query = "{ events(last: 2) { nodes { kind changes { field from to } } } }"
    kinds = [EventKind.ENTERPRISE_CHANGED.name, EventKind.HAZARD_ASSIGNED.name]
    for who, sees in (("commander", True), ("wall", False), ("read", False), ("read and personal", True)):
        nodes = (await scene.ask(who, query))["events"]["nodes"]
        assert [node["kind"] for node in nodes] == kinds
        assert (("person", "phone", 1) in marks_in([nodes])) == sees
        assert bool(marks_in([nodes])) == sees
        assert "deadline" in {change["field"] for change in nodes[1]["changes"]}


async def in_review(scene: MarkedDemo) -> list[str]:
    asked = "{ hazards(first: 1, filter: {statuses: [FOUND, UNDER_REVIEW]}) { nodes { id } } }"
    return [node["id"] for node in (await scene.ask("commander", asked))["hazards"]["nodes"]]
