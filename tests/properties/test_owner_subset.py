"""An enterprise cannot tell the district's database from one that holds its own file and nothing else.

Random operations are asked of both. The second is a copy of the first, out of which everything was taken that is not
the enterprise's own, the district's geography or its warnings. `make prove` asks 5,000 of them.
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
from tests.support.random_queries import Stock, Wanderer, without_aside
from tests.support.sample_values import cursors, forgotten, names, richest, texts

OPERATIONS = 5_000 if PROVING else 300
BATCH = 50
ENTERPRISES = 3


@dataclass
class Pair:
    """The district's database, and the copy that holds an enterprise's own file; what can be asked about either."""

    viewer: Viewer
    graph: Graph
    whole: Database
    alone: Database
    stock: Stock
    wanderer: Wanderer

    async def answers(self, query: str, viewer: Viewer | None = None) -> tuple[GraphQLResponse, GraphQLResponse]:
        """What the two say to the enterprise, or to another viewer."""
        asked, by = Operation(query), viewer or self.viewer
        # Made anew each time: thousands of documents that are never asked again need not be kept.
        whole, alone = (make_executor(self.graph, database) for database in (self.whole, self.alone))
        return await whole.run(asked, by), await alone.run(asked, by)


@pytest_asyncio.fixture(scope="module")
async def pairs(databases: Databases, demo_url: str, demo: Database, graph: Graph) -> AsyncIterator[list[Pair]]:
    whole = make_executor(graph, demo)
    made, opened = [], []
    everyones = await cursors(whole, COMMANDER, graph)
    for key in await richest(demo, ENTERPRISES):
        viewer = Viewer(Visibility(Role.ENTERPRISE, enterprise=key), subject="own", name="安全员")
        keys = await own_keys(demo, key)
        copy = Database(await databases.new(demo_url))
        opened.append(copy)
        await delete_all_except(copy, keys)
        mine = await cursors(whole, viewer, graph)
        # A place in the log beyond one's own last event is one that the copy does not have.
        both = {
            kind: [*mine.get(kind, []), *(some if kind != "EventConnection" else [])]
            for kind, some in everyones.items()
        }
        stock = Stock(await names(demo, keys), await names(demo, None), await texts(demo), both)
        made.append(Pair(viewer, graph, demo, copy, stock, Wanderer(graph, stock)))
    yield made
    for copy in opened:
        await close_for_copying(copy)


def rows_in(found: Any) -> Iterator[str]:
    """The ids of all rows in an answer."""
    if isinstance(found, dict):
        yield from (value for name, value in found.items() if name == "id" and value is not None)
        for value in found.values():
            yield from rows_in(value)
    elif isinstance(found, list):
        for value in found:
            yield from rows_in(value)


async def compared(pair: Pair, number: int) -> Counter[str]:
    """Ask both databases an operation; of which types they told how many rows."""
    query = pair.wanderer.operation(number)
    whole, alone = await pair.answers(query)
    assert whole.started, (query, whole.errors)
    assert "INTERNAL" not in {error["extensions"]["code"] for error in whole.errors}, query
    assert without_aside(whole.data) == without_aside(alone.data), f"operation {number}: {query}"
    # Of several errors that take the same field away with them, whichever is first may be the only one that is told.
    one, other = errors_of(whole), errors_of(alone)
    assert bool(one) == bool(other), f"operation {number}: {query}"
    assert {path: one[path] for path in one if path in other} == {path: other[path] for path in other if path in one}
    return Counter(node_id.decode(row)[0] for row in rows_in(whole.data))


def errors_of(answer: GraphQLResponse) -> dict[str, Any]:
    """By path."""
    return {str(error.get("path")): error for error in answer.errors}


async def test_an_enterprise_gets_the_same_answers_from_its_own_file_alone(
    pairs: list[Pair], graph: Graph, record_proof: RecordProof
) -> None:
    seen: Counter[str] = Counter()
    for start in range(0, OPERATIONS, BATCH):
        with forgotten():
            for number in range(start, min(start + BATCH, OPERATIONS)):
                seen += await compared(pairs[number % len(pairs)], number)
    # The answers were about something: every kind of row that an enterprise has was in them.
    assert {name for pair in pairs for name in pair.stock.own} <= set(seen)
    root = graph._schema.query_type
    assert root is not None
    assert {name for of, name in pairs[0].wanderer.asked if of == "Query"} == set(root.fields)
    record_proof(
        "own_file",
        "Random queries by an enterprise: the district's database and its own rows alone give the same answers",
        {
            "database": "SQLite" if pairs[0].whole.sqlite else "PostgreSQL",
            "queries": f"{OPERATIONS:,}",
            "enterprises": len(pairs),
            "fields asked": f"{sum(sum(pair.wanderer.asked.values()) for pair in pairs):,}",
            "rows told": f"{seen.total():,}",
        },
    )


@pytest.mark.parametrize("asked", ["available: true", "available: false", 'stockCode: "1010101"'])
async def test_stock_of_others_does_not_decide_which_warehouses_an_enterprise_finds(
    pairs: list[Pair], asked: str
) -> None:
    for pair in pairs:
        for answer in await pair.answers(f"{{ warehouses(filter: {{ {asked} }}) {{ totalCount }} }}"):
            [error] = answer.errors
            assert error["extensions"]["code"] == "FORBIDDEN"


async def test_the_copy_holds_far_less(pairs: list[Pair]) -> None:
    query = "{ enterprises { totalCount } hazards { totalCount } teams { totalCount } events { totalCount } }"
    for pair in pairs:
        whole, alone = await pair.answers(query, COMMANDER)
        assert whole.data is not None
        assert alone.data is not None
        assert alone.data["enterprises"]["totalCount"] == 1
        for name, list_ in whole.data.items():
            assert list_["totalCount"] > 5 * alone.data[name]["totalCount"]
