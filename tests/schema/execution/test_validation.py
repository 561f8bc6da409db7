"""Validation gives graphql-core's errors, in less time."""

from collections import Counter
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLSyntaxError, NameNode, parse, visit
from graphql import validate as validate_by_graphql_core

from models.db.database import Database
from schema.build import Graph
from schema.execution import limits, validation
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.execution.validation import validate
from schema.execution.validation_rules import RULES
from tests.conftest import COMMANDER, NOW, SHANGHAI
from tests.support.hostile_documents import documents
from tests.support.large_documents import ORDINARY, document
from tests.support.proof_mode import examples

INVALID = """
query Q($unused: Int, $bad: Zonne, $used: Int!) @nothing { zones { nme ...Missing ...F } venue(by: $used) { id } }
query Q { zones(by: 1) { ...F @include(if: $undefined) @include(if: true) } }
fragment F on Zone { enterprises(first: "x", first: 1) { nodes { ... on Hazard { id } } x: totalCount x: nodes } }
fragment G on Zone { code { id } command }
fragment H on Int { id }
"""
SMALL = [
    "{ nme }",
    "{ zones }",
    "{ zones { nme code: name code ...F } } fragment F on Zone { code }",
    "{ a: zonse { id } b: zonse { id } }",
    "query($v: Int) { zones { id } }",
    "query($v: Int) { zone(by: {code: $v}) { id } }",
    "query($v: String) { zone(by: {code: $v}) { id } }",
    "query($v: Boolean!, $w: Boolean!) { zones { ...F @skip(if: $v) } } fragment F on Zone { id @include(if: $w) }",
    "{ zone(by: {code: 1, id: 2}) { id } hazards(filter: {statuses: [FOUNDD]}) { totalCount } }",
    "{ zone(by: {code: [1, {x: $y}], id: 2}) { id @skip } }",
    "fragment F on Zone { id } { zones { id @x(y: {z: $w}) } }",
    "subscription { updates { id } portrait(of: 1) { enterprises } }",
    "mutation { nothing }",
    "{ events { nodes { ... on HazardUpdate { x: id } ... on CaseUpdate { x: kind } } } }",
]


def formatted(errors: list[GraphQLError]) -> list[Any]:
    """The errors, without the suggestions of all but the first."""
    responses: list[Any] = [error.formatted for error in errors]
    for error in responses[1:]:
        error["message"] = error["message"].partition(" Did you mean")[0]
    return responses


def both(graph: Graph, query: str) -> tuple[list[Any], list[Any]]:
    parsed = parse(query)
    core = validate_by_graphql_core(graph._schema, parsed, RULES, limits.ERRORS_MAXIMUM)
    return formatted(validate(graph._schema, parsed, RULES)), formatted(core)


def test_the_errors_are_those_of_graphql_core(graph: Graph) -> None:
    queries = [INVALID, *SMALL, *ORDINARY.values(), *(document(seed) for seed in range(examples(50)))]
    valid = 0
    for query in queries:
        own, core = both(graph, query)
        assert own == core, query
        valid += own == []
    assert 10 < valid < len(queries) - 10


@pytest.mark.exhaustive
def test_the_errors_of_hostile_documents_are_those_of_graphql_core(graph: Graph) -> None:
    compared: Counter[bool] = Counter()
    for _, name, query in documents():
        try:
            if limits.text_excess(query) or limits.document_excess(parse(query)):
                continue
        except (GraphQLSyntaxError, RecursionError):
            continue
        own, core = both(graph, query)
        assert own == core, name
        compared[own == []] += 1
    assert compared[True] > 20
    assert compared[False] > 20


def test_only_the_first_error_suggests_names(graph: Graph) -> None:
    query = parse("{ zonse { id } venuse { id } }")
    first, second = validate(graph._schema, query, RULES)
    assert first.message.startswith("Cannot query field 'zonse' on type 'Query'. Did you mean 'zone', 'zones', ")
    assert second.message == "Cannot query field 'venuse' on type 'Query'."
    hidden = validate(graph._schema, query, RULES, suggestions=False)
    assert [error.message.count("Did you mean") for error in hidden] == [0, 0]


def test_variables_are_looked_for_only_where_there_are_any(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[Any] = []

    def recording_visit(node: Any, *arguments: Any) -> Any:
        visited.append(node)
        return visit(node, *arguments)

    monkeypatch.setattr(validation, "visit", recording_visit)
    query = (
        "query($v: Boolean!) { zones { ...F ...G } } fragment F on Zone { id } fragment G on Zone { id @skip(if: $v) }"
    )
    parsed = parse(query)
    assert validate(graph._schema, parsed, RULES) == []
    # The whole document, and within it the definitions with variables.
    assert sorted(map(id, visited)) == sorted(map(id, (parsed, parsed.definitions[0], parsed.definitions[2])))


def test_no_rule_looks_at_names() -> None:
    """The walk leaves names out. The rule that enters every node looks for directives, and names have none."""
    assert not any(hasattr(rule, f"{when}_name") for rule in RULES for when in ("enter", "leave"))
    assert not hasattr(NameNode, "directives")


def test_a_rule_that_skips_a_node_goes_on_after_it(graph: Graph) -> None:
    """ValuesRule skips a list with an error; the next list is checked again."""
    query = parse(
        "{ a: hazards(filter: {statuses: [X]}) { totalCount } b: hazards(filter: {statuses: [Y]}) { totalCount } }"
    )
    assert len(validate(graph._schema, query, RULES)) == 2


MISSPELT: list[tuple[str, dict[str, Any]]] = [
    ("{ zonse { id } }", {}),
    ("{ zones { nme } }", {}),
    ("{ zones { id ... on Zonne { id } } }", {}),
    ("{ enterprises(frist: 1) { totalCount } }", {}),
    ("{ hazards(filter: {statuses: [FUOND]}) { totalCount } }", {}),
    ("query($f: HazardFilter) { hazards(filter: $f) { totalCount } }", {"f": {"statuses": ["FUOND"]}}),
    ("query($f: HazardFilter) { hazards(filter: $f) { totalCount } }", {"f": {"status": 1}}),
]


@pytest.mark.parametrize("introspection", [True, False])
@pytest.mark.parametrize(("query", "variables"), MISSPELT)
@pytest.mark.database_independent
async def test_names_are_suggested_where_clients_may_query_the_schema(
    graph: Graph, demo: Database, query: str, variables: dict[str, Any], introspection: bool
) -> None:
    executor = Executor(graph, demo, SHANGHAI, lambda: NOW, introspection=introspection)
    response = await executor.run(Operation(query, variables), COMMANDER)
    assert response.errors
    assert ("Did you mean" in response.errors[0]["message"]) is introspection
