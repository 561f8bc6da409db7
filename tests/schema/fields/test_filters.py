"""Each filter returns the rows that a check of all rows in Python selects."""

import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from graphql import get_named_type

import models
from models import HAZARD_SETTLED, HAZARD_TERMINAL
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from schema.build import Graph, build
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER, Databases, StatementCounter, make_executor
from tests.support.connection_reference import rows_of
from tests.support.filter_reference import (
    APPLIES,
    CASES,
    EDGE_CASES,
    EDGES,
    JOINED,
    SECOND,
    TABLES,
    TEXTS,
    Case,
    World,
    has,
)

CORE = build()._schema


def node_of(listing: str) -> str:
    assert CORE.query_type is not None
    return str(get_named_type(CORE.query_type.fields[listing].type)).removesuffix("Connection")


@pytest_asyncio.fixture(scope="module")
async def edged(databases: Databases, demo_url: str) -> AsyncIterator[Database]:
    database = Database(await databases.new(demo_url))
    async with database.write() as session:
        for statement in EDGE_CASES:
            await session.execute(statement)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="module")
async def world(edged: Database) -> World:
    return World({model: await rows_of(edged, model) for model in (*TABLES.values(), *JOINED)})


@pytest.fixture(scope="module")
def executor(graph: Graph, edged: Database) -> Executor:
    """One for all cases: they differ in variables only, so that each list's plan is made once."""
    return make_executor(graph, edged)


async def filtered_ids(executor: Executor, listing: str, filter: dict[str, Any]) -> set[str]:
    """The ids of the rows that the filter returns. Their number must equal `totalCount`."""
    name = type_of_filter(listing)
    query = (
        f"query($filter: {name}) {{ {listing}(first: 1000, filter: $filter) {{ totalCount nodes {{ id }}"
        " pageInfo { hasNextPage endCursor } } }"
    )
    response = await executor.run(Operation(query, {"filter": filter}), COMMANDER)
    assert response.errors == []
    assert response.data is not None
    page = response.data[listing]
    nodes = [node["id"] for node in page["nodes"]]
    if page["pageInfo"]["hasNextPage"]:
        rest = query.replace("first: 1000", f'first: 1000, after: "{page["pageInfo"]["endCursor"]}"')
        more = await executor.run(Operation(rest, {"filter": filter}), COMMANDER)
        assert more.data is not None
        nodes += [node["id"] for node in more.data[listing]["nodes"]]
    assert page["totalCount"] == len(nodes) == len(set(nodes))
    return set(nodes)


def type_of_filter(listing: str) -> str:
    assert CORE.query_type is not None
    return str(get_named_type(CORE.query_type.fields[listing].args["filter"].type))


def is_listed(row: Any) -> bool:
    """Whether a list has the row if its filter does not say that it wants retired ones."""
    return getattr(row, "retired_at", None) is None


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_filter_returns_the_matching_rows(executor: Executor, world: World, case: Case) -> None:
    node = node_of(case.field)
    outcomes = []
    for value in case.values:
        rows = [r for r in world.rows[TABLES[node]] if case.holds(world, r, value)]
        expected = {node_id.encode(node, r.id) for r in rows if case.name == "retired" or is_listed(r)}
        assert await filtered_ids(executor, case.field, {case.name: case.argument(world, value)}) == expected, value
        outcomes.append(bool(expected))
    assert any(outcomes), "none of the values matches any row"


def test_every_field_of_every_filter_has_a_case() -> None:
    assert CORE.query_type is not None
    for listing, of in CORE.query_type.fields.items():
        # Maps, counts and what is nearby take the filters of these lists.
        if "filter" in of.args and listing != "events" and str(of.type).endswith("Connection!"):
            fields = set(get_named_type(of.args["filter"].type).fields) - {"or", "not"}
            assert {case.name for case in CASES if case.field == listing} == APPLIES.get(listing, fields)


async def test_the_fields_of_a_filter_are_combined_with_and(executor: Executor, world: World) -> None:
    expected = {
        node_id.encode("Hazard", r.id)
        for r in world.rows[models.Hazard]
        if r.status not in HAZARD_TERMINAL and r.level is models.HazardLevel.MAJOR and world.zone(r) in (1, 2)
    }
    zones = [node_id.encode("Zone", 1), node_id.encode("Zone", 2)]
    assert expected
    assert await filtered_ids(executor, "hazards", {"open": True, "levels": ["MAJOR"], "zones": zones}) == expected


@pytest.mark.parametrize("listing", sorted({case.field for case in CASES}))
async def test_null_and_missing_fields_match_all(executor: Executor, world: World, listing: str) -> None:
    every = {node_id.encode(node_of(listing), r.id) for r in world.rows[TABLES[node_of(listing)]]}
    listed = {node_id.encode(node_of(listing), r.id) for r in world.rows[TABLES[node_of(listing)]] if is_listed(r)}
    assert await filtered_ids(executor, listing, {}) == listed
    nulls = {case.name: None for case in CASES if case.field == listing}
    assert await filtered_ids(executor, listing, nulls) == every


@pytest.mark.parametrize("listing", sorted({case.field for case in CASES}))
async def test_or_and_not_combine_filters(executor: Executor, world: World, listing: str) -> None:
    """By two of the listing's filters, drawn at random from the cases above, and what each of them matches alone."""
    node, rng = node_of(listing), Random(listing)
    cases = [case for case in CASES if case.field == listing]
    rows = {node_id.encode(node, r.id): r for r in world.rows[TABLES[node]]}

    def draw() -> tuple[dict[str, Any], set[str]]:
        case = rng.choice(cases)
        value = rng.choice(case.values)
        return {case.name: case.argument(world, value)}, {i for i, r in rows.items() if case.holds(world, r, value)}

    for _ in range(4):
        (a, in_a), (b, in_b) = draw(), draw()
        for filter, expected in (
            ({"or": [a, b]}, in_a | in_b),
            ({"or": [a, {}]}, set(rows)),
            ({"or": []}, set()),
            ({"not": a}, rows.keys() - in_a),
            ({"not": {"or": [a, b]}}, rows.keys() - in_a - in_b),
            ({"or": [{"not": {"not": a}}, {"not": {}}], "not": b}, in_a - in_b),
        ):
            listed = {i for i in expected if is_listed(rows[i])}
            assert await filtered_ids(executor, listing, filter) == listed, filter


@pytest.mark.parametrize("zone", [1, 2, 3, 4])
async def test_venues_of_a_zone(executor: Executor, world: World, zone: int) -> None:
    query = "query($zone: ID) { venues(first: 1000, zone: $zone) { totalCount nodes { id } } }"
    response = await executor.run(Operation(query, {"zone": node_id.encode("Zone", zone)}), COMMANDER)
    assert response.data is not None
    expected = {node_id.encode("Venue", v.id) for v in world.rows[models.Venue] if v.zone_id == zone}
    assert {n["id"] for n in response.data["venues"]["nodes"]} == expected
    assert response.data["venues"]["totalCount"] == len(expected)


@pytest.mark.parametrize("text", [*TEXTS, "2"])
async def test_stock_by_a_part_of_name_or_code(executor: Executor, world: World, text: str) -> None:
    stock = "stock(first: 1000, text: $text) { nodes { id } }"
    query = f"query($text: String) {{ warehouses(first: 100) {{ nodes {{ id {stock} }} }} }}"
    response = await executor.run(Operation(query, {"text": text}), COMMANDER)
    assert response.data is not None
    for warehouse in response.data["warehouses"]["nodes"]:
        items = world.stock.get(node_id.key_of(warehouse["id"], "Warehouse"), [])
        matching = {node_id.encode("StockItem", i.id) for i in items if has(text, i.name, i.code)}
        assert {n["id"] for n in warehouse["stock"]["nodes"]} == matching


@pytest.mark.parametrize("late", [-1, 0, 1])
async def test_a_hazard_is_overdue_after_its_deadline(graph: Graph, edged: Database, world: World, late: int) -> None:
    """A hazard is overdue only after its deadline, for the field and for the filter alike."""
    [row] = [row for row in world.rows[models.Hazard] if row.deadline == EDGES[1]]
    assert row.status not in HAZARD_SETTLED
    now = EDGES[1] + late * SECOND
    query = "query($filter: HazardFilter) { hazards(first: 1000, filter: $filter) { nodes { id overdue } } }"
    for flagged in (True, False):
        executor = make_executor(graph, edged, now)
        filter = {"overdue": flagged, "enterprises": [node_id.encode("Enterprise", row.enterprise_id)]}
        response = await executor.run(Operation(query, {"filter": filter}), COMMANDER)
        assert response.data is not None
        nodes = response.data["hazards"]["nodes"]
        assert {n["overdue"] for n in nodes} <= {flagged}
        assert (node_id.encode("Hazard", row.id) in {n["id"] for n in nodes}) == (flagged == (late > 0))


REFUSED = [
    *(
        (case.field, {case.name: [node_id.encode("Camera", 1)]}, "BAD_ID")
        for case in CASES
        if case.of is not None and case.of != "Camera"
    ),
    ("enterprises", {"zones": ["1"]}, "BAD_ID"),
    ("enterprises", {"zones": [""]}, "BAD_ID"),
    ("enterprises", {"zones": ["不"]}, "BAD_ID"),
    ("enterprises", {"zones": ["\ud800"]}, "BAD_ID"),
    ("enterprises", {"zones": [node_id.encode("Zone", 2**31)]}, "BAD_ID"),
    ("enterprises", {"zones": [node_id.encode("Zone", 0)]}, "BAD_ID"),
    ("enterprises", {"zones": [node_id.encode("Zone", 1) + "="]}, "BAD_ID"),
    ("enterprises", {"zones": [node_id.encode("Zone", 1) + " "]}, "BAD_ID"),
    ("enterprises", {"text": "a\0b"}, "BAD_INPUT"),
    ("enterprises", {"text": "\ud83d"}, "BAD_INPUT"),
    ("enterprises", {"industry": "a\0b"}, "BAD_INPUT"),
    ("enterprises", {"industry": "\udc00"}, "BAD_INPUT"),
    ("warehouses", {"stockCode": "\0"}, "BAD_INPUT"),
    ("experts", {"specialty": "\udfff"}, "BAD_INPUT"),
    ("enterprises", {"text": "x" * 60_000}, "BAD_INPUT"),
    ("enterprises", {"inspectedSince": "0001-01-01"}, "BAD_INPUT"),
    ("hazards", {"foundUntil": "9999-12-31"}, "BAD_INPUT"),
    ("hazards", {"foundUntil": "2026-02-30"}, "BAD_VARIABLES"),
    ("hazards", {"foundUntil": "2026-06-15T00:00:00Z"}, "BAD_VARIABLES"),
    ("hazards", {"statuses": ["LOST"]}, "BAD_VARIABLES"),
    ("enterprises", {"majorHazardLevels": [2**31]}, "BAD_VARIABLES"),
    *(("enterprises", {"majorHazardLevels": [level]}, "BAD_INPUT") for level in (0, 5, 2**31 - 1)),
    ("enterprises", {"zoneCodes": ["a\0b"]}, "BAD_INPUT"),
    ("hazards", {"categories": ["\ud800"]}, "BAD_INPUT"),
    ("hazards", {"or": [{"open": True}] * 33}, "BAD_INPUT"),
    ("hazards", {"not": {"not": {"not": {"not": {"not": {}}}}}}, "BAD_INPUT"),
    ("teams", {"or": [{"specialty": "a"}]}, "BAD_INPUT"),
    *(
        (listing, {name: value}, "BAD_INPUT")
        for listing in APPLIES
        for name, value in {"teamKinds": ["FIRE"], "specialty": "a", "stockCode": "1"}.items()
        if name not in APPLIES[listing]
    ),
]


@pytest.mark.parametrize(("listing", "filter", "code"), REFUSED, ids=lambda v: ascii(v)[:60] if v else "none")
@pytest.mark.database_independent
async def test_an_invalid_filter_is_refused(
    graph: Graph, demo: Database, listing: str, filter: dict[str, Any], code: str
) -> None:
    query = f"query($filter: {type_of_filter(listing)}) {{ {listing}(filter: $filter) {{ nodes {{ id }} }} }}"
    response = await make_executor(graph, demo).run(Operation(query, {"filter": filter}), COMMANDER)
    assert [error["extensions"]["code"] for error in response.errors] == [code]
    assert "SELECT" not in json.dumps(response.errors)


@pytest.mark.parametrize("planned", [True, False])
async def test_a_row_that_does_not_exist_is_an_error(graph: Graph, demo: Database, planned: bool) -> None:
    executor = make_executor(graph, demo, planned=planned)
    unknown: list[tuple[str, dict[str, Any], str]] = []
    for case in CASES:
        if case.of is not None or case.coded is not None:
            name = "NOWHERE" if case.of is None else node_id.encode(case.of, 2**31 - 1)
            unknown += [(case.field, {case.name: [name]}, case.of or case.coded or "")]
    unknown += [("hazards", {combined: value}, "Zone") for combined, value in COMBINED.items()]
    for listing, filter, noun in unknown:
        query = f"query($filter: {type_of_filter(listing)}) {{ {listing}(filter: $filter) {{ nodes {{ id }} }} }}"
        response = await executor.run(Operation(query, {"filter": filter}), COMMANDER)
        assert [error["extensions"]["code"] for error in response.errors] == ["NOT_FOUND"], (listing, filter)
        assert f"a {noun} that does not exist" in response.errors[0]["message"]


COMBINED = {"or": [{"open": True}, {"zoneCodes": ["NOWHERE"]}], "not": {"zones": [node_id.encode("Zone", 99)]}}


async def test_a_named_row_is_looked_for_once(graph: Graph, demo: Database) -> None:
    executor = make_executor(graph, demo)
    operation = Operation(f'{{ hazards(filter: {{zones: ["{node_id.encode("Zone", 1)}"]}}) {{ nodes {{ id }} }} }}')
    counts = []
    for _ in range(3):
        with StatementCounter(demo) as statements:
            assert (await executor.run(operation, COMMANDER)).errors == []
        counts.append(len(statements.texts))
    assert counts[0] > counts[1] == counts[2] == 1


async def test_rows_that_a_commander_has_named_stay_hidden_from_others(graph: Graph, demo: Database) -> None:
    """Named rows are remembered, and the memory is shared by all operations of a process."""
    executor = make_executor(graph, demo)
    query = """
    query($filter: HazardFilter!) {
      hazards(filter: $filter) { totalCount }
      hazardCounts(by: [LEVEL], filter: $filter) { count }
    }
    """
    operation = Operation(query, {"filter": {"enterprises": [node_id.encode("Enterprise", 2)]}})
    assert (await executor.run(operation, COMMANDER)).errors == []
    owner = Viewer(Visibility(Role.ENTERPRISE, enterprise=1))
    response = await executor.run(operation, owner)
    assert {error["extensions"]["code"] for error in response.errors} == {"NOT_FOUND"}
