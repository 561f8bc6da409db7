"""The server does what the directives of the schema say about a mutation."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLSchema,
    GraphQLString,
    build_schema,
    get_directive_values,
    get_named_type,
)

from schema.build import Graph
from schema.fields.source import NODES
from tests.support.actors import DUTY
from tests.support.district import Office
from tests.support.lifecycle_table import CYCLES, transitions_of, valid_inputs
from tests.support.office_fixtures import office, shared_database

__all__ = ["office", "shared_database"]

# A mutation, a field of its input, and two values: the directive allows one and refuses the other.
BOUNDS: list[tuple[str, str, Any, Any]] = [
    ("dutyReportSubmit", "expertsOnStandby", 0, -1),
    ("dutyReportSubmit", "problems", ["水"] * 50, ["水"] * 51),
    ("enterpriseUpsert", "majorHazardLevel", 4, 5),
    ("enterpriseUpsert", "name", "企" * 500, "企" * 501),
    ("enterpriseUpsert", "address", "路" * 4000, "路" * 4001),
    ("stockReceive", "quantity", 1, 0),
    ("rainfallReport", "millimetres", 2000.0, 2000.5),
    ("inspectionPlan", "kind", "SPECIAL", "ASSISTANCE"),
    ("warningIssue", "clientMutationId", None, "x" * 201),
]


@pytest.fixture(scope="module")
def published(graph: Graph) -> GraphQLSchema:
    return build_schema(graph.as_str())


def directive(schema: GraphQLSchema, name: str, field: Any) -> dict[str, Any]:
    of = schema.get_directive(name)
    assert of is not None
    return get_directive_values(of, field.ast_node) or {}


def input_fields(of: GraphQLInputObjectType, path: str) -> Iterator[tuple[str, GraphQLInputField]]:
    for name, field in of.fields.items():
        yield f"{path}.{name}", field
        if isinstance(inner := get_named_type(field.type), GraphQLInputObjectType):
            yield from input_fields(inner, f"{path}.{name}")


def all_fields(schema: GraphQLSchema) -> list[tuple[str, GraphQLInputField]]:
    root = schema.mutation_type
    assert root is not None
    inputs = {name: get_named_type(field.args["input"].type) for name, field in root.fields.items()}
    return [each for name, of in inputs.items() for each in input_fields(of, name)]


def test_every_id_says_whose_it_is_and_every_text_how_long_it_may_be(published: GraphQLSchema) -> None:
    fields = all_fields(published)
    ids = {path: directive(published, "idOf", f) for path, f in fields if get_named_type(f.type) is GraphQLID}
    texts = {path: directive(published, "limits", f) for path, f in fields if get_named_type(f.type) is GraphQLString}
    types = {of.__name__ for of in NODES.values()}
    assert {path for path, said in ids.items() if said.get("type") not in types} == set()
    assert {path for path, said in texts.items() if "maxLength" not in said} == set()
    assert (len(ids) > 40, len(texts) > 60) == (True, True)


def test_every_number_says_how_small_it_may_be(published: GraphQLSchema) -> None:
    """Nobody writes a version; a box may have any degrees, and a filter looks for any number."""
    inputs = {of.name: of for of in published.type_map.values() if isinstance(of, GraphQLInputObjectType)}
    unsaid = {
        f"{name}.{field_name}"
        for name, of in inputs.items()
        if name != "BoxInput" and not name.endswith("Filter")
        for field_name, field in of.fields.items()
        if get_named_type(field.type) in (GraphQLInt, GraphQLFloat)
        if field_name != "expectedVersion" and "min" not in directive(published, "limits", field)
    }
    assert unsaid == set()


def test_the_legal_statuses_are_those_of_the_life_cycles(published: GraphQLSchema) -> None:
    root = published.mutation_type
    assert root is not None
    said = {name: directive(published, "legalFrom", field).get("statuses") for name, field in root.fields.items()}
    expected: dict[str, set[str]] = {}
    for noun in CYCLES:
        for line in transitions_of(noun):
            expected.setdefault(line.mutation, set()).update(source for source in line.sources if source)
    assert {name: set(statuses) for name, statuses in said.items() if statuses} == {
        name: statuses for name, statuses in expected.items() if statuses
    }


@pytest.mark.parametrize(("mutation", "field", "good", "bad"), BOUNDS)
async def test_a_value_outside_the_limits_is_refused_at_its_field(
    published: GraphQLSchema, office: Office, mutation: str, field: str, good: Any, bad: Any
) -> None:
    limits = directive(published, "limits", dict(all_fields(published))[f"{mutation}.{field}"])
    assert limits
    given = {**valid_inputs(office.world)[mutation], field: bad}
    answer = await office.act(DUTY, mutation, **given)
    assert [error["field"] for error in answer["errors"]] == [field]
    answer = await office.act(DUTY, mutation, **{**given, field: good})
    assert "errors" not in answer, answer
