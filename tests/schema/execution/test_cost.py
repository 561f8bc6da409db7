"""The cost of an operation is computed before it is executed; an operation that costs too much is refused."""

from typing import Any

import orjson
import pytest
from graphql import OperationDefinitionNode, get_operation_ast, parse

from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from schema.build import Graph
from schema.execution import field_costs
from schema.execution.cost import COST_QUARTERS, CostCalculator, OperationCost
from schema.execution.cost_limit import COST_LIMIT
from schema.execution.errors import InvalidOperation
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, make_executor
from tests.support.large_documents import many
from tests.support.proof_mode import examples
from tests.support.query_variants import rewritten
from tests.support.random_queries import ArgumentPool, QueryGenerator
from tests.support.sample_values import codes, cursors, ignore_unawaited, names, texts

pytestmark = pytest.mark.database_independent


def cost_of(graph: Graph, query: str) -> OperationCost:
    document = parse(query)
    operation = get_operation_ast(document)
    assert isinstance(operation, OperationDefinitionNode)
    return CostCalculator(graph).operation(document, operation)


def values(graph: Graph, query: str, **variables: Any) -> int:
    return cost_of(graph, query).of(variables)


# -- what is counted --


def test_the_filters_in_or_and_not_are_counted_in_variables_too(graph: Graph) -> None:
    """As the whole filter, and as a part of one."""
    whole = "query($f: EnterpriseFilter) { enterprises(filter: $f) { totalCount } }"
    part = "query($f: EnterpriseFilter) { enterprises(filter: {or: [$f], not: $f}) { totalCount } }"
    empty: dict[str, Any] = {}
    for query, counts in ((whole, (0, 1, 3)), (part, (2, 4, 8))):
        base = values(graph, whole)
        costs = [values(graph, query, f=f) - base for f in (empty, {"or": [empty]}, {"or": [empty, {"not": empty}]})]
        assert [cost // field_costs.COUNTED for cost in costs] == list(counts)


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        # A value is 20 bytes: of keys with their punctuation, of values by their types, of braces with a comma.
        ("{ __typename }", 3 + 14 + 20),
        ("{ zones { id } }", 3 + 9 + 5 * (3 + 6 + 32)),
        ("{ zones { aVeryLongAlias: id } }", 3 + 9 + 5 * (3 + 18 + 32)),
        ("{ zones { id id } }", 3 + 9 + 5 * (3 + 6 + 32)),
        ("{ zones { a: id b: id } }", 3 + 9 + 5 * (3 + 2 * (5 + 32))),
        ("{ zones { plan } }", 3 + 9 + 5 * (3 + 8 + 800)),
        ("{ enterprises { nodes { id } } }", 3 + 15 + (3 + 9 + 20 * (3 + 6 + 32))),
        ("{ enterprises { totalCount } }", 3 + 15 + (3 + 14 + 6 + 20 * field_costs.COUNTED)),
        ("{ enterprises(first: 7) { pageInfo { hasNextPage } } }", 3 + 15 + (3 + 12 + (3 + 15 + 5))),
        *(
            (f"{{ enterprises(filter: {filter}) {{ totalCount }} }}", 3 + 15 + 17 + 6 + 20 * field_costs.COUNTED * n)
            for filter, n in (
                ("{}", 1),
                ("{not: {}}", 2),
                ("{or: [{}, {not: {}}], not: {or: {}}}", 6),
            )
        ),
    ],
)
def test_keys_and_values_are_added_up(graph: Graph, query: str, cost: int) -> None:
    assert values(graph, query) == 1 + cost // 20


ROW = "nodes { id hazards(first: 3) { nodes { description } } }"
KINDS = "kinds: [TEAM, EXPERT]"
POINT = "point: {latitude: 30, longitude: 120}"
WINDOW = 'portrait(window: {from: "2026-01-01", to: "2026-12-31"}) { trend { day } }'


@pytest.mark.parametrize(
    ("query", "variables", "other"),
    [
        (f"{{ enterprises {{ {ROW} }} }}", {}, f"{{ enterprises(first: 20) {{ {ROW} }} }}"),
        (f"{{ enterprises(first: null) {{ {ROW} }} }}", {}, f"{{ enterprises(first: 20) {{ {ROW} }} }}"),
        ("{ enterprises { edges { cursor } } }", {}, "{ enterprises(last: 20) { edges { cursor } } }"),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {}, "{ enterprises { nodes { id } } }"),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {"n": None}, "{ enterprises { nodes { id } } }"),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {"n": "x"}, "{ enterprises { nodes { id } } }"),
        (
            "query($n: Int) { enterprises(first: $n) { nodes { id } } }",
            {"n": 900.0},
            "{ enterprises(first: 900) { nodes { id } } }",
        ),
        (
            "query($n: Int = 50) { enterprises(first: $n) { nodes { id } } }",
            {},
            "{ enterprises(first: 50) { nodes { id } } }",
        ),
        (
            "query($n: Int = 50) { enterprises(first: $n) { nodes { id } } }",
            {"n": 3},
            "{ enterprises(first: 3) { nodes { id } } }",
        ),
        (
            "query($n: Int) { enterprises(first: $n) { nodes { hazards(last: $n) { nodes { id } } } } }",
            {"n": 30},
            "{ enterprises(first: 30) { nodes { hazards(last: 30) { nodes { id } } } } }",
        ),
        (
            "query($n: Int) { enterprises(first: $n) { nodes { id } } }",
            {"n": 10**9},
            "{ enterprises(first: 1000) { nodes { id } } }",
        ),
        (
            "query($n: Int) { enterprises(first: $n) { nodes { id } } }",
            {"n": -5},
            "{ enterprises(first: 1) { nodes { id } } }",
        ),
        (
            "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            {"ids": ["a"] * 3},
            '{ nodes(ids: ["a", "b", "c"]) { id } }',
        ),
        (
            f"query($k: [NearbyKind!]!, $n: Int) {{ nearby({POINT}, kinds: $k, first: $n) {{ bearingDegrees }} }}",
            {"k": ["TEAM", "EXPERT"], "n": 9},
            f"{{ nearby({POINT}, {KINDS}, first: 9) {{ bearingDegrees }} }}",
        ),
        (
            f"{{ nearby({POINT}, {KINDS}) {{ bearingDegrees }} }}",
            {},
            f"{{ nearby({POINT}, {KINDS}, first: 10) {{ bearingDegrees }} }}",
        ),
        (
            "query($w: Window) { zones { portrait(window: $w) { trend { day } } } }",
            {"w": {"from": "2026-01-01", "to": "2026-12-31"}},
            f"{{ zones {{ {WINDOW} }} }}",
        ),
        (
            'query($d: Date!) { zones { portrait(window: {from: "2026-01-01", to: $d}) { trend { day } } } }',
            {"d": "2026-12-31"},
            f"{{ zones {{ {WINDOW} }} }}",
        ),
        (
            'query($w: Window = {from: "2026-01-01", to: "2026-12-31"}) {'
            " zones { portrait(window: $w) { trend { day } } } }",
            {},
            f"{{ zones {{ {WINDOW} }} }}",
        ),
        ("{ ...A ...A } fragment A on Query { zones { id } }", {}, "{ zones { id } }"),
        ("{ ... { ... on Query { zones { ... { ... on Node { id } } } } } }", {}, "{ zones { id } }"),
        ("{ zones { ... on Node { ... on Venue { location { latitude } } id } } }", {}, "{ zones { id } }"),
        (
            "{ node(id: 1) { ... on Zone { name plan } ... on Venue { name } ... on Town { name } } }",
            {},
            "{ node(id: 1) { ... on Zone { name plan } } }",
        ),
        (
            "{ node(id: 1) { ... on Zone { ...N plan } ... on Venue { ...N } } } fragment N on Node { x: id y: id }",
            {},
            "{ node(id: 1) { ... on Node { x: id y: id } ... on Zone { x: id y: id plan } } }",
        ),
    ],
)
def test_equal_answers_cost_the_same(graph: Graph, query: str, variables: dict[str, Any], other: str) -> None:
    # A variable that is a list or an object costs the values in it besides, for each use.
    lists = any(isinstance(value, list | dict) for value in variables.values()) or "Window =" in query
    assert values(graph, query, **variables) - values(graph, other) in (range(1, 16) if lists else (0,))


def test_the_values_of_a_variable_cost_in_each_use(graph: Graph) -> None:
    query = "query($f: HazardFilter!) { a: hazards(filter: $f) { totalCount } b: hazards(filter: $f) { totalCount } }"
    few, many = (values(graph, query, f={"statuses": ["FOUND"] * count}) for count in (1, 501))
    assert many - few == 2 * 500


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ("{ enterprises(first: #) { nodes { name } } }", 1),
        ("{ enterprises(first: 20) { nodes { hazards(first: #) { nodes { description } } } } }", 20),
        ("{ zones { venues { cameras(first: #) { nodes { name } } } } }", 25),
        ("query($n: Int = #) { enterprises(first: $n) { nodes { inspections(first: $n) { nodes { id } } } } }", 1_000),
    ],
)
def test_nested_pages_multiply(graph: Graph, query: str, times: int) -> None:
    small, large = (values(graph, query.replace("#", str(size))) for size in (10, 1_000))
    assert large - small >= 990 * times * 1.5


BOX = "box: { west: 120, south: 30, east: 121, north: 31 } zoom: 10"


@pytest.mark.parametrize(
    ("query", "at_least"),
    [
        ("{ zones { portrait { hazardsOpen } } }", 5 * 500),
        (f"{{ zones {{ {WINDOW} }} }}", 5 * (500 + 365)),
        ("{ enterprises(first: 100) { nodes { portrait { hazardsOpen } } } }", 100 * 500),
        ("{ enterprises(first: 100) { nodes { nearest(kinds: [TEAM]) { bearingDegrees } } } }", 100 * 100),
        ("{ enterprises(first: 100) { nodes { hazards { totalCount } } } }", 100 * 50),
        ('{ search(text: "x", first: 1) { matched } }', 5_000),
        (f"{{ enterpriseMap({BOX}) {{ total }} }}", 5_000),
        (f"{{ enterpriseMap({BOX}) {{ points {{ ids latitudes }} }} }}", 5_000 + 2_000 * 2),
        (f"{{ enterpriseMap({BOX}) {{ clusters {{ counts wests }} }} }}", 5_000 + 600 * 0.5),
        ("{ hazardCounts(by: [CATEGORY]) { count category } }", 5_000 + 1_000 * 2),
        ("subscription { portrait(of: 1) { hazardsOpen } }", 500),
        ("{ enterprises(first: 100) { nodes { rings { boundary } } } }", 100 * 200),
        ("{ __schema { types { fields { name } } } }", 350 * 3),
    ],
)
def test_what_is_read_or_large_costs_more(graph: Graph, query: str, at_least: int) -> None:
    assert values(graph, query) >= at_least


MAPPED = f"query($n: Int = 5000) {{ enterpriseMap({BOX} points: $n) {{ points {{ ids longitudes latitudes }} }} }}"


@pytest.mark.parametrize(
    ("query", "variables", "points"),
    [
        (MAPPED.replace("points: $n", ""), {}, 2_000),
        (MAPPED.replace("$n)", "20000)"), {}, 20_000),
        (MAPPED, {}, 5_000),
        (MAPPED, {"n": 20_000}, 20_000),
        (MAPPED, {"n": 10**9}, 20_000),
        (MAPPED, {"n": None}, 20_000),
    ],
)
def test_a_map_costs_as_much_as_it_may_have_points(
    graph: Graph, query: str, variables: dict[str, Any], points: int
) -> None:
    none = values(graph, MAPPED, n=0)
    assert 5_000 < none < 5_000 + 100
    for_each = values(graph, MAPPED, n=2) - none
    cost = values(graph, query, **variables)
    assert (32 + 2 * 10) / 20 * points < cost - 5_000 < (for_each + 1) * points
    assert cost < COST_LIMIT / 2  # of a wall, which asks for the most


# -- the work --


def test_the_expression_of_variables_is_evaluated_once_for_each_part(graph: Graph) -> None:
    """Sizes as variables on every level of a fan-out would be 2^10 products of 11 variables each."""
    variables = " ".join(f"$v{n}: Int" for n in range(12))
    query = f"query({variables}) {{ enterprises(first: $v0) {{ nodes {{ ...F0 }} }} }}"
    for n in range(10):
        inner = f"nodes {{ ...F{n + 1} }}"
        query += (
            f" fragment F{n} on Enterprise {{ zone {{ a: enterprises(first: $v{n + 1}) {{ {inner} }}"
            f" b: enterprises(first: $v{n + 1}) {{ {inner} }} }} }}"
        )
    query += " fragment F10 on Enterprise { id }"
    looked_up: list[str] = []

    class Recorded(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            looked_up.append(key)
            return super().get(key, default)

    computed = cost_of(graph, query)
    assert computed.constant is None
    few, many = computed.of(Recorded({f"v{n}": 1 for n in range(12)})), computed.of({f"v{n}": 2 for n in range(12)})
    assert max(looked_up.count(name) for name in looked_up) <= 2
    assert 2**10 < many / few < 2**12


# -- the limit --


async def test_an_operation_that_costs_too_much_is_refused(graph: Graph, demo: Database) -> None:
    query = "query($n: Int!) { enterprises(first: 500) { nodes { hazards(first: $n) { nodes { id name: status } } } } }"
    running = make_executor(graph, demo)
    limit = next(n for n in range(1, 1_000) if values(graph, query, n=n) > COST_LIMIT)
    for size, accepted in ((10, True), (limit - 1, True), (limit, False), (limit - 1, True)):
        response = await running.run(Operation(query, {"n": size}), COMMANDER)
        assert response.started is accepted
        assert (response.errors == []) is accepted
    [error] = (await running.run(Operation(query, {"n": limit}), COMMANDER)).errors
    assert error["extensions"]["code"] == "TOO_COSTLY"
    assert f"costs {values(graph, query, n=limit):,}," in error["message"]
    assert f"The limit is {COST_LIMIT:,}." in error["message"]


async def test_the_cost_is_known_for_every_prepared_operation(graph: Graph, demo: Database) -> None:
    running = make_executor(graph, demo)
    for query, variables in (
        ("{ zones { id } }", {}),
        ("query($n: Int) { venues(first: $n) { nodes { id } } }", {"n": 9}),
    ):
        assert (await running.prepare(Operation(query, variables), COMMANDER)).cost == values(graph, query, **variables)


@pytest.mark.exhaustive
async def test_no_response_is_much_larger_than_its_cost(demo: Database, graph: Graph) -> None:
    plain = make_executor(graph, demo, planned=False)
    every = await names(demo, None)
    pool = ArgumentPool(every, every, await texts(demo), await cursors(plain, COMMANDER, graph), await codes(demo))
    queries = QueryGenerator(graph, pool)
    planned, largest = make_executor(graph, demo), 0
    with ignore_unawaited():
        for number in range(examples(30)):
            query = queries.operation(number, roots=1)
            computed = values(graph, query)
            variant, variables = rewritten(graph._schema, query, number)
            assert values(graph, variant, **variables) >= computed
            response = await planned.run(Operation(query), COMMANDER)
            size = len(orjson.dumps(response.data))
            assert size <= 2 * 20 * computed, query
            largest = max(largest, size)
    assert largest > 20_000


def test_a_mutation_of_many_rows_costs_as_much_as_its_rows(graph: Graph) -> None:
    """However its rows are given; each counts what is selected of its result, and what it writes and reads."""
    selected = "... on ReadingsReported { results { result { ... on RainfallReported { zone { name } } } } }"
    row: dict[str, Any] = {"zone": "x", "millimetres": 1}
    whole = f"mutation($input: ReadingsReportInput!) {{ readingsReport(input: $input) {{ {selected} }} }}"
    part = f"mutation($rows: [ReadingsReportRow!]!) {{ readingsReport(input: {{rows: $rows}}) {{ {selected} }} }}"
    written = 'readingsReport(input: {rows: [{zone: "x", millimetres: 1}, {zone: "x", millimetres: 1}]})'
    few, many_rows = [
        (values(graph, whole, input={"rows": [row] * n}), values(graph, part, rows=[row] * n)) for n in (2, 1_000)
    ]
    assert abs(few[0] - few[1]) <= 2
    assert abs(values(graph, f"mutation {{ {written} {{ {selected} }} }}") - few[0]) <= 10
    each = (many_rows[0] - few[0]) / 998
    assert 25 <= each <= 35
    portraits = whole.replace("{ name }", "{ portrait { hazardsOpen } }")
    assert values(graph, portraits, input={"rows": [row] * 1_000}) > COST_LIMIT


def viewer(role: Role) -> Viewer:
    return Viewer(Visibility(role, enterprise=1 if role is Role.ENTERPRISE else None))


@pytest.mark.parametrize("role", Role)
async def test_the_limit_on_cost_depends_on_the_role(graph: Graph, demo: Database, role: Role) -> None:
    executor = make_executor(graph, demo, cost_limit=40_000)
    query, limit = "query($n: Int!) { enterprises(first: $n) { nodes { name } } }", 10_000 * COST_QUARTERS[role]
    assert (await executor.prepare(Operation(query, {"n": 1_000}), viewer(role))).cost <= limit
    wide = query.replace("name", many("x#: name", 60))
    with pytest.raises(InvalidOperation, match=f"The limit is {limit:,}.") as refused:
        await executor.prepare(Operation(wide, {"n": 1_000}), viewer(role))
    assert refused.value.code is ErrorCode.TOO_COSTLY


async def test_without_a_viewer_the_limit_is_that_of_a_wall(graph: Graph, demo: Database) -> None:
    executor = make_executor(graph, demo, cost_limit=40_000)
    with pytest.raises(RequestError, match="The limit is 20,000"):
        await executor.prepare(Operation("{ enterprises(first: 1000) { nodes { hazards { nodes { id } } } } }"), None)


async def test_the_cost_is_reported_on_demand(graph: Graph, demo: Database) -> None:
    executor = make_executor(graph, demo)
    query = "query($n: Int!) { enterprises(first: $n) { nodes { hazards(first: $n) { nodes { id } } } } }"
    asked = {"cost": True}
    response = await executor.run(Operation(query, {"n": 3}, extensions=asked), COMMANDER)
    cost = (await executor.prepare(Operation(query, {"n": 3}), COMMANDER)).cost
    assert orjson.loads(response.json())["extensions"] == {"cost": {"operation": cost, "limit": 400_000}}
    assert orjson.loads(response.json())["data"] == response.data
    assert list(orjson.loads((await executor.run(Operation(query, {"n": 3}), COMMANDER)).json())) == ["data"]
    refused = await executor.run(Operation(query, {"n": 900}, extensions=asked), COMMANDER)
    reported = refused.body()["extensions"]["cost"]
    assert reported["operation"] > reported["limit"] == 400_000
    [error] = refused.errors
    named = {"cost": reported["operation"], "limit": 400_000}
    assert error["extensions"] == {"code": "TOO_COSTLY", "reason": "COST", "parameters": named, **named}
    for other in ({"cost": False}, {"cost": 1}, {"cost": "true"}, {}):
        response = await executor.run(Operation(query, {"n": 3}, extensions=other), COMMANDER)
        assert "extensions" not in response.body()
