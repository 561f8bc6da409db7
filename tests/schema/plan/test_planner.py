"""Compiling a plan takes no longer than its document allows: nothing is looked at twice, and variants have an end."""

import itertools
from typing import Any

import pytest
from graphql import DocumentNode, FieldNode, Visitor, parse, print_ast, visit

from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from schema.plan.selections import SELECTIONS_MAXIMUM, FieldInterner, Selections
from tests.conftest import COMMANDER, make_executor
from tests.support.large_documents import ORDINARY, document, many


def fields(of: DocumentNode) -> list[FieldNode]:
    found: list[FieldNode] = []

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            found.append(node)

    visit(of, Fields())
    return found


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
def test_fields_are_alike_that_print_alike(query: str) -> None:
    """Their aliases aside."""
    alike = FieldInterner()
    found = [(alike.field(node), printed(node)) for node in fields(parse(query))]
    for (one, shown), (other, also_shown) in itertools.combinations(found, 2):
        assert (one == other) == (shown == also_shown), (shown, also_shown)


def deep(depth: int, wide: int) -> str:
    return "{ zones { " + "command { zone { " * depth + many("x#: code", wide) + " } }" * depth + " } }"


async def test_each_selection_is_numbered_once(graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered: list[Any] = []
    selection = FieldInterner._selection

    def noted(self: FieldInterner, node: Any) -> int:
        numbered.append(node)
        return selection(self, node)

    monkeypatch.setattr(FieldInterner, "_selection", noted)
    running = make_executor(graph, demo)
    query = deep(20, 500)
    answer = await running.run(Operation(query), COMMANDER)
    assert answer.written is not None
    assert running.plans is not None
    assert running.plans.served == 1
    assert 500 < len(numbered) <= len(fields(parse(query)))


def told(depth: int) -> str:
    """Events of enterprises of events: of each kind of event there is one selection, at every depth."""
    nested = "id"
    for _ in range(depth):
        nested = f"id timeline(first: 1) {{ nodes {{ id at enterprise {{ {nested} }} }} }}"
    return f"{{ enterprises(first: 2) {{ nodes {{ {nested} }} }} }}"


@pytest.mark.parametrize(("depth", "served"), [(1, 1), (2, 1), (4, 0), (12, 0)])
async def test_of_too_many_variants_no_plan_is_made(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch, depth: int, served: int
) -> None:
    made: list[Any] = []
    count = Selections.count

    def noted(self: Selections) -> None:
        made.append(self)
        count(self)

    monkeypatch.setattr(Selections, "count", noted)
    running, plain = make_executor(graph, demo), make_executor(graph, demo, planned=False)
    answer = await running.run(Operation(told(depth)), COMMANDER)
    assert answer.errors == []
    assert answer.data == (await plain.run(Operation(told(depth)), COMMANDER)).data
    assert running.plans is not None
    assert running.plans.served == served
    assert len(made) <= SELECTIONS_MAXIMUM + 1
    if not served:
        assert running.plans.left == {"not compiled": 1}
        assert len(made) == SELECTIONS_MAXIMUM + 1
