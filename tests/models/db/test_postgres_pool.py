"""PostgreSQL accepts no further connection: the pools work with those that they have."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from models.db.database import Database
from models.db.outages import error_name
from models.db.read_pool import Fetch
from tests.support.patience import PATIENCE

NAP = "SELECT 1 FROM pg_sleep(0.05)"
READERS = 8


@pytest_asyncio.fixture
async def limited(database: Database) -> AsyncIterator[Database]:
    """A database for a role that may have two connections; its pools would have ten."""
    if database.sqlite:
        pytest.skip("SQLite opens a file for each connection")
    role = f"few_{database.url.database}"
    administrator = await asyncpg.connect(database.url.set(drivername="postgresql").render_as_string(False))
    await administrator.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2")
    limited = Database(database.url.set(drivername="postgresql", username=role).render_as_string(False))
    yield limited
    await limited.close()
    await administrator.execute(f"DROP ROLE {role}")
    await administrator.close()


async def nap(fetch: Fetch) -> Any:
    return [tuple(row) for row in await fetch(NAP, [], None)]


async def test_reads_wait_for_a_connection_that_there_is(limited: Database) -> None:
    async with asyncio.timeout(PATIENCE):
        reads = [limited.read_pool.read(nap, single=number % 2 == 0) for number in range(READERS)]
        assert await asyncio.gather(*reads) == [[(1,)]] * READERS


async def test_transactions_wait_for_a_connection_that_there_is(limited: Database) -> None:
    async def transaction() -> Any:
        async with limited.write() as session:
            return (await session.execute(sa.text(NAP))).scalar()

    async with asyncio.timeout(PATIENCE):
        assert await asyncio.gather(*(transaction() for _ in range(READERS))) == [1] * READERS


async def test_a_read_that_is_cancelled_while_it_waits_leaves_its_turn_to_another(limited: Database) -> None:
    reads = [asyncio.create_task(limited.read_pool.read(nap)) for _ in range(4)]
    async with asyncio.timeout(PATIENCE):
        while len(limited.read_pool._returns) < 2:  # type: ignore[attr-defined]  # of the pool for PostgreSQL
            await asyncio.sleep(0.001)
        reads[2].cancel()
        results = await asyncio.gather(*reads, return_exceptions=True)
    assert sum(result == [(1,)] for result in results) == 3


async def test_without_any_connection_the_error_is_the_server_s(limited: Database) -> None:
    async with limited.read() as one, limited.read() as other:
        await one.execute(sa.text("SELECT 1"))
        await other.execute(sa.text("SELECT 1"))
        with pytest.raises(asyncpg.PostgresError) as caught:
            await limited.read_pool.read(nap)
    assert error_name(caught.value) == "53300"


async def test_a_lost_connection_wakes_the_read_that_waits(limited: Database) -> None:
    """None returns, but one ends: the server then has room for another one."""
    started = asyncio.Event()

    async def fail(fetch: Fetch) -> Any:
        await fetch("SELECT 1", [], None)
        started.set()
        while not limited.read_pool._returns:  # type: ignore[attr-defined]  # as above
            await asyncio.sleep(0.001)
        raise RuntimeError

    async with asyncio.timeout(PATIENCE), limited.read() as connection:
        await connection.execute(sa.text("SELECT 1"))
        failing = asyncio.create_task(limited.read_pool.read(fail))
        await started.wait()
        assert await limited.read_pool.read(nap) == [(1,)]
        assert isinstance((await asyncio.gather(failing, return_exceptions=True))[0], RuntimeError)
