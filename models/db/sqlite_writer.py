"""Writes to SQLite in groups: each write runs in one thread from beginning to end, and a group has one commit.

A commit waits for the disk, and each hop between the event loop and a thread costs as much as a small statement. So
writes that wait together share a transaction, each within a savepoint of its own.
"""

import asyncio
import contextvars
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models.db import commits
from models.db.sqlite_pool import STEPS
from models.db.threads import Abandoned, run_to_end
from models.metrics import LOCK_WAIT

T = TypeVar("T")

Work = Callable[[AsyncSession], Coroutine[Any, Any, T]]

GROUP_SECONDS = 0.02  # a group takes no more writes after so long


class ThreadSession(AsyncSession):
    """An AsyncSession that executes in the thread that calls it. Nothing that it returns waits."""

    def __init__(self, connection: sa.Connection, job: "Job") -> None:
        super().__init__(expire_on_commit=False, join_transaction_mode="create_savepoint")
        self.sync_session.bind = connection
        self._job = job

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        if self._job.abandoned:
            raise Abandoned
        return self.sync_session.execute(*args, **kwargs)

    async def execute_rows(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if self._job.abandoned:
            raise Abandoned
        self.sync_session.connection().exec_driver_sql(statement, rows)

    async def flush(self, objects: Any = None) -> None:
        self.sync_session.flush()

    async def get_one(self, *args: Any, **kwargs: Any) -> Any:
        return self.sync_session.get_one(*args, **kwargs)

    async def connection(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("execute statements on the session")


async def execute_rows(
    connection: AsyncConnection | AsyncSession, statement: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Execute a statement of SQLite once for each row of its parameters. SQLAlchemy would convert each value."""
    if isinstance(connection, ThreadSession):
        await connection.execute_rows(statement, rows)
    else:
        plain = await connection.connection() if isinstance(connection, AsyncSession) else connection
        await plain.exec_driver_sql(statement, rows)


@dataclass(eq=False)
class Job:
    """One write. `done` gets its result on the event loop, once the group is committed."""

    work: Work[Any]
    done: "asyncio.Future[Any]"
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    since: float = field(default_factory=time.monotonic)
    abandoned: bool = False
    committing: bool = False
    result: Any = None
    error: BaseException | None = None
    _lock: Lock = field(default_factory=Lock)

    def begin_commit(self) -> None:
        """From here on the write takes effect. Raises Abandoned."""
        with self._lock:
            if self.abandoned:
                raise Abandoned
            self.committing = True

    def abandon(self) -> bool:
        """Stop the write. Returns whether it is too late for that."""
        with self._lock:
            self.abandoned = not self.committing
            return self.committing

    def tell(self) -> None:
        """Tell the caller how the write has ended."""
        if self.abandoned or self.done.done():
            self.done.cancel()
        elif self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)


class SqliteWriter:
    """Writes of one process, in the order in which they come. `turn` keeps others of this process from writing."""

    def __init__(self, engine: sa.Engine, turn: asyncio.Lock) -> None:
        self.engine, self._turn = engine, turn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._waiting: deque[Job] = deque()
        self._running: asyncio.Task[None] | None = None
        self._job: Job | None = None
        sa.event.listen(engine, "connect", self._watch)

    def _watch(self, connection: Any, record: Any) -> None:
        connection.set_progress_handler(lambda: self._job is not None and self._job.abandoned, STEPS)

    async def write(self, work: Work[T]) -> T:
        """Run `work(session)` in a transaction, and return its result once that is committed.

        What it raises undoes all that it did. `work` runs in a thread; it may await nothing but its session, and runs
        again if another write of its group broke the transaction. If the task is cancelled, the work is undone; but a
        commit that has begun is carried through, and the task's next wait raises. Raises CommitUncertain where that
        takes too long.
        """
        loop = asyncio.get_running_loop()
        job = Job(work, loop.create_future())
        self._waiting.append(job)
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run())
        try:
            await asyncio.wait({job.done})
        except asyncio.CancelledError:
            if not job.abandon():
                raise
            await asyncio.wait({job.done}, timeout=commits.COMMIT_SECONDS)
            if not job.done.done():
                job.done.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks any more
                raise commits.CommitUncertain from None
            if job.done.cancelled() or job.done.exception() is not None:
                raise
            commits.cancel_again()
        result: T = job.done.result()
        return result

    async def _run(self) -> None:
        """Write until nothing waits."""
        loop = asyncio.get_running_loop()
        ended: list[Job] = []
        try:
            while self._waiting:
                async with self._turn:
                    ended = await loop.run_in_executor(self._thread, self._write_group)
                while ended:
                    ended.pop().tell()
        finally:
            for job in (*ended, *self._waiting):
                job.done.cancel()

    def _write_group(self) -> list[Job]:
        """Carry out writes that wait, in one transaction. Returns those that have ended, with result or error."""
        group = [self._waiting.popleft()]
        end = time.monotonic() + GROUP_SECONDS
        try:
            with self._transaction() as connection:
                while self._write_one(connection, group[-1]) and self._waiting and time.monotonic() < end:
                    group.append(self._waiting.popleft())
                broken = not _driver(connection).in_transaction
        except Exception as error:  # of the transaction, so of all in it
            for job in group:
                job.error = job.error or error
            return group
        return self._again(group) if broken else group

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """A connection in a transaction, which is committed at the end, and rolled back after an exception."""
        with self.engine.connect() as connection:
            try:
                with connection.begin():
                    yield connection
            finally:
                _driver(connection).rollback()  # SQLAlchemy leaves it open when the commit fails

    def _write_one(self, connection: sa.Connection, job: Job) -> bool:
        """Carry out one write within a savepoint. Returns whether the transaction still stands."""
        self._job = job
        LOCK_WAIT.labels("turn").observe(time.monotonic() - job.since)
        session = ThreadSession(connection, job)
        try:
            with session.sync_session:
                self._work(job, session)
        except sa.exc.DBAPIError as error:  # there is no savepoint where SQLite has undone the transaction
            job.error = job.error or error
        finally:
            self._job = None
        return _driver(connection).in_transaction

    def _work(self, job: Job, session: ThreadSession) -> None:
        try:
            job.result = job.context.run(run_to_end, job.work(session))
            session.sync_session.flush()
            job.begin_commit()
            session.sync_session.commit()
        except BaseException as error:
            job.error = Abandoned() if job.abandoned else error

    def _again(self, group: list[Job]) -> list[Job]:
        """Put back the writes of a group whose transaction SQLite has undone. Returns the others, which have failed."""
        for job in reversed(group):
            if job.error is None:
                job.committing = False
                self._waiting.appendleft(job)
        return [job for job in group if job.error is not None]

    @property
    def waiting(self) -> int:
        """The writes that wait for their turn."""
        return len(self._waiting)

    async def close(self) -> None:
        if self._running is not None:
            await asyncio.wait({self._running})
        await asyncio.to_thread(self._thread.shutdown)
        self.engine.dispose()


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    """The driver's connection. It is in no transaction any more after some errors: an interrupt, or a full disk."""
    driver: Any = connection.connection.driver_connection
    return cast(sqlite3.Connection, driver)
