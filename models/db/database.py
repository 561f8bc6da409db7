"""The database, SQLite or PostgreSQL by its URL: reads see one moment, and writes run in transactions."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiosqlite
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as SqliteDialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from models.db.commits import cancel_again, cancellation_first, carry_through
from models.db.outages import CommitUnanswered, loses_answer
from models.db.postgres_pool import SETTINGS, PostgresPool, WaitingPool
from models.db.probe import PostgresProbe, Probe, SqliteProbe
from models.db.read_pool import PoolUse, ReadPool
from models.db.sqlite_connection import SqliteConnection
from models.db.sqlite_functions import FUNCTIONS
from models.db.sqlite_pool import SqlitePool
from models.db.sqlite_writer import SqliteWriter, Work
from models.metrics import LOCK_WAIT
from models.private_files import private_sqlite_file

T = TypeVar("T")

SQLITE_THREADS = 2
KEPT_FREE = 3  # connections of each pool of PostgreSQL that heavy operations leave to others, where it has so many
LOCK_SECONDS = 30.0  # the longest wait for another process's lock on SQLite, unless it is given


def driver_url(url: str) -> sa.URL:
    """The URL with the driver that Huhang uses. Raises ValueError unless it is `sqlite:///…` or `postgresql://…`."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError("the URL of a database begins with sqlite:/// or postgresql://") from None
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    if parsed.drivername not in drivers:
        raise ValueError(f"{parsed.drivername} is not supported: use sqlite:/// or postgresql://")
    return _with_tls(parsed.set(drivername=drivers[parsed.drivername]))


def _with_tls(url: sa.URL) -> sa.URL:
    """The URL with libpq's TLS options (`sslmode`, `sslrootcert`, …) inside a DSN: asyncpg knows them nowhere else."""
    options = {name: value for name, value in url.query.items() if name.startswith("ssl") and name != "ssl"}
    if not options:
        return url
    return url.difference_update_query(options).update_query_dict({"dsn": f"postgresql://?{urlencode(options)}"})


ENGINE_OPTIONS: dict[str, Any] = {
    "hide_parameters": True,  # they hold personal data, and errors and logs would show them
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


class Database:
    """Connections to one database. PostgreSQL gets at most `pool_size`, of which half belong to `read_pool`.

    `deadline` is the longest time in seconds for one statement of a plan, `statement_timeout` for any other one, and
    `lock_timeout` for a wait for another transaction's lock; without them nothing bounds those. SQLite has no bound but
    that of locks. Cancelling a task stops the statement that it waits for, on the server too.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        deadline: float | None = None,
        lock_timeout: float | None = None,
        statement_timeout: float | None = None,
    ) -> None:
        self.url = driver_url(url)
        self.sqlite = self.url.drivername.startswith("sqlite")
        if self.sqlite and self.url.database:
            private_sqlite_file(Path(self.url.database))
        half = max(1, pool_size // 2)
        # How many heavy operations may read at once.
        self.heavy_reads = max(1, SQLITE_THREADS - 1 if self.sqlite else half - KEPT_FREE)
        timeouts = {"lock_timeout": lock_timeout, "statement_timeout": statement_timeout}
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size if self.sqlite else pool_size - half,
            max_overflow=0,
            **ENGINE_OPTIONS,
            **(sqlite_options(self.url) if self.sqlite else postgres_options(timeouts)),
        )
        # In SQLite every transaction sees one moment; in PostgreSQL these options make it so, and forbid writes.
        reading: dict[str, Any] = (
            {} if self.sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        self._reading = self.engine.execution_options(**reading)
        self._writing = self.engine.execution_options(huhang_write=True)
        self._turn: asyncio.Lock | nullcontext[None] = nullcontext()
        self._transactions = 0  # at work, or waiting for a connection
        self.sqlite_writer: SqliteWriter | None = None
        self.read_pool = self._set_up_sqlite(lock_timeout) if self.sqlite else self._postgres_pool(half, deadline)

    def _set_up_sqlite(self, lock_timeout: float | None) -> ReadPool:
        seconds = LOCK_SECONDS if lock_timeout is None else lock_timeout
        prepare = partial(prepare_sqlite_connection, lock_seconds=seconds)
        prepare_sqlite_engine(self.engine.sync_engine, prepare)
        sa.event.listen(self.engine.sync_engine, "checkout", _refuse_abandoned)
        # SQLite has one writer at a time. Waiting for it here is fair and can be cancelled; in SQLite it is neither.
        self._turn = turn = asyncio.Lock()
        writing = sa.create_engine(self.url.set(drivername="sqlite"), pool_size=1, max_overflow=0, **ENGINE_OPTIONS)
        prepare_sqlite_engine(writing, prepare)
        self.sqlite_writer = SqliteWriter(writing.execution_options(huhang_write=True), turn)
        return SqlitePool(self.url.database or "", SQLITE_THREADS, prepare)

    def _postgres_pool(self, size: int, deadline: float | None) -> ReadPool:
        # A second later than the operation itself is stopped: for what is not told of that.
        limit = {"statement_timeout": None if deadline is None else deadline + 1}
        return PostgresPool(driver_options(self.engine) | server_settings(limit), size)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements all see the database as it was at the first one."""
        with cancellation_first(), self._counted():
            async with self._reading.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, which is committed at the end and rolled back after an exception.

        A commit that has begun is carried through, even if the task is cancelled: the block then ends as usual, and the
        task's next wait raises. Raises CommitUncertain, a CancelledError, where that takes too long, and
        CommitUnanswered where the connection was lost meanwhile.
        """
        with cancellation_first(), self._counted():
            async with self._turn, AsyncSession(self._writing, expire_on_commit=False) as session:
                yield session
                await session.flush()
                try:
                    cancelled = await carry_through(session.commit())
                except Exception as error:
                    if loses_answer(error):
                        raise CommitUnanswered from error
                    raise
        if cancelled:
            cancel_again()

    async def transaction(self, work: Work[T]) -> T:
        """The result of `work(session)`, which runs in one transaction and may await nothing but its session.

        Otherwise like `write`. On SQLite, transactions that wait together are committed together.
        """
        if self.sqlite_writer is not None:
            return await self.sqlite_writer.write(work)
        async with self.write() as session:
            return await work(session)

    def probe(self, append_lock: int) -> Probe:
        """A probe that tries to use the database. `append_lock` is the key of the lock that an append takes."""
        if self.sqlite:
            return SqliteProbe(self.url.database or "")
        return PostgresProbe(driver_options(self.engine), append_lock)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._transactions += 1
        try:
            yield
        finally:
            self._transactions -= 1

    def pool_use(self) -> dict[str, PoolUse]:
        """How much of each pool is in use: that of plans, and that of all other reads and of writes."""
        pool = self.engine.pool
        assert isinstance(pool, sa.pool.QueuePool)
        in_use = pool.checkedout()
        waiting = max(0, self._transactions - in_use)
        if self.sqlite_writer is not None:
            waiting += self.sqlite_writer.waiting
        transactions = PoolUse(pool.size(), in_use, waiting)
        return {"plans": self.read_pool.use(), "transactions": transactions}

    async def close(self) -> None:
        if self.sqlite_writer is not None:
            await self.sqlite_writer.close()
        await self.read_pool.close()
        await self.engine.dispose()


def postgres_options(timeouts: dict[str, float | None]) -> dict[str, Any]:
    """How SQLAlchemy connects to PostgreSQL, with timeouts in seconds by the names of its settings."""
    return {"poolclass": WaitingPool, "pool_pre_ping": True, "connect_args": server_settings(timeouts)}


def server_settings(timeouts: dict[str, float | None]) -> dict[str, Any]:
    """asyncpg's option for settings of each connection; a timeout that is None is left out."""
    limits = {name: str(max(1, round(1_000 * s))) for name, s in timeouts.items() if s is not None}
    return {"server_settings": SETTINGS | limits}


def driver_options(engine: AsyncEngine) -> dict[str, Any]:
    """How asyncpg itself connects to PostgreSQL."""
    _, options = engine.dialect.create_connect_args(engine.url)
    return dict(options)


def sqlite_options(url: sa.URL) -> dict[str, Any]:
    """How SQLAlchemy connects to SQLite."""
    arguments, options = SqliteDialect().create_connect_args(url)

    async def connect() -> aiosqlite.Connection:
        return await SqliteConnection(partial(sqlite3.connect, *arguments, **options))

    return {"async_creator": connect}


def prepare_sqlite_engine(engine: sa.Engine, prepare: Callable[[Any], None]) -> None:
    """Set up an engine whose transactions begin at once, and wait for their turn if the engine is one for writes."""

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        # The driver opens transactions only before a write, which loses updates; "begin" below opens them instead.
        connection.isolation_level = None
        prepare(connection)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A deferred transaction fails at once if another process has written; an immediate one waits for its turn.
        if connection.get_execution_options().get("huhang_write", False):
            with LOCK_WAIT.labels("file").time():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("BEGIN")


def _refuse_abandoned(connection: Any, record: Any, proxy: Any) -> None:
    if connection.driver_connection.abandoned:
        raise sa.exc.DisconnectionError  # the pool then opens another one


def prepare_sqlite_connection(connection: "sqlite3.Connection | Any", *, lock_seconds: float = LOCK_SECONDS) -> None:
    """Set up a SQLite connection, SQLAlchemy's or the read pool's, with Huhang's settings and functions."""
    cursor = connection.cursor()
    milliseconds = round(lock_seconds * 1_000)
    for pragma in (f"busy_timeout={milliseconds}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)
