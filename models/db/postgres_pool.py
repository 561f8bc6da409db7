"""Read connections to PostgreSQL, driven by the event loop."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import asyncpg

from models.db.read_pool import STATEMENTS_CACHED, Fetch, MultipleStatements, Work

T = TypeVar("T")

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Times as text are in UTC; to compile a statement takes longer than to run one of ours; what is read often is in
# memory, where a row by its key costs little more than the next one; what a portrait sorts and joins must find room.
SETTINGS = {"timezone": "UTC", "jit": "off", "random_page_cost": "1.1", "work_mem": "32MB"}
SILENT_SECONDS = 60.0  # a database that has gone without a word is not waited for longer


class PostgresPool:
    """At most `size` connections, made from these options of asyncpg; whoever finds none free waits."""

    def __init__(self, options: dict[str, Any], size: int) -> None:
        self._options = options
        self._free: list[asyncpg.Connection[Any]] = []
        self._places = asyncio.Semaphore(size)
        self._flights: dict[Any, CoalescedQuery] = {}
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
                raise MultipleStatements
            done = True
            return self._alone(text, arguments, keys)

        return fetch

    async def _alone(self, text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
        """A statement that is all of its operation. Those that look up rows by keys wait together, and share one."""
        if keys is None:
            return await self._statement(text, arguments)
        rest = (*arguments[:keys], *arguments[keys + 1 :])
        try:
            flight = self._flights.setdefault((text, rest), CoalescedQuery(keys))
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

    def _next(self, text: str, rest: tuple[Any, ...], flight: "CoalescedQuery") -> None:
        if flight.waiting:
            flight.task = asyncio.create_task(self._fly(text, rest, flight))
        else:
            del self._flights[text, rest]

    async def _fly(self, text: str, rest: tuple[Any, ...], flight: "CoalescedQuery") -> None:
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
            statement_cache_size=STATEMENTS_CACHED,
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


class CoalescedQuery:
    """Those who want rows by the same statement while it is under way: they share the next one.

    What each is given was read after it asked. `keys` is the place of the list of keys among the arguments.
    """

    __slots__ = ("keys", "task", "under_way", "waiting")

    def __init__(self, keys: int) -> None:
        self.keys, self.under_way = keys, False
        self.waiting: list[tuple[list[Any], asyncio.Future[Any]]] = []
        self.task: asyncio.Task[None] | None = None
