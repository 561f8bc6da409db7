"""Fields whose value is made of columns of their own row."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

from models.visibility import Right
from schema.execution.context import Context, Record
from schema.fields.source import FieldSource, LoadField, declare_field
from schema.types import node_id

T = TypeVar("T")
R = TypeVar("R")
N = TypeVarTuple("N")


# -- values of the row itself --


@dataclass(eq=False)
class Column(FieldSource):
    column: Any

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return source.get(self.column)


@dataclass(eq=False)
class Compute(FieldSource):
    function: Callable[..., Any]
    needs: Sequence[Any]
    clock: bool = False

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        values = [source.get(column) for column in self.needs]
        return self.function(context.reader.now, *values) if self.clock else self.function(*values)


@dataclass(eq=False)
class GlobalId(FieldSource):
    name: str
    column: Any

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return node_id.encode(self.name, source.get(self.column))


class SubObjectValue:
    """The values of a part, by the names of its type's fields."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


@dataclass(eq=False)
class SubObject(FieldSource):
    columns: dict[str, Any]

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        values = {name: source.get(column) for name, column in self.columns.items()}
        return None if all(v is None for v in values.values()) else SubObjectValue(values)


def column(of: T, description: str, *, sees: Right | None = None, name: str | None = None) -> T:
    """A column as it is."""
    return declare_field(Column(of), description, sees, name)  # type: ignore[no-any-return]  # it stands for the value


def compute(function: Callable[[*N], R], *needs: *N, description: str, sees: Right | None = None) -> R:
    """A value made from columns alone."""
    return declare_field(Compute(function, needs), description, sees)  # type: ignore[no-any-return]  # as above


def compute_now(function: Callable[[dt.datetime, *N], R], *needs: *N, description: str, sees: Right | None = None) -> R:
    """A value made from the operation's clock and columns."""
    return declare_field(Compute(function, needs, clock=True), description, sees)  # type: ignore[no-any-return]  # as above


def sub_object(description: str, *, sees: Right | None = None, **columns: Any) -> Any:
    """An object made of columns, by the names of its fields; null where all of them are."""
    return declare_field(SubObject(columns), description, sees)
