"""Generates the code that turns the driver's rows into JSON values.

The generated expressions give what orjson writes exactly as it writes graphql-core's result. Dates and times stay
Python values: orjson writes them in ISO 8601, as the scalars do.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import orjson
import sqlalchemy as sa
from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, get_named_type
from sqlmodel import AutoString

from models.db.column_types import JsonList, RankedEnum, UtcTime
from resolvers.sql.predicates import table_column
from resolvers.sql.prepared import decoder
from resolvers.sql.row_source import SelectedColumns
from schema.plan.fallback import FallbackRequired

# Scalars whose Python values orjson writes as they are.
DIRECT_SCALARS = frozenset({"String", "Int", "Boolean", "ID", "Date", "DateTime"})

T = TypeVar("T")


class FunctionBuilder:
    """Builds a function from generated source. `names` has the values that the source refers to."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    def name(self, value: Any) -> str:
        """A new name for a value."""
        name = f"v{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, parameters: str, body: str) -> Callable[..., Any]:
        source = f"def generated({parameters}):\n    return {body}"
        exec(compile(source, "<plan>", "exec"), self.names)  # the source consists of declarations and checked names
        function: Callable[..., Any] = self.names["generated"]
        return function


class JsonColumns(Protocol):
    """Writes the JSON columns of a layout."""

    def read(self, layout: "RowLayout", state: Any) -> SelectedColumns: ...


class RowLayout:
    """The columns to read of a table, each once; a row `r` has their values in this order.

    Where `takes_json`, columns of JSON text can be added to the table's own; `json` writes them.
    """

    def __init__(self, table: sa.Table, *, sqlite: bool, takes_json: bool = False) -> None:
        self.table, self.sqlite, self.takes_json = table, sqlite, takes_json
        self.all: list[Any] = []
        self.json: JsonColumns | None = None

    def read(self, state: Any) -> SelectedColumns:
        return SelectedColumns(lambda: self.all) if self.json is None else self.json.read(self, state)

    def add(self, writer: Any) -> int:
        """Add a column of JSON text; gives its position."""
        self.all.append(writer)
        return len(self.all) - 1

    def at(self, column: Any) -> int:
        """The position of a column of the table, given as a model's attribute."""
        return self.position(table_column(column).key)

    def position(self, key: str) -> int:
        """The position of a column of the table, by its name."""
        wanted = self.table.c[key]
        if not any(wanted is one for one in self.all):
            self.all.append(wanted)
        return next(i for i, one in enumerate(self.all) if one is wanted)

    def by_member(self, column: Any, values: Mapping[Any, T]) -> Callable[[Any], T]:
        """A function that gives for a row the entry of `values` for the member in an enum column."""
        at, by_name = self.at(column), {member.name: value for member, value in values.items()}
        return lambda row: by_name[row[at]]

    def decoded(self, code: FunctionBuilder, column: Any) -> str:
        """An expression for the value that models have."""
        place = self.at(column)
        decode = decoder(self.all[place].type, self.sqlite)
        return f"r[{place}]" if decode is None else applied(code, f"r[{place}]", decode, bool(self.all[place].nullable))

    def encoded(self, code: FunctionBuilder, column: Any, graph_type: Any) -> str:
        """An expression for the JSON value of a field of this GraphQL type."""
        place = self.at(column)
        read: sa.Column[Any] = self.all[place]
        value, nullable = f"r[{place}]", bool(read.nullable)
        named = get_named_type(graph_type)
        match read.type:
            case RankedEnum(of=members):
                value = applied(code, value, {m.value: m.name for m in members}.__getitem__, nullable)
            case UtcTime():
                value = applied(code, value, without_zero_microseconds, nullable) if self.sqlite else value
            case sa.Boolean():
                value = applied(code, value, bool, nullable) if self.sqlite else value
            case JsonList() | sa.JSON():
                value = applied(code, value, orjson.loads, nullable)
            case sa.Enum() | sa.Date():
                pass  # the database has enums by their members' names, and SQLite has dates as text
            case sa.String() | AutoString() | sa.Integer() | sa.Float() if named.name in DIRECT_SCALARS | {"Float"}:
                pass
            case _:
                return json_expression(code, self.decoded(code, column), graph_type)
        return non_null(code, value) if nullable and isinstance(graph_type, GraphQLNonNull) else value


class DecodedRowLayout(RowLayout):
    """A layout of rows whose values are already those that models have."""

    def by_member(self, column: Any, values: Mapping[Any, T]) -> Callable[[Any], T]:
        at = self.at(column)
        return lambda row: values[row[at]]

    def decoded(self, code: FunctionBuilder, column: Any) -> str:
        return f"r[{self.at(column)}]"

    def encoded(self, code: FunctionBuilder, column: Any, graph_type: Any) -> str:
        return json_expression(code, self.decoded(code, column), graph_type)


def without_zero_microseconds(time: str) -> str:
    """SQLite's text of a time in the form of `isoformat`, which leaves out microseconds that are zero."""
    return time[:19] + time[26:] if time[19:26] == ".000000" else time


def applied(code: FunctionBuilder, value: str, function: Callable[[Any], Any], nullable: bool) -> str:
    name = code.name(function)
    return f"(None if (y := {value}) is None else {name}(y))" if nullable else f"{name}({value})"


def non_null(code: FunctionBuilder, value: str) -> str:
    return f"{code.name(require)}({value})"


def require(value: Any) -> Any:
    if value is None:
        raise FallbackRequired("a null where none may be")
    return value


def json_expression(code: FunctionBuilder, value: str, graph_type: Any, *, nullable: bool = True) -> str:
    """An expression for the JSON value of a model's value. `nullable` says whether that can be None."""
    required = isinstance(graph_type, GraphQLNonNull)
    inner = graph_type.of_type if required else graph_type
    if isinstance(inner, GraphQLList):
        items = FunctionBuilder()
        item = json_expression(items, "r", inner.of_type)
        value = applied(code, value, items.function("values", f"[{item} for r in values]"), nullable)
    elif isinstance(inner, GraphQLEnumType):
        members = inner.extensions["strawberry-definition"].wrapped_cls
        value = applied(code, value, {member: inner.serialize(member) for member in members}.__getitem__, nullable)
    elif inner.name not in DIRECT_SCALARS:
        value = applied(code, value, float if inner.name == "Float" else inner.serialize, nullable)
    return non_null(code, value) if required and nullable else value
