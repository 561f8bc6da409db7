"""The read pools: waiting lookups share a statement, and each gets its own rows, read after it asked."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from models.db import postgres_pool
from models.db.database import Database
from models.db.outages import is_outage
from models.db.postgres_pool import PostgresPool
from models.db.read_pool import Fetch, MultipleStatements
from schema.build import Graph
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER, Databases, make_executor
from tests.support.actors import change, small_world

ZONES = "SELECT name, id FROM zone WHERE id = ANY($1::int[])"
PATIENCE = 30  # seconds, for what must happen
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
ZONE = sa.table("zone", sa.column("id"), sa.column("name"))


def rename(key: int, name: str) -> Any:
    return sa.update(ZONE).where(ZONE.c.id == key).values(name=name)


class Gate:
    """Holds back the result of each statement of a pool until the test releases it."""

    def __init__(self, pool: PostgresPool) -> None:
        self.arguments: list[list[Any]] = []
        self._run = pool._statement
        self._changed = asyncio.Condition()
        self._held: list[asyncio.Future[BaseException | None]] = []
        pool._statement = self._statement  # type: ignore[method-assign]  # for the test

    async def _statement(self, text: str, arguments: list[Any]) -> Sequence[Any]:
        rows = await self._run(text, arguments)
        release: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        async with self._changed:
            self.arguments.append(arguments)
            self._held.append(release)
            self._changed.notify_all()
        if (error := await release) is not None:
            raise error
        return rows

    async def executed(self, number: int) -> None:
        """Wait until so many statements have been executed."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: len(self.arguments) >= number)

    def release(self, number: int, error: BaseException | None = None) -> None:
        """Return the result of the statement with this number, or raise the error in its place."""
        self._held[number].set_result(error)


@pytest_asyncio.fixture
async def zones(database: Database) -> tuple[int, int]:
    world = await small_world(database)
    return world.zone, world.other_zone


@pytest.fixture
def pool(database: Database) -> PostgresPool:
    if not isinstance(database.read_pool, PostgresPool):
        pytest.skip("lookups in SQLite take microseconds and share no statements")
    return database.read_pool


def names(pool: PostgresPool, *keys: int, text: str = ZONES, others: Sequence[Any] = ()) -> "asyncio.Task[list[Any]]":
    """Read the names of these zones as a plan with a single statement does."""

    async def work(fetch: Fetch) -> list[Any]:
        return [tuple(row) for row in await fetch(text, [list(keys), *others], 0)]

    return asyncio.create_task(pool.read(work, single=True))


async def settled() -> None:
    """Let every task run as far as it can without the database."""
    for _ in range(10):
        await asyncio.sleep(0)


# -- sharing a statement --


async def test_waiting_lookups_share_a_statement_and_get_their_own_rows(
    pool: PostgresPool, zones: tuple[int, int]
) -> None:
    one, other = zones
    gate = Gate(pool)
    first = names(pool, one)
    await gate.executed(1)
    lookups = [(one,), (other,), (other, one), (one,), (999,), (), (other, 999)]
    rest = [names(pool, *keys) for keys in lookups]
    await settled()
    gate.release(0)
    await gate.executed(2)
    gate.release(1)
    rows = {one: ("战区0", one), other: ("战区1", other)}
    assert await first == [rows[one]]
    assert await asyncio.gather(*rest) == [[rows[key] for key in keys if key in rows] for keys in lookups]
    assert [sorted(keys) for [keys] in gate.arguments] == [[one], sorted([one, other, 999])]
    assert pool._coalesced == {}


async def test_different_statements_or_arguments_are_not_shared(pool: PostgresPool, zones: tuple[int, int]) -> None:
    gate = Gate(pool)
    text = f"{ZONES} AND name <> $2"
    tasks = [names(pool, zones[0]), *(names(pool, zones[0], text=text, others=[name]) for name in ("战区0", "x"))]
    await gate.executed(3)
    for number in range(3):
        gate.release(number)
    assert await asyncio.gather(*tasks) == [[("战区0", zones[0])], [], [("战区0", zones[0])]]


async def test_rows_are_read_after_the_lookup_began(
    pool: PostgresPool, database: Database, zones: tuple[int, int]
) -> None:
    """No lookup gets rows from a statement that was already running."""
    gate = Gate(pool)
    tasks = []
    for number in range(4):
        await change(database, rename(zones[0], f"第{number}"))
        tasks.append(names(pool, zones[0]))
        await settled()
        if number:
            gate.release(number - 1)
        await gate.executed(number + 1)
    gate.release(3)
    assert [rows[0][0] for rows in await asyncio.gather(*tasks)] == ["第0", "第1", "第2", "第3"]


async def test_an_error_reaches_all_waiting_lookups_and_no_later_one(
    pool: PostgresPool, zones: tuple[int, int]
) -> None:
    gate = Gate(pool)
    first = names(pool, zones[0])
    await gate.executed(1)
    second = [names(pool, key) for key in zones]
    await settled()
    gate.release(0, ZeroDivisionError())
    await gate.executed(2)
    third = [names(pool, key) for key in zones]
    await settled()
    gate.release(1, ConnectionError())
    await gate.executed(3)
    gate.release(2)
    failed = await asyncio.gather(first, *second, return_exceptions=True)
    assert [type(error) for error in failed] == [ZeroDivisionError, ConnectionError, ConnectionError]
    assert [rows[0][1] for rows in await asyncio.gather(*third)] == list(zones)
    assert pool._coalesced == {}


async def test_a_cancelled_lookup_affects_no_other(pool: PostgresPool, zones: tuple[int, int]) -> None:
    gate = Gate(pool)
    first, cancelled, other = names(pool, zones[0]), names(pool, zones[0]), names(pool, zones[1])
    await gate.executed(1)
    cancelled.cancel()
    await settled()
    first.cancel()  # the one whose statement is running
    await gate.executed(2)
    late = names(pool, zones[0])
    await settled()
    gate.release(1)
    await gate.executed(3)
    gate.release(2)
    results: list[Any] = await asyncio.gather(first, cancelled, other, late, return_exceptions=True)
    assert [type(result) for result in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2:] == [[("战区1", zones[1])], [("战区0", zones[0])]]
    assert pool._coalesced == {}


# -- one moment --


async def test_statements_of_one_plan_see_one_moment(database: Database, zones: tuple[int, int]) -> None:
    text = "SELECT name FROM zone WHERE id = " + ("?" if database.sqlite else "$1")

    async def write(name: str) -> None:
        if not database.sqlite:
            await change(database, rename(zones[0], name))
            return
        # SQLite's work runs in its thread and may not await anything else.
        with closing(sqlite3.connect(str(database.url.database))) as plain, plain:
            plain.execute("UPDATE zone SET name = ? WHERE id = ?", (name, zones[0]))

    async def twice(fetch: Fetch) -> list[str]:
        names_read = []
        for name in ("其二", "其三"):
            [row] = await fetch(text, [zones[0]], None)
            names_read.append(row[0])
            await write(name)
        return names_read

    assert await database.read_pool.read(twice) == ["战区0", "战区0"]
    assert await database.read_pool.read(twice) == ["其三", "其三"]


async def test_single_work_may_run_one_statement(pool: PostgresPool) -> None:
    async def twice(fetch: Fetch) -> None:
        await fetch("SELECT 1", [], None)
        await fetch("SELECT 2", [], None)

    with pytest.raises(MultipleStatements):
        await pool.read(twice, single=True)
    await pool.read(twice)


async def test_a_read_pool_refuses_writes(database: Database, zones: tuple[int, int]) -> None:
    async def write(fetch: Fetch) -> None:
        await fetch("UPDATE zone SET name = 'x'", [], None)

    with pytest.raises((asyncpg.ReadOnlySQLTransactionError, sqlite3.OperationalError)):
        await database.read_pool.read(write)
    async with database.read() as connection:
        assert set((await connection.execute(sa.select(ZONE.c.name))).scalars()) == {"战区0", "战区1"}


# -- connections --

NODE = "query($id: ID!) { node(id: $id) { ... on Zone { name } } }"
DEEP = "{ zones { name enterprises(first: 3) { nodes { name } } } }"


@pytest_asyncio.fixture
async def outside(database: Database) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """Fetches a value over a connection of the test's own."""
    _, options = database.engine.dialect.create_connect_args(database.url)
    connection = await asyncpg.connect(**options)
    yield connection.fetchval
    await connection.close()


@pytest.mark.parametrize("query", [NODE, DEEP])
async def test_a_terminated_connection_is_replaced(
    pool: PostgresPool, database: Database, zones: tuple[int, int], graph: Graph, query: str, outside: Any
) -> None:
    executor = make_executor(graph, database)
    operation = Operation(query, {"id": node_id.encode("Zone", zones[0])} if query == NODE else {})
    expected = await executor.run(operation, COMMANDER)
    assert expected.written is not None
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    for _ in range(3):
        await outside(f"SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE {others}")
        many = await asyncio.gather(*(executor.run(operation, COMMANDER) for _ in range(20)))
        assert [(response.data, response.errors) for response in many] == [(expected.data, [])] * 20
        assert (await executor.run(operation, COMMANDER)).written == expected.written


async def test_a_connection_terminated_during_a_plan_is_not_reused(pool: PostgresPool, outside: Any) -> None:
    async def terminated(fetch: Fetch) -> None:
        [[pid]] = await fetch("SELECT pg_backend_pid()", [], None)
        await outside(f"SELECT pg_terminate_backend({pid}, 10000)")
        await fetch("SELECT 1", [], None)

    # Which one depends on how much of the server's farewell asyncpg has read.
    errors = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)
    with pytest.raises(errors):
        await pool.read(terminated)
    assert pool._free == []

    async def one(fetch: Fetch) -> Any:
        return [tuple(row) for row in await fetch("SELECT 1", [], None)]

    assert await pool.read(one) == [(1,)]


async def test_a_pool_opens_no_more_connections_than_its_size(pool: PostgresPool, database: Database) -> None:
    _, options = database.engine.dialect.create_connect_args(database.url)
    two = PostgresPool(dict(options), 2)
    seen: list[int] = []

    async def count(fetch: Fetch) -> None:
        for _ in range(2):
            [[number]] = await fetch(CONNECTIONS, [], None)
            seen.append(number)

    async def alone(fetch: Fetch) -> None:
        [[number]] = await fetch(CONNECTIONS, [], None)
        seen.append(number)

    works = [asyncio.create_task(two.read(count)) for _ in range(10)]
    works += [asyncio.create_task(two.read(alone, single=True)) for _ in range(10)]
    await settled()
    works[1].cancel()  # its connection is closed
    await asyncio.gather(*works, return_exceptions=True)
    # PostgreSQL may still count the connection that was just closed.
    assert len(seen) >= 28
    assert max(seen) <= 3
    assert len(two._free) <= 2
    await two.close()


@pytest.mark.parametrize("single", [False, True])
async def test_a_silent_server_times_out(
    pool: PostgresPool, database: Database, monkeypatch: pytest.MonkeyPatch, single: bool
) -> None:
    monkeypatch.setattr(postgres_pool, "SILENT_SECONDS", 0.5)
    _, options = database.engine.dialect.create_connect_args(database.url)
    own_pool = PostgresPool(dict(options), 1)

    async def pid(fetch: Fetch) -> int:
        [[number]] = await fetch("SELECT pg_backend_pid()", [], None)
        return int(number)

    silent = await own_pool.read(pid, single=single)
    os.kill(silent, signal.SIGSTOP)
    try:
        reading = asyncio.create_task(own_pool.read(pid, single=single))
        await asyncio.wait({reading}, timeout=PATIENCE)
        assert reading.done()
        assert is_outage(reading.exception())
        # Later reads do not wait for it either.
        assert await own_pool.read(pid, single=single) != silent
    finally:
        os.kill(silent, signal.SIGCONT)
    await own_pool.close()


async def test_no_connection_stays_open_after_close(pool: PostgresPool, database: Database, outside: Any) -> None:
    _, options = database.engine.dialect.create_connect_args(database.url)
    own_pool = PostgresPool(dict(options), 3)
    waiting = asyncio.Event()
    pids: list[int] = []

    async def slow(fetch: Fetch) -> None:
        [[pid]] = await fetch("SELECT pg_backend_pid()", [], None)
        pids.append(pid)
        await waiting.wait()

    async def quick(fetch: Fetch) -> None:
        [[pid]] = await fetch("SELECT pg_backend_pid()", [], None)
        pids.append(pid)

    under_way = asyncio.create_task(own_pool.read(slow))
    await asyncio.gather(*(own_pool.read(quick) for _ in range(2)))
    async with asyncio.timeout(PATIENCE):
        while len(pids) < 3:
            await asyncio.sleep(0.01)
    await own_pool.close()
    waiting.set()
    await under_way
    await own_pool.read(quick)  # after the close
    listed = ", ".join(map(str, pids))
    async with asyncio.timeout(PATIENCE):
        while await outside(f"SELECT count(*) FROM pg_stat_activity WHERE pid IN ({listed})"):
            await asyncio.sleep(0.01)
    assert own_pool._free == []


async def test_sqlite_has_no_threads_and_connections_after_close(databases: Databases, migrated_url: str) -> None:
    database = Database(await databases.new(migrated_url))
    if not database.sqlite:
        await database.close()
        pytest.skip("PostgreSQL has no threads")

    async def one(fetch: Fetch) -> Any:
        return await fetch("SELECT 1", [], None)

    pool: Any = database.read_pool
    assert await asyncio.gather(*(pool.read(one) for _ in range(20))) == [[(1,)]] * 20
    assert 1 <= len(pool._connections) <= 2
    await database.close()
    assert not any(thread.is_alive() for thread in pool._threads._threads)
    for connection in pool._connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


async def test_a_connection_to_sqlite_is_reused_after_an_error(database: Database, zones: tuple[int, int]) -> None:
    if not database.sqlite:
        pytest.skip("connections to PostgreSQL are closed after an error")

    async def wrong(fetch: Fetch) -> None:
        await fetch("SELECT 1", [], None)
        await fetch("SELECT nothing", [], None)

    async def counted(fetch: Fetch) -> int:
        [[number]] = await fetch("SELECT count(*) FROM zone", [], None)
        return int(number)

    for _ in range(4):
        with pytest.raises(sqlite3.OperationalError, match="nothing"):
            await database.read_pool.read(wrong)
        assert await database.read_pool.read(counted) == 2
