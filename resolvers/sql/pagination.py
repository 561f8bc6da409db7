"""Orders and pages, by keyset: a cursor holds the sort keys of a row, and a page begins after the row of its cursor."""

import base64
import binascii
import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam

from models.db.column_types import EARLIEST, LATEST
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError, checked_text
from resolvers.sql.predicates import table_column

PAGE_DEFAULT = 20
PAGE_MAXIMUM = 1000
INTEGER_MAXIMUM = 2**31 - 1


@dataclass(frozen=True, eq=False)
class SortKey:
    """A column to sort by. Where it can be null, `if_null` is the SQL literal that sorts in place of null."""

    column: Any
    if_null: str | None = None

    def sql(self) -> ColumnElement[Any]:
        column = table_column(self.column)
        if self.if_null is None:
            return column
        return sa.func.coalesce(column, sa.literal_column(self.if_null, column.type))

    def value_of(self, row: Any) -> Any:
        """The value of the key in a row."""
        return getattr(row, table_column(self.column).key)

    def to_json(self, value: Any) -> Any:
        """The value as a cursor holds it: null for null."""
        if isinstance(value, enum.Enum):
            return value.value
        return value.isoformat(timespec="microseconds") if isinstance(value, dt.datetime) else value

    def from_json(self, value: Any) -> Any:
        """The parameter for a value from a cursor. Raises ValueError, OverflowError or TypeError for a wrong one."""
        if value is None and self.if_null is not None:
            return None
        python_type = table_column(self.column).type.python_type
        if python_type is dt.datetime:
            parsed = dt.datetime.fromisoformat(value)
            if parsed.tzinfo is None:
                raise ValueError
            return parsed.astimezone(dt.UTC)
        if type(value) is not (int if issubclass(python_type, enum.Enum) else python_type):
            raise TypeError
        if issubclass(python_type, enum.Enum):
            return python_type(value).value
        if isinstance(value, int) and abs(value) > INTEGER_MAXIMUM:
            raise ValueError
        return checked_text(value) if isinstance(value, str) else value

    def parameter(self, name: str) -> ColumnElement[Any]:
        column = table_column(self.column)
        ranked = issubclass(column.type.python_type, enum.Enum)
        bound = bindparam(name, type_=sa.SmallInteger() if ranked else column.type)
        # A literal here too: as a parameter, asyncpg would turn the first instant of year 1 into minus infinity.
        return bound if self.if_null is None else sa.func.coalesce(bound, sa.literal_column(self.if_null, column.type))


def null_times_first(column: Any) -> SortKey:
    """A key on a time: rows without one sort before all others."""
    return SortKey(column, EARLIEST)


def null_times_last(column: Any) -> SortKey:
    """A key on a time: rows without one sort after all others."""
    return SortKey(column, LATEST)


def null_numbers_first(column: Any) -> SortKey:
    """A key on a number of 0 or more: rows without one sort before all others."""
    return SortKey(column, "-1")


def null_grades_first(column: Any) -> SortKey:
    """A key on a grade: rows without one sort before all others."""
    return SortKey(column, "0")


@dataclass(frozen=True)
class Order:
    """A total order: by `key`, then by the primary key, both in one direction.

    A cursor carries `name`, and is refused by any order with another name or direction.
    """

    name: str
    key: SortKey
    primary: SortKey
    descending: bool = False

    @cached_property
    def keys(self) -> tuple[SortKey, ...]:
        return (self.key,) if self.key is self.primary else (self.key, self.primary)

    def sql(self, backward: bool = False) -> list[ColumnElement[Any]]:
        descending = self.descending is not backward
        return [k.sql().desc() if descending else k.sql().asc() for k in self.keys]

    def beyond(self, prefix: str, backward: bool, sqlite: bool) -> ColumnElement[bool]:
        """Rows after (or, backward, before) the cursor with the parameters `{prefix}0` and `{prefix}1`."""
        left, right = self._sides(prefix)
        less = self.descending is not backward
        if len(left) == 1:
            return left[0] < right[0] if less else left[0] > right[0]
        rows, bound = sa.tuple_(*left), sa.tuple_(*right)
        past: ColumnElement[bool] = rows < bound if less else rows > bound
        if self.key.if_null is None or not sqlite:
            return past
        # SQLite uses an index for a pair only if both are plain columns. For an expression, add the first bound alone.
        return sa.and_(left[0] <= right[0] if less else left[0] >= right[0], past)

    def ranges(self, prefix: str, backward: bool) -> list["Range"]:
        """`beyond` as two ranges of an index: the rest of the rows with the cursor's own key, and all keys beyond it.

        SQLite cannot seek to a pair that ends in the row's id: it would read all rows that have the cursor's key.
        """
        left, right = self._sides(prefix)
        less, order = self.descending is not backward, self.sql(backward)
        past = [a < b if less else a > b for a, b in zip(left, right, strict=True)]
        if len(past) == 1:
            return [Range(past[0], order)]
        # Rows with equal keys are sorted by id alone. SQLite does not notice that if the key is an expression.
        return [Range(sa.and_(left[0] == right[0], past[1]), order[1:]), Range(past[0], order)]

    def _sides(self, prefix: str) -> tuple[list[ColumnElement[Any]], list[ColumnElement[Any]]]:
        return [k.sql() for k in self.keys], [k.parameter(f"{prefix}{i}") for i, k in enumerate(self.keys)]

    def cursor(self, row: Any) -> str:
        return self.encode([k.value_of(row) for k in self.keys])

    def encode(self, values: Sequence[Any]) -> str:
        """The cursor of a row whose sort keys have these values."""
        sign = "-" if self.descending else "+"
        text = orjson.dumps([self.name + sign, *(k.to_json(v) for k, v in zip(self.keys, values, strict=True))])
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    def decode(self, cursor: str) -> list[Any]:
        """The values of a cursor that this order made. Raises RequestError (BAD_CURSOR) for any other text."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            name, *values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if name != self.name + ("-" if self.descending else "+"):
                raise RequestError(
                    ErrorCode.BAD_CURSOR,
                    Reason("CURSOR_OF_OTHER_LIST", "The cursor was made for another list or another order."),
                )
            return [key.from_json(value) for key, value in zip(self.keys, values, strict=True)]
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise RequestError(
                ErrorCode.BAD_CURSOR, Reason("CURSOR_MALFORMED", "That is not a cursor of this graph.")
            ) from None


@dataclass(frozen=True, eq=False)
class Range:
    """A part of an ordered list, with the order of its rows."""

    condition: ColumnElement[bool]
    order: list[ColumnElement[Any]]


@dataclass(frozen=True)
class Page:
    """At most `size` rows of an ordered list between two optional cursors, from the start or, `backward`, the end."""

    order: Order
    size: int
    backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None

    @cached_property
    def shape(self) -> "Page":
        """The page without the values of its cursors. Pages of equal shape share a statement."""
        return replace(self, after=self.after and (), before=self.before and ())

    def ranges(self, sqlite: bool) -> list[Range]:
        """The ranges that the page lies in. It consists of the first rows of the first range, then of the next."""
        start, end = ("b", "a") if self.backward else ("a", "b")
        has_cursor = {"a": self.after is not None, "b": self.before is not None}
        ends = self.order.beyond(end, not self.backward, sqlite) if has_cursor[end] else sa.true()
        if sqlite and has_cursor[start]:
            ranges = self.order.ranges(start, self.backward)
        else:
            past = self.order.beyond(start, self.backward, sqlite) if has_cursor[start] else sa.true()
            ranges = [Range(past, self.order.sql(self.backward))]
        return [Range(sa.and_(range_.condition, ends), range_.order) for range_ in ranges]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The values of the cursors, by the names of their parameters."""
        bounds = {"a": self.after or (), "b": self.before or ()}
        return {f"{p}{i}": value for p, bound in bounds.items() for i, value in enumerate(bound)}


def check_size(name: str, size: int) -> None:
    """Raises RequestError (BAD_PAGE) for a size that no page can have. A page of no rows tells of those beyond it."""
    if not 0 <= size <= PAGE_MAXIMUM:
        raise RequestError(
            ErrorCode.BAD_PAGE,
            Reason("PAGE_SIZE", "`{argument}` must be from 0 to {maximum:,}.", argument=name, maximum=PAGE_MAXIMUM),
        )


def make_page(
    order: Order, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
) -> Page:
    """The page that a connection's arguments ask for. Raises RequestError (BAD_PAGE or BAD_CURSOR)."""
    if first is not None and last is not None:
        raise RequestError(ErrorCode.BAD_PAGE, Reason("FIRST_AND_LAST", "Give either `first` or `last`, not both."))
    name, size = ("last", last) if last is not None else ("first", PAGE_DEFAULT if first is None else first)
    check_size(name, size)
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
    has_previous, has_next = page.after is not None, page.before is not None
    if page.backward:
        return Slice(rows[::-1], has_next, has_previous or more)
    return Slice(rows, has_next or more, has_previous)
