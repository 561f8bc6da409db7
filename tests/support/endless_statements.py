"""Statements that never end by themselves, and what they leave behind in a database."""

import asyncio
from contextlib import contextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa

from models.db.database import Database
from tests.support.patience import PATIENCE

COUNTING = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
SLEEPING = "SELECT pg_sleep(100000)"
RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1%' AND pid <> pg_backend_pid()"


def endless(database: Database) -> str:
    return COUNTING if database.sqlite else SLEEPING


def writing_engine(database: Database) -> sa.Engine:
    """The engine of `Database.transaction`."""
    return database.engine.sync_engine if database.sqlite_writer is None else database.sqlite_writer.engine


async def running(database: Database) -> int:
    """How many endless statements PostgreSQL runs; 0 on SQLite."""
    if database.sqlite:
        return 0
    _, options = database.engine.dialect.create_connect_args(database.url)
    connection = await asyncpg.connect(**options)
    number: int = await connection.fetchval(f"{RUNNING} AND datname = current_database() AND state = 'active'")
    await connection.close()
    return number


async def until_running(database: Database, number: int) -> None:
    """Wait until PostgreSQL runs so many endless statements; on SQLite nothing can tell from outside."""
    async with asyncio.timeout(PATIENCE):
        while not database.sqlite and await running(database) != number:
            await asyncio.sleep(0.01)


@contextmanager
def endless_reads(database: Database) -> Any:
    """Make every SELECT endless: those of the read pool, and those by SQLAlchemy. Yields a list that counts them."""
    begun: list[str] = []
    pool = database.read_pool
    read, read_much = pool.read, pool.read_much

    def replaced(work: Any) -> Any:
        def replaced_work(fetch: Any) -> Any:
            def replace(text: str, arguments: list[Any], keys: int | None) -> Any:
                begun.append(text)
                return fetch(endless(database), [], None)

            return work(replace)

        return replaced_work

    async def endless_read(work: Any, *, single: bool = False) -> Any:
        return await read(replaced(work), single=single)

    async def endless_read_much(work: Any, limit: int) -> Any:
        return await read_much(replaced(work), limit)

    def replace(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        if not statement.startswith("SELECT"):
            return statement, parameters
        begun.append(statement)
        return endless(database), ()

    pool.read, pool.read_much = endless_read, endless_read_much  # type: ignore[method-assign]  # restored below
    engines = {database.engine.sync_engine, writing_engine(database)}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", replace, retval=True)
    try:
        yield begun
    finally:
        pool.read, pool.read_much = read, read_much  # type: ignore[method-assign]  # as above
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", replace)
