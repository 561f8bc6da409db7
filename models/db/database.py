"""The database, SQLite or PostgreSQL by its URL: reads see one moment, and writes run in transactions."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from models.db.postgres_pool import SETTINGS, PostgresPool
from models.db.read_pool import ReadPool
from models.db.sqlite_functions import great_circle_metres, local_day
from models.db.sqlite_pool import SqlitePool
from models.private_files import private_sqlite_file

SQLITE_THREADS = 2
KEPT_FREE = 3  # connections of each pool of PostgreSQL that heavy operations leave to others, where it has so many


def driver_url(url: str) -> sa.URL:
    """The URL with the driver that Huhang uses. Raises ValueError unless it is `sqlite:///…` or `postgresql://…`."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError("the URL of a database begins with sqlite:/// or postgresql://") from None
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    if parsed.drivername not in drivers:
        raise ValueError(f"{parsed.drivername} is not supported: use sqlite:/// or postgresql://")
    return parsed.set(drivername=drivers[parsed.drivername])


class Database:
    """Connections to one database. PostgreSQL gets at most `pool_size`, of which half belong to `read_pool`."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = driver_url(url)
        self.sqlite = self.url.drivername.startswith("sqlite")
        if self.sqlite and self.url.database:
            private_sqlite_file(Path(self.url.database))
        half = max(1, pool_size // 2)
        # How many heavy operations may read at once.
        self.heavy_reads = max(1, SQLITE_THREADS - 1 if self.sqlite else half - KEPT_FREE)
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size if self.sqlite else pool_size - half,
            max_overflow=0,
            hide_parameters=True,  # they hold personal data, and errors and logs would show them
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            **({} if self.sqlite else {"pool_pre_ping": True, "connect_args": {"server_settings": SETTINGS}}),
        )
        self.read_pool: ReadPool
        if self.sqlite:
            _prepare_sqlite(self.engine)
            self.read_pool = SqlitePool(self.url.database or "", SQLITE_THREADS, prepare_sqlite_connection)
        else:
            _, arguments = self.engine.dialect.create_connect_args(self.url)
            self.read_pool = PostgresPool(dict(arguments), half)
        # In SQLite every transaction sees one moment; in PostgreSQL these options make it so, and forbid writes.
        options: dict[str, Any] = (
            {} if self.sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        self._reading = self.engine.execution_options(**options)
        self._writing = self.engine.execution_options(huhang_write=True)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements all see the database as it was at the first one."""
        async with self._reading.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, which is committed at the end and rolled back after an exception."""
        async with AsyncSession(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.read_pool.close()
        await self.engine.dispose()


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @sa.event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        # The driver opens transactions only before a write, which loses updates; "begin" below opens them instead.
        connection.isolation_level = None
        prepare_sqlite_connection(connection)

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A deferred transaction fails at once if another process has written; an immediate one waits for its turn.
        write = connection.get_execution_options().get("huhang_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def prepare_sqlite_connection(connection: "sqlite3.Connection | Any") -> None:
    """Set up a SQLite connection, SQLAlchemy's or the read pool's, with Huhang's settings and functions."""
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("great_circle_metres", 4, great_circle_metres, deterministic=True)
    connection.create_function("local_day", 2, local_day, deterministic=True)
