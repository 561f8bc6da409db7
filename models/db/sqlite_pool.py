"""The pool of read connections to SQLite, one for each of its threads."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from models.db.read_pool import STATEMENTS_CACHED, PoolUse, ReadSize, Work
from models.db.threads import Abandoned, Call, run_to_end

T = TypeVar("T")

# SQLite's instructions between two looks at whether anybody still waits for the statement: some milliseconds.
STEPS = 50_000


def fetch_portions(cursor: sqlite3.Cursor, size: ReadSize) -> list[Any]:
    """All rows of a cursor. Raises TooMuchRead."""
    rows: list[Any] = []
    while portion := cursor.fetchmany(size.portion):
        size.add(portion)
        rows += portion
    return rows


class SqlitePool:
    """`size` threads, each with its own connection, which `prepare` sets up.

    Work runs in one thread from beginning to end, so it may await nothing but its rows. When its reader is cancelled,
    work that waits for a thread is dropped, and a statement that is running stops within milliseconds. The reader waits
    for that: were it to go at once, the next one would take another thread, and soon none would be free.
    """

    def __init__(self, path: str, size: int, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path, self._prepare, self._local = path, prepare, threading.local()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sqlite")
        self._size, self._works = size, 0
        self._connections: list[sqlite3.Connection] = []

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        return await self._read(work, None)

    async def read_much(self, work: Work[T], limit: int) -> T:
        return await self._read(work, ReadSize(limit))

    async def _read(self, work: Work[T], size: ReadSize | None) -> T:
        call = Call()
        running = self._threads.submit(self._run, work, call, size)
        self._works += 1
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            call.abandoned = True
            if not running.cancel():
                await asyncio.gather(asyncio.wrap_future(running), return_exceptions=True)
            raise
        finally:
            self._works -= 1
            del running  # its error refers to this frame, and only the garbage collector would free the two

    def _run(self, work: Work[T], call: Call, size: ReadSize | None) -> T:
        connection = self._connection()
        self._local.call = call

        async def fetch(text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
            if call.abandoned:
                raise Abandoned
            cursor = connection.execute(text, arguments)
            return cursor.fetchall() if size is None else fetch_portions(cursor, size)

        connection.execute("BEGIN")
        try:
            return run_to_end(work(fetch))
        finally:
            connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_CACHED
            )
            self._prepare(connection)
            connection.execute("PRAGMA query_only=ON")
            # Not `Connection.interrupt`: it does nothing between two statements, and the next one would run on.
            connection.set_progress_handler(lambda: self._local.call.abandoned, STEPS)
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def use(self) -> PoolUse:
        return PoolUse(self._size, min(self._works, self._size), max(0, self._works - self._size))

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._connections:
            connection.close()
