"""Everything in the schema is described, schema.graphql is current, and every field declares its source."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    is_specified_scalar_type,
)
from sqlmodel import SQLModel

from models import Row
from resolvers.sql.authorization import OWNERSHIP
from schema.build import Graph
from schema.execution.context import Record
from schema.fields.source import NODES, OF_ROW, FieldSource, LoadField, fields_of
from schema.query import Query

WRITTEN = Path(__file__).parents[2] / "schema" / "schema.graphql"
SUFFIXES = ("Type", "Model", "Manager", "Helper", "Util")
# Link tables, and tables without a graph type.
JOINS = {"enterprise_ring", "hazard_evidence", "inspection_evidence", "inspection_inspector"}


@pytest.fixture(scope="module")
def core(graph: Graph) -> GraphQLSchema:
    return graph._schema


def named_types(core: GraphQLSchema) -> list[Any]:
    return [t for t in core.type_map.values() if not t.name.startswith("__") and not is_specified_scalar_type(t)]


def described_elements(core: GraphQLSchema) -> Iterator[tuple[str, Any]]:
    """Everything that can have a description."""
    for of in named_types(core):
        yield of.name, of
        if isinstance(of, GraphQLEnumType):
            yield from ((f"{of.name}.{name}", value) for name, value in of.values.items())
        if isinstance(of, GraphQLInputObjectType | GraphQLObjectType | GraphQLInterfaceType):
            for name, field in of.fields.items():
                yield f"{of.name}.{name}", field
                yield from ((f"{of.name}.{name}({n})", a) for n, a in getattr(field, "args", {}).items())


def rows() -> list[Any]:
    return [pytest.param(of, id=of.__name__) for of in OF_ROW.values()]


def test_the_committed_schema_is_current(graph: Graph) -> None:
    assert WRITTEN.read_text() == graph.as_str() + "\n"


def test_everything_has_a_description(core: GraphQLSchema) -> None:
    assert [path for path, thing in described_elements(core) if not (thing.description or "").strip()] == []


def test_descriptions_are_sentences(core: GraphQLSchema) -> None:
    """They begin with a capital letter or a name in code, and end with a full stop."""
    own = [
        (path, thing.description) for path, thing in described_elements(core) if path != "Date" and path != "DateTime"
    ]
    assert [path for path, text in own if text[-1] not in ".!" or text[0].islower()] == []


def test_nullable_fields_say_what_null_means(core: GraphQLSchema) -> None:
    silent = [
        f"{of.name}.{name}"
        for of in named_types(core)
        if isinstance(of, GraphQLObjectType)
        for name, field in of.fields.items()
        if not isinstance(field.type, GraphQLNonNull) and "null" not in field.description.lower()
    ]
    assert silent == []


def test_no_public_name_has_a_technical_suffix(core: GraphQLSchema) -> None:
    assert [t.name for t in named_types(core) if t.name.endswith(SUFFIXES)] == []


@pytest.mark.parametrize("of", rows())
def test_every_field_of_a_row_has_a_source(of: Any) -> None:
    for field in fields_of(of):
        assert isinstance(field, LoadField), field.name
        assert isinstance(field.source, FieldSource)
        assert field.base_resolver is None


@pytest.mark.parametrize("field", [pytest.param(f, id=f.name) for f in fields_of(Query)])
def test_every_root_field_has_a_source(field: Any) -> None:
    assert isinstance(field, LoadField)
    assert isinstance(field.source, FieldSource)
    assert field.base_resolver is None


@pytest.mark.parametrize("of", rows())
def test_every_type_over_a_table_has_an_ownership(of: Any) -> None:
    assert of.row in OWNERSHIP


def test_every_type_named_as_a_model_is_declared_over_its_table(core: GraphQLSchema) -> None:
    """A type that bypasses the declarations would have neither rights nor loaders."""
    names = {model.__name__ for model in tables()}
    declared = {of.__name__ for of in OF_ROW.values()}
    assert {t.name for t in named_types(core) if isinstance(t, GraphQLObjectType) and t.name in names} <= declared
    assert {model.__name__ for model in OF_ROW} == declared


def tables() -> set[Any]:
    classes, ahead = set(), [Row]
    while ahead:
        of = ahead.pop()
        ahead += of.__subclasses__()
        if hasattr(of, "__table__"):
            classes.add(of)
    return classes


def test_every_table_that_is_read_has_an_ownership() -> None:
    """The ownerships are of tables only, and include every table with a graph type."""
    assert {row.__table__ for row in OWNERSHIP} <= set(SQLModel.metadata.tables.values())
    assert set(OF_ROW) <= set(OWNERSHIP)
    assert {row.__tablename__ for row in OWNERSHIP} & JOINS == set()


def test_the_registry_has_every_node_by_name(core: GraphQLSchema) -> None:
    implementing = {t.name for t in core.get_possible_types(core.type_map["Node"])}  # type: ignore[arg-type]  # it is one
    assert implementing == set(NODES)


def test_is_type_of_accepts_only_own_rows(graph: Graph) -> None:
    """Interfaces and unions choose the type by it."""
    for of in OF_ROW.values():
        accepting = [other for other in OF_ROW.values() if other.is_type_of(Record(of.row, None), None)]
        assert accepting == [of]
        assert not of.is_type_of(strawberry.UNSET, None)


def test_the_possible_types_are_those_that_introspection_tells(graph: Graph) -> None:
    """By the query with which Apollo's documents have them computed."""
    asked = graph.execute_sync("{ __schema { types { name possibleTypes { name } } } }")
    assert asked.data is not None
    types = {each["name"]: each["possibleTypes"] for each in asked.data["__schema"]["types"]}
    expected = {name: sorted(one["name"] for one in possible) for name, possible in types.items() if possible}
    assert graph.possible_types() == expected
    assert "EnterpriseUpserted" in expected["EnterpriseUpsertResult"]
