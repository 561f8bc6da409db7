"""The schema explains itself, is written down as it is, and every field of a row says how it loads."""

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
# Tables that stand between two others, and those of which no type is made.
JOINS = {"enterprise_ring", "hazard_evidence", "inspection_evidence", "inspection_inspector"}


@pytest.fixture(scope="module")
def core(graph: Graph) -> GraphQLSchema:
    return graph._schema


def named_types(core: GraphQLSchema) -> list[Any]:
    return [t for t in core.type_map.values() if not t.name.startswith("__") and not is_specified_scalar_type(t)]


def things(core: GraphQLSchema) -> Iterator[tuple[str, Any]]:
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


def test_the_written_schema_is_not_stale(graph: Graph) -> None:
    assert WRITTEN.read_text() == graph.as_str() + "\n"


def test_everything_has_a_description(core: GraphQLSchema) -> None:
    assert [path for path, thing in things(core) if not (thing.description or "").strip()] == []


def test_descriptions_are_sentences(core: GraphQLSchema) -> None:
    """They begin with a capital letter or a name in code, and end as sentences do."""
    own = [(path, thing.description) for path, thing in things(core) if path != "Date" and path != "DateTime"]
    assert [path for path, text in own if text[-1] not in ".!" or text[0].islower()] == []


def test_what_may_be_null_says_what_null_means(core: GraphQLSchema) -> None:
    silent = [
        f"{of.name}.{name}"
        for of in named_types(core)
        if isinstance(of, GraphQLObjectType)
        for name, field in of.fields.items()
        if not isinstance(field.type, GraphQLNonNull) and "null" not in field.description.lower()
    ]
    assert silent == []


def test_no_public_name_says_what_kind_of_thing_it_is(core: GraphQLSchema) -> None:
    assert [t.name for t in named_types(core) if t.name.endswith(SUFFIXES)] == []


@pytest.mark.parametrize("of", rows())
def test_every_field_of_a_row_says_how_it_loads(of: Any) -> None:
    for field in fields_of(of):
        assert isinstance(field, LoadField), field.name
        assert isinstance(field.source, FieldSource)
        assert field.base_resolver is None


@pytest.mark.parametrize("field", [pytest.param(f, id=f.name) for f in fields_of(Query)])
def test_every_field_of_the_root_says_how_it_loads(field: Any) -> None:
    assert isinstance(field, LoadField)
    assert isinstance(field.source, FieldSource)
    assert field.base_resolver is None


@pytest.mark.parametrize("of", rows())
def test_every_type_of_rows_says_whose_its_rows_are(of: Any) -> None:
    assert of.row in OWNERSHIP


def test_every_type_in_the_schema_that_stands_for_a_table_is_declared_as_one(core: GraphQLSchema) -> None:
    """A type named as a model that went past the declarations would have neither rights nor loaders."""
    names = {model.__name__ for model in tables()}
    declared = {of.__name__ for of in OF_ROW.values()}
    assert {t.name for t in named_types(core) if isinstance(t, GraphQLObjectType) and t.name in names} <= declared
    assert {model.__name__ for model in OF_ROW} == declared


def tables() -> set[Any]:
    found, ahead = set(), [Row]
    while ahead:
        of = ahead.pop()
        ahead += of.__subclasses__()
        if hasattr(of, "__table__"):
            found.add(of)
    return found


def test_every_table_that_is_read_says_whose_its_rows_are() -> None:
    """Whatever stands in the rights is a table, and each of those with a type is there."""
    assert {row.__table__ for row in OWNERSHIP} <= set(SQLModel.metadata.tables.values())
    assert set(OF_ROW) <= set(OWNERSHIP)
    assert {row.__tablename__ for row in OWNERSHIP} & JOINS == set()


def test_nodes_are_known_by_their_own_names(core: GraphQLSchema) -> None:
    implementing = {t.name for t in core.get_possible_types(core.type_map["Node"])}  # type: ignore[arg-type]  # it is one
    assert implementing == set(NODES)


def test_a_type_of_rows_knows_its_own(graph: Graph) -> None:
    """Interfaces and unions choose by it; every one of them answers, and only for its own."""
    for of in OF_ROW.values():
        mine = [other for other in OF_ROW.values() if other.is_type_of(Record(of.row, None), None)]
        assert mine == [of]
        assert not of.is_type_of(strawberry.UNSET, None)
