"""A field of many parents takes as many statements as a field of two."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from models.db.database import Database
from resolvers.queries.nearby import CIRCLES, NearbyKind
from resolvers.queries.search import SearchKind
from schema.build import Graph, build
from schema.execution.loader import Loader
from schema.execution.operation import Operation
from schema.fields.batch import Batch
from schema.fields.columns import Column, Compute, GlobalId, SubObject
from schema.fields.references import ToOneOf
from schema.fields.source import NODES, OF_ROW, LoadField, fields_of
from tests.conftest import COMMANDER, Databases, StatementCounter, make_executor
from tests.support.field_queries import add_events, graphql_name, ids_of, needed, selection

MANY, FEW, CANDIDATES = 50, 2, 400
WITHOUT_EXAMPLE = {("Evidence", "url")}  # there is an address only with a store of evidence
KINDS = len(NearbyKind)
CORE = build()._schema


PLAIN = (Column, Compute, GlobalId, SubObject)  # fields that need only the row itself


@pytest_asyncio.fixture(scope="module")
async def eventful(databases: Databases, demo_url: str) -> AsyncIterator[Database]:
    """The demo with events for a few rows of every noun."""
    database = Database(await databases.new(demo_url))
    await add_events(database, each=MANY)
    yield database
    await database.close()


def relations() -> list[Any]:
    """Every field of every type of rows that needs more than the row itself."""
    return [
        pytest.param(of, graphql_name(field), field, id=f"{of.__name__}.{graphql_name(field)}")
        for of in NODES.values()
        for field in fields_of(of)
        if not is_plain(field)
    ]


def is_plain(field: Any) -> bool:
    return isinstance(field, LoadField) and isinstance(field.source, PLAIN)


def allowed(field: LoadField) -> int:
    """How many more statements than for two parents there may be, however many parents there are.

    Two parents may refer to one type of a union, and many parents to all. `nearest` searches up to three circles for
    each kind.
    """
    if field.python_name == "resource":
        return len(CORE.type_map["ResourceItem"].types) - 1  # type: ignore[attr-defined]  # a union
    match field.source:
        case ToOneOf(columns=columns):
            return len(columns) - 1
        case Batch(declared=declared) if "kinds" in declared:
            return KINDS * (len(CIRCLES) - 1) + KINDS
    return 0


def is_empty(value: Any) -> bool:
    return not value or (isinstance(value, dict) and value.get("totalCount") == 0)


class FieldQuery:
    """A query for one field of a list of parents."""

    def __init__(self, graph: Graph, demo: Database, of: Any, name: str, *, planned: bool) -> None:
        field = CORE.type_map[of.__name__].fields[name]  # type: ignore[attr-defined]  # an object type
        self._query = (
            f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {of.__name__}"
            f" {{ value: {name}{needed(field)} {selection(field.type)} }} }} }}"
        )
        self._demo, self._executor = demo, make_executor(graph, demo, planned=planned)

    async def values(self, parents: list[str]) -> tuple[list[Any], list[str]]:
        """The field's value for each parent, and the statements that were executed."""
        with StatementCounter(self._demo) as statements:
            response = await self._executor.run(Operation(self._query, {"ids": parents}), COMMANDER)
        assert response.errors == []
        assert response.data is not None
        return [node["value"] for node in response.data["nodes"]], statements.texts


def batched(ids: list[str], size: int) -> list[list[str]]:
    """The ids in portions, for fields that cost much."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]


@pytest.mark.parametrize(("of", "name", "field"), relations())
async def test_statements_do_not_grow_with_the_parents(
    graph: Graph, eventful: Database, of: Any, name: str, field: LoadField
) -> None:
    """Neither of a plan nor of the loaders."""
    ways = [FieldQuery(graph, eventful, of, name, planned=planned) for planned in (True, False)]
    candidates = await ids_of(eventful, of, CANDIDATES)
    values = [value for some in batched(candidates, MANY) for value in (await ways[0].values(some))[0]]
    full = [parent for parent, value in zip(candidates, values, strict=True) if not is_empty(value)]
    assert full or (of.__name__, name) in WITHOUT_EXAMPLE, "the demo has no example of this"
    parents = [*full, *(parent for parent in candidates if parent not in full)]
    for way in ways:
        _, few = await way.values(parents[:FEW])
        _, many = await way.values(parents[:MANY])
        assert len(many) <= len(few) + allowed(field), many


async def test_a_load_for_each_parent_is_noticed(graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`test_statements_do_not_grow_with_the_parents` would fail if a loader did not batch."""
    begin = Loader._begin

    def begin_each(self: Loader) -> None:
        asked = self._asked
        for key in asked:
            self._asked = [key]
            begin(self)

    monkeypatch.setattr(Loader, "_begin", begin_each)
    parents, query = await ids_of(demo, NODES["Enterprise"], MANY), (graph, demo, NODES["Enterprise"], "hazards")
    _, few = await FieldQuery(*query, planned=False).values(parents[:FEW])
    _, many = await FieldQuery(*query, planned=False).values(parents)
    assert len(many) > len(few) + MANY


def test_types_without_ids_have_no_relations() -> None:
    """They are selected only within other types, so the test above would miss a relation of theirs."""
    for of in OF_ROW.values():
        if of.__name__ not in NODES:
            assert all(is_plain(field) for field in fields_of(of))


async def test_search_reads_the_rows_of_each_kind_at_once(graph: Graph, demo: Database) -> None:
    query = 'query($n: Int!) { search(text: "1", first: $n) { matched item { __typename ... on Node { id } } } }'
    for n in (FEW, MANY):
        with StatementCounter(demo) as statements:
            response = await make_executor(graph, demo, planned=False).run(Operation(query, {"n": n}), COMMANDER)
        assert response.data is not None
        assert len(response.data["search"]) == n
        assert len(statements.texts) <= 2 * len(SearchKind)


async def test_rows_are_counted_only_for_total_count(graph: Graph, demo: Database) -> None:
    running = make_executor(graph, demo, planned=False)
    for fields, counts in (("nodes { id }", 0), ("edges { cursor } pageInfo { hasNextPage }", 0), ("totalCount", 2)):
        query = f"{{ enterprises(first: 3) {{ nodes {{ hazards {{ {fields} }} }} {fields} }} }}"
        with StatementCounter(demo) as statements:
            response = await running.run(Operation(query), COMMANDER)
        assert response.errors == []
        assert len([text for text in statements.texts if "count(" in text]) == counts


async def test_total_count_alone_reads_no_rows(graph: Graph, demo: Database) -> None:
    with StatementCounter(demo) as statements:
        response = await make_executor(graph, demo, planned=False).run(
            Operation("{ hazards { totalCount } }"), COMMANDER
        )
    assert response.data is not None
    assert response.data["hazards"]["totalCount"] > 0
    [text] = statements.texts
    assert "description" not in text


SHARING = """
query($n: Int!) {
  enterprises(first: 5) {
    nodes {
      one: hazards(first: 3) { nodes { id } }
      other: hazards(first: $n) { edges { cursor node { description } } }
      ...Also
    }
  }
}
fragment Also on Enterprise { hazards(first: 3) { pageInfo { hasNextPage } nodes { status } } }
"""


@pytest.mark.parametrize(("n", "statements"), [(3, 2), (4, 3)])
async def test_equal_selections_share_a_load(graph: Graph, demo: Database, n: int, statements: int) -> None:
    with StatementCounter(demo) as counted:
        response = await make_executor(graph, demo, planned=False).run(Operation(SHARING, {"n": n}), COMMANDER)
    assert response.errors == []
    assert len(counted.texts) == statements


async def test_only_equal_filters_share_a_load(graph: Graph, demo: Database) -> None:
    query = """{ enterprises(first: 3) { nodes {
      a: hazards(filter: {statuses: [FOUND]}) { totalCount }
      b: hazards(filter: {statuses: [FOUND]}) { totalCount }
      c: hazards(filter: {statuses: [CLOSED]}) { totalCount }
      d: hazards { totalCount }
    } } }"""
    with StatementCounter(demo) as statements:
        response = await make_executor(graph, demo, planned=False).run(Operation(query), COMMANDER)
    assert response.data is not None
    for e in response.data["enterprises"]["nodes"]:
        assert e["a"] == e["b"]
        assert e["a"]["totalCount"] + e["c"]["totalCount"] <= e["d"]["totalCount"]
    assert len(statements.texts) == 4


async def test_a_row_reached_by_several_paths_is_read_once(graph: Graph, demo: Database) -> None:
    query = "{ hazards(first: 30) { nodes { enterprise { zone { id } } inspection { enterprise { zone { id } } } } } }"
    with StatementCounter(demo) as statements:
        response = await make_executor(graph, demo, planned=False).run(Operation(query), COMMANDER)
    assert response.errors == []
    # Hazards, enterprises, inspections, zones, and enterprises again if an inspection belongs to another one.
    assert len(statements.texts) <= 5
