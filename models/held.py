"""Connections held for reading: statements as text, rows as the driver gives them.

Work is a coroutine that awaits nothing but rows. PostgreSQL's is driven by the event loop. SQLite's runs through from
beginning to end in one thread: its statements take microseconds, and each hop between threads would take more.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import asyncpg

T = TypeVar("T")
# A statement and its arguments, in the driver's order, to rows.
Fetch = Callable[[str, Sequence[Any]], Awaitable[Sequence[Any]]]
Work = Callable[[Fetch], Coroutine[Any, Any, T]]

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
STATEMENTS_KEPT = 1_000  # prepared, on each connection


class Held(Protocol):
    """Connections to one database."""

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        """Do the work; all its statements see the database at one moment. `single` promises that it has only one."""

    async def close(self) -> None: ...


class HeldPostgres:
    """At most `size` connections, made from these options of asyncpg; whoever finds none free waits."""

    def __init__(self, options: dict[str, Any], size: int) -> None:
        self._options = options
        self._free: list[asyncpg.Connection[Any]] = []
        self._places = asyncio.Semaphore(size)

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        connection: asyncpg.Connection[Any] | None = None

        async def fetch(text: str, arguments: Sequence[Any]) -> Sequence[Any]:
            nonlocal connection
            if connection is None:
                connection = await self._connection()
                if not single:
                    await connection.execute(BEGIN)
            rows: Sequence[Any] = await connection.fetch(text, *arguments)
            return rows

        async with self._places:
            done = False
            try:
                found = await work(fetch)
                if connection is not None and not single:
                    await connection.execute("COMMIT")
                done = True
                return found
            finally:
                if connection is not None:
                    if done:
                        self._free.append(connection)
                    else:
                        # It is in the midst of something.
                        connection.terminate()

    async def _connection(self) -> "asyncpg.Connection[Any]":
        while self._free:
            if not (found := self._free.pop()).is_closed():
                return found
        return await asyncpg.connect(**self._options, statement_cache_size=STATEMENTS_KEPT)

    async def close(self) -> None:
        while self._free:
            await self._free.pop().close()


class HeldSqlite:
    """A connection for each of `size` threads; `prepare` is done to each."""

    def __init__(self, path: str, size: int, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path, self._prepare, self._local = path, prepare, threading.local()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sqlite")
        self._opened: list[sqlite3.Connection] = []

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._through, work)

    def _through(self, work: Work[T]) -> T:
        connection = self._connection()

        async def fetch(text: str, arguments: Sequence[Any]) -> Sequence[Any]:
            return connection.execute(text, arguments).fetchall()

        running = work(fetch)
        connection.execute("BEGIN")
        try:
            running.send(None)
        except StopIteration as over:
            found: T = over.value
            return found
        finally:
            running.close()
            connection.execute("ROLLBACK")
        raise TypeError("the work awaits something other than its rows")

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_KEPT
            )
            self._prepare(found)
            found.execute("PRAGMA query_only=ON")
            self._local.connection = found
            self._opened.append(found)
        return found

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            connection.close()
