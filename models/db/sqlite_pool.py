"""The pool of read connections to SQLite, one for each of its threads."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from models.db.read_pool import STATEMENTS_CACHED, Work

T = TypeVar("T")

# SQLite's instructions between two looks at whether anybody still waits for the statement: some milliseconds.
STEPS = 50_000


class Call:
    """Something that runs in a thread. `abandoned` says that nobody waits for it any more."""

    __slots__ = ("abandoned",)

    def __init__(self) -> None:
        self.abandoned = False


class Abandoned(Exception):
    """Nobody waits for this read any more."""


class SqlitePool:
    """`size` threads, each with its own connection, which `prepare` sets up.

    Work runs in one thread from beginning to end, so it may await nothing but its rows. When its reader is cancelled,
    work that waits for a thread is dropped, and a statement that is running stops within milliseconds.
    """

    def __init__(self, path: str, size: int, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path, self._prepare, self._local = path, prepare, threading.local()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sqlite")
        self._connections: list[sqlite3.Connection] = []

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        call = Call()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work, call)
        except asyncio.CancelledError:
            call.abandoned = True
            raise

    def _run(self, work: Work[T], call: Call) -> T:
        connection = self._connection()
        self._local.call = call

        async def fetch(text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
            if call.abandoned:
                raise Abandoned
            return connection.execute(text, arguments).fetchall()

        connection.execute("BEGIN")
        coroutine = work(fetch)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            coroutine.close()
            connection.execute("ROLLBACK")
        raise TypeError("the work awaits something other than its rows")

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

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._connections:
            connection.close()
