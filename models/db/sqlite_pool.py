"""The pool of read connections to SQLite, one for each of its threads."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from models.db.read_pool import STATEMENTS_CACHED, Work

T = TypeVar("T")


class SqlitePool:
    """`size` threads, each with its own connection, which `prepare` sets up.

    Work runs in one thread from beginning to end, so it may await nothing but its rows.
    """

    def __init__(self, path: str, size: int, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path, self._prepare, self._local = path, prepare, threading.local()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sqlite")
        self._connections: list[sqlite3.Connection] = []

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    def _run(self, work: Work[T]) -> T:
        connection = self._connection()

        async def fetch(text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
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
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._connections:
            connection.close()
