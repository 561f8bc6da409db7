"""An enterprise cannot tell the district's database from one that holds only its own rows.

Random operations run on both. The second is a copy of the first without all rows that are neither the enterprise's own
nor geography nor warnings. `make prove` runs 5,000 operations.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from schema.build import Graph
from schema.execution.operation import GraphQLResponse, Operation
from schema.types import node_id
from tests.conftest import COMMANDER, Databases, close_for_copying, make_executor
from tests.support.owner_subset import delete_all_except, own_keys
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.random_queries import ArgumentPool, QueryGenerator, without_volatile
from tests.support.sample_values import cursors, ignore_unawaited, names, richest, texts

pytestmark = pytest.mark.usefixtures("unlimited_documents")

OPERATIONS = 5_000 if PROVING else 60
BATCH = 50
ENTERPRISES = 3


@dataclass
class Pair:
    """The district's database, its copy with an enterprise's own rows, and random operations for both."""

    viewer: Viewer
    graph: Graph
    whole: Database
    alone: Database
    pool: ArgumentPool
    queries: QueryGenerator

    async def answers(self, query: str, viewer: Viewer | None = None) -> tuple[GraphQLResponse, GraphQLResponse]:
        """The responses of both to the enterprise, or to another viewer."""
        operation, viewer = Operation(query), viewer or self.viewer
        # New executors each time, so that no cache fills up with documents that never come again.
        whole, alone = (make_executor(self.graph, each, cost_limit=10**15) for each in (self.whole, self.alone))
        # Prepared once: parsing and validating would take most of the time, and cannot depend on the database.
        prepared = await whole.prepare(operation, viewer)
        return await whole.execute(prepared, viewer), await alone.execute(prepared, viewer)


@pytest_asyncio.fixture(scope="module")
async def pairs(databases: Databases, demo_url: str, demo: Database, graph: Graph) -> AsyncIterator[list[Pair]]:
    whole = make_executor(graph, demo)
    pairs, copies = [], []
    all_cursors = await cursors(whole, COMMANDER, graph)
    for key in await richest(demo, ENTERPRISES):
        viewer = Viewer(Visibility(Role.ENTERPRISE, enterprise=key), subject="own", name="安全员")
        keys = await own_keys(demo, key)
        copy = Database(await databases.new(demo_url))
        copies.append(copy)
        await delete_all_except(copy, keys)
        own_cursors = await cursors(whole, viewer, graph)
        # The copy lacks the part of the log after the enterprise's last event.
        both = {
            kind: [*own_cursors.get(kind, []), *(others if kind != "EventConnection" else [])]
            for kind, others in all_cursors.items()
        }
        pool = ArgumentPool(await names(demo, keys), await names(demo, None), await texts(demo), both)
        pairs.append(Pair(viewer, graph, demo, copy, pool, QueryGenerator(graph, pool)))
    yield pairs
    for copy in copies:
        await close_for_copying(copy)


def ids_in(data: Any) -> Iterator[str]:
    """The ids of all rows in a response."""
    if isinstance(data, dict):
        yield from (value for name, value in data.items() if name == "id" and value is not None)
        for value in data.values():
            yield from ids_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from ids_in(value)


async def compare(pair: Pair, query: str) -> Counter[str]:
    """Run a query on both databases; how many rows of each type it returned."""
    whole, alone = await pair.answers(query)
    assert whole.started, (query, whole.errors)
    assert "INTERNAL" not in {error["extensions"]["code"] for error in whole.errors}, query
    assert without_volatile(whole.data) == without_volatile(alone.data), query
    # Of several errors that null the same field only the first may be reported, and which one is first may differ.
    errors, others = errors_of(whole), errors_of(alone)
    assert bool(errors) == bool(others), query
    both = errors.keys() & others.keys()
    assert {path: errors[path] for path in both} == {path: others[path] for path in both}
    return Counter(node_id.decode(row)[0] for row in ids_in(whole.data))


def errors_of(response: GraphQLResponse) -> dict[str, Any]:
    """The errors by path."""
    return {str(error.get("path")): error for error in response.errors}


async def test_an_enterprise_gets_the_same_answers_from_its_own_rows_alone(
    pairs: list[Pair], graph: Graph, record_proof: RecordProof
) -> None:
    seen: Counter[str] = Counter()
    for start in range(0, OPERATIONS, BATCH):
        with ignore_unawaited():
            for number in range(start, min(start + BATCH, OPERATIONS)):
                pair = pairs[number % len(pairs)]
                seen += await compare(pair, pair.queries.operation(number))
    # Every type of row that an enterprise has is among the answers; rare types may need queries of their own.
    for pair in pairs:
        for name in pair.pool.own.keys() - seen.keys():
            seen += await compare(pair, f'{{ node(id: "{pair.pool.own[name][0]}") {{ id }} }}')
    assert {name for pair in pairs for name in pair.pool.own} <= set(seen)
    root = graph._schema.query_type
    assert root is not None
    assert {name for pair in pairs for of, name in pair.queries.selected if of == "Query"} == set(root.fields)
    record_proof(
        "own_file",
        "Random queries by an enterprise: the district's database and its own rows alone give the same answers",
        {
            "database": "SQLite" if pairs[0].whole.sqlite else "PostgreSQL",
            "queries": f"{OPERATIONS:,}",
            "enterprises": len(pairs),
            "fields selected": f"{sum(sum(pair.queries.selected.values()) for pair in pairs):,}",
            "rows returned": f"{seen.total():,}",
        },
    )


@pytest.mark.parametrize(
    ("resources", "condition"),
    [
        (resources, f"available: {value}")
        for resources in ("warehouses", "teams", "experts")
        for value in ("true", "false")
    ]
    + [("warehouses", 'stockCode: "1010101"')],
)
async def test_an_enterprise_may_not_filter_by_what_others_use(
    pairs: list[Pair], resources: str, condition: str
) -> None:
    """Stock that others reserve, and dispatches to others, decide these filters."""
    for pair in pairs:
        for response in await pair.answers(f"{{ {resources}(filter: {{ {condition} }}) {{ totalCount }} }}"):
            [error] = response.errors
            assert error["extensions"]["code"] == "FORBIDDEN"


async def test_the_copy_holds_far_fewer_rows(pairs: list[Pair]) -> None:
    query = "{ enterprises { totalCount } hazards { totalCount } teams { totalCount } events { totalCount } }"
    for pair in pairs:
        whole, alone = await pair.answers(query, COMMANDER)
        assert whole.data is not None
        assert alone.data is not None
        assert alone.data["enterprises"]["totalCount"] == 1
        for name, connection in whole.data.items():
            assert connection["totalCount"] > 5 * alone.data[name]["totalCount"]
