"""SQLAlchemy's connections to SQLite. A statement that nobody waits for any more is stopped."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite

from models.db.sqlite_pool import STEPS


class SqliteConnection(aiosqlite.Connection):
    """A connection whose statement stops within milliseconds when the task that awaits it is cancelled.

    It cannot be used after that. aiosqlite alone lets the statement run to its end, and SQLAlchemy waits for that.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self.abandoned = False

        def connector() -> sqlite3.Connection:
            connection = connect()
            connection.set_progress_handler(lambda: self.abandoned, STEPS)
            return connection

        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True  # as SQLAlchemy sets it on those that it makes itself

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.abandoned:
            raise ValueError("Connection closed")  # aiosqlite's own words, by which SQLAlchemy knows a dead connection
        try:
            execute: Callable[..., Awaitable[Any]] = super()._execute
            return await execute(fn, *args, **kwargs)
        except asyncio.CancelledError:
            self.abandoned = True
            raise

    async def rollback(self) -> None:
        if not self.abandoned:  # else it is rolled back when it is closed
            await super().rollback()

    async def close(self) -> None:
        """Close it, but do not wait for an abandoned statement: it may be waiting for another process's lock."""
        if self.abandoned:
            # The thread does both once the statement has ended. Closing alone would leave the transaction open for as
            # long as something refers to one of its statements.
            self._tx.put_nowait((None, self._roll_back))
            self.stop()
        else:
            await super().close()

    def _roll_back(self) -> None:
        self._conn.rollback()
