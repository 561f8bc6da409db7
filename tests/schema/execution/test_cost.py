"""The rows that an operation may read are computed before it is executed; too many are refused."""

from typing import Any

import orjson
import pytest
from graphql import OperationDefinitionNode, get_operation_ast, parse

from models.db.database import Database
from schema.build import Graph
from schema.execution.cost import FEW, ROWS_MAXIMUM, RowCost, row_cost
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, make_executor
from tests.support.proof_mode import examples
from tests.support.query_variants import rewritten
from tests.support.random_queries import ArgumentPool, QueryGenerator
from tests.support.sample_values import cursors, ignore_unawaited, names, texts

pytestmark = pytest.mark.database_independent


def cost_of(graph: Graph, query: str) -> RowCost:
    document = parse(query)
    operation = get_operation_ast(document)
    assert isinstance(operation, OperationDefinitionNode)
    return row_cost(graph, document, operation)


COUNTED = "inspection { enterprise { inspections(first: 2) { totalCount } } }"
NESTED = f"enterprises(first: 10) {{ nodes {{ hazards(last: 3) {{ nodes {{ {COUNTED} }} }} }} }}"
NEAR = "{ nearby(point: {latitude: 30, longitude: 120}, kinds: [TEAM, EXPERT], first: 9) { item { __typename } } }"


@pytest.mark.parametrize(
    ("query", "variables", "count"),
    [
        ('{ zone(by: {code: "GUALI"}) { name focus district: __typename } }', {}, 0),
        ("{ zones { name } }", {}, FEW),
        ("{ enterprises { totalCount pageInfo { hasNextPage } } }", {}, 0),
        ("{ enterprises { nodes { id } } }", {}, 20),
        ("{ enterprises(first: null) { nodes { id } } }", {}, 20),
        ("{ enterprises(first: 1000) { edges { cursor node { id } } } }", {}, 1_000),
        (f"{{ {NESTED} }}", {}, 10 + 30),
        (f"{{ a: zones {{ {NESTED} }} b: __typename }}", {}, FEW * (1 + 10 + 30)),
        ("{ ...A ...A } fragment A on Query { enterprises(first: 7) { nodes { id } } }", {}, 14),
        ("{ ... { ... on Query { enterprises(first: 7) { ... { nodes { id } } } } } }", {}, 7),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {}, 20),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {"n": None}, 20),
        ("query($n: Int = 50) { enterprises(first: $n) { nodes { id } } }", {}, 50),
        ("query($n: Int = 50) { enterprises(first: $n) { nodes { id } } }", {"n": 3}, 3),
        ("query($n: Int) { enterprises(first: $n) { nodes { hazards(first: $n) { nodes { id } } } } }", {"n": 30}, 930),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {"n": 10**9}, 1_000),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {"n": -5}, 1),
        ("query($n: Int) { enterprises(first: $n) { nodes { id } } }", {"n": "many"}, 20),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', {}, 3),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 9}, 9),
        (NEAR, {}, 18),
        ("subscription { updates { enterprise { hazards(first: 5) { nodes { id } } } } }", {}, 5),
    ],
)
def test_nested_pages_multiply(graph: Graph, query: str, variables: dict[str, Any], count: int) -> None:
    assert cost_of(graph, query).count(variables) == count


async def test_too_many_rows_are_refused(graph: Graph, demo: Database) -> None:
    query = "query($n: Int!) { enterprises(first: 500) { nodes { hazards(first: $n) { nodes { id } } } } }"
    running = make_executor(graph, demo)
    for size, accepted in ((10, True), (999, True), (1_000, False), (999, True)):
        response = await running.run(Operation(query, {"n": size}), COMMANDER)
        assert response.started is accepted
        assert (response.errors == []) is accepted
    [error] = (await running.run(Operation(query, {"n": 1_000}), COMMANDER)).errors
    assert error["extensions"] == {"code": "TOO_COSTLY"}
    assert f"{ROWS_MAXIMUM:,}" in error["message"]


def count_objects(value: Any) -> int:
    """The number of objects in the lists of a response, short lists excepted."""
    if isinstance(value, list):
        objects = [item for item in value if isinstance(item, dict)]
        return sum(map(count_objects, objects)) + (len(objects) if len(objects) > FEW else 0)
    return sum(map(count_objects, value.values())) if isinstance(value, dict) else 0


async def test_no_response_has_more_rows_than_were_computed(demo: Database, graph: Graph) -> None:
    plain = make_executor(graph, demo, planned=False)
    every = await names(demo, None)
    pool = ArgumentPool(every, every, await texts(demo), await cursors(plain, COMMANDER, graph))
    queries = QueryGenerator(graph, pool)
    planned, largest = make_executor(graph, demo), 0
    with ignore_unawaited():
        for number in range(examples(60)):
            query = queries.operation(number, roots=1)
            if "portrait" in query:
                continue  # its days are not rows
            computed = cost_of(graph, query).count({})
            variant, variables = rewritten(graph._schema, query, number)
            assert cost_of(graph, variant).count(variables) >= computed
            response = await planned.run(Operation(query), COMMANDER)
            rows = count_objects(orjson.loads(orjson.dumps(response.data)))
            assert rows <= computed
            largest = max(largest, rows)
    assert largest > 20
