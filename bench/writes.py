"""Measures writes: statements, CPU time, rate and latency of mutations, beside the same rows written by hand.

`python -m bench.writes [--seconds 5] [--folder FOLDER]`. The application is called as its server calls it, in this
process and without a network, on SQLite and PostgreSQL with the demo of 2,000 enterprises. A folder keeps the
databases.
"""

import argparse
import asyncio
import datetime as dt
import itertools
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

import models.db.database
from bench import machine
from bench.inside import Send, application, enterprise_ids
from bench.speed_data import ENTERPRISES, PostgreSQL, postgresql, sqlite
from models import EventKind, HazardLevel, HazardStatus, Role
from models.db.database import Database
from models.db.tables import table_of
from models.event import ClientMutation

RESULTS = Path(__file__).parent / "results"
CLIENTS = (1, 8, 32)
COUNTED = 20  # writes of each kind whose statements are counted
POSITIONS_OF_ALL = "positionsReport of all inspectors"
BULK = {POSITIONS_OF_ALL}
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "ALTER")

HAZARD = """mutation ($enterprise: ID!, $id: String!) {
  hazardReport(input: {enterprise: $enterprise, level: GENERAL, description: "bench", clientMutationId: $id}) {
    ... on HazardReported { cursor hazard { id status version } }
  }
}"""
POSITION = """mutation ($inspector: ID!, $longitude: Float!) {
  inspectorReportPosition(input: {inspector: $inspector, position: {latitude: 30.2, longitude: $longitude}}) {
    ... on InspectorPositionReported { cursor }
  }
}"""
POSITIONS = """mutation ($rows: [PositionsReportRow!]!) {
  positionsReport(input: {rows: $rows}) { ... on PositionsReported { cursor } }
}"""

Write = Callable[[int], Awaitable[Any]]


@dataclass
class Measurement:
    """The rate, CPU and latency of one kind of write with so many clients. Times are in milliseconds."""

    name: str
    clients: int
    cpu: float
    rate: float
    p50: float
    p99: float

    def row(self, statements: float) -> str:
        return (
            f"| {self.name} | {self.clients} | {statements:.1f} | {self.cpu:.1f} | {self.rate:,.0f} "
            f"| {self.p50:.1f} | {self.p99:.1f} |"
        )


async def writes_of(send: Send) -> dict[str, Write]:
    """The mutations that are measured, by name. Each is called with a number of its own."""
    enterprises = await enterprise_ids(send)
    listed = orjson.loads(await send(orjson.dumps({"query": "{ inspectors(first: 1000) { nodes { id } } }"})))
    inspectors = [node["id"] for node in listed["data"]["inspectors"]["nodes"]]
    begun = time.time_ns()

    async def mutate(query: str, variables: dict[str, Any]) -> None:
        response = orjson.loads(await send(orjson.dumps({"query": query, "variables": variables})))
        if not all(value.get("cursor") for value in response["data"].values()):
            raise RuntimeError(response)

    def position(number: int) -> dict[str, Any]:
        return {"inspector": inspectors[number % len(inspectors)], "longitude": 120.2 + number % 1_000 / 10_000}

    def row(number: int) -> dict[str, Any]:
        place = position(number)
        return {"inspector": place["inspector"], "position": {"latitude": 30.2, "longitude": place["longitude"]}}

    return {
        "hazardReport": lambda n: mutate(
            HAZARD, {"enterprise": enterprises[n % len(enterprises)], "id": f"{begun}-{n}"}
        ),
        "inspectorReportPosition": lambda n: mutate(POSITION, position(n)),
        POSITIONS_OF_ALL: lambda n: mutate(POSITIONS, {"rows": [row(n + i) for i in range(len(inspectors))]}),
    }


@contextmanager
def sqlite_statements() -> Iterator[Callable[[], int]]:
    """Yields a function that counts the statements of the SQLite connections that the block has opened."""
    statements: Counter[str] = Counter()
    prepare = models.db.database.prepare_sqlite_connection

    def prepared(connection: Any, **options: Any) -> None:
        prepare(connection, **options)
        driver = getattr(connection, "driver_connection", None)
        (connection if driver is None else driver._conn).set_trace_callback(lambda text: statements.update([text]))

    models.db.database.prepare_sqlite_connection = prepared
    try:
        yield lambda: sum(count for text, count in statements.items() if not text.startswith(CONTROL))
    finally:
        models.db.database.prepare_sqlite_connection = prepare


@contextmanager
def postgres_statements(server: PostgreSQL, folder: Path) -> Iterator[Callable[[], int]]:
    """Yields a function that counts the statements in the log of a PostgreSQL server."""

    def count() -> int:
        log = (folder / "log").read_text(errors="replace")
        statements = re.findall(r"LOG:  (?:execute [^:]*|statement): (\w+)", log)
        return sum(not statement.startswith(CONTROL) for statement in statements)

    server.value("ALTER SYSTEM SET log_statement = 'all'")
    server.value("SELECT pg_reload_conf()")
    try:
        yield count
    finally:
        server.value("ALTER SYSTEM RESET log_statement")
        server.value("SELECT pg_reload_conf()")


async def measure(name: str, write: Write, clients: int, seconds: float, numbers: Iterator[int]) -> Measurement:
    """Write with so many clients at once."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        while (started := time.perf_counter()) < end:
            await write(next(numbers))
            times.append(time.perf_counter() - started)

    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    cuts = statistics.quantiles(times, n=100)
    each = 1_000 / len(times)
    return Measurement(name, clients, cpu * each, len(times) / took, cuts[49] * 1_000, cuts[98] * 1_000)


async def by_hand(database: Database, number: int) -> None:
    """Write the rows of one hazardReport: the hazard, its enterprise's count, the event and the saved outcome.

    It checks no right, reads nothing for the event and answers nothing.
    """
    now = dt.datetime.now(dt.UTC)
    enterprise = number % ENTERPRISES + 1
    hazard, owner, event = table_of(models.Hazard), table_of(models.Enterprise), table_of(models.Event)
    saved = table_of(ClientMutation)
    async with database.engine.execution_options(huhang_write=True).begin() as connection:
        values = {
            "enterprise_id": enterprise,
            "level": HazardLevel.GENERAL,
            "status": HazardStatus.FOUND,
            "description": "bench",
            "found_at": now,
            "version": 1,
        }
        key = (await connection.execute(sa.insert(hazard).returning(hazard.c.id), values)).scalar_one()
        more = owner.c.open_hazards + 1
        await connection.execute(sa.update(owner).where(owner.c.id == enterprise).values(open_hazards=more))
        logged = {
            "at": now,
            "kind": EventKind.HAZARD_REPORTED,
            "subject": EventKind.HAZARD_REPORTED.subject,
            "subject_id": key,
            "actor_role": Role.COMMANDER,
            "enterprise_id": enterprise,
            "changes": [],
            "zones": frozenset({1}),
            "rings": frozenset(),
            "venues": frozenset(),
            "major": False,
        }
        if not database.sqlite:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(1)))
        await connection.execute(sa.insert(event).returning(event.c.id), logged)
        outcome = {"viewer": "bench", "client_mutation_id": f"{time.time_ns()}-{number}", "fingerprint": "", "at": now}
        await connection.execute(sa.insert(saved), outcome | {"outcome": {}})


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[dict[str, Write]]:
    """The kinds of writes on one database, by name."""
    database = Database(url)
    async with application(url) as send:
        yield {"by hand": partial(by_hand, database), **await writes_of(send)}
    await database.close()


async def statements_of_each(url: str, total: Callable[[], int]) -> dict[str, float]:
    """The number of statements of one write, by its name."""
    counts = {}
    async with writing(url) as writes:
        for name, write in writes.items():
            await write(0)
            before = total()
            for number in range(1, COUNTED + 1):
                await write(number)
            counts[name] = (total() - before) / COUNTED
    return counts


async def measure_all(url: str, statements: dict[str, float], seconds: float) -> list[str]:
    """The rows of a table of all kinds of writes on one database."""
    rows = []
    async with writing(url) as writes:
        for name, write in writes.items():
            numbers = itertools.count()
            for _ in range(20):
                await write(next(numbers))
            for clients in CLIENTS[:1] if name in BULK else CLIENTS:
                measurement = await measure(name, write, clients, seconds, numbers)
                rows.append(measurement.row(statements[name]))
                print(rows[-1], flush=True)
    return rows


def main(seconds: float, folder: Path) -> str:
    """The report."""
    tables = {}
    file = sqlite(folder / "huhang.db", ENTERPRISES)
    with sqlite_statements() as total:
        statements = asyncio.run(statements_of_each(file, total))
    tables["SQLite"] = asyncio.run(measure_all(file, statements, seconds))
    with postgresql(folder / "pg") as server:
        url = server.url(server.demo(ENTERPRISES))
        with postgres_statements(server, folder / "pg") as total:
            statements = asyncio.run(statements_of_each(url, total))
        tables["PostgreSQL"] = asyncio.run(measure_all(url, statements, seconds))
    lines = [
        "# Writes",
        "",
        f"Written by `python -m bench.writes` on {dt.date.today()}. The application is called in its own process,",
        f"without a network, on the demo of {ENTERPRISES:,} enterprises, for {seconds:g} seconds a row. CPU is that of",
        "the process, and not of PostgreSQL. BEGIN, COMMIT and savepoints are not counted. The rows by hand are those",
        "of a `hazardReport`, written by SQLAlchemy Core, without checks, rights or an answer.",
        "",
        *machine.described(),
    ]
    for database, rows in tables.items():
        lines += ["", f"## {database}", ""]
        lines += [
            "| write | clients | statements | CPU ms | a second | p50 ms | p99 ms |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += rows
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as temporary:
        place = arguments.folder or Path(temporary)
        place.chmod(0o755)  # if this runs as root, PostgreSQL's own user must be able to enter
        (RESULTS / "writes.md").write_text(main(arguments.seconds, place))
