"""The database: one address for SQLite and PostgreSQL, reads that see one moment, writes that take their turn."""

import datetime as dt
import functools
import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from models.held import SETTINGS, Held, HeldPostgres, HeldSqlite

SQLITE_THREADS = 2
EARTH_RADIUS_METRES = 6_371_008.8  # the mean radius R1 of the WGS-84 ellipsoid (IUGG)


def great_circle_metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The distance along the sphere between two points given in degrees, by the haversine formula."""
    p, q = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((q - p) / 2) ** 2
    half += math.cos(p) * math.cos(q) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_METRES * math.asin(min(1.0, math.sqrt(half)))


def local_day(time: str | None, zone: str) -> str | None:
    """The day of an instant, ISO 8601 text, in a zone: what PostgreSQL's `timezone(zone, time)::date` gives."""
    if time is None:
        return None
    # Since 1972 all clocks have been whole minutes from Greenwich: a minute's first instant tells for all of it.
    return _day(time if time < "1973" else time[:16] + "+00:00", zone)


@functools.lru_cache(maxsize=100_000)
def _day(time: str, zone: str) -> str:
    return dt.datetime.fromisoformat(time).astimezone(ZoneInfo(zone)).date().isoformat()


def driver_url(url: str) -> sa.URL:
    """`sqlite:///…` or `postgresql://…` with the driver that Huhang uses.

    Raises ValueError for any other database.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError("a database's address begins with sqlite:/// or postgresql://") from None
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    if parsed.drivername not in drivers:
        raise ValueError(f"no database of kind {parsed.drivername}: use sqlite:/// or postgresql://")
    return parsed.set(drivername=drivers[parsed.drivername])


class Database:
    """Connections to one database: to PostgreSQL at most `pool_size`, of which half are `held` for reading."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = driver_url(url)
        self.sqlite = self.url.drivername.startswith("sqlite")
        if self.sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        half = max(1, pool_size // 2)
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size if self.sqlite else pool_size - half,
            max_overflow=0,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            **({} if self.sqlite else {"pool_pre_ping": True, "connect_args": {"server_settings": SETTINGS}}),
        )
        self.held: Held
        if self.sqlite:
            _prepare_sqlite(self.engine)
            self.held = HeldSqlite(self.url.database or "", SQLITE_THREADS, prepare_sqlite_connection)
        else:
            _, arguments = self.engine.dialect.create_connect_args(self.url)
            self.held = HeldPostgres(dict(arguments), half)
        # A PostgreSQL reader sees one moment as well, and cannot write.
        options: dict[str, Any] = (
            {} if self.sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        self._reading = self.engine.execution_options(**options)
        self._writing = self.engine.execution_options(huhang_write=True)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements all see the database as it was at the first of them."""
        async with self._reading.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end, rolled back by an exception."""
        async with AsyncSession(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.held.close()
        await self.engine.dispose()


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @sa.event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        # The driver's own habit of opening transactions late loses updates; "begin" below opens them instead.
        connection.isolation_level = None
        prepare_sqlite_connection(connection)

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A writer that begins deferred and finds another ahead of it fails at once; an immediate one waits its turn.
        write = connection.get_execution_options().get("huhang_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def prepare_sqlite_connection(connection: "sqlite3.Connection | Any") -> None:
    """What every SQLite connection of Huhang needs, whoever opens it."""
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("great_circle_metres", 4, great_circle_metres, deterministic=True)
    connection.create_function("local_day", 2, local_day, deterministic=True)
