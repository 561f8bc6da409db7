"""The event log: appended to inside the writer's transaction, read after a cursor.

Cursor order is commit order. A sequence alone does not give that on PostgreSQL, where a transaction may take a number
and commit after a later one: whoever appends takes a lock before the number and holds it to the commit. So an append
is the last thing a transaction does. SQLite has one writer at a time anyway.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models import Event, EventLog

APPEND_LOCK = 20230924  # the key of PostgreSQL's advisory lock; models.migrate has the one before it
EPOCH = re.compile(r"[0-9a-f]{16}")
CURSOR = re.compile(rf"({EPOCH.pattern})-(0|[1-9][0-9]{{0,9}})")

EVENT: sa.Table = Event.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
LOG: sa.Table = EventLog.__table__  # type: ignore[attr-defined]  # as above


class CursorRefused(Exception):
    """A cursor that this log cannot go on from; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class LogState:
    """The log at one moment: its epoch, and the number of its last event (0 where it is empty)."""

    epoch: str
    head: int

    @property
    def cursor(self) -> str:
        return self.name(self.head)

    def name(self, number: int) -> str:
        """The cursor of an event."""
        return f"{self.epoch}-{number}"

    def number(self, cursor: str) -> int:
        """The event that a cursor names. Raises CursorRefused for another log's, one beyond the head, or garbage."""
        found = CURSOR.fullmatch(cursor)
        if found is None:
            raise CursorRefused("BAD_CURSOR", "That is not a cursor of the log.")
        if found[1] != self.epoch:
            raise CursorRefused("CURSOR_FOREIGN", "The cursor is of another log, or of before a restore: query again.")
        if int(found[2]) > self.head:
            raise CursorRefused("CURSOR_AHEAD", "The cursor is beyond the end of the log: query again.")
        return int(found[2])


def state_statement() -> sa.Select[tuple[str, int]]:
    """One row: the epoch and the head."""
    head = sa.select(sa.func.coalesce(sa.func.max(EVENT.c.id), 0)).scalar_subquery()
    return sa.select(LOG.c.epoch, head.label("head"))


async def state(connection: AsyncConnection) -> LogState:
    row = (await connection.execute(state_statement())).one()
    return LogState(row.epoch, row.head)


async def take_turn(connection: AsyncConnection) -> None:
    """Nobody else appends until this transaction has ended; what was appended before is committed."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(APPEND_LOCK)))


async def append(session: AsyncSession, events: Sequence[dict[str, Any]]) -> list[int]:
    """Append rows of the log, in order; their numbers. Nothing but the commit may follow in the transaction."""
    connection = await session.connection()
    await take_turn(connection)
    statement = sa.insert(EVENT).returning(EVENT.c.id, sort_by_parameter_order=True)
    return [row.id for row in await connection.execute(statement, list(events))]


async def after(connection: AsyncConnection, number: int, limit: int) -> Sequence[sa.Row[Any]]:
    """The next events after a number, oldest first."""
    statement = sa.select(EVENT).where(EVENT.c.id > number).order_by(EVENT.c.id).limit(limit)
    return (await connection.execute(statement)).all()


async def resumable(connection: AsyncConnection, number: int, retention: dt.timedelta | None, now: dt.datetime) -> None:
    """Raises CursorRefused where events after this number are older than the retention.

    The retention bounds how far back a stream resumes. Nothing is ever taken out of the log itself.
    """
    if retention is None:
        return
    following = sa.select(EVENT.c.at).where(EVENT.c.id > number).order_by(EVENT.c.id).limit(1)
    oldest = (await connection.execute(following)).scalar()
    if oldest is not None and oldest < now - retention:
        raise CursorRefused("CURSOR_TOO_OLD", "The cursor is too old to go on from: query again.")


async def renew_epoch(session: AsyncSession, epoch: str) -> None:
    """After a restore: cursors given out before are refused from now on. `epoch` has 16 hexadecimal digits."""
    if EPOCH.fullmatch(epoch) is None:
        raise ValueError("an epoch has 16 hexadecimal digits, in lower case")
    await session.execute(sa.update(LOG).values(epoch=epoch))
