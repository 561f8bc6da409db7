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
# A statement and its arguments, in the driver's order, to rows. The third says at which place there is a list of keys,
# where the rows are those of the keys, and each row's last value is its key; else None.
Fetch = Callable[[str, list[Any], int | None], Awaitable[Sequence[Any]]]
Work = Callable[[Fetch], Coroutine[Any, Any, T]]

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Times as text are in UTC; to compile a statement takes longer than to run one of ours; what is read often is in
# memory, where a row by its key costs little more than the next one; what a portrait sorts and joins must find room.
SETTINGS = {"timezone": "UTC", "jit": "off", "random_page_cost": "1.1", "work_mem": "32MB"}
STATEMENTS_KEPT = 1_000  # prepared, on each connection
SILENT_SECONDS = 60.0  # a database that has gone without a word is not waited for longer


class NotSingle(Exception):
    """The work has a second statement, though it was thought to have only one."""


class Held(Protocol):
    """Connections to one database."""

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        """Do the work; all its statements see the database at one moment.

        `single` says that it has only one, and needs no transaction. Where it has another all the same, PostgreSQL's
        raises NotSingle, and the work is to be done anew.
        """

    async def close(self) -> None: ...


class HeldPostgres:
    """At most `size` connections, made from these options of asyncpg; whoever finds none free waits."""

    def __init__(self, options: dict[str, Any], size: int) -> None:
        self._options = options
        self._free: list[asyncpg.Connection[Any]] = []
        self._places = asyncio.Semaphore(size)
        self._flights: dict[Any, Flight] = {}
        self._closed = False

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        if single:
            return await work(self._only())
        connection: asyncpg.Connection[Any] | None = None

        async def fetch(text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
            nonlocal connection
            if connection is None:
                connection = await self._connection()
                await connection.execute(BEGIN)
            rows: Sequence[Any] = await connection.fetch(text, *arguments)
            return rows

        async with self._places:
            done = False
            try:
                found = await work(fetch)
                if connection is not None:
                    await connection.execute("COMMIT")
                done = True
                return found
            finally:
                if connection is not None:
                    self._release(connection, done=done)

    def _only(self) -> Fetch:
        """Takes one statement."""
        done = False

        def fetch(text: str, arguments: list[Any], keys: int | None) -> Awaitable[Sequence[Any]]:
            nonlocal done
            if done:
                raise NotSingle
            done = True
            return self._alone(text, arguments, keys)

        return fetch

    async def _alone(self, text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
        """A statement that is all of its operation. Those that look up rows by keys wait together, and share one."""
        if keys is None:
            return await self._statement(text, arguments)
        rest = (*arguments[:keys], *arguments[keys + 1 :])
        try:
            flight = self._flights.setdefault((text, rest), Flight(keys))
        except TypeError:  # a list among the rest
            return await self._statement(text, arguments)
        if not flight.under_way:
            flight.under_way = True
            try:
                return await self._statement(text, arguments)
            finally:
                self._next(text, rest, flight)
        waiting = asyncio.get_running_loop().create_future()
        flight.waiting.append((arguments[keys], waiting))
        found: Sequence[Any] = await waiting
        return found

    def _next(self, text: str, rest: tuple[Any, ...], flight: "Flight") -> None:
        if flight.waiting:
            flight.task = asyncio.create_task(self._fly(text, rest, flight))
        else:
            del self._flights[text, rest]

    async def _fly(self, text: str, rest: tuple[Any, ...], flight: "Flight") -> None:
        """One statement for all who wait."""
        waiting, flight.waiting = flight.waiting, []
        try:
            wanted = list(dict.fromkeys(key for keys, _ in waiting for key in keys))
            rows = await self._statement(text, [*rest[: flight.keys], wanted, *rest[flight.keys :]])
            by_key: dict[Any, list[Any]] = {}
            for row in rows:
                by_key.setdefault(row[-1], []).append(row)
            for keys, future in waiting:
                if not future.done():
                    future.set_result([row for key in keys for row in by_key.get(key, ())])
        except BaseException as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else ConnectionError("it was ended"))
            if not isinstance(error, Exception):
                raise
        finally:
            self._next(text, rest, flight)

    async def _statement(self, text: str, arguments: list[Any]) -> Sequence[Any]:
        async with self._places:
            connection, done = await self._connection(), False
            try:
                rows: Sequence[Any] = await connection.fetch(text, *arguments)
                done = True
                return rows
            finally:
                self._release(connection, done=done)

    async def _connection(self) -> "asyncpg.Connection[Any]":
        while self._free:
            if not (found := self._free.pop()).is_closed():
                return found
        return await asyncpg.connect(
            **self._options,
            statement_cache_size=STATEMENTS_KEPT,
            server_settings=SETTINGS,
            command_timeout=SILENT_SECONDS,
        )

    def _release(self, connection: "asyncpg.Connection[Any]", *, done: bool) -> None:
        if done and not self._closed:
            self._free.append(connection)
        else:
            # It is in the midst of something, or nobody will close it later.
            connection.terminate()

    async def close(self) -> None:
        self._closed = True
        while self._free:
            await self._free.pop().close()


class Flight:
    """Those who want rows by the same statement while it is under way: they share the next one.

    What each is given was read after it asked. `keys` is the place of the list of keys among the arguments.
    """

    __slots__ = ("keys", "task", "under_way", "waiting")

    def __init__(self, keys: int) -> None:
        self.keys, self.under_way = keys, False
        self.waiting: list[tuple[list[Any], asyncio.Future[Any]]] = []
        self.task: asyncio.Task[None] | None = None


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
