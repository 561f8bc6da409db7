"""The pool of read connections to PostgreSQL, used on the event loop. Identical lookups share statements."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import queue

from models.db.outages import is_exhausted
from models.db.read_pool import STATEMENTS_CACHED, Fetch, MultipleStatements, PoolUse, ReadSize, Work
from models.db.threads import LoopFetch, run_to_end

log = structlog.get_logger(__name__)
T = TypeVar("T")

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Times as text are in UTC. Compiling one of our statements takes longer than running it. Rows read often are in memory,
# where a random read costs little more than a sequential one. Portraits need memory to sort and join.
SETTINGS = {"timezone": "UTC", "jit": "off", "random_page_cost": "1.1", "work_mem": "32MB"}
SILENT_SECONDS = 60.0  # the longest wait for a database that no longer responds
LOOK_SECONDS = 1.0  # between two looks at whether there is a connection to wait for
STOP_SECONDS = 2.0  # the longest wait for the server to stop a statement that is no longer wanted


class PostgresPool:
    """At most `size` connections with the given options of asyncpg. A read waits until one is free.

    Where the server, or this process, cannot have another connection, a read waits for one that there is.

    When a reader is cancelled, the server stops its statement; one that several share goes on while one of them waits.
    """

    def __init__(self, options: dict[str, Any], size: int) -> None:
        self._options, self._size = {"server_settings": SETTINGS, **options}, size
        self._free: list[asyncpg.Connection[Any]] = []
        self._in_use = 0
        self._returns: deque[asyncio.Future[None]] = deque()  # of reads that wait for a connection in use
        self._slots = asyncio.Semaphore(size)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="postgresql")
        # By text and arguments without the keys.
        self._coalesced: dict[Any, CoalescedQuery] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        if single:
            return await work(self._single_fetch())
        connection: asyncpg.Connection[Any] | None = None

        async def fetch(text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
            nonlocal connection
            if connection is None:
                connection = await self._acquire()
                await connection.execute(BEGIN)
            rows: Sequence[Any] = await connection.fetch(text, *arguments)
            return rows

        await self._slots.acquire()
        succeeded = False
        try:
            result = await work(fetch)
            if connection is not None:
                await connection.execute("COMMIT")
            succeeded = True
            return result
        finally:
            self._release(connection, reusable=succeeded)

    async def read_much(self, work: Work[T], limit: int) -> T:
        size = ReadSize(limit)
        await self._slots.acquire()
        connection, succeeded = None, False
        try:
            connection = await self._acquire()
            await connection.execute(BEGIN)
            fetch = LoopFetch(partial(fetch_portions, connection, size))
            try:
                loop = asyncio.get_running_loop()
                result = await loop.run_in_executor(self._threads, lambda: run_to_end(work(fetch)))
            except asyncio.CancelledError:
                await fetch.abandon()
                raise
            await connection.execute("COMMIT")
            succeeded = True
            return result
        finally:
            self._release(connection, reusable=succeeded)

    def _single_fetch(self) -> Fetch:
        """A fetch for one statement, without a transaction. A second call raises MultipleStatements."""
        called = False

        def fetch(text: str, arguments: list[Any], keys: int | None) -> Awaitable[Sequence[Any]]:
            nonlocal called
            if called:
                raise MultipleStatements
            called = True
            return self._coalesce(text, arguments, keys)

        return fetch

    async def _coalesce(self, text: str, arguments: list[Any], keys: int | None) -> Sequence[Any]:
        """Run a statement, or wait for the next run that several lookups by key share."""
        if keys is None:
            return await self._statement(text, arguments)
        rest = (*arguments[:keys], *arguments[keys + 1 :])
        try:
            query = self._coalesced.setdefault((text, rest), CoalescedQuery(keys))
        except TypeError:  # one of the other arguments is a list, which has no hash
            return await self._statement(text, arguments)
        if not query.running:
            query.running = True
            try:
                return await self._statement(text, arguments)
            finally:
                self._run_next(text, rest, query)
        future = asyncio.get_running_loop().create_future()
        query.waiting.append((arguments[keys], future))
        try:
            rows: Sequence[Any] = await future
            return rows
        except asyncio.CancelledError:
            query.stop_if_abandoned()
            raise

    def _run_next(self, text: str, rest: tuple[Any, ...], query: "CoalescedQuery") -> None:
        """Run the statement for all that wait, or forget the query if nothing waits."""
        # Nothing is read for those that have been cancelled.
        query.waiting = [(keys, future) for keys, future in query.waiting if not future.done()]
        if query.waiting:
            query.task = asyncio.create_task(self._run_for_waiting(text, rest, query))
        else:
            del self._coalesced[text, rest]

    async def _run_for_waiting(self, text: str, rest: tuple[Any, ...], query: "CoalescedQuery") -> None:
        waiting, query.waiting = query.waiting, []
        query.served = [future for _, future in waiting]
        try:
            all_keys = list(dict.fromkeys(key for keys, _ in waiting for key in keys))
            rows = await self._statement(text, [*rest[: query.keys], all_keys, *rest[query.keys :]])
            rows_by_key: dict[Any, list[Any]] = {}
            for row in rows:
                rows_by_key.setdefault(row[-1], []).append(row)
            for keys, future in waiting:
                if not future.done():
                    future.set_result([row for key in keys for row in rows_by_key.get(key, ())])
        except BaseException as error:
            for _, future in waiting:
                if not future.done():
                    failure = error if isinstance(error, Exception) else ConnectionError("the read was cancelled")
                    future.set_exception(failure)
            if not isinstance(error, Exception):
                raise
        finally:
            query.task, query.served = None, []
            self._run_next(text, rest, query)

    async def _statement(self, text: str, arguments: list[Any]) -> Sequence[Any]:
        await self._slots.acquire()
        connection, succeeded = None, False
        try:
            connection = await self._acquire()
            rows: Sequence[Any] = await connection.fetch(text, *arguments)
            succeeded = True
            return rows
        finally:
            self._release(connection, reusable=succeeded)

    async def _acquire(self) -> "asyncpg.Connection[Any]":
        while True:
            while self._free:
                if not (connection := self._free.pop()).is_closed():
                    self._in_use += 1
                    return connection
            self._in_use += 1  # others wait for it while it is being opened
            try:
                return await asyncpg.connect(
                    **self._options, statement_cache_size=STATEMENTS_CACHED, command_timeout=SILENT_SECONDS
                )
            except BaseException as error:
                self._in_use -= 1
                if not is_exhausted(error) or not (self._in_use or self._free):
                    self._has_returned()
                    raise
            if not self._free:
                await self._return()

    async def _return(self) -> None:
        """Wait until a connection is free or closed."""
        returned = asyncio.get_running_loop().create_future()
        self._returns.append(returned)
        try:
            await returned
        except asyncio.CancelledError:
            if not returned.cancelled():
                self._has_returned()  # to the next one
            raise

    def _has_returned(self) -> None:
        """Wake one read that waits for a connection; all of them if none is in use, for then none will return."""
        while self._returns:
            returned = self._returns.popleft()
            if not returned.done():
                returned.set_result(None)
                if self._in_use:
                    return

    def _release(self, connection: "asyncpg.Connection[Any] | None", *, reusable: bool) -> None:
        """Make room for the next read: at once if the connection is reusable, otherwise once it is closed."""
        if connection is None:
            self._slots.release()
        elif reusable and not self._closed:
            self._in_use -= 1
            self._free.append(connection)
            self._slots.release()
            self._has_returned()
        else:
            # It may be in the middle of a statement; and after `close` nothing would close it later.
            task = asyncio.create_task(self._close_connection(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close_connection(self, connection: "asyncpg.Connection[Any]") -> None:
        try:
            # asyncpg has asked the server to stop the statement. To abort the connection now would take that back, and
            # the server would run the statement to its end.
            await connection.close(timeout=STOP_SECONDS)
        except Exception as error:  # asyncpg has aborted the connection then
            log.debug("a connection was aborted", error=type(error).__name__)
        finally:
            self._in_use -= 1
            self._slots.release()
            self._has_returned()

    def use(self) -> PoolUse:
        # tests/models/db/test_read_pools.py holds the names of asyncio that are not documented.
        return PoolUse(self._size, self._size - self._slots._value, len(self._slots._waiters or ()))

    async def close(self) -> None:
        self._closed = True
        while self._free:
            await self._free.pop().close()
        if self._closing:
            await asyncio.wait(self._closing)
        await asyncio.to_thread(self._threads.shutdown)


class WaitingPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, which also waits for a connection that it has where it cannot have another one."""

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            return super()._do_get()
        except Exception as error:
            if not is_exhausted(error) or not self.checkedout():
                raise
            for _ in range(round(self._timeout / LOOK_SECONDS)):
                with suppress(queue.Empty):
                    return self._pool.get(True, LOOK_SECONDS)
                if not self.checkedout():  # what was being opened could not be
                    break
            raise


async def fetch_portions(
    connection: "asyncpg.Connection[Any]", size: ReadSize, text: str, arguments: list[Any]
) -> list[Any]:
    """All rows of a statement. Raises TooMuchRead."""
    cursor = await connection.cursor(text, *arguments)
    rows: list[Any] = []
    while True:
        wanted = size.portion
        portion = await cursor.fetch(wanted)
        size.add(portion)
        rows += portion
        if len(portion) < wanted:
            return rows


class CoalescedQuery:
    """A lookup by key that is running, and the lookups by the same statement that wait: they share the next run.

    So each gets rows that were read after it asked. `keys` is the position of the list of keys among the arguments.
    """

    __slots__ = ("keys", "running", "served", "task", "waiting")

    def __init__(self, keys: int) -> None:
        self.keys, self.running = keys, False
        self.waiting: list[tuple[list[Any], asyncio.Future[Any]]] = []
        self.task: asyncio.Task[None] | None = None
        self.served: list[asyncio.Future[Any]] = []  # those for whom the task reads

    def stop_if_abandoned(self) -> None:
        """Stop the shared run if all that it reads for have been cancelled."""
        if self.task is not None and self.served and all(future.done() for future in self.served):
            self.task.cancel()
