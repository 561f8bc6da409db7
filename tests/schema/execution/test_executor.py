"""Every error has a code. Unexpected errors have an incident id, and the log has no values of rows."""

import asyncio
import gc
import sqlite3
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from sqlmodel import col

import models
from models.db.database import Database
from resolvers.sql.readers import DriverReader
from schema.build import Graph
from schema.execution.context import Context
from schema.execution.operation import GraphQLResponse, Operation
from schema.types import node_id
from tests.conftest import COMMANDER, make_executor
from tests.support.patience import PATIENCE

SECRET = "13812345678"


async def run(
    graph: Graph, database: Database, query: str, variables: dict[str, Any] | None = None, name: str | None = None
) -> GraphQLResponse:
    return await make_executor(graph, database).run(Operation(query, variables or {}, name), COMMANDER)


def codes(response: GraphQLResponse) -> set[str]:
    return {error["extensions"]["code"] for error in response.errors}


# -- unexpected errors --


async def test_an_unexpected_error_is_masked_and_logged_without_values(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError(f"the row of {SECRET}")

    monkeypatch.setattr(Context, "page", fail)
    monkeypatch.setattr(DriverReader, "fetch", fail)
    with structlog.testing.capture_logs() as logged:
        response = await run(
            graph, demo, "query($t: String) { enterprises(filter: {text: $t}) { nodes { id } } }", {"t": SECRET}
        )
    [error] = response.errors
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["path"][0] == "enterprises"
    incident = error["extensions"]["incident"]
    assert incident in error["message"]
    [entry] = [line for line in logged if "incident" in line]
    assert entry["incident"] == incident
    assert entry["error"] == "RuntimeError"
    assert any("fail" in place for place in entry["where"])
    assert SECRET not in repr(error) + repr(logged)


async def test_every_incident_has_its_own_id(graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*arguments: Any, **named: Any) -> Any:
        raise KeyError(SECRET)

    monkeypatch.setattr(Context, "one", fail)
    monkeypatch.setattr(DriverReader, "fetch", fail)
    ids = {"one": node_id.encode("Zone", 1), "other": node_id.encode("Zone", 2)}
    response = await run(
        graph, demo, "query($one: ID!, $other: ID!) { a: node(id: $one) { id } b: node(id: $other) { id } }", ids
    )
    assert len({error["extensions"]["incident"] for error in response.errors}) == 2


async def test_an_error_of_the_database_is_masked(graph: Graph, own_demo: Database) -> None:
    async with own_demo.write() as session:
        await session.execute(sa.text("ALTER TABLE deadline_extension RENAME TO lost"))
    with structlog.testing.capture_logs() as logged:
        response = await run(graph, own_demo, "{ hazards(first: 2) { nodes { id extensions { reason } } } }")
    assert codes(response) == {"INTERNAL"}
    for text in ("SELECT", "deadline_extension", "lost"):
        assert text not in repr(response.errors) + repr(logged)


# -- a null that propagates and cancels its siblings --


async def orphan(database: Database) -> tuple[str, str]:
    """The ids of a hazard without its enterprise, which the database does not allow, and of an intact hazard.

    Both belong to the same inspection, so that they wait for the same row.
    """
    hazard = models.Hazard
    async with database.write() as session:
        select = sa.select(col(hazard.id), col(hazard.enterprise_id), col(hazard.inspection_id))
        hazards = (await session.execute(select.order_by(col(hazard.id)))).all()
        orphaned = next(h for h in hazards if h.inspection_id is not None)
        intact = next(h for h in hazards if h.enterprise_id != orphaned.enterprise_id)
        update = sa.update(hazard).where(col(hazard.id) == intact.id).values(inspection_id=orphaned.inspection_id)
        await session.execute(update)
    delete = f"DELETE FROM enterprise WHERE id = {orphaned.enterprise_id}"
    if database.sqlite:
        # Without the foreign keys that Huhang's own connections enforce.
        with closing(sqlite3.connect(str(database.url.database))) as plain, plain:
            plain.execute(delete)
    else:
        async with database.write() as session:
            await session.execute(sa.text("SET LOCAL session_replication_role = replica"))
            await session.execute(sa.text(delete))
    return node_id.encode("Hazard", orphaned.id), node_id.encode("Hazard", intact.id)


SIBLINGS = """query($first: ID!, $second: ID!) {
  one: node(id: $first) { ...Full }
  two: node(id: $second) { ...Full }
  three: node(id: $first) { ... on Hazard { id enterprise { name zone { name } } } }
}
fragment Full on Hazard {
  enterprise { name town { name } zone { name plan } }
  inspection { id summary inspectors { fullName } cases { id } }
  extensions { reason }
  evidence { sha256 }
}"""


@pytest.mark.parametrize("orphan_second", [False, True])
async def test_a_null_does_not_cancel_rows_that_others_wait_for(
    graph: Graph, own_demo: Database, orphan_second: bool
) -> None:
    orphaned, intact = await orphan(own_demo)
    expected = await run(graph, own_demo, SIBLINGS, {"first": intact, "second": intact})
    assert expected.errors == []
    first, second = (intact, orphaned) if orphan_second else (orphaned, intact)
    for _ in range(5):
        response = await run(graph, own_demo, SIBLINGS, {"first": first, "second": second})
        assert response.data is not None
        assert expected.data is not None
        assert codes(response) == {"INTERNAL"}
        names = ("one", "three") if orphan_second else ("two",)
        assert {name: response.data[name] for name in names} == {name: expected.data[name] for name in names}
        assert all(response.data[name] is None for name in {"one", "two", "three"} - set(names))


CONCURRENT = """{
  hazards(first: 1000) { nodes { enterprise { name } } }
  venues { nodes { nearby(kinds: [ENTERPRISE, CAMERA, EXPERT, TEAM, WAREHOUSE, INSPECTOR]) { item { __typename } } } }
  enterprises { nodes { nearest(kinds: [CAMERA, EXPERT, TEAM, WAREHOUSE, INSPECTOR]) { item { __typename } } } }
}"""


async def ended(earlier: set["asyncio.Task[Any]"]) -> None:
    """Wait for all tasks but this and those from earlier, which may serve other tests."""
    if others := asyncio.all_tasks() - earlier - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=PATIENCE)


# graphql-core leaves coroutines that it has not started.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
async def test_a_cancelled_field_gives_its_connection_back(graph: Graph, own_demo: Database) -> None:
    """A null at the root ends the operation while other fields still load. All connections are returned."""
    earlier = asyncio.all_tasks()
    await orphan(own_demo)
    for _ in range(12):  # more often than there are connections
        response = await asyncio.wait_for(run(graph, own_demo, CONCURRENT), PATIENCE)
        assert response.data is None
        assert codes(response) == {"INTERNAL"}
    await ended(earlier)
    pool: Any = own_demo.engine.pool
    assert pool.checkedout() == 0


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # as above
async def test_a_cancelled_operation_gives_its_connection_back(
    graph: Graph, own_demo: Database, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = asyncio.all_tasks()
    for steps in range(1, 25):
        running = asyncio.ensure_future(run(graph, own_demo, CONCURRENT.replace("first: 1000", "first: 1")))
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running}, timeout=PATIENCE)
        assert running.done()
    gc.collect()
    await ended(earlier)
    pool: Any = own_demo.engine.pool
    gc.collect()
    assert pool.checkedout() == 0
    assert caplog.messages == []


# -- invalid requests --

TWO = "query A { zones { id } } query B { zones { code } }"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (TWO, None),
        (TWO, "C"),
        (TWO, ""),
        ("{ zones { id } }", "A"),
        ("", None),
        ("# nothing", None),
        ("{", None),
        ("{ zones }", None),
        ("{ zones { id nothing } }", None),
        ("{ nothing }", None),
        ("fragment F on Zone { id }", None),
        ("{ zones { ...F } } fragment F on Zone { ...F }", None),
        ("{ zones { ...F } }", None),
        ("query($id: ID!) { node(id: $other) { id } }", None),
        ("query($id: Int!) { node(id: $id) { id } }", None),
        ('{ node(id: "1", id: "2") { id } }', None),
        ("{ node { id } }", None),
        ('{ zone(by: {code: "a", id: "b"}) { id } }', None),
        ("{ zone(by: {}) { id } }", None),
        ("{ zone(by: {code: null}) { id } }", None),
        ("{ zone(by: {code: $code}) { id } }", None),
        ("query($code: String) { zone(by: {code: $code}) { id } }", None),
        ("query($code: String) { ...F } fragment F on Query { zone(by: {code: $code}) { id } }", None),
        ("fragment F on Query { zone(by: {code: $code}) { id } } query($code: String) { ...F }", None),
        (
            "query A($code: String!) { ...F } query B($code: String) { ...F } query C($code: String!) { ...F } "
            "fragment F on Query { zone(by: {code: $code}) { id } }",
            "A",
        ),
        ("{ hazards(first: 2147483648) { totalCount } }", None),
        ("\ud800", None),
        ("{ zones { id } } \0", None),
    ],
)
async def test_a_bad_document_is_not_executed(graph: Graph, demo: Database, query: str, name: str | None) -> None:
    response = await run(graph, demo, query, name=name)
    assert codes(response) == {"BAD_DOCUMENT"}
    assert not response.started
    assert "data" not in response.body()


@pytest.mark.parametrize(
    "query",
    [
        "query($code: String!) { zone(by: {code: $code}) { id } }",
        "query($code: String!) { ...F } fragment F on Query { zone(by: {code: $code}) { id } }",
        "fragment F on Query { zone(by: {code: $code}) { id } } query($code: String!) { ...F }",
    ],
)
async def test_a_one_of_input_takes_a_variable(graph: Graph, demo: Database, query: str) -> None:
    response = await run(graph, demo, query, {"code": "nowhere"})
    assert response.errors == []
    assert response.data == {"zone": None}


async def test_introspection_says_which_inputs_are_one_of(graph: Graph, demo: Database) -> None:
    fields = "fields { type { isOneOf ofType { isOneOf } } args { type { isOneOf } } }"
    query = f"{{ __schema {{ types {{ name isOneOf {fields} }} }} }}"
    response = await make_executor(graph, demo).run(Operation(query), None)
    assert response.errors == []
    assert response.data is not None
    inputs = {type_["name"] for type_ in response.data["__schema"]["types"] if type_["isOneOf"]}
    assert inputs == {"ZoneKey", "VenueKey", "EnterpriseKey"}


async def test_the_named_operation_is_executed(graph: Graph, demo: Database) -> None:
    response = await run(graph, demo, TWO, name="B")
    assert response.data is not None
    assert set(response.data["zones"][0]) == {"code"}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($id: ID!) { node(id: $id) { id } }", {}),
        ("query($id: ID!) { node(id: $id) { id } }", {"id": None}),
        ("query($id: ID!) { node(id: $id) { id } }", {"id": {}}),
        ("query($id: ID!) { node(id: $id) { id } }", {"id": 1.5}),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [None]}),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [[["a"]]]}),
        ("query($by: ZoneKey!) { zone(by: $by) { id } }", {"by": {}}),
        ("query($by: ZoneKey!) { zone(by: $by) { id } }", {"by": {"code": None}}),
        ("query($by: ZoneKey!) { zone(by: $by) { id } }", {"by": {"code": "a", "id": "b"}}),
        ("query($by: ZoneKey!) { zone(by: $by) { id } }", {"by": "a"}),
        ("query($by: ZoneKey!) { zone(by: $by) { id } }", {"by": {"other": "a"}}),
        ("query($o: HazardOrder) { hazards(orderBy: $o) { totalCount } }", {"o": {}}),
        ("query($o: HazardOrder) { hazards(orderBy: $o) { totalCount } }", {"o": {"field": "found"}}),
        ("query($p: PointInput!) { nearby(point: $p, kinds: []) { distanceMetres } }", {"p": {"latitude": 1}}),
        (
            "query($p: PointInput!) { nearby(point: $p, kinds: []) { distanceMetres } }",
            {"p": {"latitude": float("nan"), "longitude": 1}},
        ),
    ],
)
async def test_bad_variables_are_not_executed(
    graph: Graph, demo: Database, query: str, variables: dict[str, Any]
) -> None:
    response = await run(graph, demo, query, variables)
    assert codes(response) == {"BAD_VARIABLES"}
    assert "data" not in response.body()


async def test_undefined_variables_are_ignored(graph: Graph, demo: Database) -> None:
    response = await run(graph, demo, "{ zones { id } }", {"other": [1, {"a": None}]})
    assert response.errors == []


@pytest.mark.parametrize(
    ("id_", "code"),
    [
        ("", "BAD_ID"),
        ("Zone:1", "BAD_ID"),
        (node_id.encode("Nothing", 1), "BAD_ID"),
        (node_id.encode("Zone", 99), None),
    ],
)
async def test_an_invalid_id_is_an_error_and_an_unknown_id_null(
    graph: Graph, demo: Database, id_: str, code: str | None
) -> None:
    response = await run(graph, demo, "query($id: ID!) { node(id: $id) { id } }", {"id": id_})
    assert codes(response) == ({code} if code else set())
    assert response.data == {"node": None}


async def test_one_bad_id_among_many(graph: Graph, demo: Database) -> None:
    """No coroutine is left unawaited, which would be a warning."""
    good = node_id.encode("Zone", 1)
    response = await run(graph, demo, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [good, "bad", good]})
    assert [(error["extensions"]["code"], error["path"]) for error in response.errors] == [("BAD_ID", ["nodes", 1])]
    assert response.data == {"nodes": [{"id": good}, None, {"id": good}]}
    response = await run(graph, demo, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [good] * 1001})
    assert codes(response) == {"BAD_INPUT"}


async def test_nodes_are_in_the_order_of_the_ids_with_null_for_unknown_ones(graph: Graph, demo: Database) -> None:
    ids = [
        node_id.encode("Zone", 2),
        node_id.encode("Zone", 99),
        node_id.encode("Enterprise", 5),
        node_id.encode("Zone", 2),
    ]
    response = await run(graph, demo, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})
    assert response.data is not None
    assert [node and node["id"] for node in response.data["nodes"]] == [ids[0], None, ids[2], ids[3]]


# -- depth and size --


@pytest.mark.parametrize(
    "query",
    [
        "{ zones " * 5000,
        "{ a" * 9000 + "}" * 9000,
        "{ node(id: " + "[" * 5000 + "]" * 5000 + ") { id } }",
        "query($a: " + "[" * 5000 + "ID" + "]" * 5000 + ") { zones { id } }",
        "{ zones { id " + "id " * 30_000 + "} }",
    ],
    ids=["open", "fields", "values", "types", "tokens"],
)
async def test_a_document_that_is_too_deep_or_too_long_is_refused(graph: Graph, demo: Database, query: str) -> None:
    response = await asyncio.wait_for(run(graph, demo, query), PATIENCE)
    assert codes(response) == {"BAD_DOCUMENT"}


@pytest.mark.parametrize("depth", [10, 60, 400, 2000])
async def test_a_deep_selection_has_data_or_a_code(graph: Graph, demo: Database, depth: int) -> None:
    step, back = "zone { command { ", "} } "
    query = "{ zones { command { " + step * depth + "id " + back * depth + "} } }"
    response = await asyncio.wait_for(run(graph, demo, query), PATIENCE)
    assert codes(response) <= {"BAD_DOCUMENT"}
    assert (response.data is not None) == (codes(response) == set())
    if depth == 10:
        assert response.data is not None
