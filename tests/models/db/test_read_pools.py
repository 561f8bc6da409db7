"""Connections held for reading: who waits together shares a statement, nobody gets what is not theirs, or is old."""

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
PATIENCE = 30  # seconds, for what must come
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
ZONE = sa.table("zone", sa.column("id"), sa.column("name"))


def named(key: int, name: str) -> Any:
    return sa.update(ZONE).where(ZONE.c.id == key).values(name=name)


class Gate:
    """The statements of a connection's holder: each is noted, done, and kept until it is let through."""

    def __init__(self, held: PostgresPool) -> None:
        self.asked: list[list[Any]] = []
        self._through = held._statement
        self._noted = asyncio.Condition()
        self._waiting: list[asyncio.Future[BaseException | None]] = []
        held._statement = self._statement  # type: ignore[method-assign]  # for the test

    async def _statement(self, text: str, arguments: list[Any]) -> Sequence[Any]:
        rows = await self._through(text, arguments)
        waiting: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        async with self._noted:
            self.asked.append(arguments)
            self._waiting.append(waiting)
            self._noted.notify_all()
        if (error := await waiting) is not None:
            raise error
        return rows

    async def done(self, many: int) -> None:
        """Wait until so many have been done."""
        async with asyncio.timeout(PATIENCE), self._noted:
            await self._noted.wait_for(lambda: len(self.asked) >= many)

    def let(self, number: int, error: BaseException | None = None) -> None:
        """Let the one of this number through, or have it fail."""
        self._waiting[number].set_result(error)


@pytest_asyncio.fixture
async def zones(database: Database) -> tuple[int, int]:
    world = await small_world(database)
    return world.zone, world.other_zone


@pytest.fixture
def held(database: Database) -> PostgresPool:
    if not isinstance(database.read_pool, PostgresPool):
        pytest.skip("SQLite has no statements to share: they take microseconds")
    return database.read_pool


def names(held: PostgresPool, *keys: int, text: str = ZONES, more: Sequence[Any] = ()) -> "asyncio.Task[list[Any]]":
    """Ask, as a plan that has one statement, for the names of these zones."""

    async def work(fetch: Fetch) -> list[Any]:
        return [tuple(row) for row in await fetch(text, [list(keys), *more], 0)]

    return asyncio.create_task(held.read(work, single=True))


async def settled() -> None:
    """Let every task come as far as it can without the database."""
    for _ in range(10):
        await asyncio.sleep(0)


# -- sharing a statement --


async def test_who_waits_shares_the_next_statement_and_gets_their_own_rows(
    held: PostgresPool, zones: tuple[int, int]
) -> None:
    one, other = zones
    gate = Gate(held)
    first = names(held, one)
    await gate.done(1)
    asked = [(one,), (other,), (other, one), (one,), (999,), (), (other, 999)]
    rest = [names(held, *keys) for keys in asked]
    await settled()
    gate.let(0)
    await gate.done(2)
    gate.let(1)
    there = {one: ("战区0", one), other: ("战区1", other)}
    assert await first == [there[one]]
    assert await asyncio.gather(*rest) == [[there[key] for key in keys if key in there] for keys in asked]
    assert [sorted(keys) for [keys] in gate.asked] == [[one], sorted([one, other, 999])]
    assert held._coalesced == {}


async def test_other_statements_and_other_arguments_are_not_shared(held: PostgresPool, zones: tuple[int, int]) -> None:
    gate = Gate(held)
    text = f"{ZONES} AND name <> $2"
    tasks = [names(held, zones[0]), *(names(held, zones[0], text=text, more=[name]) for name in ("战区0", "x"))]
    await gate.done(3)
    for number in range(3):
        gate.let(number)
    assert await asyncio.gather(*tasks) == [[("战区0", zones[0])], [], [("战区0", zones[0])]]


async def test_what_is_read_is_read_after_it_was_asked(
    held: PostgresPool, database: Database, zones: tuple[int, int]
) -> None:
    """Nobody is given what a statement read that was under way already."""
    gate = Gate(held)
    tasks = []
    for number in range(4):
        await change(database, named(zones[0], f"第{number}"))
        tasks.append(names(held, zones[0]))
        await settled()
        if number:
            gate.let(number - 1)
        await gate.done(number + 1)
    gate.let(3)
    assert [rows[0][0] for rows in await asyncio.gather(*tasks)] == ["第0", "第1", "第2", "第3"]


async def test_an_error_reaches_all_who_wait_and_the_next_is_answered(
    held: PostgresPool, zones: tuple[int, int]
) -> None:
    gate = Gate(held)
    first = names(held, zones[0])
    await gate.done(1)
    second = [names(held, key) for key in zones]
    await settled()
    gate.let(0, ZeroDivisionError())
    await gate.done(2)
    third = [names(held, key) for key in zones]
    await settled()
    gate.let(1, ConnectionError())
    await gate.done(3)
    gate.let(2)
    failed = await asyncio.gather(first, *second, return_exceptions=True)
    assert [type(error) for error in failed] == [ZeroDivisionError, ConnectionError, ConnectionError]
    assert [rows[0][1] for rows in await asyncio.gather(*third)] == list(zones)
    assert held._coalesced == {}


async def test_who_goes_harms_nobody_else(held: PostgresPool, zones: tuple[int, int]) -> None:
    gate = Gate(held)
    first, gone, kept = names(held, zones[0]), names(held, zones[0]), names(held, zones[1])
    await gate.done(1)
    gone.cancel()
    await settled()
    first.cancel()  # who began it
    await gate.done(2)
    late = names(held, zones[0])
    await settled()
    gate.let(1)
    await gate.done(3)
    gate.let(2)
    found: list[Any] = await asyncio.gather(first, gone, kept, late, return_exceptions=True)
    assert [type(one) for one in found[:2]] == [asyncio.CancelledError] * 2
    assert found[2:] == [[("战区1", zones[1])], [("战区0", zones[0])]]
    assert held._coalesced == {}


# -- one moment --


async def test_statements_of_one_plan_see_one_moment(database: Database, zones: tuple[int, int]) -> None:
    text = "SELECT name FROM zone WHERE id = " + ("?" if database.sqlite else "$1")

    async def written(name: str) -> None:
        if not database.sqlite:
            await change(database, named(zones[0], name))
            return
        # SQLite's work runs through in its thread.
        with closing(sqlite3.connect(str(database.url.database))) as plain, plain:
            plain.execute("UPDATE zone SET name = ? WHERE id = ?", (name, zones[0]))

    async def twice(fetch: Fetch) -> list[str]:
        found = []
        for name in ("其二", "其三"):
            [row] = await fetch(text, [zones[0]], None)
            found.append(row[0])
            await written(name)
        return found

    assert await database.read_pool.read(twice) == ["战区0", "战区0"]
    assert await database.read_pool.read(twice) == ["其三", "其三"]


async def test_who_said_that_there_is_one_statement_is_given_one(held: PostgresPool) -> None:
    async def twice(fetch: Fetch) -> None:
        await fetch("SELECT 1", [], None)
        await fetch("SELECT 2", [], None)

    with pytest.raises(MultipleStatements):
        await held.read(twice, single=True)
    await held.read(twice)


async def test_nothing_can_be_written(database: Database, zones: tuple[int, int]) -> None:
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
    """A value of a statement, asked over a connection of the test's own."""
    _, options = database.engine.dialect.create_connect_args(database.url)
    connection = await asyncpg.connect(**options)
    yield connection.fetchval
    await connection.close()


@pytest.mark.parametrize("query", [NODE, DEEP])
async def test_a_connection_that_was_ended_is_replaced(
    held: PostgresPool, database: Database, zones: tuple[int, int], graph: Graph, query: str, outside: Any
) -> None:
    running = make_executor(graph, database)
    operation = Operation(query, {"id": node_id.encode("Zone", zones[0])} if query == NODE else {})
    expected = await running.run(operation, COMMANDER)
    assert expected.written is not None
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    for _ in range(3):
        await outside(f"SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE {others}")
        many = await asyncio.gather(*(running.run(operation, COMMANDER) for _ in range(20)))
        assert [(answer.data, answer.errors) for answer in many] == [(expected.data, [])] * 20
        assert (await running.run(operation, COMMANDER)).written == expected.written


async def test_a_connection_that_is_ended_in_the_midst_of_a_plan_is_not_used_again(
    held: PostgresPool, outside: Any
) -> None:
    async def ended(fetch: Fetch) -> None:
        [[pid]] = await fetch("SELECT pg_backend_pid()", [], None)
        await outside(f"SELECT pg_terminate_backend({pid}, 10000)")
        await fetch("SELECT 1", [], None)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await held.read(ended)
    assert held._free == []

    async def one(fetch: Fetch) -> Any:
        return [tuple(row) for row in await fetch("SELECT 1", [], None)]

    assert await held.read(one) == [(1,)]


async def test_there_are_never_more_connections_than_there_may_be(held: PostgresPool, database: Database) -> None:
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
    works[1].cancel()  # whose connection is thrown away
    await asyncio.gather(*works, return_exceptions=True)
    # One more may be seen on its way out, which PostgreSQL has not noticed yet.
    assert len(seen) >= 28
    assert max(seen) <= 3
    assert len(two._free) <= 2
    await two.close()


@pytest.mark.parametrize("single", [False, True])
async def test_a_server_that_has_gone_without_a_word_is_not_waited_for(
    held: PostgresPool, database: Database, monkeypatch: pytest.MonkeyPatch, single: bool
) -> None:
    monkeypatch.setattr(postgres_pool, "SILENT_SECONDS", 0.5)
    _, options = database.engine.dialect.create_connect_args(database.url)
    made = PostgresPool(dict(options), 1)

    async def pid(fetch: Fetch) -> int:
        [[found]] = await fetch("SELECT pg_backend_pid()", [], None)
        return int(found)

    silent = await made.read(pid, single=single)
    os.kill(silent, signal.SIGSTOP)
    try:
        reading = asyncio.create_task(made.read(pid, single=single))
        await asyncio.wait({reading}, timeout=PATIENCE)
        assert reading.done()
        assert is_outage(reading.exception())
        # Others do not wait for it either.
        assert await made.read(pid, single=single) != silent
    finally:
        os.kill(silent, signal.SIGCONT)
    await made.close()


async def test_nothing_stays_open_after_the_close(held: PostgresPool, database: Database, outside: Any) -> None:
    _, options = database.engine.dialect.create_connect_args(database.url)
    made = PostgresPool(dict(options), 3)
    waiting = asyncio.Event()
    pids: list[int] = []

    async def slow(fetch: Fetch) -> None:
        [[pid]] = await fetch("SELECT pg_backend_pid()", [], None)
        pids.append(pid)
        await waiting.wait()

    async def quick(fetch: Fetch) -> None:
        [[pid]] = await fetch("SELECT pg_backend_pid()", [], None)
        pids.append(pid)

    under_way = asyncio.create_task(made.read(slow))
    await asyncio.gather(*(made.read(quick) for _ in range(2)))
    async with asyncio.timeout(PATIENCE):
        while len(pids) < 3:
            await asyncio.sleep(0.01)
    await made.close()
    waiting.set()
    await under_way
    await made.read(quick)  # whoever comes late
    listed = ", ".join(map(str, pids))
    async with asyncio.timeout(PATIENCE):
        while await outside(f"SELECT count(*) FROM pg_stat_activity WHERE pid IN ({listed})"):
            await asyncio.sleep(0.01)
    assert made._free == []


async def test_threads_and_connections_of_sqlite_are_gone_after_the_close(databases: Databases, graph: Graph) -> None:
    database = Database(await databases.new())
    if not database.sqlite:
        await database.close()
        pytest.skip("PostgreSQL has no threads")

    async def one(fetch: Fetch) -> Any:
        return await fetch("SELECT 1", [], None)

    held: Any = database.read_pool
    assert await asyncio.gather(*(held.read(one) for _ in range(20))) == [[(1,)]] * 20
    assert 1 <= len(held._connections) <= 2
    await database.close()
    assert not any(thread.is_alive() for thread in held._threads._threads)
    for connection in held._connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


async def test_an_error_of_sqlite_leaves_the_connection_good(database: Database, zones: tuple[int, int]) -> None:
    if not database.sqlite:
        pytest.skip("PostgreSQL's connection is thrown away")

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
