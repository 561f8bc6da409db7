"""Cancelling a task stops what it does in the database, and harms nobody else."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from models.db import commits
from models.db.commits import CommitUncertain
from models.db.database import Database
from models.db.postgres_pool import PostgresPool
from models.db.read_pool import Fetch
from tests.support.endless_statements import endless, until_running
from tests.support.patience import PATIENCE

KEYS = "SELECT pg_sleep(100000)::text, unnest($1::int[])"
TOWN = sa.table("town", sa.column("id"), sa.column("code"), sa.column("name"))


def town(key: int) -> Any:
    return sa.insert(TOWN).values(id=key, code=f"3301090{key:02}", name="镇")


async def towns(database: Database) -> list[int]:
    async with database.read() as connection:
        return list((await connection.execute(sa.select(TOWN.c.id).order_by(TOWN.c.id))).scalars())


async def one(fetch: Fetch) -> Any:
    [[value]] = await fetch("SELECT 1", [], None)
    return value


async def cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait for their ends, which come although what they wait for never would."""
    for task in tasks:
        task.cancel()
    done, _ = await asyncio.wait(tasks, timeout=PATIENCE)
    assert done == set(tasks)
    assert all(task.cancelled() for task in tasks)


def connections_in_use(database: Database) -> int:
    pool: Any = database.engine.pool
    in_use: int = pool.checkedout()
    return in_use


# -- reads by the pool --


async def test_abandoned_reads_free_their_threads_and_connections(database: Database) -> None:
    """Twice as many as SQLite has threads: all stop, whether they run or wait for a thread."""
    begun, ended = ([threading.Event() for _ in range(4)] for _ in range(2))

    def slow(number: int) -> Callable[[Fetch], Coroutine[Any, Any, Any]]:
        async def work(fetch: Fetch) -> Any:
            begun[number].set()
            try:
                return await fetch(endless(database), [], None)
            finally:
                ended[number].set()

        return work

    reads = [asyncio.create_task(database.read_pool.read(slow(number))) for number in range(4)]
    await asyncio.to_thread(begun[0].wait, PATIENCE)
    await asyncio.to_thread(begun[1].wait, PATIENCE)
    await until_running(database, 4)
    await cancelled(*reads)
    # Whoever counts what runs at once may count on it: no thread is busy with what has been cancelled.
    assert [event.is_set() for event in begun] == [event.is_set() for event in ended]
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.gather(*(database.read_pool.read(one) for _ in range(10))) == [1] * 10
    await until_running(database, 0)
    if database.sqlite:
        assert [event.is_set() for event in begun] == [True, True, False, False]


async def test_a_read_that_is_cancelled_between_two_statements_runs_no_second_one(database: Database) -> None:
    """SQLite's own interrupt would be lost there."""
    if not database.sqlite:
        pytest.skip("work for PostgreSQL is on the event loop")
    between, go_on = threading.Event(), threading.Event()
    texts: list[str] = []

    async def work(fetch: Fetch) -> None:
        for text in ("SELECT 1", endless(database)):
            texts.append(text)
            await fetch(text, [], None)
            between.set()
            go_on.wait(PATIENCE)

    reading = asyncio.create_task(database.read_pool.read(work))
    await asyncio.to_thread(between.wait, PATIENCE)
    # The reader learns of it before the thread goes on.
    reading.cancel()
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, go_on.set)
    done, _ = await asyncio.wait([reading], timeout=PATIENCE)
    assert done == {reading}
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.gather(*(database.read_pool.read(one) for _ in range(10))) == [1] * 10


# -- lookups that share a statement --


async def test_a_shared_statement_stops_when_all_are_cancelled_and_no_sooner(database: Database) -> None:
    if not isinstance(database.read_pool, PostgresPool):
        pytest.skip("SQLite shares no statements")
    pool = database.read_pool

    def lookup(key: int) -> "asyncio.Task[Any]":
        return asyncio.create_task(pool.read(lambda fetch: keyed(fetch, key), single=True))

    async def keyed(fetch: Fetch, key: int) -> Any:
        return await fetch(KEYS, [[key]], 0)

    first = lookup(1)
    await until_running(database, 1)
    second, third, late = lookup(2), lookup(3), lookup(4)
    await asyncio.sleep(0)
    await cancelled(late)  # waits for its turn
    await cancelled(first)  # runs the statement
    await until_running(database, 1)
    [query] = pool._coalesced.values()
    assert [future.done() for future in query.served] == [False, False]
    await cancelled(second)
    assert query.task is not None
    assert not query.task.cancelling()
    await cancelled(third)
    await until_running(database, 0)
    assert pool._coalesced == {}


# -- by SQLAlchemy --


async def test_a_cancelled_read_by_sqlalchemy_stops(database: Database) -> None:
    begun: list[str] = []
    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *args: begun.append(args[2]))

    async def read() -> None:
        async with database.read() as connection:
            await connection.execute(sa.text(endless(database)))

    for _ in range(12):  # more often than there are connections
        begun.clear()
        reading = asyncio.create_task(read())
        async with asyncio.timeout(PATIENCE):
            while endless(database) not in begun:
                await asyncio.sleep(0)
        await until_running(database, 1)
        await cancelled(reading)
        await until_running(database, 0)
    assert connections_in_use(database) == 0
    assert await towns(database) == []


async def test_a_cancellation_is_not_taken_for_an_outage(database: Database) -> None:
    """A driver may answer a cancellation with an error of its own. A loop that outlives outages must end then too."""
    begun = asyncio.Event()

    async def follow(block: Callable[[], Any]) -> None:
        while True:
            try:
                async with block():
                    begun.set()
                    try:
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        raise sa.exc.OperationalError("SELECT 1", None, ValueError("Connection closed")) from None
            except Exception:  # as if the database were away
                await asyncio.sleep(0)

    for block in (database.read, database.write):
        begun.clear()
        following = asyncio.create_task(follow(block))
        await begun.wait()
        await cancelled(following)


async def test_a_cancelled_write_is_rolled_back(database: Database) -> None:
    written = asyncio.Event()

    async def write() -> None:
        async with database.write() as session:
            await session.execute(town(1))
            written.set()
            await session.execute(sa.text(endless(database)))

    writing = asyncio.create_task(write())
    await written.wait()
    await until_running(database, 1)
    await cancelled(writing)
    async with asyncio.timeout(PATIENCE), database.write() as session:
        await session.execute(town(2))
    assert await towns(database) == [2]
    assert connections_in_use(database) == 0


async def test_a_write_that_waits_for_another_can_be_cancelled(database: Database) -> None:
    """Whether the other one is of this process or not."""
    inside, begun = asyncio.Event(), asyncio.Event()

    async def write(key: int) -> None:
        begun.set()
        async with database.write() as session:
            await session.execute(sa.text("UPDATE town SET name = 'x' WHERE id = 1"))
            await session.execute(town(key))

    async with database.write() as session:
        await session.execute(town(1))
    async with database.write() as session:
        await session.execute(sa.text("UPDATE town SET name = 'y'"))
        waiting = asyncio.create_task(write(2))
        await begun.wait()
        await cancelled(waiting)
    if database.sqlite:
        path = database.engine.url.database or ""
        with closing(sqlite3.connect(path, isolation_level=None)) as outside:
            outside.execute("BEGIN IMMEDIATE")
            sa.event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *_: inside.set())
            waiting = asyncio.create_task(write(3))
            await inside.wait()
            await cancelled(waiting)
    async with asyncio.timeout(PATIENCE):
        await write(4)
    assert await towns(database) == [1, 4]


# -- commits --


class HeldCommit:
    """Holds every commit back until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        commit = AsyncSession.commit

        async def held(session: AsyncSession) -> None:
            self.begun.set()
            await self.go_on.wait()
            await commit(session)

        monkeypatch.setattr(AsyncSession, "commit", held)


async def test_a_commit_that_has_begun_is_carried_through(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = HeldCommit(monkeypatch)
    steps: list[str] = []

    async def write() -> None:
        async with database.write() as session:
            await session.execute(town(1))
        steps.append("after the block")
        await asyncio.sleep(0)
        steps.append("after the next wait")

    writing = asyncio.create_task(write())
    await commit.begun.wait()
    writing.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not writing.done()
    commit.go_on.set()
    await asyncio.wait({writing}, timeout=PATIENCE)
    assert writing.cancelled()
    assert steps == ["after the block"]
    assert await towns(database) == [1]


async def test_a_commit_that_never_ends_is_uncertain(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "COMMIT_SECONDS", 0.0)
    commit = HeldCommit(monkeypatch)
    errors: list[BaseException] = []

    async def write() -> None:
        try:
            async with database.write() as session:
                await session.execute(town(1))
        except BaseException as error:
            errors.append(error)
            raise

    writing = asyncio.create_task(write())
    await commit.begun.wait()
    await cancelled(writing)
    assert [type(error) for error in errors] == [CommitUncertain]
    assert connections_in_use(database) == 0
    commit.go_on.set()
    async with asyncio.timeout(PATIENCE), database.write() as session:
        await session.execute(town(2))


# -- the server's own bound --


async def test_a_deadline_bounds_each_statement_of_postgresql(database: Database) -> None:
    if database.sqlite:
        pytest.skip("the caller's deadline bounds SQLite")
    url = database.url.set(drivername="postgresql").render_as_string(False)
    bounded = Database(url, deadline=0.05, statement_timeout=0.05)
    with pytest.raises(sa.exc.DBAPIError, match="statement timeout"):
        async with bounded.read() as connection:
            await connection.execute(sa.text(endless(bounded)))

    async def slow(fetch: Fetch) -> Any:
        return await fetch(endless(bounded), [], None)

    for single in (False, True):
        with pytest.raises(Exception, match="statement timeout"):
            await bounded.read_pool.read(slow, single=single)
    await bounded.close()
