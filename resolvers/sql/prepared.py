"""Statements as the drivers take them, and connections kept for reading: what compiled operations read through.

SQLAlchemy writes the text of a statement once; what it does besides for each execution takes longer than most of the
statements themselves. Rows come as the driver gives them, and `decoder` says what makes a column's value of that.
"""

import weakref
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Dialect, Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect as PostgresDialect
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as SqliteDialect

from models.db.column_types import JsonList, RankedEnum, UtcTime

Decoder = Callable[[Any], Any]


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


POSTGRES: Dialect = PostgresDialect(json_serializer=_dumps, json_deserializer=orjson.loads)  # type: ignore[no-untyped-call]  # SQLAlchemy does not say
SQLITE: Dialect = SqliteDialect(json_serializer=_dumps, json_deserializer=orjson.loads)


def decoder(of: sa.types.TypeEngine[Any], sqlite: bool) -> Decoder | None:
    """What makes a column's value of the driver's; None where they are the same. Null is not given to it."""
    if isinstance(of, RankedEnum):
        return {member.value: member for member in of.of}.__getitem__
    if isinstance(of, sa.Enum) and of.enum_class is not None:
        return {member.name: member for member in of.enum_class}.__getitem__
    # asyncpg gives floats and times with their zone, which SQLAlchemy's types do not know.
    if isinstance(of, sa.Float) or (isinstance(of, UtcTime) and not sqlite):
        return None
    dialect = SQLITE if sqlite else POSTGRES
    made: Decoder | None = of.dialect_impl(dialect).result_processor(dialect, None)
    if isinstance(of, sa.JSON | JsonList) and not sqlite:
        # SQLAlchemy has its connections of asyncpg do this; by itself it gives text.
        return orjson.loads if made is None else lambda text: made(orjson.loads(text))
    return made


def _encoder(of: sa.types.TypeEngine[Any], dialect: Dialect) -> Decoder | None:
    """What makes the driver's value of a parameter; None where they are the same."""
    if isinstance(of, sa.ARRAY):
        # SQLAlchemy's own looks at each item for lists within the list.
        item = _encoder(of.item_type, dialect)
        return None if item is None else lambda values: [item(value) for value in values]
    made: Decoder | None = of.dialect_impl(dialect).bind_processor(dialect)
    return made


class Statement:
    """A SELECT as text, for one kind of database."""

    def __init__(self, select: Select[Any], sqlite: bool) -> None:
        dialect = SQLITE if sqlite else POSTGRES
        # What is written into the text is so only once every parameter has a value, whichever.
        first = select.compile(dialect=dialect)
        absent = {name: None for name, bound in first.binds.items() if bound.required}
        compiled = select.params(absent).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.text = str(compiled)
        names: list[str] = getattr(compiled, "positiontup", None) or []
        bound = [(name, compiled.binds[name]) for name in names]
        self._fixed = {name: parameter.value for name, parameter in bound}
        # Where the list of keys stands among the arguments.
        self.keys = names.index("keys") if names.count("keys") == 1 else None
        self._binds = [(name, _encoder(parameter.type, dialect)) for name, parameter in bound]
        # Not the SELECT itself, which whoever made it may drop.
        self._columns = [(str(c.key), decoder(c.type, sqlite)) for c in select.selected_columns]
        self._row: Any = None

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """Values by name, in the order and the form that the driver takes."""
        given = []
        for name, process in self._binds:
            value = values[name] if name in values else self._fixed[name]
            given.append(value if process is None or value is None else process(value))
        return given

    def named(self, rows: Sequence[Any]) -> list[Any]:
        """The driver's rows with names and decoded values, as SQLAlchemy gives them."""
        if self._row is None:
            self._row = _row([name for name, _ in self._columns])
        decoders = [decode for _, decode in self._columns]
        return [
            self._row(*(v if d is None or v is None else d(v) for d, v in zip(decoders, values, strict=True)))
            for values in rows
        ]


def _row(names: list[str]) -> Any:
    return namedtuple("Row", names, rename=True)  # made while running


# By kind of database; what a batch keeps is written once, and what it makes anew goes with it.
_PREPARED: dict[bool, "weakref.WeakKeyDictionary[Select[Any], Statement]"] = {
    False: weakref.WeakKeyDictionary(),
    True: weakref.WeakKeyDictionary(),
}


def prepare(select: Select[Any], sqlite: bool) -> Statement:
    """The statement of a SELECT."""
    kept = _PREPARED[sqlite]
    found = kept.get(select)
    if found is None:
        found = kept[select] = Statement(select, sqlite)
    return found
