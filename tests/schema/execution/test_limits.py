"""A request that would hold up all others is refused before it is looked at; what is counted bounds what it would cost.

Nothing here measures time: what is counted are the comparisons that graphql-core makes, and places of the answer.
"""

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
from tests.support.large_documents import HONEST, LONG, OF_SCHEMA, REFUSED, document, endless, fanned, fragment, many
from tests.support.proof_mode import PROVING

pytestmark = pytest.mark.database_independent

DOCUMENTS = 20_000 if PROVING else 400
EVERYTHING = {"specified_by_url": True, "directive_is_repeatable": True, "schema_description": True, "one_of": True}


def codes(answer: GraphQLResponse) -> list[str]:
    return [error["extensions"]["code"] for error in answer.errors]


class Comparisons(Counter[str]):
    """Counts how often graphql-core compares two fields, or two sets of them."""

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
def running(graph: Graph, demo: Database) -> Executor:
    return make_executor(graph, demo)


def extent(query: str) -> int:
    """However much it is."""
    document = parse(query)
    fragments = [d for d in document.definitions if isinstance(d, FragmentDefinitionNode)]
    measure = limits.Measure({f.name.value: f for f in fragments})
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            measure.add(definition)
    for one in fragments:
        if not measure.reached(one):
            measure.add(one)
    return measure.extent


# -- documents --


@pytest.mark.parametrize("viewer", [COMMANDER, None], ids=["viewer", "nobody"])
@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
async def test_too_much_at_once_is_refused_and_not_compared(
    running: Executor, comparisons: Comparisons, query: str, viewer: Viewer | None
) -> None:
    answer = await running.run(Operation(query), viewer)
    assert codes(answer) == ["BAD_DOCUMENT"]
    assert not answer.started
    assert "more than 20,000 selections and comparisons" in answer.errors[0]["message"]
    assert comparisons.total() == 0


@pytest.mark.parametrize("query", LONG.values(), ids=LONG)
async def test_a_text_that_is_too_long_is_refused(running: Executor, query: str) -> None:
    answer = await running.run(Operation(query), None)
    assert codes(answer) == ["BAD_DOCUMENT"]
    assert "more than 10" in answer.errors[0]["message"]


@pytest.mark.parametrize("query", OF_SCHEMA.values(), ids=OF_SCHEMA)
async def test_too_much_of_the_schema_is_refused(running: Executor, query: str) -> None:
    answer = await running.run(Operation(query), None)
    assert codes(answer) == ["BAD_DOCUMENT"]
    assert "more than 100,000 values of the schema itself" in answer.errors[0]["message"]


@pytest.mark.parametrize("query", HONEST.values(), ids=HONEST)
async def test_what_clients_ask_is_answered(running: Executor, query: str) -> None:
    answer = await running.run(Operation(query), COMMANDER)
    assert set(codes(answer)) <= {"BAD_ID"}
    assert answer.started


@pytest.mark.parametrize("depth", [3, 9, 15])
async def test_graphiql_is_told_the_schema(running: Executor, depth: int) -> None:
    query = get_introspection_query(**EVERYTHING, input_value_deprecation=True, type_depth=depth)
    answer = await running.run(Operation(query), None)
    assert answer.errors == []
    assert answer.data is not None


async def test_one_more_is_too_much(running: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "{ zones { code code ... { code } command { ...F id } command { ...F } } } fragment F on CommandUnit { id }"
    # zones; code, code, the inline fragment, code, command, command; the spread, id, the spread; compared are three
    # codes, two commands, two ids, three sets below, and the spread that comes again with each of these.
    assert extent(query) == 1 + 6 + 4 + 3 + 1 + 1 + 3 + 3
    monkeypatch.setattr(limits, "EXTENT_MAXIMUM", extent(query))
    assert codes(await running.run(Operation(query), COMMANDER)) == []
    assert codes(await running.run(Operation(query.replace("...F id", "...F id id")), COMMANDER)) == ["BAD_DOCUMENT"]


@pytest.mark.parametrize(
    ("maximum", "query"),
    [
        ("CHARACTERS_MAXIMUM", "{ zones { id } } #" + "x" * (limits.CHARACTERS_MAXIMUM - 18)),
        ("LINES_MAXIMUM", "\r\n" * (limits.LINES_MAXIMUM - 1) + "{ zones { id } }"),
        ("TOKENS_MAXIMUM", f"{{ zones {{ {many('x#: code', 3_331)} id id }} }}"),
        ("SCHEMA_VALUES_MAXIMUM", "{ __schema { types { name fields { name } } } }"),
    ],
)
async def test_at_each_bound_a_document_passes_and_one_less_is_too_few(
    running: Executor, monkeypatch: pytest.MonkeyPatch, maximum: str, query: str
) -> None:
    if maximum == "SCHEMA_VALUES_MAXIMUM":
        monkeypatch.setattr(limits, maximum, 1 + 2 * 350 + 3 * 350)
    assert codes(await running.run(Operation(query), COMMANDER)) == []
    monkeypatch.setattr(limits, maximum, getattr(limits, maximum) - 1)
    running._documents._cache.clear()
    assert codes(await running.run(Operation(query), COMMANDER)) == ["BAD_DOCUMENT"]


async def test_of_fragments_without_end_their_cycle_is_told(running: Executor) -> None:
    query = (
        "{ zones { ...F } }" + fragment("F", "command { zone { ...G } }") + fragment("G", "command { zone { ...F } }")
    )
    answer = await running.run(Operation(query), None)
    assert codes(answer) == ["BAD_DOCUMENT"]
    assert answer.errors[0]["message"] == "Cannot spread fragment 'F' within itself via 'G'."


def test_counting_ends_soon_for_any_document(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []

    def noted(*arguments: Any) -> limits.Place:
        made = place(*arguments)
        found.append(made.selections)
        return made

    place = limits.place
    monkeypatch.setattr(limits, "place", noted)
    for query in [*REFUSED.values(), *OF_SCHEMA.values(), fanned(60, "a: command", "b: command"), endless(90)]:
        found.clear()
        assert limits.document_excess(parse(query)) is not None
        assert sum(found[:-1]) <= limits.EXTENT_MAXIMUM
        assert found[-1] <= limits.TOKENS_MAXIMUM


# -- what is counted, and what graphql-core does --


def test_the_extent_bounds_the_comparisons(
    graph: Graph, comparisons: Comparisons, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = overlapping.MAX_COMPLEXITY_BUDGET
    looked = 0
    for seed in range(DOCUMENTS):
        query = document(seed)
        found = extent(query)
        if found > limits.EXTENT_MAXIMUM:
            continue
        comparisons.clear()
        errors = validate(graph._schema, parse(query), [overlapping.OverlappingFieldsCanBeMergedRule], budget)
        assert comparisons.total() <= 2 * found, query
        assert all(error.message != "Validation aborted." for error in errors)
        looked += comparisons.total() > 0
    assert looked > DOCUMENTS / 4


# -- the schema --


def test_the_lengths_of_introspection_hold(graph: Graph) -> None:
    """Wherever one can go in the description of the schema, about as much is counted as is found there."""
    schema = graph._schema
    info: Any = SimpleNamespace(schema=schema)
    # graphql-core allows of these two within each other.
    lists = {"fields", "inputFields", "interfaces", "possibleTypes"}

    def look(of: Any, values: list[Any], counted: float, path: list[str]) -> None:
        for name, field in of.fields.items():
            inner = get_named_type(field.type)
            if is_leaf_type(inner) or sum(step in lists for step in [*path, name]) > 2:
                continue
            told = [made for value in values if (made := field.resolve(value, info)) is not None]
            found = [one for each in told for one in each] if is_list_type(get_nullable_type(field.type)) else told
            times = limits.introspection_factor(counted, name)
            assert len(found) <= 3 * times, [*path, name]
            if found and len(path) < 6:
                look(inner, found, times, [*path, name])

    look(schema.type_map["__Schema"], [schema], 1, [])
    assert len(schema.type_map) <= limits.LENGTHS["types"] <= 1.2 * len(schema.type_map)


# -- errors --


async def test_few_errors_are_told(running: Executor) -> None:
    answer = await running.run(Operation(f"{{ {many('x#', 100)} }}"), None)
    assert set(codes(answer)) == {"BAD_DOCUMENT"}
    assert len(answer.errors) == limits.ERRORS_MAXIMUM + 1
    assert "Too many" in answer.errors[-1]["message"]


async def test_a_literal_is_written_into_one_message(running: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[Any] = []

    def noted(node: Any) -> str:
        printed.append(node)
        return "…"

    monkeypatch.setattr(import_module("graphql.utilities.validate_input_value"), "print_for_error", noted)
    query = f"{{ zone(by: {{{many('x#: 1', 500)}}}) {{ id }} }}"
    answer = await running.run(Operation(query), COMMANDER)
    assert set(codes(answer)) == {"BAD_DOCUMENT"}
    assert "x0" in answer.errors[0]["message"]
    assert len(printed) == 1
    printed.clear()
    answer = await running.run(Operation("{ a: zone(by: {x: 1}) { id } b: zone(by: {y: 1}) { id } }"), COMMANDER)
    assert len([error for error in answer.errors if "unknown field" in error["message"]]) == 2


# -- variables --

IDS = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
KEY = "query($by: ZoneKey!) { zone(by: $by) { id } }"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (IDS, {"ids": ["x"] * limits.VALUES_MAXIMUM}),
        (IDS, {"ids": [[]] * limits.VALUES_MAXIMUM}),
        (IDS, {"ids": [["x"] * 100] * 100}),
        (KEY, {"by": {f"x{number}": 1 for number in range(limits.VALUES_MAXIMUM)}}),
        (KEY, {"by": {"code": "x"}, "other": [{"x": [1]}] * 5_000}),
        ("{ zones { id } }", {f"x{number}": 1 for number in range(limits.VALUES_MAXIMUM + 1)}),
    ],
    ids=["list", "lists", "lists of some", "object", "others", "variables"],
)
async def test_too_many_values_are_refused(running: Executor, query: str, variables: dict[str, Any]) -> None:
    answer = await running.run(Operation(query, variables), COMMANDER)
    assert codes(answer) == ["BAD_VARIABLES"]
    assert not answer.started
    assert answer.errors[0]["message"] == "The variables have more than 10,000 values."
    with pytest.raises(RequestError, match="more than 10,000"):
        running.prepare(Operation(query, variables))


async def test_too_many_values_are_refused_for_a_cached_query_too(running: Executor) -> None:
    assert codes(await running.run(Operation(IDS, {"ids": []}), COMMANDER)) == []
    with pytest.raises(RequestError, match="more than 10,000"):
        running.prepare(Operation(IDS, {"ids": ["x"] * limits.VALUES_MAXIMUM}))


async def test_at_the_bound_variables_are_taken(running: Executor) -> None:
    variables = {"ids": [], "other": [1] * (limits.VALUES_MAXIMUM - 2)}
    assert codes(await running.run(Operation(IDS, variables), COMMANDER)) == []
    variables["other"].append(1)
    assert codes(await running.run(Operation(IDS, variables), COMMANDER)) == ["BAD_VARIABLES"]


# -- what is promised --


def test_the_bounds_are_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference" / "http.md").read_text("utf-8")
    told = text[text.index("## Limits") :]
    for name, value in vars(limits).items():
        if name.endswith("_MAXIMUM"):
            assert f"| {value:,} |" in told, name
