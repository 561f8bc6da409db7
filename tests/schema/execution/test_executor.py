"""Whatever goes wrong is told with a code; what was not expected, as an incident, and the log keeps no values of it."""

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

SECRET = "13812345678"


async def run(
    graph: Graph, database: Database, query: str, variables: dict[str, Any] | None = None, name: str | None = None
) -> GraphQLResponse:
    return await make_executor(graph, database).run(Operation(query, variables or {}, name), COMMANDER)


def codes(answer: GraphQLResponse) -> set[str]:
    return {error["extensions"]["code"] for error in answer.errors}


# -- what is not expected --


async def test_the_unexpected_is_masked_and_logged_without_values(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError(f"the row of {SECRET}")

    monkeypatch.setattr(Context, "page", fail)
    monkeypatch.setattr(DriverReader, "fetch", fail)
    with structlog.testing.capture_logs() as logged:
        answer = await run(
            graph, demo, "query($t: String) { enterprises(filter: {text: $t}) { nodes { id } } }", {"t": SECRET}
        )
    [error] = answer.errors
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
    asked = {"one": node_id.encode("Zone", 1), "other": node_id.encode("Zone", 2)}
    answer = await run(
        graph, demo, "query($one: ID!, $other: ID!) { a: node(id: $one) { id } b: node(id: $other) { id } }", asked
    )
    assert len({error["extensions"]["incident"] for error in answer.errors}) == 2


async def test_an_error_of_the_database_is_masked(graph: Graph, own_demo: Database) -> None:
    async with own_demo.write() as session:
        await session.execute(sa.text("ALTER TABLE deadline_extension RENAME TO lost"))
    with structlog.testing.capture_logs() as logged:
        answer = await run(graph, own_demo, "{ hazards(first: 2) { nodes { id extensions { reason } } } }")
    assert codes(answer) == {"INTERNAL"}
    for text in ("SELECT", "deadline_extension", "lost"):
        assert text not in repr(answer.errors) + repr(logged)


# -- a null that takes its siblings with it --


async def orphan(database: Database) -> tuple[str, str]:
    """A hazard whose enterprise is gone, which the database does not allow, and one whose enterprise is there.

    The same inspection found both, so that they wait for the same row.
    """
    hazard = models.Hazard
    async with database.write() as session:
        found = sa.select(col(hazard.id), col(hazard.enterprise_id), col(hazard.inspection_id))
        hazards = (await session.execute(found.order_by(col(hazard.id)))).all()
        lost = next(h for h in hazards if h.inspection_id is not None)
        kept = next(h for h in hazards if h.enterprise_id != lost.enterprise_id)
        same = sa.update(hazard).where(col(hazard.id) == kept.id).values(inspection_id=lost.inspection_id)
        await session.execute(same)
    gone = f"DELETE FROM enterprise WHERE id = {lost.enterprise_id}"
    if database.sqlite:
        # Without the keys that Huhang's own connections hold.
        with closing(sqlite3.connect(str(database.url.database))) as plain, plain:
            plain.execute(gone)
    else:
        async with database.write() as session:
            await session.execute(sa.text("SET LOCAL session_replication_role = replica"))
            await session.execute(sa.text(gone))
    return node_id.encode("Hazard", lost.id), node_id.encode("Hazard", kept.id)


BESIDE = """query($lost: ID!, $kept: ID!) {
  one: node(id: $lost) { ...Full }
  other: node(id: $kept) { ...Full }
  third: node(id: $lost) { ... on Hazard { id enterprise { name zone { name } } } }
}
fragment Full on Hazard {
  enterprise { name town { name } zone { name plan } }
  inspection { id summary inspectors { fullName } cases { id } }
  extensions { reason }
  evidence { sha256 }
}"""


@pytest.mark.parametrize("turned", [False, True])
async def test_a_null_does_not_take_with_it_what_others_wait_for(
    graph: Graph, own_demo: Database, turned: bool
) -> None:
    lost, kept = await orphan(own_demo)
    wanted = await run(graph, own_demo, BESIDE, {"lost": kept, "kept": kept})
    assert wanted.errors == []
    given = {"lost": kept, "kept": lost} if turned else {"lost": lost, "kept": kept}
    for _ in range(5):
        answer = await run(graph, own_demo, BESIDE, given)
        assert answer.data is not None
        assert wanted.data is not None
        assert codes(answer) == {"INTERNAL"}
        # `lost` is asked for by the first and the third, or turned by the second alone.
        names = ("one", "third") if turned else ("other",)
        assert {name: answer.data[name] for name in names} == {name: wanted.data[name] for name in names}
        assert all(answer.data[name] is None for name in {"one", "other", "third"} - set(names))


AT_ONCE = """query($lost: [ID!]) {
  hazards(filter: {enterprises: $lost}) { nodes { enterprise { name } } }
  venues { nodes { nearby(kinds: [ENTERPRISE, CAMERA, EXPERT, TEAM, WAREHOUSE, INSPECTOR]) { item { __typename } } } }
  enterprises { nodes { nearest(kinds: [CAMERA, EXPERT, TEAM, WAREHOUSE, INSPECTOR]) { item { __typename } } } }
}"""


async def test_no_connection_is_kept_by_what_was_cut_short(graph: Graph, own_demo: Database) -> None:
    """A null at the root ends the operation while others still load in several steps; all connections come back."""
    lost, _ = await orphan(own_demo)
    async with own_demo.read() as connection:
        key = node_id.key_of(lost, "Hazard")
        found = sa.select(col(models.Hazard.enterprise_id)).where(col(models.Hazard.id) == key)
        enterprise = node_id.encode("Enterprise", (await connection.execute(found)).scalar_one())
    for _ in range(12):  # more often than there are connections
        answer = await asyncio.wait_for(run(graph, own_demo, AT_ONCE, {"lost": [enterprise]}), 20)
        assert answer.data is None
        assert codes(answer) == {"INTERNAL"}
    others = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    await asyncio.wait(others, timeout=5) if others else None
    pool: Any = own_demo.engine.pool
    assert pool.checkedout() == 0


# graphql-core leaves coroutines behind that it has not begun.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
async def test_an_operation_that_is_cancelled_gives_its_connection_back(
    graph: Graph, own_demo: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for steps in range(1, 25):
        running = asyncio.ensure_future(
            run(graph, own_demo, AT_ONCE.replace("hazards(filter", "hazards(first: 1, filter"))
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running}, timeout=10)
        assert running.done()
    gc.collect()
    others = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    await asyncio.wait(others, timeout=5) if others else None
    pool: Any = own_demo.engine.pool
    gc.collect()
    assert pool.checkedout() == 0
    assert caplog.messages == []


# -- what is wrong with the request --

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
    answer = await run(graph, demo, query, name=name)
    assert codes(answer) == {"BAD_DOCUMENT"}
    assert not answer.started
    assert "data" not in answer.body()


@pytest.mark.parametrize(
    "query",
    [
        "query($code: String!) { zone(by: {code: $code}) { id } }",
        "query($code: String!) { ...F } fragment F on Query { zone(by: {code: $code}) { id } }",
        "fragment F on Query { zone(by: {code: $code}) { id } } query($code: String!) { ...F }",
    ],
)
async def test_a_variable_may_be_the_one_of_several(graph: Graph, demo: Database, query: str) -> None:
    answer = await run(graph, demo, query, {"code": "nowhere"})
    assert answer.errors == []
    assert answer.data == {"zone": None}


async def test_everybody_is_told_which_inputs_take_one_of_several(graph: Graph, demo: Database) -> None:
    fields = "fields { type { isOneOf ofType { isOneOf } } args { type { isOneOf } } }"
    query = f"{{ __schema {{ types {{ name isOneOf {fields} }} }} }}"
    answer = await make_executor(graph, demo).run(Operation(query), None)
    assert answer.errors == []
    assert answer.data is not None
    found = {of["name"] for of in answer.data["__schema"]["types"] if of["isOneOf"]}
    assert found == {"ZoneKey", "VenueKey", "EnterpriseKey"}


async def test_the_operation_that_is_named_is_executed(graph: Graph, demo: Database) -> None:
    answer = await run(graph, demo, TWO, name="B")
    assert answer.data is not None
    assert set(answer.data["zones"][0]) == {"code"}


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
    answer = await run(graph, demo, query, variables)
    assert codes(answer) == {"BAD_VARIABLES"}
    assert "data" not in answer.body()


async def test_variables_too_many_do_no_harm(graph: Graph, demo: Database) -> None:
    answer = await run(graph, demo, "{ zones { id } }", {"other": [1, {"a": None}]})
    assert answer.errors == []


@pytest.mark.parametrize(
    ("id_", "code"),
    [
        ("", "BAD_ID"),
        ("Zone:1", "BAD_ID"),
        (node_id.encode("Nothing", 1), "BAD_ID"),
        (node_id.encode("Zone", 99), None),
    ],
)
async def test_ids(graph: Graph, demo: Database, id_: str, code: str | None) -> None:
    answer = await run(graph, demo, "query($id: ID!) { node(id: $id) { id } }", {"id": id_})
    assert codes(answer) == ({code} if code else set())
    assert answer.data == {"node": None}


async def test_one_bad_id_among_many(graph: Graph, demo: Database) -> None:
    """Nothing is left half begun, which would be a warning."""
    good = node_id.encode("Zone", 1)
    answer = await run(graph, demo, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [good, "bad", good]})
    assert [(error["extensions"]["code"], error["path"]) for error in answer.errors] == [("BAD_ID", ["nodes", 1])]
    assert answer.data == {"nodes": [{"id": good}, None, {"id": good}]}
    answer = await run(graph, demo, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [good] * 1001})
    assert codes(answer) == {"BAD_INPUT"}


async def test_ids_come_back_in_their_order_with_null_for_none(graph: Graph, demo: Database) -> None:
    wanted = [
        node_id.encode("Zone", 2),
        node_id.encode("Zone", 99),
        node_id.encode("Enterprise", 5),
        node_id.encode("Zone", 2),
    ]
    answer = await run(graph, demo, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": wanted})
    assert answer.data is not None
    assert [node and node["id"] for node in answer.data["nodes"]] == [wanted[0], None, wanted[2], wanted[3]]


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
async def test_what_is_too_deep_or_too_long_is_refused(graph: Graph, demo: Database, query: str) -> None:
    answer = await asyncio.wait_for(run(graph, demo, query), 20)
    assert codes(answer) == {"BAD_DOCUMENT"}


@pytest.mark.parametrize("depth", [10, 60, 400, 2000])
async def test_a_deep_walk_ends_with_data_or_a_code(graph: Graph, demo: Database, depth: int) -> None:
    step, back = "zone { command { ", "} } "
    query = "{ zones { command { " + step * depth + "id " + back * depth + "} } }"
    answer = await asyncio.wait_for(run(graph, demo, query), 30)
    assert codes(answer) <= {"BAD_DOCUMENT"}
    assert (answer.data is not None) == (codes(answer) == set())
    if depth == 10:
        assert answer.data is not None
