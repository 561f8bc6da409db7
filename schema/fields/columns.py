"""Fields made of columns of their own row."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, TypeVarTuple

import sqlalchemy as sa
from graphql import GraphQLNonNull, get_named_type, is_leaf_type
from sqlalchemy import ColumnElement, FromClause

from models.visibility import INTERNALS, Right
from resolvers.sql.predicates import table_column
from schema.execution.context import Context, Record
from schema.fields.source import (
    FieldCost,
    FieldPlanner,
    FieldSource,
    JsonCompiler,
    LoadField,
    ParentRows,
    SelectedField,
    declare_field,
)
from schema.plan.row_codec import FunctionBuilder, json_expression, non_null
from schema.plan.sql_json import column_json, constant_json, json_object
from schema.plan.sql_json_scalars import constant, global_id_json, scalar_writer
from schema.plan.sql_json_scopes import JsonEntries, JsonWriter, ScopeWriter
from schema.plan.steps import Step, value_step
from schema.types import node_id

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
R = TypeVar("R")
N = TypeVarTuple("N")


@dataclass(eq=False)
class Column(FieldSource):
    """A column of the row."""

    column: Any

    def parent_columns(self) -> Sequence[Any]:
        return [self.column]

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return parent.get(self.column)

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        return None if rows.layout is None else rows.layout.encoded(rows.code, self.column, selected.type)

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        column = table_column(self.column)
        write = scalar_writer(column, selected.type)
        return None if write is None else column_json(column.key, write)


@dataclass(eq=False)
class InternalMembers(Column):
    """A column of an enum, some of whose members look like others to an enterprise: `shown` has those."""

    shown: Mapping[Any, Enum]

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        member = parent.get(self.column)
        return member if context.viewer.visibility.allows(INTERNALS) else self.shown.get(member, member)

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        value = super().expression(selected, rows, planner)
        if value is None or planner.visibility.allows(INTERNALS):
            return value
        names = {member.name: shown.name for member, shown in self.shown.items()}
        return f"{rows.code.name(lambda name: names.get(name, name))}({value})"

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        # An enterprise's pages are small; the steps write them.
        return super().sql_json(selected, compiler) if compiler.visibility.allows(INTERNALS) else None


@dataclass(eq=False)
class Compute(FieldSource):
    """A function of columns; with `clock`, its first argument is the time of the operation."""

    function: Callable[..., Any]
    needs: Sequence[Any]
    clock: bool = False

    def parent_columns(self) -> Sequence[Any]:
        return self.needs

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        values = [parent.get(column) for column in self.needs]
        return self.function(context.reader.now, *values) if self.clock else self.function(*values)

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        if rows.layout is None or not is_leaf_type(get_named_type(selected.type)):
            return None
        # The type checker guarantees that the function returns what the field promises.
        return json_expression(rows.code, self._call(rows, rows.code), selected.type, nullable=not selected.required)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if rows.layout is None or self.clock:
            return None
        code = FunctionBuilder()
        value = code.function("r", self._call(rows, code))
        return value_step(selected.type, value, planner.objects(selected.type, selected.nodes, None))

    def _call(self, rows: ParentRows, code: FunctionBuilder) -> str:
        assert rows.layout is not None
        decoded = (rows.layout.decoded(code, column) for column in self.needs)
        arguments = [*(["now"] if self.clock else []), *decoded]
        return f"{code.name(self.function)}({', '.join(arguments)})"


@dataclass(eq=False)
class GlobalId(FieldSource):
    """The global id of the row: the type's name, and the key in a column."""

    name: str
    column: Any

    def parent_columns(self) -> Sequence[Any]:
        return [self.column]

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return node_id.encode(self.name, parent.get(self.column))

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        if rows.layout is None:
            return None
        encode = rows.code.name(node_id.encode)
        return f"{encode}({self.name!r}, {rows.layout.decoded(rows.code, self.column)})"

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        key = table_column(self.column).key
        return lambda writer, row: global_id_json(self.name, row.c[key])


class SubObjectValue:
    """The values of a sub-object, as attributes with the names of its type's fields."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


@dataclass(eq=False)
class SubObject(FieldSource):
    """An object made of columns, by the names of its fields; null if all of them are null."""

    columns: dict[str, Any]

    def parent_columns(self) -> Sequence[Any]:
        return list(self.columns.values())

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        values = {name: parent.get(column) for name, column in self.columns.items()}
        return None if all(v is None for v in values.values()) else SubObjectValue(values)

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        layout, code = rows.layout, rows.code
        if layout is None:
            return None
        entries = []
        for key, column, graph_type in self._selected_columns(selected, planner):
            value = repr(graph_type) if column is None else layout.encoded(code, column, graph_type)
            entries.append(f"{key!r}: {value}")
        absent = " and ".join(f"r[{layout.at(column)}] is None" for column in self.columns.values())
        value = f"(None if {absent} else {{{', '.join(entries)}}})"
        return non_null(code, value) if selected.required else value

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        if isinstance(selected.type, GraphQLNonNull):
            return None
        entries: JsonEntries = []
        for key, attribute, graph_type in self._selected_columns(selected, compiler):
            if attribute is None:
                entries.append((key, constant_json(f'"{graph_type}"')))
                continue
            column = table_column(attribute)
            write = scalar_writer(column, graph_type)
            if write is None:
                return None
            entries.append((key, column_json(column.key, write)))
        keys = [table_column(column).key for column in self.columns.values()]

        def write_object(writer: ScopeWriter, row: FromClause) -> ColumnElement[Any]:
            absent = sa.and_(*(row.c[key].is_(None) for key in keys))
            return sa.case((absent, constant("null")), else_=json_object(entries, writer, row))

        return write_object

    def _selected_columns(
        self, selected: SelectedField, planner: FieldPlanner | JsonCompiler
    ) -> list[tuple[str, Any, Any]]:
        """By response key, a column and its GraphQL type; for __typename, None and the type's name."""
        named: Any = get_named_type(selected.type)
        columns: list[tuple[str, Any, Any]] = []
        for key, nodes in planner.selections.subfields(named, selected.nodes).items():
            name = nodes[0].name.value
            if name == "__typename":
                columns.append((key, None, named.name))
            else:
                definition = named.fields[name]
                python_name = definition.extensions["strawberry-definition"].python_name
                columns.append((key, self.columns[python_name], definition.type))
        return columns


def column(
    of: T, description: str, *, sees: Right | None = None, name: str | None = None, size: int | None = None
) -> T:
    """A column as it is. `size` is the bytes of a usual value in JSON, where the type does not tell."""
    cost = FieldCost(size)
    field: T = declare_field(Column(of), description, sees, name, cost)
    return field


def internal_members(of: E, shown: Mapping[E, E], description: str) -> E:
    """A column of an enum. To an enterprise the keys of `shown` look like their values."""
    field: E = declare_field(InternalMembers(of, shown), description)
    return field


def compute(
    function: Callable[[*N], R], *needs: *N, description: str, sees: Right | None = None, size: int | None = None
) -> R:
    """A function of columns. `size` is the bytes of a usual value in JSON, where the type does not tell."""
    cost = FieldCost(size)
    field: R = declare_field(Compute(function, needs), description, sees, cost=cost)
    return field


def compute_now(function: Callable[[dt.datetime, *N], R], *needs: *N, description: str, sees: Right | None = None) -> R:
    """A function of the operation's time and columns."""
    field: R = declare_field(Compute(function, needs, clock=True), description, sees)
    return field


def sub_object(description: str, *, sees: Right | None = None, **columns: Any) -> Any:
    """An object made of columns, by the names of its fields; null if all of them are null."""
    return declare_field(SubObject(columns), description, sees)
