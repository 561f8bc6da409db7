"""Appends events to the log, and waits for others that do."""

import asyncio
from typing import Any

import sqlalchemy as sa

from models.db.database import Database
from subscriptions import event_log
from tests.support.patience import PATIENCE


async def append_events(database: Database, *events: dict[str, Any]) -> list[int]:
    """Append the events in one transaction. Returns their numbers."""
    async with database.write() as session:
        return await event_log.append(session, events)


async def wait_for_lock_waiter(database: Database) -> None:
    """Return when a transaction waits for the log's lock.

    SQLite does not say so; there the second writer waits for the first in any case.
    """
    if database.sqlite:
        return
    blocked = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with asyncio.timeout(PATIENCE):
        while True:
            async with database.read() as connection:
                if (await connection.execute(blocked)).scalar():
                    return
