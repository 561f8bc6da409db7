"""Read connections to SQLite, one for each thread."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from models.db.read_pool import STATEMENTS_CACHED, Work

T = TypeVar("T")


class SqlitePool:
    """A connection for each of `size` threads; `prepare` is done to each."""

    def __init__(self, path: str, size: int, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path, self._prepare, self._local = path, prepare, threading.local()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sqlite")
        self._opened: list[sqlite3.Connection] = []

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._through, work)

    def _through(self, work: Work[T]) -> T:
        connection = self._connection()

        async def fetch(text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
            return connection.execute(text, arguments).fetchall()

        connection.execute("BEGIN")
        running = work(fetch)
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
                self._path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_CACHED
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
