"""Planning takes time in proportion to the document: each selection is numbered once, and plans have a maximum size."""

import itertools
from typing import Any

import pytest
from graphql import DocumentNode, FieldNode, Visitor, parse, print_ast, visit

from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from schema.plan.selections import OBJECT_WORK, WORK_MAXIMUM, FieldInterner, Fields, Selections
from tests.conftest import COMMANDER, make_executor
from tests.support.large_documents import ORDINARY, document, many


def fields(document: DocumentNode) -> list[FieldNode]:
    nodes: list[FieldNode] = []

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            nodes.append(node)

    visit(document, Fields())
    return nodes


def printed(node: FieldNode) -> str:
    return print_ast(FieldNode(name=node.name, arguments=node.arguments, selection_set=node.selection_set))


MARKED = """{
  a: zone(by: {code: "a"}) { id @skip(if: true) command { x: id } ... on Zone { id } ...F }
  b: zone(by: {code: "a"}) { id @skip(if: true) command { x: id } ... on Zone { id } ...F }
  c: zone(by: {code: "b"}) { id @skip(if: true) command { x: id } ... on Zone { id } ...F }
  d: zone(by: {code: "a"}) { id @include(if: true) command { x: id } ... on Zone { id } ...F }
  e: zone(by: {code: "a"}) { id @skip(if: true) command { y: id } ... on Zone { id } ...F }
  f: zone(by: {code: "a"}) { id @skip(if: true) command { x: id } ... on Node { id } ...F }
  g: zone(by: {code: "a"}) { id @skip(if: true) command { x: id } ... { id } ...F }
  h: zone(by: {code: "a"}) { id @skip(if: true) command { x: id } ... on Zone { id } ...G }
  i: zone(by: {code: "a"}) { id @skip(if: true) command { x: id } ... on Zone { id } ...F @skip(if: true) }
  j: zone(by: {code: "a"}) { command { x: id } id @skip(if: true) ... on Zone { id } ...F }
  zone
}"""


@pytest.mark.parametrize("query", [MARKED, *ORDINARY.values(), *(document(seed) for seed in range(40))])
def test_fields_have_equal_numbers_exactly_if_they_print_alike(query: str) -> None:
    """Aliases make no difference."""
    interner = FieldInterner()
    numbered = [(interner.field(node), printed(node)) for node in fields(parse(query))]
    for (number, text), (other_number, other_text) in itertools.combinations(numbered, 2):
        assert (number == other_number) == (text == other_text), (text, other_text)


def deep(depth: int, wide: int) -> str:
    return "{ zones { " + "command { zone { " * depth + many("x#: code", wide) + " } }" * depth + " } }"


async def test_each_selection_is_numbered_once(graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered: list[Any] = []
    selection = FieldInterner._selection

    def record(self: FieldInterner, node: Any) -> int:
        numbered.append(node)
        return selection(self, node)

    monkeypatch.setattr(FieldInterner, "_selection", record)
    executor = make_executor(graph, demo)
    query = deep(5, 100)
    response = await executor.run(Operation(query), COMMANDER)
    assert response.written is not None
    assert executor.plans is not None
    assert executor.plans.served == 1
    assert 100 < len(numbered) <= len(fields(parse(query)))


def nested_events(depth: int) -> str:
    """Events of enterprises of events: at every depth the plan has one selection for each type of event."""
    nested = "id"
    for _ in range(depth):
        nested = f"id timeline(first: 1) {{ nodes {{ id at enterprise {{ {nested} }} }} }}"
    return f"{{ enterprises(first: 2) {{ nodes {{ {nested} }} }} }}"


@pytest.mark.parametrize(("depth", "served"), [(1, 1), (2, 0), (4, 0), (12, 0)])
async def test_an_operation_with_too_many_selections_has_no_plan(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch, depth: int, served: int
) -> None:
    counted: list[int] = []
    count = Selections.count

    def record(self: Selections, planned: Fields) -> None:
        counted.append(OBJECT_WORK + len(planned))
        count(self, planned)

    monkeypatch.setattr(Selections, "count", record)
    executor, plain = make_executor(graph, demo), make_executor(graph, demo, planned=False)
    response = await executor.run(Operation(nested_events(depth)), COMMANDER)
    assert response.errors == []
    assert response.data == (await plain.run(Operation(nested_events(depth)), COMMANDER)).data
    assert executor.plans is not None
    assert executor.plans.served == served
    assert sum(counted[:-1]) <= WORK_MAXIMUM
    if not served:
        assert executor.plans.left == {"not compiled": 1}
        assert sum(counted) > WORK_MAXIMUM
