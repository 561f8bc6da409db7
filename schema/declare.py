"""A field says how it loads. The declarations are data: what graphql-core runs is made from them here, and whatever
else executes an operation reads the same ones.

Lists of rows, with their filters and pages, are in schema/connection.py.
"""

import dataclasses
import datetime as dt
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, TypeVarTuple, dataclass_transform, get_type_hints

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer, StrawberryList, has_object_definition
from strawberry.types.field import StrawberryField

from models.visibility import Right
from resolvers.sql import authorization
from resolvers.sql.predicates import table_column
from resolvers.sql.selects import Reader
from schema import ids
from schema.context import Asker, Context, Record

C = TypeVar("C", bound=type)
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")
N = TypeVarTuple("N")

# Every graph type over a table's rows, by its name and by its model.
NODES: dict[str, Any] = {}
OF_ROW: dict[Any, Any] = {}


class Load:
    """How a field gets its value."""

    def arguments(self, field: "LoadField") -> list[StrawberryArgument]:
        return []

    def resolve(self, field: "LoadField", source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        raise NotImplementedError


class LoadField(StrawberryField):
    """A field with its declaration; it runs no code of its own."""

    load: Load
    sees: Right | None = None

    @property
    def is_basic_field(self) -> bool:
        return False

    @property
    def arguments(self) -> list[StrawberryArgument]:
        # Late, because the filter of the type that it leads to may stand in a module that is not read yet.
        if self._arguments is None:
            self._arguments = self.load.arguments(self)
        return self._arguments

    @arguments.setter
    def arguments(self, value: list[StrawberryArgument]) -> None:
        self._arguments = value

    def __copy__(self) -> "LoadField":
        copied = super().__copy__()
        copied.load, copied.sees = self.load, self.sees
        return copied

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        context: Context = info.context
        if not context.viewer.visibility.allows(self.sees):
            return self.hidden
        return self.load.resolve(self, source, context, kwargs)

    @property
    def hidden(self) -> Any:
        """What stands for a value that the viewer may not see."""
        return [] if isinstance(self.type, StrawberryList) else None


def declared(load: Load, description: str, sees: Right | None = None, name: str | None = None) -> Any:
    field = LoadField(description=description, graphql_name=name)
    field.load, field.sees = load, sees
    return field


def target(of: Any) -> Any:
    """The graph type inside optional and list."""
    while isinstance(of, StrawberryContainer):
        of = of.of_type
    return of.resolve_type() if hasattr(of, "resolve_type") and not has_object_definition(of) else of


def argument(
    name: str, description: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> StrawberryArgument:
    return StrawberryArgument(name, None, StrawberryAnnotation(annotation), default=default, description=description)


# -- values of the row itself --


@dataclass(eq=False)
class Column(Load):
    column: Any

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return source.get(self.column)


@dataclass(eq=False)
class Compute(Load):
    function: Callable[..., Any]
    needs: Sequence[Any]
    clock: bool = False

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        values = [source.get(column) for column in self.needs]
        return self.function(context.reader.now, *values) if self.clock else self.function(*values)


@dataclass(eq=False)
class GlobalId(Load):
    name: str
    column: Any

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return ids.encode(self.name, source.get(self.column))


class Parts:
    """The values of a part, by the names of its type's fields."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


@dataclass(eq=False)
class Part(Load):
    columns: dict[str, Any]

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        values = {name: source.get(column) for name, column in self.columns.items()}
        return None if all(v is None for v in values.values()) else Parts(values)


def column(of: T, description: str, *, sees: Right | None = None, name: str | None = None) -> T:
    """A column as it is."""
    return declared(Column(of), description, sees, name)  # type: ignore[no-any-return]  # it stands for the value


def compute(function: Callable[[*N], R], *needs: *N, description: str, sees: Right | None = None) -> R:
    """A value made from columns alone."""
    return declared(Compute(function, needs), description, sees)  # type: ignore[no-any-return]  # as above


def compute_now(function: Callable[[dt.datetime, *N], R], *needs: *N, description: str, sees: Right | None = None) -> R:
    """A value made from the operation's clock and columns."""
    return declared(Compute(function, needs, clock=True), description, sees)  # type: ignore[no-any-return]  # as above


def part(description: str, *, sees: Right | None = None, **columns: Any) -> Any:
    """An object made of columns, by the names of its fields; null where all of them are."""
    return declared(Part(columns), description, sees)


# -- other rows by their keys --


@dataclass(eq=False)
class ToOne(Load):
    """The row of the target type whose primary key is in `column`, or whose `back` column has this row's key."""

    column: Any
    back: Any = None

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        key = source.get(self.column)
        return None if key is None else context.one(target(field.type).row, key, self.back)


@dataclass(eq=False)
class ToOneOf(Load):
    """The row that whichever of several columns is not null names, each of another model."""

    columns: dict[Any, Any]

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        for model, column in self.columns.items():
            if (key := source.get(column)) is not None:
                return context.one(model, key)
        return None


@dataclass(eq=False)
class Ref(Load):
    """A row named by a plain value: its attribute is (model, key) or None."""

    attribute: str

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        found = getattr(source, self.attribute)
        return None if found is None else context.one(*found)


def to_one(key: Any, description: str) -> Any:
    """The row that a foreign key names."""
    return declared(ToOne(key), description)


def to_one_back(key: Any, back: Any, description: str) -> Any:
    """The one row whose column `back` names this row by its column `key`."""
    return declared(ToOne(key, back), description)


def to_one_of(columns: dict[Any, Any], description: str) -> Any:
    """The row that one of several foreign keys names; by model, the column."""
    return declared(ToOneOf(columns), description)


def ref(attribute: str, description: str) -> Any:
    """On a plain value: the row that its attribute (model, key) names."""
    return declared(Ref(attribute), description)


# -- functions over many parents --


@dataclass(frozen=True)
class Given:
    """An argument of a batch that is not in its function's own terms: its type, and what makes a plain value of it."""

    description: str
    annotation: Callable[[], Any]
    convert: Callable[[Any, Asker], Any]


@dataclass(eq=False)
class Batch(Load):
    function: Callable[..., Awaitable[Sequence[Any]]]
    needs: Sequence[Any]
    given: Mapping[str, str | Given]
    carries: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        hints = get_type_hints(self.function)
        parameters = list(inspect.signature(self.function).parameters.values())[2:]
        if [p.name for p in parameters] != list(self.given):
            raise TypeError(f"{self.function.__name__}: describe {[p.name for p in parameters]}, in that order")
        made = []
        for p in parameters:
            given = self.given[p.name]
            # A client may give null for what has a default, and then gets the default.
            required = p.default is inspect.Parameter.empty
            if isinstance(given, Given):
                default = p.default if required else strawberry.UNSET
                made.append(argument(p.name, given.description, given.annotation(), default))
            else:
                default = strawberry.UNSET if p.default is None else p.default
                made.append(argument(p.name, given, hints[p.name] if required else hints[p.name] | None, default))
        return made

    def plain(self, arguments: dict[str, Any], asker: Asker) -> dict[str, Any]:
        """The function's own arguments; what the client left out, or gave as null, is left to its defaults."""
        values: dict[str, Any] = {}
        for name, value in arguments.items():
            if value is None or value is strawberry.UNSET:
                continue
            given = self.given[name]
            values[name] = given.convert(value, asker) if isinstance(given, Given) else value
        return values

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        if self.needs and not authorization.may_read(context.viewer.visibility):
            return field.hidden  # the row is one that the viewer wrote, and this is more than the row
        values = self.plain(arguments, context)
        needs = tuple(source.get(column) for column in self.needs)

        async def read(keys: list[Any]) -> Sequence[Any]:
            return await self.function(context.reader, keys, **values)

        shape = tuple((name, repr(value)) for name, value in sorted(arguments.items()))
        return context.load((self, shape), read, needs)


def batch(
    function: Callable[Concatenate[Reader, Sequence[tuple[*N]], P], Awaitable[Sequence[Any]]],
    *needs: *N,
    description: str,
    arguments: Mapping[str, str | Given] | None = None,
    sees: Right | None = None,
    carries: Mapping[str, str] | None = None,
) -> Any:
    """One call for all parents: (reader, a tuple of the needed columns for each parent, arguments) → one result each.

    The function's keyword arguments become the field's; `arguments` describes each of them. `carries` names attributes
    of the results: by one that refers to a row, the one that has what the reader's `carry` wrote of it.
    """
    return declared(Batch(function, needs, arguments or {}, carries or {}), description, sees)


# -- types --


@strawberry.interface(description="Anything that has a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Global id: opaque, unique among all types, and lasting.")


@dataclass_transform(kw_only_default=True, field_specifiers=(column, compute, compute_now, part, strawberry.field))
def row_type(row: Any) -> Callable[[C], C]:
    """A graph type over a table's rows."""

    def decorate(cls: C) -> C:
        def is_type_of(cls: Any, value: Any, info: Any) -> bool:
            return isinstance(value, Record) and value.model is row

        cls.is_type_of = classmethod(is_type_of)  # type: ignore[attr-defined]  # Strawberry looks for it
        made: Any = strawberry.type(cls, description=inspect.cleandoc(cls.__doc__ or ""))
        made.row = row
        OF_ROW[row] = made
        return made  # type: ignore[no-any-return]

    return decorate


def check_columns(cls: Any) -> None:
    """A field must not take another table's column: no type checker sees that."""
    for field in cls.__strawberry_definition__.fields:
        load = getattr(field, "load", None)
        columns: list[Any] = []
        match load:
            case Column(column=one) | GlobalId(column=one) | ToOne(column=one):
                columns = [one]
            case Compute(needs=needs) | Batch(needs=needs):
                columns = list(needs)
            case Part(columns=parts) | ToOneOf(columns=parts):
                columns = list(parts.values())
        for one in columns:
            if table_column(one).table is not cls.row.__table__:
                raise TypeError(f"{cls.__name__}.{field.python_name} takes {one}, a column of another table")


def fields_of(cls: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a graph type as they were declared."""
    found: list[dataclasses.Field[Any]] = cls.__strawberry_definition__.fields
    return found
