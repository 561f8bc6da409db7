"""Orders and pages: a page begins at a cursor, which names the last row that was seen, never a number of rows."""

import base64
import binascii
import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam

from models.db.column_types import EARLIEST, LATEST
from resolvers.errors import ErrorCode, RequestError, checked_text
from resolvers.sql.predicates import table_column

PAGE_DEFAULT = 20
PAGE_MAXIMUM = 1000
INTEGER_MAXIMUM = 2**31 - 1


@dataclass(frozen=True, eq=False)
class SortKey:
    """What rows are sorted by: a column, and where it can be null the SQL literal that stands for null."""

    column: Any
    if_null: str | None = None

    def sql(self) -> ColumnElement[Any]:
        column = table_column(self.column)
        if self.if_null is None:
            return column
        return sa.func.coalesce(column, sa.literal_column(self.if_null, column.type))

    def value_of(self, row: Any) -> Any:
        """The key of a row."""
        return getattr(row, table_column(self.column).key)

    def to_json(self, value: Any) -> Any:
        """A key as a cursor keeps it: null for null."""
        if isinstance(value, enum.Enum):
            return value.value
        return value.isoformat(timespec="microseconds") if isinstance(value, dt.datetime) else value

    def from_json(self, value: Any) -> Any:
        """The value that `to_json` made, as a parameter. Raises ValueError, OverflowError or TypeError."""
        if value is None and self.if_null is not None:
            return None
        of = table_column(self.column).type.python_type
        if of is dt.datetime:
            parsed = dt.datetime.fromisoformat(value)
            if parsed.tzinfo is None:
                raise ValueError
            return parsed.astimezone(dt.UTC)
        if type(value) is not (int if issubclass(of, enum.Enum) else of):
            raise TypeError
        if issubclass(of, enum.Enum):
            return of(value).value
        if isinstance(value, int) and abs(value) > INTEGER_MAXIMUM:
            raise ValueError
        return checked_text(value) if isinstance(value, str) else value

    def parameter(self, name: str) -> ColumnElement[Any]:
        column = table_column(self.column)
        ranked = issubclass(column.type.python_type, enum.Enum)
        bound = bindparam(name, type_=sa.SmallInteger() if ranked else column.type)
        # The literal as text here too: as a parameter, asyncpg makes minus infinity of the first instant of year 1.
        return bound if self.if_null is None else sa.func.coalesce(bound, sa.literal_column(self.if_null, column.type))


def null_times_first(column: Any) -> SortKey:
    """Rows without the time come before all that have it."""
    return SortKey(column, EARLIEST)


def null_times_last(column: Any) -> SortKey:
    """Rows without the time come after all that have it."""
    return SortKey(column, LATEST)


def null_grades_first(column: Any) -> SortKey:
    """Rows without the grade come before all that have it."""
    return SortKey(column, "0")


@dataclass(frozen=True)
class Order:
    """A total order: a key, then the primary key, both in one direction. `name` is what a cursor must have been for."""

    name: str
    key: SortKey
    primary: SortKey
    descending: bool = False

    @property
    def keys(self) -> tuple[SortKey, ...]:
        return (self.key,) if self.key is self.primary else (self.key, self.primary)

    def sql(self, backward: bool = False) -> list[ColumnElement[Any]]:
        descending = self.descending is not backward
        return [k.sql().desc() if descending else k.sql().asc() for k in self.keys]

    def beyond(self, prefix: str, backward: bool, sqlite: bool) -> ColumnElement[bool]:
        """Rows after (or, backward, before) the cursor whose values are the parameters `prefix`0 and `prefix`1."""
        left, right = self._sides(prefix)
        less = self.descending is not backward
        if len(left) == 1:
            return left[0] < right[0] if less else left[0] > right[0]
        rows, bound = sa.tuple_(*left), sa.tuple_(*right)
        past: ColumnElement[bool] = rows < bound if less else rows > bound
        if self.key.if_null is None or not sqlite:
            return past
        # SQLite finds a pair in an index only where both are plain columns; for an expression it needs the bound alone.
        return sa.and_(left[0] <= right[0] if less else left[0] >= right[0], past)

    def ranges(self, prefix: str, backward: bool) -> list["Range"]:
        """`beyond` as ranges of an index: the rest of the cursor's own key, and all keys beyond it.

        SQLite never seeks a pair that ends in the row's id: it would walk all rows that have the cursor's key.
        """
        left, right = self._sides(prefix)
        less, order = self.descending is not backward, self.sql(backward)
        past = [a < b if less else a > b for a, b in zip(left, right, strict=True)]
        if len(past) == 1:
            return [Range(past[0], order)]
        # Where all have one key only the id is left to sort by; SQLite does not see that by itself of an expression.
        return [Range(sa.and_(left[0] == right[0], past[1]), order[1:]), Range(past[0], order)]

    def _sides(self, prefix: str) -> tuple[list[ColumnElement[Any]], list[ColumnElement[Any]]]:
        return [k.sql() for k in self.keys], [k.parameter(f"{prefix}{i}") for i, k in enumerate(self.keys)]

    def cursor(self, row: Any) -> str:
        return self.encode([k.value_of(row) for k in self.keys])

    def encode(self, values: Sequence[Any]) -> str:
        """The cursor of a row with these keys."""
        sign = "-" if self.descending else "+"
        text = orjson.dumps([self.name + sign, *(k.to_json(v) for k, v in zip(self.keys, values, strict=True))])
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    def decode(self, cursor: str) -> list[Any]:
        """The values of a cursor made by this order. Raises Refused for any other text."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            name, *values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if name != self.name + ("-" if self.descending else "+"):
                raise RequestError(ErrorCode.BAD_CURSOR, "The cursor was made for another list or another order.")
            return [key.from_json(value) for key, value in zip(self.keys, values, strict=True)]
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise RequestError(ErrorCode.BAD_CURSOR, "That is not a cursor of this graph.") from None


@dataclass(frozen=True, eq=False)
class Range:
    """A part of an ordered list, and what its rows are sorted by."""

    condition: ColumnElement[bool]
    order: list[ColumnElement[Any]]


@dataclass(frozen=True)
class Page:
    """Which rows of an ordered list: from a cursor on, or up to one, and how many from which end."""

    order: Order
    size: int
    backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None

    @property
    def shape(self) -> "Page":
        """The page without its cursors' values: pages of one shape share a statement."""
        blank = ()
        return replace(self, after=self.after and blank, before=self.before and blank)

    def ranges(self, sqlite: bool) -> list[Range]:
        """Where in the list the page lies: it is the first rows of the first range, then of the next."""
        start, end = ("b", "a") if self.backward else ("a", "b")
        given = {"a": self.after is not None, "b": self.before is not None}
        ends = self.order.beyond(end, not self.backward, sqlite) if given[end] else sa.true()
        if sqlite and given[start]:
            found = self.order.ranges(start, self.backward)
        else:
            past = self.order.beyond(start, self.backward, sqlite) if given[start] else sa.true()
            found = [Range(past, self.order.sql(self.backward))]
        return [Range(sa.and_(one.condition, ends), one.order) for one in found]

    def parameters(self) -> dict[str, Any]:
        """The values of the cursors."""
        bounds = {"a": self.after or (), "b": self.before or ()}
        return {f"{p}{i}": value for p, bound in bounds.items() for i, value in enumerate(bound)}


def make_page(
    order: Order, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
) -> Page:
    """The page that a connection's arguments ask for. Raises Refused."""
    if first is not None and last is not None:
        raise RequestError(ErrorCode.BAD_PAGE, "Give either `first` or `last`, not both.")
    name, size = ("last", last) if last is not None else ("first", PAGE_DEFAULT if first is None else first)
    if not 1 <= size <= PAGE_MAXIMUM:
        raise RequestError(ErrorCode.BAD_PAGE, f"`{name}` must be from 1 to {PAGE_MAXIMUM:,}.")
    bounds = [None if cursor is None else tuple(order.decode(cursor)) for cursor in (after, before)]
    return Page(order, size, last is not None, *bounds)


class Slice(NamedTuple):
    """The rows of a page in the list's order, and whether the list has more rows on either side of it."""

    rows: Sequence[Any]
    has_next: bool
    has_previous: bool


def cut_page(page: Page, rows: Sequence[Any]) -> Slice:
    """The page from the rows of its statement, which may have one row too many and which are in reading order.

    The row that a cursor was made from is taken to be still there, beyond the cursor.
    """
    more = len(rows) > page.size
    if more:
        rows = rows[: page.size]
    after, before = page.after is not None, page.before is not None
    return Slice(rows[::-1], after, before or more) if page.backward else Slice(rows, after or more, before)
