"""Predicates: conditions on rows as data, for filters and for the rows that a viewer may have.

A predicate takes at most one value. The value is a parameter of the SQL, so that one statement serves every value.
"""

import datetime as dt
import enum
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, TypeDecorator, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from models.db.column_types import JsonList, UtcTime
from models.reason import Reason
from models.visibility import INTERNALS, PERSONAL_DATA, Visibility
from resolvers.errors import ErrorCode, RequestError, checked_text

TEXT_MAXIMUM = 1_000  # characters to search for; SQLite limits patterns to 50,000 bytes
TEXT_TOO_LONG = Reason(
    "SEARCHED_TEXT_LENGTH", "The text to search for may have at most {maximum:,} characters.", maximum=TEXT_MAXIMUM
)
TextTest = Callable[[ColumnElement[Any]], ColumnElement[bool]]


class RequestTime(Protocol):
    """The time of a request, the time zone of its days, and the greatest age of a position that counts."""

    @property
    def now(self) -> dt.datetime: ...
    @property
    def zone(self) -> ZoneInfo: ...
    @property
    def position_age(self) -> dt.timedelta: ...


def table_column(column: Any) -> sa.Column[Any]:
    """The table's column of a model's attribute, which SQLModel types as a plain value."""
    if isinstance(column, sa.Column):
        return column
    attribute: Any = column
    result: sa.Column[Any] = attribute.property.columns[0]
    return result


class JsonArray(TypeDecorator[Any]):
    """A list as one parameter, as JSON text, for SQLite, which has no arrays."""

    impl = sa.String
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        return orjson.dumps(value if process is None else [process(v) for v in value]).decode()


def among(column: ColumnElement[Any], name: str, sqlite: bool) -> ColumnElement[bool]:
    """`column` is one of the values of the list parameter `name`. The SQL is the same for any number of values."""
    if sqlite:
        values = sa.func.json_each(bindparam(name, type_=JsonArray(column.type))).table_valued("value")
        return column.in_(sa.select(values.c.value))
    # A client's number may be too big for a SMALLINT; then no row has it, and PostgreSQL must not raise an error.
    item = sa.Integer() if isinstance(column.type, sa.SmallInteger) else column.type
    return column == sa.any_(bindparam(name, type_=ARRAY(item)))


def folded(column: ColumnElement[Any], sqlite: bool) -> ColumnElement[Any]:
    """The text with A–Z in lower case and nothing else changed, on both databases and in every locale."""
    return sa.func.lower(column if sqlite else sa.collate(column, "C"))


def fold(text: str) -> str:
    """Like `folded`, for a value."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def like_part(text: str) -> str:
    """A LIKE pattern, with the escape character `\\`, for texts that contain this text, whatever the case of A–Z.

    Raises RequestError (BAD_INPUT) for a text that is too long or that no database can hold.
    """
    if len(text) > TEXT_MAXIMUM:
        raise RequestError(ErrorCode.BAD_INPUT, TEXT_TOO_LONG)
    escaped = fold(checked_text(text)).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def text_matches(column: ColumnElement[Any], sqlite: bool, test: TextTest) -> ColumnElement[bool]:
    """The test holds for the column's text; for a JsonList column, for any of its texts."""
    if not isinstance(column.type, JsonList):
        return test(folded(column, sqlite))
    unnest = sa.func.json_each if sqlite else sa.func.json_array_elements_text
    texts = unnest(column).table_valued(sa.column("value", sa.Text), name=f"{column.name}_texts", joins_implicitly=True)
    return sa.exists(sa.select(sa.literal_column("1")).select_from(texts).where(test(folded(texts.c.value, sqlite))))


class Predicate:
    """A condition on the rows of one table."""

    takes_value = True

    def convert(self, value: Any, request: RequestTime) -> Any:
        """The parameter for a filter's value. Raises RequestError (BAD_INPUT) for an impossible value."""
        return value

    def parameters(self, name: str, value: Any, request: RequestTime) -> dict[str, Any]:
        """The values of the parameters that `sql` uses. Raises RequestError (BAD_INPUT) for an impossible value."""
        return {name: self.convert(value, request)} if self.takes_value else {}

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        """The condition in SQL, with its value as the parameter `name` and the time as the parameter `now`."""
        raise NotImplementedError

    def for_value(self, value: Any) -> "Predicate":
        """The predicate for a filter's value; only a flag depends on it."""
        return self

    def visible_to(self, visibility: Visibility) -> "Predicate | None":
        """The predicate as this viewer may use it, without values that they may not see; None if nothing is left."""
        return self

    def tables(self) -> frozenset[sa.Table]:
        """The other tables that the predicate reads."""
        return frozenset()


@dataclass(eq=False)
class Equal(Predicate):
    column: Any

    def convert(self, value: Any, request: RequestTime) -> Any:
        return checked_text(value) if isinstance(value, str) else value

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        column = table_column(self.column)
        return column == bindparam(name, type_=column.type)


@dataclass(eq=False)
class Among(Predicate):
    """The column has one of a list of values; an empty list matches no row."""

    column: Any

    def convert(self, value: Any, request: RequestTime) -> Any:
        return [checked_text(each) if isinstance(each, str) else each for each in value]

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return among(table_column(self.column), name, sqlite)


class InternalMembers(Among):
    """`Among` an enum's members, some of which look like others to an enterprise: `shown` has those."""

    def __init__(self, column: Any, shown: Mapping[Any, Any]) -> None:
        super().__init__(column)
        self.outside = _ShownMembers(column, shown)

    def visible_to(self, visibility: Visibility) -> Predicate:
        return self if visibility.allows(INTERNALS) else self.outside


class _ShownMembers(Among):
    """`Among` the members that look like one of the given ones."""

    def __init__(self, column: Any, shown: Mapping[Any, Any]) -> None:
        super().__init__(column)
        self._shown = shown

    def convert(self, value: Any, request: RequestTime) -> Any:
        internal = [member for member, shown in self._shown.items() if shown in value]
        return [*(member for member in value if member not in self._shown), *internal]


class Contains(Predicate):
    """Any of the columns contains the text, whatever the case of A–Z. The `personal` ones need the right to be seen."""

    def __init__(self, *columns: Any, personal: Sequence[Any] = ()) -> None:
        self.columns, self.personal = columns, tuple(personal)
        self.impersonal = Contains(*columns) if columns and personal else None

    def convert(self, value: Any, request: RequestTime) -> str:
        return like_part(value)

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        pattern = bindparam(name, type_=sa.String)
        columns = map(table_column, (*self.columns, *self.personal))
        return sa.or_(*(text_matches(c, sqlite, lambda text: text.like(pattern, escape="\\")) for c in columns))

    def visible_to(self, visibility: Visibility) -> Predicate | None:
        return self if not self.personal or visibility.allows(PERSONAL_DATA) else self.impersonal


class Day(enum.Enum):
    """The instant that a filter's day stands for: its start, or the start of the next day."""

    START = 0
    END = 1


@dataclass(eq=False)
class Compare(Predicate):
    """The column's time is earlier or later than a day in the district's zone."""

    column: Any
    by: Callable[[Any, Any], Any]
    day: Day = Day.START

    def convert(self, value: dt.date, request: RequestTime) -> dt.datetime:
        try:
            day = value + dt.timedelta(days=self.day.value)
            return dt.datetime.combine(day, dt.time(), request.zone).astimezone(dt.UTC)
        except OverflowError:
            reason = Reason("DATE_EDGE", "{date} lies at the edge of the calendar.", date=str(value))
            raise RequestError(ErrorCode.BAD_INPUT, reason) from None

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        result: ColumnElement[bool] = self.by(table_column(self.column), bindparam(name, type_=UtcTime))
        return result


def since(column: Any) -> Compare:
    return Compare(column, operator.ge)


def until(column: Any) -> Compare:
    """Up to the end of the day."""
    return Compare(column, operator.lt, Day.END)


def before(column: Any) -> Compare:
    return Compare(column, operator.lt)


@dataclass(eq=False)
class Within(Predicate):
    """`column` is among the values of `pick` in the rows of its table for which `inner` holds."""

    column: Any
    pick: Any
    inner: Predicate

    def __post_init__(self) -> None:
        self.takes_value = self.inner.takes_value

    def convert(self, value: Any, request: RequestTime) -> Any:
        return self.inner.convert(value, request)

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        pick = table_column(self.pick)
        inner = sa.select(pick).select_from(pick.table).where(self.inner.sql(name, sqlite)).correlate(None)
        return table_column(self.column).in_(inner)

    def tables(self) -> frozenset[sa.Table]:
        return self.inner.tables() | {table_column(self.pick).table}


class ValuelessPredicate(Predicate):
    """A predicate that takes no value."""

    takes_value = False


@dataclass(eq=False)
class OneOf(ValuelessPredicate):
    column: Any
    members: frozenset[enum.Enum]

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        column = table_column(self.column)
        # Literals, so that the planner can choose an index by the statistics of these values.
        members = sorted(self.members, key=lambda m: m.name)
        return column.in_([sa.literal(m, column.type, literal_execute=True) for m in members])


class Nothing(ValuelessPredicate):
    """Matches no row."""

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return sa.false()


@dataclass(eq=False)
class IsNull(ValuelessPredicate):
    column: Any

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return table_column(self.column).is_(None)


@dataclass(eq=False)
class IsTrue(ValuelessPredicate):
    column: Any

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return table_column(self.column).is_(sa.true())


@dataclass(eq=False)
class Exceeds(ValuelessPredicate):
    """The column is greater than another column, or than zero."""

    column: Any
    other: Any = 0

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        other = sa.literal_column("0") if self.other == 0 else table_column(self.other)
        return table_column(self.column) > other


@dataclass(eq=False)
class Past(ValuelessPredicate):
    """The column's time is before now."""

    column: Any

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return table_column(self.column) < bindparam("now", type_=UtcTime)


class _Joined(Predicate):
    """Several predicates, of which at most one takes a value."""

    join: Callable[..., ColumnElement[bool]]

    def __init__(self, *parts: Predicate) -> None:
        self.parts = parts
        self.takes_value = any(p.takes_value for p in parts)

    def convert(self, value: Any, request: RequestTime) -> Any:
        return next(p for p in self.parts if p.takes_value).convert(value, request)

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return type(self).join(*(p.sql(name, sqlite) for p in self.parts))

    def tables(self) -> frozenset[sa.Table]:
        return frozenset[sa.Table]().union(*(p.tables() for p in self.parts))


class AllOf(_Joined):
    join = staticmethod(sa.and_)


class AnyOf(_Joined):
    join = staticmethod(sa.or_)


@dataclass(eq=False)
class Not(Predicate):
    part: Predicate

    def __post_init__(self) -> None:
        self.takes_value = self.part.takes_value

    def convert(self, value: Any, request: RequestTime) -> Any:
        return self.part.convert(value, request)

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return sa.not_(self.part.sql(name, sqlite))

    def tables(self) -> frozenset[sa.Table]:
        return self.part.tables()


class Flag(Predicate):
    """A Boolean filter: true asks for the predicate, false for its opposite, which may be written in its own way."""

    takes_value = False

    def __init__(self, when: Predicate, otherwise: Predicate | None = None) -> None:
        self.when, self.otherwise = when, otherwise or Not(when)

    def for_value(self, value: Any) -> Predicate:
        return self.when if value else self.otherwise

    def tables(self) -> frozenset[sa.Table]:
        return self.when.tables()


@dataclass(frozen=True)
class Condition:
    """A predicate with its value. `named` are the rows that the value names (resolvers/sql/named_rows.py)."""

    predicate: Predicate
    value: Any = None
    named: tuple[Any, ...] = ()


Conditions = Sequence[Condition]
