"""Conditions as data: what a filter can ask, and which rows a viewer may have.

A clause takes at most one value. It renders to SQL once per shape of a statement; the value travels as a parameter,
so that one statement serves every value.
"""

import datetime as dt
import enum
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, TypeDecorator, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from models.db.column_types import JsonList, UtcTime
from models.visibility import PERSONAL_DATA, Visibility
from resolvers.errors import ErrorCode, RequestError, checked_text

TEXT_MAXIMUM = 1_000  # SQLite takes patterns of up to 50,000 bytes
TextTest = Callable[[ColumnElement[Any]], ColumnElement[bool]]


class RequestTime(Protocol):
    """When a question is asked, and in which zone its days are."""

    @property
    def now(self) -> dt.datetime: ...
    @property
    def zone(self) -> ZoneInfo: ...


def table_column(column: Any) -> sa.Column[Any]:
    """The table's column behind a model's attribute, which SQLModel types as a plain value."""
    if isinstance(column, sa.Column):
        return column
    attribute: Any = column
    found: sa.Column[Any] = attribute.property.columns[0]
    return found


class JsonArray(TypeDecorator[Any]):
    """A list as one parameter for SQLite, which has no arrays."""

    impl = sa.String
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        return orjson.dumps(value if process is None else [process(v) for v in value]).decode()


def among(column: ColumnElement[Any], name: str, sqlite: bool) -> ColumnElement[bool]:
    """`column` is one of the values of the list parameter `name`: one text for any number of values."""
    if sqlite:
        values = sa.func.json_each(bindparam(name, type_=JsonArray(column.type))).table_valued("value")
        return column.in_(sa.select(values.c.value))
    # A client's number may be too great for the column, which then just has no such value.
    item = sa.Integer() if isinstance(column.type, sa.SmallInteger) else column.type
    return column == sa.any_(bindparam(name, type_=ARRAY(item)))


def folded(column: ColumnElement[Any], sqlite: bool) -> ColumnElement[Any]:
    """The text with A–Z as a–z and nothing else changed, alike on both databases whatever their locale."""
    return sa.func.lower(column if sqlite else sa.collate(column, "C"))


def fold(text: str) -> str:
    """The same for a value."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def like_part(text: str) -> str:
    """A LIKE pattern, with escape character `\\`, for texts that contain this one to the letter. Raises Refused."""
    if len(text) > TEXT_MAXIMUM:
        raise RequestError(ErrorCode.BAD_INPUT, f"A part to look for may have at most {TEXT_MAXIMUM:,} characters.")
    escaped = fold(checked_text(text)).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def text_matches(column: ColumnElement[Any], sqlite: bool, test: TextTest) -> ColumnElement[bool]:
    """The test holds for the text of the column, or of a column of ListOf for any of its texts."""
    if not isinstance(column.type, JsonList):
        return test(folded(column, sqlite))
    unnest = sa.func.json_each if sqlite else sa.func.json_array_elements_text
    texts = unnest(column).table_valued(sa.column("value", sa.Text), name=f"{column.name}_texts", joins_implicitly=True)
    return sa.exists(sa.select(sa.literal_column("1")).select_from(texts).where(test(folded(texts.c.value, sqlite))))


class Predicate:
    """A condition on rows of one table."""

    takes_value = True

    def convert(self, value: Any, moment: RequestTime) -> Any:
        """The parameter for a filter's value."""
        return value

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        """The condition, with its value as parameter `name` and the time as parameter `now`."""
        raise NotImplementedError

    def for_value(self, value: Any) -> "Predicate":
        """The clause that this value asks for; a flag chooses one of two."""
        return self

    def visible_to(self, visibility: Visibility) -> "Predicate | None":
        """The clause as this viewer may ask it: who may not see a value may not filter by it. None if not at all."""
        return self

    def tables(self) -> frozenset[sa.Table]:
        """The other tables whose rows decide."""
        return frozenset()


@dataclass(eq=False)
class Equal(Predicate):
    column: Any

    def convert(self, value: Any, moment: RequestTime) -> Any:
        return checked_text(value) if isinstance(value, str) else value

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        column = table_column(self.column)
        return column == bindparam(name, type_=column.type)


@dataclass(eq=False)
class Among(Predicate):
    """One of a list; an empty list matches nothing."""

    column: Any

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return among(table_column(self.column), name, sqlite)


class Contains(Predicate):
    """A part of any of the texts, to the letter but for the case of A–Z. `personal` are those that need the right."""

    def __init__(self, *columns: Any, personal: Sequence[Any] = ()) -> None:
        self.columns, self.personal = columns, tuple(personal)
        self.impersonal = Contains(*columns) if columns and personal else None

    def convert(self, value: Any, moment: RequestTime) -> str:
        return like_part(value)

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        pattern = bindparam(name, type_=sa.String)
        columns = map(table_column, (*self.columns, *self.personal))
        return sa.or_(*(text_matches(c, sqlite, lambda text: text.like(pattern, escape="\\")) for c in columns))

    def visible_to(self, visibility: Visibility) -> Predicate | None:
        return self if not self.personal or visibility.allows(PERSONAL_DATA) else self.impersonal


class Day(enum.Enum):
    """Which instant a day of a filter stands for."""

    START = 0
    END = 1


@dataclass(eq=False)
class Compare(Predicate):
    """Earlier or later than a day, in the district's zone."""

    column: Any
    by: Callable[[Any, Any], Any]
    day: Day = Day.START

    def convert(self, value: dt.date, moment: RequestTime) -> dt.datetime:
        try:
            day = value + dt.timedelta(days=self.day.value)
            return dt.datetime.combine(day, dt.time(), moment.zone).astimezone(dt.UTC)
        except OverflowError:
            raise RequestError(ErrorCode.BAD_INPUT, f"{value} lies at the edge of the calendar.") from None

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        result: ColumnElement[bool] = self.by(table_column(self.column), bindparam(name, type_=UtcTime))
        return result


def since(column: Any) -> Compare:
    return Compare(column, operator.ge)


def until(column: Any) -> Compare:
    """The day itself included."""
    return Compare(column, operator.lt, Day.END)


def before(column: Any) -> Compare:
    return Compare(column, operator.lt)


@dataclass(eq=False)
class Within(Predicate):
    """`column` is among the `pick`s of the rows of pick's table for which `inner` holds."""

    column: Any
    pick: Any
    inner: Predicate

    def __post_init__(self) -> None:
        self.takes_value = self.inner.takes_value

    def convert(self, value: Any, moment: RequestTime) -> Any:
        return self.inner.convert(value, moment)

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        pick = table_column(self.pick)
        inner = sa.select(pick).select_from(pick.table).where(self.inner.sql(name, sqlite)).correlate(None)
        return table_column(self.column).in_(inner)

    def tables(self) -> frozenset[sa.Table]:
        return self.inner.tables() | {table_column(self.pick).table}


class ValuelessPredicate(Predicate):
    """A condition that takes no value."""

    takes_value = False


@dataclass(eq=False)
class OneOf(ValuelessPredicate):
    column: Any
    members: frozenset[enum.Enum]

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        column = table_column(self.column)
        # Written into the text, so that partial knowledge of the values can choose the index.
        members = sorted(self.members, key=lambda m: m.name)
        return column.in_([sa.literal(m, column.type, literal_execute=True) for m in members])


class Nothing(ValuelessPredicate):
    """No row at all."""

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
    """Greater than another column, or than zero."""

    column: Any
    other: Any = 0

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        other = sa.literal_column("0") if self.other == 0 else table_column(self.other)
        return table_column(self.column) > other


@dataclass(eq=False)
class Past(ValuelessPredicate):
    """The instant has passed."""

    column: Any

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return table_column(self.column) < bindparam("now", type_=UtcTime)


class _Joined(Predicate):
    """Several conditions, of which at most one takes a value."""

    join: Callable[..., ColumnElement[bool]]

    def __init__(self, *parts: Predicate) -> None:
        self.parts = parts
        self.takes_value = any(p.takes_value for p in parts)

    def convert(self, value: Any, moment: RequestTime) -> Any:
        return next(p for p in self.parts if p.takes_value).convert(value, moment)

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

    def convert(self, value: Any, moment: RequestTime) -> Any:
        return self.part.convert(value, moment)

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        return sa.not_(self.part.sql(name, sqlite))

    def tables(self) -> frozenset[sa.Table]:
        return self.part.tables()


class Flag(Predicate):
    """A Boolean that asks for a condition or for its opposite."""

    takes_value = False

    def __init__(self, when: Predicate) -> None:
        self.when, self.otherwise = when, Not(when)

    def for_value(self, value: Any) -> Predicate:
        return self.when if value else self.otherwise

    def tables(self) -> frozenset[sa.Table]:
        return self.when.tables()


@dataclass(frozen=True)
class Condition:
    """A clause with the value that a client gave for it."""

    predicate: Predicate
    value: Any = None


Conditions = Sequence[Condition]
