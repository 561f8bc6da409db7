"""Fields that lead to another row by its key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, GraphQLNonNull

from resolvers.sql.predicates import table_column
from schema.execution.context import Context, Record
from schema.fields.source import (
    FieldPlanner,
    FieldSource,
    JsonCompiler,
    LoadField,
    ParentRows,
    SelectedField,
    declare_field,
    graph_type,
)
from schema.plan.selections import row_model
from schema.plan.sql_json import json_row
from schema.plan.sql_json_scalars import missing
from schema.plan.sql_json_scopes import JsonWriter
from schema.plan.sql_json_step import fragment
from schema.plan.steps import ReferenceStep, Step, ToOneStep


@dataclass(eq=False)
class ToOne(FieldSource):
    """The row of the target type whose primary key is in `column`, or whose column `back` has this row's `column`."""

    column: Any
    back: Any = None

    def parent_columns(self) -> Sequence[Any]:
        return [self.column]

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        key = parent.get(self.column)
        return None if key is None else context.one(graph_type(field.type).row, key, self.back)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if rows.layout is None:
            return None
        lookup = planner.table(selected.type, selected.nodes).lookup(self.back)
        return ToOneStep(rows.layout.at(self.column), lookup, selected.required)

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        scope = compiler.scope(row_model(selected.type))
        entries = compiler.objects(selected.type, selected.nodes)
        if entries is None:
            return None
        key = "id" if self.back is None else table_column(self.back).key
        return json_row(scope, entries, key, table_column(self.column).key, missing(selected.type))


@dataclass(eq=False)
class ToOneOf(FieldSource):
    """The row named by whichever of several columns is not null; by model, the column."""

    columns: dict[Any, Any]

    def parent_columns(self) -> Sequence[Any]:
        return list(self.columns.values())

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        for model, column in self.columns.items():
            if (key := parent.get(column)) is not None:
                return context.one(model, key)
        return None

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if rows.layout is None:
            return None
        places = [(model, rows.layout.at(column)) for model, column in self.columns.items()]

        def reference(row: Any) -> tuple[Any, int] | None:
            return next(((model, row[at]) for model, at in places if row[at] is not None), None)

        return reference_step(reference, selected.type, selected.nodes, planner)


@dataclass(eq=False)
class Ref(FieldSource):
    """On a plain value: the row that its attribute (model, key) names; null if that is None."""

    attribute: str

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        reference = getattr(parent, self.attribute)
        return None if reference is None else context.one(*reference)

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        if self.attribute not in rows.json_attributes:
            return None
        return f"{rows.code.name(fragment)}(r.{rows.json_attributes[self.attribute]}, disclosures)"

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return reference_step(lambda row: getattr(row, self.attribute), selected.type, selected.nodes, planner)


def reference_step(
    reference: Callable[[Any], tuple[Any, int] | None],
    graph_type: Any,
    nodes: Sequence[FieldNode],
    planner: FieldPlanner,
    *,
    scoped: bool = True,
) -> ReferenceStep:
    """Rows of any type that the GraphQL type can be; `reference` gives (model, key) for a parent, or None."""
    lookups = planner.lookups(graph_type, nodes, scoped=scoped)
    return ReferenceStep(reference, lookups, isinstance(graph_type, GraphQLNonNull))


def to_one(key: Any, description: str) -> Any:
    """The row that a foreign key names."""
    return declare_field(ToOne(key), description)


def to_one_back(key: Any, back: Any, description: str) -> Any:
    """The one row whose column `back` equals this row's column `key`."""
    return declare_field(ToOne(key, back), description)


def to_one_of(columns: dict[Any, Any], description: str) -> Any:
    """The row that one of several foreign keys names; by model, the column."""
    return declare_field(ToOneOf(columns), description)


def ref(attribute: str, description: str) -> Any:
    """On a plain value: the row that its attribute (model, key) names."""
    return declare_field(Ref(attribute), description)
