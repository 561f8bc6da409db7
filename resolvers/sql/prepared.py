"""SELECTs in the form that the databases' drivers take: a text, and arguments in order.

SQLAlchemy's work for each execution takes longer than most of our statements. So it compiles each statement once, and
the driver executes it directly. Rows are the driver's own; `decoder` gives the function that decodes a column's value.
"""

import datetime as dt
import functools
import itertools
import sys
import weakref
from collections import namedtuple
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVarTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import Dialect, Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect as PostgresDialect
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as SqliteDialect

from models.byte_cache import LockedByteCache, shares
from models.db.column_types import JsonList, RankedEnum, UtcTime
from resolvers.sql.predicates import JsonArray

Key = TypeVarTuple("Key")
Decoder = Callable[[Any], Any]


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


POSTGRES: Dialect = PostgresDialect(json_serializer=_dumps, json_deserializer=orjson.loads)
SQLITE: Dialect = SqliteDialect(json_serializer=_dumps, json_deserializer=orjson.loads)


@functools.lru_cache(maxsize=1_000)  # a document may select one column under hundreds of names
def decoder(of: sa.types.TypeEngine[Any], sqlite: bool) -> Decoder | None:
    """The function from the driver's value of a column to the model's; None where they are equal. Nulls stay."""
    if isinstance(of, RankedEnum):
        return {member.value: member for member in of.of}.__getitem__
    if isinstance(of, sa.Enum) and of.enum_class is not None:
        return {member.name: member for member in of.enum_class}.__getitem__
    # asyncpg's floats and times with a zone are right already; SQLAlchemy's types would convert them again.
    if isinstance(of, sa.Float):
        return None
    if isinstance(of, UtcTime):
        return dt.datetime.fromisoformat if sqlite else None
    dialect = SQLITE if sqlite else POSTGRES
    processor: Decoder | None = of.dialect_impl(dialect).result_processor(dialect, None)
    if isinstance(of, sa.JSON | JsonList) and not sqlite:
        # asyncpg gives JSON as text; SQLAlchemy sets a decoder on its own connections only.
        return orjson.loads if processor is None else lambda text: processor(orjson.loads(text))
    return processor


def _encoder(of: sa.types.TypeEngine[Any], dialect: Dialect) -> Decoder | None:
    """The function from a parameter's value to the driver's; None where they are equal."""
    if isinstance(of, sa.ARRAY):
        # SQLAlchemy's own processor looks for lists within the list, item by item.
        item = _encoder(of.item_type, dialect)
        return None if item is None else lambda values: [item(value) for value in values]
    if isinstance(of, JsonArray):
        convert = _encoder(of.item, dialect)
        if convert is None:
            return lambda values: orjson.dumps(values).decode()
        return lambda values: orjson.dumps([convert(value) for value in values]).decode()
    processor: Decoder | None = of.dialect_impl(dialect).bind_processor(dialect)
    return processor


class Statement:
    """A SELECT, compiled for one kind of database."""

    def __init__(self, select: Select[Any], sqlite: bool) -> None:
        dialect = SQLITE if sqlite else POSTGRES
        # SQLAlchemy writes literals into the text only once every parameter has a value, whichever.
        required = {name: None for name, bind in select.compile(dialect=dialect).binds.items() if bind.required}
        compiled = select.params(required).compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.text = str(compiled)
        names: list[str] = getattr(compiled, "positiontup", None) or []
        binds = [(name, compiled.binds[name]) for name in names]
        self._defaults = {name: bind.value for name, bind in binds}
        # The position of the list of keys among the arguments; None where it is not there exactly once.
        self.keys_index = names.index("keys") if names.count("keys") == 1 else None
        self._encoders = [(name, _encoder(bind.type, dialect)) for name, bind in binds]
        # The SELECT itself is not stored, so that its maker may drop it.
        self._columns = [(str(column.key), decoder(column.type, sqlite)) for column in select.selected_columns]
        self._row: Any = None

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        return sys.getsizeof(self.text) + STATEMENT_BYTES + VALUE_BYTES * (len(self._encoders) + len(self._columns))

    def arguments(self, parameters: dict[str, Any]) -> list[Any]:
        """The parameters' values in the order and the form that the driver takes."""
        arguments = []
        for name, encode in self._encoders:
            value = parameters[name] if name in parameters else self._defaults[name]
            arguments.append(value if encode is None or value is None else encode(value))
        return arguments

    def decode(self, rows: Sequence[Any]) -> list[Any]:
        """The driver's rows with the columns' names and decoded values, as SQLAlchemy would give them."""
        if self._row is None:
            self._row = _row([name for name, _ in self._columns])
        decoders = [decode for _, decode in self._columns]
        return [
            self._row(*(v if d is None or v is None else d(v) for d, v in zip(decoders, values, strict=True)))
            for values in rows
        ]


def _row(names: list[str]) -> Any:
    return namedtuple("Row", names, rename=True)  # in a function: mypy wants literal names elsewhere


# Statements by the number of what uses them and their shape: of all plans, and of the loaders under graphql-core.
# A plan's statements go with time when the plan has gone.
STATEMENTS = LockedByteCache[tuple[int, Hashable], Any](shares().statements)
SELECT_BYTES = 40_000  # of a SELECT that SQLAlchemy executes
STATEMENT_BYTES, VALUE_BYTES = 2_500, 300  # of a statement with its shape, and for each of its parameters and columns
_numbers = itertools.count()


class StatementCache:
    """The statements of one user of STATEMENTS, by shape."""

    __slots__ = ("_number",)

    def __init__(self) -> None:
        self._number = next(_numbers)

    def get(self, shape: Hashable) -> Any:
        return STATEMENTS.get((self._number, shape))

    def put(self, shape: Hashable, statement: "Statement | Select[Any]") -> None:
        weight = statement.bytes if isinstance(statement, Statement) else SELECT_BYTES
        STATEMENTS.put((self._number, shape), statement, weight)


def cached_select(build: Callable[[*Key], Select[Any]]) -> Callable[[*Key], Select[Any]]:
    """A function that builds a SELECT of a shape, made to build each shape once while STATEMENTS has it.

    Clients choose the shapes by their filters and dimensions, so no number of them is right: all share the bytes of
    STATEMENTS, and those that are used stay.
    """
    statements = StatementCache()

    @functools.wraps(build)
    def cached(*shape: *Key) -> Select[Any]:
        known: Select[Any] | None = statements.get(shape)
        if known is None:
            known = build(*shape)
            statements.put(shape, known)
        return known

    return cached


# By kind of database. Entries live as long as their SELECTs: those that a batch function caches stay, others go.
_STATEMENTS: dict[bool, "weakref.WeakKeyDictionary[Select[Any], Statement]"] = {
    False: weakref.WeakKeyDictionary(),
    True: weakref.WeakKeyDictionary(),
}


def cached_statement(select: Select[Any], sqlite: bool) -> Statement:
    """The SELECT as a statement, compiled at most once while the SELECT lives."""
    statements = _STATEMENTS[sqlite]
    statement = statements.get(select)
    if statement is None:
        statement = statements[select] = Statement(select, sqlite)
    return statement
