"""Where a field's value comes from.

Fields are declared with a `FieldSource`. Both executors read the same declaration: graphql-core calls `resolve`,
compiled plans are made of `expression`, `step` and `sql_json`. A new kind of field is a new subclass of FieldSource;
nothing else knows which kinds there are.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol

import strawberry
from graphql import FieldNode, GraphQLNonNull, GraphQLObjectType
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer, StrawberryList
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from models.db.tables import is_personal, table_of
from models.visibility import PERSONAL_DATA, Right, Visibility
from resolvers.disclosures import disclosed_by, note_row
from resolvers.sql.predicates import table_column
from schema.execution.context import Context, Record
from schema.plan.row_codec import FunctionBuilder, RowLayout
from schema.plan.selections import Fields, Selections
from schema.plan.sql_json_scopes import JsonEntries, JsonWriter, QueryScope, RowsOf
from schema.plan.steps import ArgumentPlan, RowLookup, Step, TableSelection

# Every graph type over a table's rows, by its name and by its model.
NODES: dict[str, Any] = {}
OF_ROW: dict[Any, Any] = {}
# By model whose rows are of several graph types: makes the function that gives the name of a row's type.
TYPE_OF_ROW: dict[Any, Callable[[RowLayout], Callable[[Any], str]]] = {}

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


TEXT = 150  # bytes of a text that people write


@dataclasses.dataclass(frozen=True, slots=True)
class FieldCost:
    """What a field costs besides the selection below it; schema/execution/cost.py adds it up.

    `size` is the bytes of a value in JSON, where its type does not tell. `length` is how many rows a list usually has,
    unless the arguments `sizes` give its length. `read` is how many values are read for each parent, whatever is
    selected of them; the arguments `read_for_each` multiply it. `filtered` is how many are read besides where one of
    the arguments `filters` is given; the arguments `filtered_for_each` multiply it.
    """

    size: int | None = None
    length: float = 5
    sizes: tuple[str, ...] = ("first", "last")
    read: int = 0
    read_for_each: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    filtered: int = 0
    filtered_for_each: tuple[str, ...] = ()


class FieldSource:
    """The source of a field's value: subclasses implement `resolve`, and what can be compiled of the rest.

    Where a value can be had in several ways, all of them give the same. None means that a way does not exist.
    """

    cost = FieldCost()

    def arguments(self, field: "LoadField") -> list[StrawberryArgument]:
        """The field's arguments. Called when all types are declared."""
        return []

    def parent_columns(self) -> Sequence[Any]:
        """The columns of the parent's row that the value is made of; they must be of the parent's table."""
        return ()

    def visible_to(self, visibility: Visibility) -> bool:
        """Whether the source itself shows the value, whatever right the field demands."""
        return True

    def resolve(self, field: "LoadField", parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        """The value of one parent, for graphql-core; may be awaitable. Reads go through the context's loaders."""
        raise NotImplementedError

    def expression(self, selected: "SelectedField", rows: "ParentRows", planner: "FieldPlanner") -> str | None:
        """Source of a Python expression for the field's JSON value, if it needs nothing but the parent's row."""
        return None

    def step(self, selected: "SelectedField", rows: "ParentRows", planner: "FieldPlanner") -> Step | None:
        """The step that gives the field's JSON value for many parents. Asked if there is no expression."""
        return None

    def sql_json(self, selected: "SelectedField", compiler: "JsonCompiler") -> JsonWriter | None:
        """Writes the field's JSON value in SQL for PostgreSQL, byte for byte what a step would give."""
        return None


class LoadField(StrawberryField):
    """A field with a source. `sees` is the right that a viewer needs to see its value."""

    source: FieldSource
    sees: Right | None = None
    cost: FieldCost

    @property
    def is_basic_field(self) -> bool:
        return False

    @property
    def arguments(self) -> list[StrawberryArgument]:
        # Made late: a filter may belong to a type whose module is not imported yet.
        if self._arguments is None:
            self._arguments = self.source.arguments(self)
        return self._arguments

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        self._arguments = value

    def __copy__(self) -> "LoadField":
        copied = super().__copy__()
        copied.source, copied.sees, copied.cost = self.source, self.sees, self.cost
        return copied

    def visible_to(self, visibility: Visibility) -> bool:
        return visibility.allows(self.sees) and self.source.visible_to(visibility)

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        context: Context = info.context
        if not self.visible_to(context.viewer.visibility):
            return self.hidden
        if self.sees is not None and isinstance(source, Record):
            shown = disclosed_by(table_of(source.model), self.sees, context.viewer.visibility)
            if shown is not None:
                note_row(context.reader.disclosures, shown[0], getattr(source.row, shown[1]))
        return self.source.resolve(self, source, context, kwargs)

    @property
    def hidden(self) -> Any:
        """The value for a viewer who may not see it."""
        return [] if isinstance(self.type, StrawberryList) else None


def declare_field(
    source: FieldSource,
    description: str,
    sees: Right | None = None,
    name: str | None = None,
    cost: FieldCost | None = None,
) -> Any:
    """A field of a graph type. The class declares it with the type of its value, which Strawberry reads."""
    field = LoadField(description=description, graphql_name=name)
    field.source, field.sees, field.cost = source, sees, cost or source.cost
    return field


def graph_type(annotation: Any) -> Any:
    """The graph type inside optional and list, and behind a lazy reference."""
    while isinstance(annotation, StrawberryContainer):
        annotation = annotation.of_type
    return _resolve(annotation) if isinstance(annotation, LazyType) else annotation


@cache
def _resolve(reference: LazyType[Any, Any]) -> Any:
    """Cached, because `resolve_type` asks the file system, and fields of many rows ask for one type."""
    return reference.resolve_type()


def argument(
    name: str, description: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> StrawberryArgument:
    return StrawberryArgument(name, None, StrawberryAnnotation(annotation), default=default, description=description)


# -- planning: what a source is given, and what it may use --


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class SelectedField:
    """A field as one operation selects it on an object type.

    `type` is its GraphQL type. `nodes` are its occurrences in merged selection sets; their arguments are the same.
    """

    field: LoadField
    parent: GraphQLObjectType
    type: Any
    nodes: list[FieldNode]

    @property
    def node(self) -> FieldNode:
        return self.nodes[0]

    @property
    def required(self) -> bool:
        return isinstance(self.type, GraphQLNonNull)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ParentRows:
    """The rows on which a selection is planned.

    `layout` has the columns to read of their table; it is None for plain Python values. `code` is the function that
    builds the objects: in its expressions `r` is the row and `now` the operation's clock. `json_attributes` has, by the
    attribute of a plain value that refers to a row, the attribute with that row's JSON text.
    """

    layout: RowLayout | None
    code: FunctionBuilder
    json_attributes: Mapping[str, str]


class FieldPlanner(Protocol):
    """What a source uses to plan its field: the operation's settings, and plans for the rows that it leads to."""

    selections: Selections
    visibility: Visibility
    sqlite: bool

    def arguments(self, selected: SelectedField) -> ArgumentPlan:
        """The arguments that the source declares, in its own terms."""

    def limited(self, model: Any) -> bool:
        """Whether viewers with this role and these scopes may have only some of the table's rows."""

    def layout(self, model: Any) -> RowLayout:
        """An empty layout for the rows of a model, but for the primary key."""

    def objects(
        self,
        graph_type: Any,
        nodes: Sequence[FieldNode],
        layout: RowLayout | None,
        json_attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> Step:
        """Builds objects of a type, or of each type that it can be, of rows or (without a layout) plain values."""

    def table(self, graph_type: Any, nodes: Sequence[FieldNode], *, scoped: bool = True) -> TableSelection:
        """A selection on the rows of a type's table."""

    def lookups(self, graph_type: Any, nodes: Sequence[FieldNode], *, scoped: bool = True) -> Mapping[Any, RowLookup]:
        """By model, rows by primary key, for each type that `graph_type` can be."""

    def json_compiler(self) -> "JsonCompiler":
        """Compiles a new statement that returns JSON."""


class JsonCompiler(Protocol):
    """What a source uses to write its field as JSON in SQL."""

    selections: Selections
    visibility: Visibility

    @property
    def scopes(self) -> Sequence[QueryScope]:
        """The scopes of the statement so far."""

    def arguments(self, selected: SelectedField) -> ArgumentPlan: ...

    def scope(self, model: Any, rows: RowsOf | None = None) -> QueryScope:
        """A new scope: rows of a model in the statement, by default all that the viewer may see."""

    def objects(self, graph_type: Any, nodes: Sequence[FieldNode]) -> JsonEntries | None:
        """The entries of an object of a row; None if one of them cannot be written in SQL, or it is nested too deep."""

    def entries(self, parent: GraphQLObjectType, fields: Fields) -> JsonEntries | None:
        """The same for collected fields, at the top of a statement."""


# -- types --


@strawberry.interface(description="A row with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Global id: opaque, unique among all types, and lasting.")


def fields_of(cls: Any) -> list[dataclasses.Field[Any]]:
    """The declared fields of a graph type."""
    fields: list[dataclasses.Field[Any]] = cls.__strawberry_definition__.fields
    return fields


def check_columns(cls: Any) -> None:
    """Raises TypeError for a field that takes a column of another table, or shows personal data without the right."""
    for field in cls.__strawberry_definition__.fields:
        for column in field.source.parent_columns() if isinstance(field, LoadField) else ():
            taken = table_column(column)
            if taken.table is not cls.row.__table__:
                raise TypeError(f"{cls.__name__}.{field.python_name} takes {column}, a column of another table")
            if is_personal(taken) and field.sees is not PERSONAL_DATA:
                raise TypeError(f"{cls.__name__}.{field.python_name} shows {column}, which is personal data")
