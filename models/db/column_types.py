"""Column types that behave alike on SQLite and PostgreSQL, and the names of constraints and indexes."""

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Dialect, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcTime(TypeDecorator[dt.datetime]):
    """An instant: a timestamptz in PostgreSQL; in SQLite, which has no time zones, ISO 8601 text of fixed width in UTC.

    Raises ValueError for a time without its zone.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[dt.datetime]:
        return dt.datetime

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.String(32) if dialect.name == "sqlite" else sa.DateTime(timezone=True))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone")
        value = value.astimezone(dt.UTC)
        return value.isoformat(timespec="microseconds") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(dt.UTC)


class RankedEnum(TypeDecorator[enum.Enum]):
    """An enum whose values 1, 2, … are its order. The number is stored, so that SQL sorts by it."""

    impl = sa.SmallInteger
    cache_ok = True

    def __init__(self, of: type[enum.Enum]) -> None:
        super().__init__()
        self.of = of

    @property
    def python_type(self) -> type[enum.Enum]:
        return self.of

    def process_bind_param(self, value: enum.Enum | None, dialect: Dialect) -> int | None:
        return None if value is None else value.value

    def process_result_value(self, value: int | None, dialect: Dialect) -> enum.Enum | None:
        return None if value is None else self.of(value)


class JsonList(TypeDecorator[list[Any]]):
    """A short list of texts, or of an enum's members by name, stored as a JSON array."""

    impl = sa.JSON
    cache_ok = True

    def __init__(self, of: type[enum.Enum] | None = None) -> None:
        super().__init__(none_as_null=True)
        self.of = of

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> Any:
        return [v.name for v in value] if value is not None and self.of else value

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> list[Any] | None:
        return [self.of[v] for v in value] if value is not None and self.of else value


class BitSet(TypeDecorator[int]):
    """A set of numbers from 0 to `size` - 1, as an integer with a bit for each: bits in PostgreSQL, bytes in SQLite.

    `size` is a multiple of 8. It is read only; `models/db/enterprise_sets.py` writes.
    """

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.LargeBinary())
        return dialect.type_descriptor(postgresql.BIT(self.size))

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        return int.from_bytes(value) if isinstance(value, bytes) else int(value, 2)


def named_enum(of: type[enum.Enum], name: str, *, constrained: bool = True) -> sa.Enum:
    """An enum stored by its members' names. `constrained` adds a check constraint, unsuitable for enums that grow."""
    return sa.Enum(of, native_enum=False, create_constraint=constrained, name=name, length=32)


# SQL literals that sort in place of null times, before or after all others. Both databases compare them with times.
EARLIEST = "'0001-01-01T00:00:00.000000+00:00'"
LATEST = "'9999-12-31T00:00:00.000000+00:00'"

# Text in byte order, so that the order of a page does not depend on the machine's locale.
SortableText = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def rank_check(column: str, of: type[enum.Enum]) -> sa.CheckConstraint:
    """A check that the column holds a value of the enum."""
    return sa.CheckConstraint(f"{column} BETWEEN 1 AND {len(of)}", name=column)
