"""The event log: appended to inside the writer's transaction, read after a cursor.

Cursor order is commit order. A sequence alone does not give that on PostgreSQL, where a transaction may take a number
and commit after a transaction with a later number. So a writer takes a lock before it takes numbers and holds it until
the commit, and an append is the last thing that a transaction does. SQLite has one writer at a time anyway.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from models import Event, EventLog
from models.db.database import Database
from models.db.tables import table_of
from models.metrics import LOCK_WAIT
from models.reason import Reason

APPEND_LOCK = 20230924  # key of PostgreSQL's advisory lock; models.db.migrate uses the number before it
EPOCH = re.compile(r"[0-9a-f]{16}")
CURSOR = re.compile(rf"({EPOCH.pattern})-(0|[1-9][0-9]{{0,9}})")

EVENT = table_of(Event)
LOG = table_of(EventLog)


class CursorRefused(Exception):
    """A cursor that cannot be resumed from. `code` is one of the error codes for cursors."""

    def __init__(self, code: str, reason: Reason) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class LogState:
    """The log at one moment: its epoch, and the number of its last event (0 when it is empty)."""

    epoch: str
    head: int

    @property
    def cursor(self) -> str:
        return self.cursor_of(self.head)

    def cursor_of(self, number: int) -> str:
        """The cursor of an event."""
        return f"{self.epoch}-{number}"

    def number(self, cursor: str) -> int:
        """The number of the event that a cursor names.

        Raises CursorRefused for a malformed cursor, a cursor of another log and one beyond the head.
        """
        match = CURSOR.fullmatch(cursor)
        if match is None:
            raise CursorRefused("BAD_CURSOR", Reason("LOG_CURSOR_MALFORMED", "This is not a cursor of the log."))
        if match[1] != self.epoch:
            raise CursorRefused(
                "CURSOR_FOREIGN",
                Reason("CURSOR_FOREIGN", "The cursor is of another log or predates a restore: query again."),
            )
        if int(match[2]) > self.head:
            raise CursorRefused(
                "CURSOR_AHEAD", Reason("CURSOR_AHEAD", "The cursor is beyond the end of the log: query again.")
            )
        return int(match[2])


def state_statement() -> sa.Select[tuple[str, int]]:
    """Selects one row: the epoch and the head."""
    head = sa.select(sa.func.coalesce(sa.func.max(EVENT.c.id), 0)).scalar_subquery()
    return sa.select(LOG.c.epoch, head.label("head"))


# Built once: SQLAlchemy takes as long to build a statement as to execute it.
STATE = state_statement()
TURN = sa.select(sa.func.pg_advisory_xact_lock(APPEND_LOCK))
AFTER = sa.select(EVENT).where(EVENT.c.id > sa.bindparam("number")).order_by(EVENT.c.id).limit(sa.bindparam("limit"))
GIVEN_AT = sa.bindparam("given_at", type_=EVENT.c.at.type)
LAST_AT = sa.select(EVENT.c.at).order_by(EVENT.c.id.desc()).limit(1).scalar_subquery()


def append_statement(*, sqlite: bool) -> ReturningInsert[tuple[int]]:
    """Inserts events. The date of each is `given_at`, or that of the last event so far if the clock is behind it."""
    at = sa.func.max(GIVEN_AT, sa.func.coalesce(LAST_AT, GIVEN_AT)) if sqlite else sa.func.greatest(GIVEN_AT, LAST_AT)
    return sa.insert(EVENT).values(at=at).returning(EVENT.c.id, sort_by_parameter_order=True)


APPEND = {sqlite: append_statement(sqlite=sqlite) for sqlite in (False, True)}


async def state(connection: AsyncConnection | AsyncSession) -> LogState:
    row = (await connection.execute(STATE)).one()
    return LogState(row.epoch, row.head)


async def take_turn(connection: AsyncConnection | AsyncSession) -> None:
    """Wait until every earlier append is committed, and keep others from appending until this transaction ends."""
    if not _is_sqlite(connection):
        with LOCK_WAIT.labels("log").time():
            await connection.execute(TURN)


def _is_sqlite(connection: AsyncConnection | AsyncSession) -> bool:
    dialect = connection.get_bind().dialect if isinstance(connection, AsyncSession) else connection.dialect
    return dialect.name == "sqlite"


async def append(session: AsyncSession, events: Sequence[dict[str, Any]]) -> list[int]:
    """Append events in order and return their numbers. Only the commit may follow in the transaction.

    Their dates never lie before that of an earlier event, even if the clock was set back.
    """
    await take_turn(session)
    return await append_in_turn(session, events)


async def append_in_turn(session: AsyncSession, events: Sequence[dict[str, Any]]) -> list[int]:
    """Like `append`, in a transaction that has taken its turn before."""
    rows = [{**event, "given_at": event["at"]} for event in events]
    for row in rows:
        del row["at"]
    return [row.id for row in await session.execute(APPEND[_is_sqlite(session)], rows)]


async def after(connection: AsyncConnection, number: int, limit: int) -> Sequence[sa.Row[Any]]:
    """The next events after a number, oldest first."""
    return (await connection.execute(AFTER, {"number": number, "limit": limit})).all()


async def resumable(connection: AsyncConnection, number: int, retention: dt.timedelta | None, now: dt.datetime) -> None:
    """Raises CursorRefused when an event after this number is older than the retention.

    The retention bounds how far back a stream resumes. Events are never deleted from the log itself.
    """
    if retention is None:
        return
    following = sa.select(EVENT.c.at).where(EVENT.c.id > number).order_by(EVENT.c.id).limit(1)
    oldest = (await connection.execute(following)).scalar()
    if oldest is not None and oldest < now - retention:
        raise CursorRefused(
            "CURSOR_TOO_OLD", Reason("CURSOR_TOO_OLD", "The cursor is too old to resume from: query again.")
        )


async def renew_epoch(session: AsyncSession, epoch: str) -> None:
    """Refuse all earlier cursors from now on, as is needed after a restore. `epoch` has 16 hexadecimal digits."""
    if EPOCH.fullmatch(epoch) is None:
        raise ValueError("an epoch has 16 hexadecimal digits, in lower case")
    await session.execute(sa.update(LOG).values(epoch=epoch))


class DatabaseLog:
    """The log of one database as a feed reads it: each read is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.epoch = ""  # known once `head` was called; a restore needs a restart anyway

    def cursor_of(self, number: int) -> str:
        """The cursor of an event."""
        return f"{self.epoch}-{number}"

    async def head(self) -> int:
        """The number of the last event; 0 when there is none."""
        async with self._database.read() as connection:
            current = await state(connection)
        self.epoch = current.epoch
        return current.head

    async def after(self, number: int, limit: int) -> Sequence[sa.Row[Any]]:
        """At most `limit` events after a number, oldest first."""
        async with self._database.read() as connection:
            return await after(connection, number, limit)

    async def resume_at(self, cursor: str, retention: dt.timedelta | None, now: dt.datetime) -> int:
        """The number that a cursor resumes after. Raises CursorRefused.

        The cursor is checked against the database, because a client may be ahead of this process.
        """
        async with self._database.read() as connection:
            number = (await state(connection)).number(cursor)
            await resumable(connection, number, retention, now)
        return number
