"""How compiled operations write single values: as expressions of generated code, from the driver's rows to JSON.

The expressions give what orjson writes as graphql-core's result would be written: times and days stay as they are,
since orjson writes them in ISO 8601 as the scalars do.
"""

from collections.abc import Callable
from typing import Any

import orjson
import sqlalchemy as sa
from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, get_named_type
from sqlmodel import AutoString

from models.db.column_types import JsonList, RankedEnum, UtcTime
from resolvers.sql.predicates import table_column
from resolvers.sql.prepared import decoder
from resolvers.sql.row_source import SelectedColumns
from schema.plan.fallback import FallbackRequired

AS_THEY_ARE = frozenset({"String", "Int", "Boolean", "ID", "Date", "DateTime"})


class FunctionBuilder:
    """The source of one generated function, with the values that it names."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    def name(self, value: Any) -> str:
        """A name by which the source can use the value."""
        made = f"v{len(self.names)}"
        self.names[made] = value
        return made

    def function(self, parameters: str, body: str) -> Callable[..., Any]:
        source = f"def made({parameters}):\n    return {body}"
        exec(compile(source, "<plan>", "exec"), self.names)  # made of declarations and checked names alone
        found: Callable[..., Any] = self.names["made"]
        return found


class RowLayout:
    """What is read of a table, each thing once; a row `r` has all of it in this order.

    Besides the table's own columns there may be texts that the database writes; `texts` knows how to ask for them.
    """

    def __init__(self, table: sa.Table, *, sqlite: bool) -> None:
        self.table, self.sqlite = table, sqlite
        self.all: list[Any] = []
        self.texts: Any = None

    def read(self, state: Any) -> SelectedColumns:
        found: SelectedColumns = (
            SelectedColumns(lambda: self.all) if self.texts is None else self.texts.read(self, state)
        )
        return found

    def add(self, text: Any) -> int:
        """The place of one more text."""
        self.all.append(text)
        return len(self.all) - 1

    def at(self, column: Any) -> int:
        """The place of a column of the table, by a model's attribute."""
        found = self.table.c[table_column(column).key]
        if not any(found is one for one in self.all):
            self.all.append(found)
        return next(i for i, one in enumerate(self.all) if one is found)

    def decoded(self, code: FunctionBuilder, column: Any) -> str:
        """The value as models have it."""
        place = self.at(column)
        decode = decoder(self.all[place].type, self.sqlite)
        return f"r[{place}]" if decode is None else applied(code, f"r[{place}]", decode, bool(self.all[place].nullable))

    def told(self, code: FunctionBuilder, column: Any, of: Any) -> str:
        """The value as JSON has it, where the graph's type is `of`."""
        place = self.at(column)
        found: sa.Column[Any] = self.all[place]
        value, nullable = f"r[{place}]", bool(found.nullable)
        named = get_named_type(of)
        match found.type:
            case RankedEnum(of=members):
                value = applied(code, value, {m.value: m.name for m in members}.__getitem__, nullable)
            case UtcTime():
                value = applied(code, value, without_zero, nullable) if self.sqlite else value
            case sa.Boolean():
                value = applied(code, value, bool, nullable) if self.sqlite else value
            case JsonList() | sa.JSON():
                value = applied(code, value, orjson.loads, nullable)
            case sa.Enum() | sa.Date():
                pass  # kept by the members' names; kept as text by SQLite
            case sa.String() | AutoString() | sa.Integer() | sa.Float() if named.name in AS_THEY_ARE | {"Float"}:
                pass
            case _:
                return json_expression(code, self.decoded(code, column), of)
        return non_null(code, value) if nullable and isinstance(of, GraphQLNonNull) else value


class DecodedRowLayout(RowLayout):
    """The same of rows whose values are as models have them."""

    def decoded(self, code: FunctionBuilder, column: Any) -> str:
        return f"r[{self.at(column)}]"

    def told(self, code: FunctionBuilder, column: Any, of: Any) -> str:
        return json_expression(code, self.decoded(code, column), of)


def without_zero(time: str) -> str:
    """A time as SQLite keeps it, in the form of `isoformat`, which leaves out microseconds that are zero."""
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


def json_expression(code: FunctionBuilder, value: str, of: Any, *, nullable: bool = True) -> str:
    """An expression for a value as models have it, made one for JSON. `nullable` says whether it can be None."""
    required = isinstance(of, GraphQLNonNull)
    of = of.of_type if required else of
    if isinstance(of, GraphQLList):
        inner = FunctionBuilder()
        each = json_expression(inner, "r", of.of_type)
        value = applied(code, value, inner.function("values", f"[{each} for r in values]"), nullable)
    elif isinstance(of, GraphQLEnumType):
        members = of.extensions["strawberry-definition"].wrapped_cls
        value = applied(code, value, {member: of.serialize(member) for member in members}.__getitem__, nullable)
    elif of.name not in AS_THEY_ARE:
        value = applied(code, value, float if of.name == "Float" else of.serialize, nullable)
    return non_null(code, value) if required and nullable else value
