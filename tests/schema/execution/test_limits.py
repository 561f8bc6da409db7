"""Documents and variables beyond a limit are refused before validation; a document's extent bounds that work.

Nothing here measures time: the tests count graphql-core's comparisons and the positions of the response.
"""

import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import (
    FragmentDefinitionNode,
    OperationDefinitionNode,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    parse,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged as overlapping

from models.db.database import Database
from models.visibility import Viewer
from resolvers.errors import RequestError
from schema.build import Graph
from schema.execution import limits
from schema.execution.executor import Executor
from schema.execution.operation import GraphQLResponse, Operation
from tests.conftest import COMMANDER, make_executor
from tests.support.large_documents import (
    INTROSPECTION,
    LONG,
    ORDINARY,
    REFUSED,
    document,
    endless,
    fanned,
    fragment,
    many,
)
from tests.support.proof_mode import PROVING

pytestmark = pytest.mark.database_independent

DOCUMENTS = 20_000 if PROVING else 400
EVERYTHING = {"specified_by_url": True, "directive_is_repeatable": True, "schema_description": True, "one_of": True}


def codes(response: GraphQLResponse) -> list[str]:
    return [error["extensions"]["code"] for error in response.errors]


class Comparisons(Counter[str]):
    """Counts graphql-core's comparisons of two fields, or of two selection sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        for name in ("find_conflict", "collect_conflicts_between"):
            self._count(monkeypatch, name, getattr(overlapping, name))

    def _count(self, monkeypatch: pytest.MonkeyPatch, name: str, called: Any) -> None:
        def counted(*arguments: Any) -> Any:
            self[name] += 1
            return called(*arguments)

        monkeypatch.setattr(overlapping, name, counted)


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> Comparisons:
    return Comparisons(monkeypatch)


@pytest.fixture
def executor(graph: Graph, demo: Database) -> Executor:
    return make_executor(graph, demo)


def extent(query: str) -> int:
    """The extent of a document, also beyond the limit."""
    document = parse(query)
    fragments = [d for d in document.definitions if isinstance(d, FragmentDefinitionNode)]
    expansion = limits.Expansion({f.name.value: f for f in fragments})
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            expansion.add(definition)
    for each in fragments:
        if not expansion.reached(each):
            expansion.add(each)
    return expansion.extent


# -- documents --


@pytest.mark.parametrize("viewer", [COMMANDER, None], ids=["viewer", "nobody"])
@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
async def test_a_document_that_expands_too_far_is_refused_before_validation(
    executor: Executor, comparisons: Comparisons, query: str, viewer: Viewer | None
) -> None:
    response = await executor.run(Operation(query), viewer)
    assert codes(response) == ["BAD_DOCUMENT"]
    assert not response.started
    assert "more than 9,000 selections and comparisons" in response.errors[0]["message"]
    assert comparisons.total() == 0


@pytest.mark.parametrize("query", LONG.values(), ids=LONG)
async def test_a_text_that_is_too_long_is_refused(executor: Executor, query: str) -> None:
    response = await executor.run(Operation(query), None)
    assert codes(response) == ["BAD_DOCUMENT"]
    assert re.search(r"more than [0-9,]+ (characters|tokens|lines)", response.errors[0]["message"])


@pytest.mark.parametrize("query", INTROSPECTION.values(), ids=INTROSPECTION)
async def test_too_much_introspection_is_refused(executor: Executor, query: str) -> None:
    response = await executor.run(Operation(query), None)
    assert codes(response) == ["BAD_DOCUMENT"]
    assert "more than 100,000 values of the schema itself" in response.errors[0]["message"]


@pytest.mark.parametrize("query", ORDINARY.values(), ids=ORDINARY)
async def test_ordinary_documents_are_answered(executor: Executor, query: str) -> None:
    response = await executor.run(Operation(query), COMMANDER)
    assert set(codes(response)) <= {"BAD_ID"}
    assert response.started


@pytest.mark.parametrize("depth", [3, 9, 15])
async def test_the_introspection_query_of_graphiql_is_answered(executor: Executor, depth: int) -> None:
    query = get_introspection_query(**EVERYTHING, input_value_deprecation=True, type_depth=depth)
    response = await executor.run(Operation(query), None)
    assert response.errors == []
    assert response.data is not None


async def test_one_selection_beyond_the_limit_is_refused(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "{ zones { code code ... { code } command { ...F id } command { ...F } } } fragment F on CommandUnit { id }"
    # Selections: zones; code, code, the inline fragment, code, command, command; the spread, id, the spread.
    # Comparisons: three codes, two commands, two ids, three sets below, and the repeated spread with each of these.
    assert extent(query) == 1 + 6 + 4 + 3 + 1 + 1 + 3 + 3
    monkeypatch.setattr(limits, "EXTENT_MAXIMUM", extent(query))
    assert codes(await executor.run(Operation(query), COMMANDER)) == []
    assert codes(await executor.run(Operation(query.replace("...F id", "...F id id")), COMMANDER)) == ["BAD_DOCUMENT"]


@pytest.mark.parametrize(
    ("maximum", "query"),
    [
        ("CHARACTERS_MAXIMUM", "{ zones { id } } #" + "x" * (limits.CHARACTERS_MAXIMUM - 18)),
        ("LINES_MAXIMUM", "\r\n" * (limits.LINES_MAXIMUM - 1) + "{ zones { id } }"),
        ("ESCAPES_MAXIMUM", '{ zone(by: {code: "' + "\\n" * limits.ESCAPES_MAXIMUM + '"}) { id } }'),
        ("TOKENS_MAXIMUM", f"{{ zones {{ {many('x#: code', 664)} id id id }} }}"),
        ("DEPTH_MAXIMUM", "{ zones { " + "command { zone { " * 49 + "id" + " } }" * 49 + " } }"),
        (
            "VARIABLE_USES_MAXIMUM",
            many("query Q#($v: Boolean = true) { ...F }", 50)
            + f" fragment F on Query {{ {many('x#: cursor @skip(if: $v)', 100)} }}",
        ),
        ("SCHEMA_VALUES_MAXIMUM", "{ __schema { types { name fields { name } } } }"),
    ],
)
async def test_a_document_at_a_limit_passes_and_is_refused_when_the_limit_is_one_less(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, maximum: str, query: str
) -> None:
    if maximum == "SCHEMA_VALUES_MAXIMUM":
        monkeypatch.setattr(limits, maximum, 1 + 5 * limits.LENGTHS["types"])
    operation = Operation(query, name="Q0" if "Q0" in query else None)
    assert codes(await executor.run(operation, COMMANDER)) == []
    monkeypatch.setattr(limits, maximum, getattr(limits, maximum) - 1)
    executor.documents.cache.clear()
    assert codes(await executor.run(operation, COMMANDER)) == ["BAD_DOCUMENT"]


async def test_a_cycle_of_fragments_is_named_in_the_error(executor: Executor) -> None:
    query = (
        "{ zones { ...F } }" + fragment("F", "command { zone { ...G } }") + fragment("G", "command { zone { ...F } }")
    )
    response = await executor.run(Operation(query), None)
    assert codes(response) == ["BAD_DOCUMENT"]
    assert response.errors[0]["message"] == "Cannot spread fragment 'F' within itself via 'G'."


def test_the_expansion_of_any_document_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    selections: list[int] = []

    def recording_position(*arguments: Any) -> limits.Position:
        expanded = position(*arguments)
        selections.append(expanded.selections)
        return expanded

    position = limits.position
    monkeypatch.setattr(limits, "position", recording_position)
    for query in [*REFUSED.values(), *INTROSPECTION.values(), fanned(60, "a: command", "b: command"), endless(90)]:
        selections.clear()
        assert limits.document_excess(parse(query)) is not None
        assert sum(selections[:-1]) <= limits.EXTENT_MAXIMUM
        assert selections[-1] <= limits.TOKENS_MAXIMUM


# -- the extent, and the work of graphql-core --


@pytest.mark.exhaustive
def test_the_extent_bounds_the_comparisons(
    graph: Graph, comparisons: Comparisons, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = overlapping.MAX_COMPLEXITY_BUDGET
    compared = 0
    for seed in range(DOCUMENTS):
        query = document(seed)
        size = extent(query)
        if size > limits.EXTENT_MAXIMUM:
            continue
        comparisons.clear()
        errors = validate(graph._schema, parse(query), [overlapping.OverlappingFieldsCanBeMergedRule], budget)
        assert comparisons.total() <= 2 * size, query
        assert all(error.message != "Validation aborted." for error in errors)
        compared += comparisons.total() > 0
    assert compared > DOCUMENTS / 4


# -- the schema --


def test_the_lengths_of_introspection_hold(graph: Graph) -> None:
    """On every path through introspection, the estimated number of objects is at least a third of the real one."""
    schema = graph._schema
    info: Any = SimpleNamespace(schema=schema)
    # graphql-core allows at most two of these on a path.
    lists = {"fields", "inputFields", "interfaces", "possibleTypes"}

    def check(parent: Any, values: list[Any], estimate: float, path: list[str]) -> None:
        for name, field in parent.fields.items():
            inner = get_named_type(field.type)
            if is_leaf_type(inner) or sum(step in lists for step in [*path, name]) > 2:
                continue
            results = [result for value in values if (result := field.resolve(value, info)) is not None]
            if is_list_type(get_nullable_type(field.type)):
                results = [item for items in results for item in items]
            expected = limits.introspection_factor(estimate, name)
            assert len(results) <= 3 * expected, [*path, name]
            if results and len(path) < 6:
                check(inner, results, expected, [*path, name])

    check(schema.type_map["__Schema"], [schema], 1, [])
    assert len(schema.type_map) <= limits.LENGTHS["types"] <= 1.2 * len(schema.type_map)


# -- errors --


async def test_only_a_few_errors_are_reported(executor: Executor) -> None:
    response = await executor.run(Operation(f"{{ {many('x#', 100)} }}"), None)
    assert set(codes(response)) == {"BAD_DOCUMENT"}
    assert len(response.errors) == limits.ERRORS_MAXIMUM + 1
    assert "Too many" in response.errors[-1]["message"]


async def test_a_literal_is_printed_in_one_message_only(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[Any] = []

    def recording_print(node: Any) -> str:
        printed.append(node)
        return "…"

    monkeypatch.setattr(import_module("graphql.utilities.validate_input_value"), "print_for_error", recording_print)
    query = f"{{ zone(by: {{{many('x#: 1', 500)}}}) {{ id }} }}"
    response = await executor.run(Operation(query), COMMANDER)
    assert set(codes(response)) == {"BAD_DOCUMENT"}
    assert "x0" in response.errors[0]["message"]
    assert len(printed) == 1
    printed.clear()
    response = await executor.run(Operation("{ a: zone(by: {x: 1}) { id } b: zone(by: {y: 1}) { id } }"), COMMANDER)
    assert len([error for error in response.errors if "unknown field" in error["message"]]) == 2


# -- variables --

IDS = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
KEY = "query($by: ZoneKey!) { zone(by: $by) { id } }"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (IDS, {"ids": ["x"] * limits.VALUES_MAXIMUM}),
        (IDS, {"ids": [[]] * limits.VALUES_MAXIMUM}),
        (IDS, {"ids": [["x"] * 200] * 100}),
        (KEY, {"by": {f"x{number}": 1 for number in range(limits.VALUES_MAXIMUM)}}),
        (KEY, {"by": {"code": "x"}, "other": [{"x": [1]}] * 10_000}),
        ("{ zones { id } }", {f"x{number}": 1 for number in range(limits.VALUES_MAXIMUM + 1)}),
    ],
    ids=["list", "lists", "lists of some", "object", "others", "variables"],
)
async def test_too_many_values_are_refused(executor: Executor, query: str, variables: dict[str, Any]) -> None:
    response = await executor.run(Operation(query, variables), COMMANDER)
    assert codes(response) == ["BAD_VARIABLES"]
    assert not response.started
    assert response.errors[0]["message"] == "The variables have more than 20,000 values."
    with pytest.raises(RequestError, match="more than 20,000"):
        await executor.prepare(Operation(query, variables), COMMANDER)


async def test_too_many_values_are_refused_for_a_cached_query_too(executor: Executor) -> None:
    assert codes(await executor.run(Operation(IDS, {"ids": []}), COMMANDER)) == []
    with pytest.raises(RequestError, match="more than 20,000"):
        await executor.prepare(Operation(IDS, {"ids": ["x"] * limits.VALUES_MAXIMUM}), COMMANDER)


async def test_variables_at_the_limit_are_accepted(executor: Executor) -> None:
    variables = {"ids": [], "other": [1] * (limits.VALUES_MAXIMUM - 2)}
    assert codes(await executor.run(Operation(IDS, variables), COMMANDER)) == []
    variables["other"].append(1)
    assert codes(await executor.run(Operation(IDS, variables), COMMANDER)) == ["BAD_VARIABLES"]


# -- the documents --


def test_the_limits_are_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference" / "http.md").read_text("utf-8")
    section = text[text.index("## Limits") :]
    for name, value in vars(limits).items():
        if name.endswith("_MAXIMUM"):
            assert f"| {value:,} |" in section, name
