"""Measures portraits in a district of 200,000 enterprises, on both databases.

`python -m bench.portraits [--enterprises 200000] [--rounds 10] [--folder FOLDER]`. A folder keeps the
large databases for later runs. The report is written at the end, from this run alone.
"""

import argparse
import asyncio
import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

import models
from bench import machine, portrait_data
from bench.speed_data import PostgreSQL, postgresql
from models.db.database import Database
from models.db.migrate import migrate
from models.visibility import Role, Viewer, Visibility
from resolvers import geography
from schema.build import build
from schema.execution.executor import Executor
from schema.execution.operation import Operation

RESULTS = Path(__file__).parent / "results" / "portraits.md"
NOW = dt.datetime(2026, 6, 15, 4, 0, tzinfo=dt.UTC)
ZONE = ZoneInfo("Asia/Shanghai")
COMMANDER = Viewer(Visibility(Role.COMMANDER))
INDICATORS = """
  asOf cursor from to enterprises byRisk { riskGrade count } hazardsOpen hazardsOverdue majorHazardsOpen hazardsFound
  hazardsRectified hazardsClosed inspections enterprisesInspected casesFiled inspectionsPenalised rectificationRate
  onTimeRate closureRate coverage filingRate penaltyRate hazardsPerThousandInspections
  majorHazardsPerThousandInspections """
TREND = "trend { day hazardsFound hazardsRectified inspections casesFiled hazardsOpenAtEnd }"
ZONES, RINGS = "zones { portrait%s { ...P } }", "venues { nodes { rings { portrait%s { ...P } } } }"
SELECTIONS = {
    "the district": "district { portrait%s { ...P } }",
    "all zones": ZONES,
    "all rings": RINGS,
    "all zones and all rings": f"{ZONES} {RINGS}",
    "all venues": "venues { nodes { portrait%s { ...P } } }",
    "100 enterprises": "enterprises(first: 100) { nodes { portrait%s { ...P } } }",
}
# The last two have inspections after them, so who was inspected in them is counted from sets. The very last is the
# dearest: as long as it is, it is made of days alone.
WINDOWS = {
    "7 days": ("2026-06-09", "2026-06-15"),
    "30 days": ("2026-05-17", "2026-06-15"),
    "90 days": ("2026-03-18", "2026-06-15"),
    "a year": ("2025-06-16", "2026-06-15"),
    "a past quarter": ("2025-01-01", "2025-03-31"),
    "61 past days": ("2025-01-02", "2025-03-03"),
}
FIELDS = {"Indicators": INDICATORS, "Indicators and trend by day": INDICATORS + TREND}
COUNTED: dict[str, Any] = {
    "zones": models.Zone,
    "rings": models.ControlRing,
    "enterprises": models.Enterprise,
    "enterprises in rings": models.EnterpriseRing,
    "hazards": models.Hazard,
    "inspections": models.Inspection,
    "cases": models.Case,
    "sums": models.PortraitSum,
    "rows of sets": models.EnterpriseSet,
}

Clock = Callable[[], float]  # seconds of CPU


async def prepare(url: str, enterprises: int) -> list[str]:
    """Fill a database, unless it is filled. Returns what it has and how long it took, as lines of Markdown."""
    started, used = time.perf_counter(), time.process_time()
    database = Database(url)
    await migrate(database)
    filled = await geography.time_zone(database) is not None
    if not filled:
        await portrait_data.fill(database, enterprises, NOW.date())
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        # PostgreSQL would do this by itself after a while; SQLite needs it once.
        await connection.exec_driver_sql("ANALYZE" if database.sqlite else "VACUUM (ANALYZE)")
    rows = ", ".join([f"{await count(database, model):,} {name}" for name, model in COUNTED.items()])
    await database.close()
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    took = "They were there already." if filled else f"Writing them took {seconds:,.0f} s, of CPU {cpu:,.0f} s here."
    return [f"Over {rows}. {took}", ""]


async def count(database: Database, model: Any) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(model))).scalar_one())


async def measure(executor: Executor, document: str, rounds: int, clocks: list[Clock]) -> str:
    """The shortest of some rounds after one that is not counted, and the mean CPU time by clock, in milliseconds."""
    times: list[float] = []
    before = [0.0]
    for number in range(rounds + 1):
        if number == 1:
            before = [clock() for clock in clocks]
        started = time.perf_counter()
        response = await executor.run(Operation(document), COMMANDER)
        times.append((time.perf_counter() - started) * 1_000)
        if response.errors:
            raise RuntimeError(response.errors[0])
    used = [(clock() - start) * 1_000 / rounds for clock, start in zip(clocks, before, strict=True)]
    return f"{min(times[1:]):,.1f} / {' + '.join(f'{each:,.1f}' for each in used)}"


async def reads(url: str, rounds: int, clocks: list[Clock]) -> list[str]:
    """Tables of the selections and windows, as lines of Markdown."""
    lines = []
    database = Database(url)
    executor = Executor(build(), database, ZONE, lambda: NOW, cost_limit=10**9)
    for title, fields in FIELDS.items():
        lines += [f"{title}:", "", f"| portraits of | {' | '.join(WINDOWS)} |", f"|---|{'---|' * len(WINDOWS)}"]
        for selected, selection in SELECTIONS.items():
            cells = []
            for first, last in WINDOWS.values():
                window = f'(window: {{ from: "{first}", to: "{last}" }})'
                document = f"{{ {selection.replace('%s', window)} }} fragment P on Portrait {{ {fields} }}"
                cells.append(await measure(executor, document, rounds, clocks))
            lines.append(f"| {selected} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
        lines.append("")
    await database.close()
    return lines


def on_postgresql(server: PostgreSQL, options: argparse.Namespace, folder: Path) -> list[str]:
    """The sections of PostgreSQL."""
    name, clocks = f"portraits_{options.enterprises}", [time.process_time, server.cpu]
    if not server.value(f"SELECT true FROM pg_database WHERE datname = '{name}'"):
        server.value(f"CREATE DATABASE {name}")
    lines = ["## PostgreSQL", "", *asyncio.run(prepare(server.url(name), options.enterprises))]
    return [*lines, *asyncio.run(reads(server.url(name), options.rounds, clocks))]


def on_sqlite(options: argparse.Namespace, folder: Path) -> list[str]:
    """The sections of SQLite."""
    url, clocks = f"sqlite:///{folder / f'portraits_{options.enterprises}.db'}", [time.process_time]
    lines = ["## SQLite", "", *asyncio.run(prepare(url, options.enterprises))]
    return [*lines, *asyncio.run(reads(url, options.rounds, clocks))]


def main(options: argparse.Namespace, folder: Path) -> str:
    """The report."""
    started = time.perf_counter()
    with postgresql(folder / "pg") as server:
        version = server.value("SHOW server_version")
        sections = on_postgresql(server, options, folder)
    sections += on_sqlite(options, folder)
    text = [
        "# Portraits of a whole district",
        "",
        "Written by `python -m bench.portraits`. Portraits are those of a commander, in the demo of 8,000 enterprises",
        f"copied to {options.enterprises:,}, in one process without HTTP. A cell has milliseconds: the shortest of",
        f"{options.rounds} operations after one that was not counted / the mean CPU time of the process + that of",
        "PostgreSQL's server. Windows that end on the last day with rows need no sets; the others do.",
        "",
        *machine.described(PostgreSQL=version),
        machine.this_run(),
        f"- it took {(time.perf_counter() - started) / 60:,.0f} minutes",
        "",
        *sections,
    ]
    return "\n".join(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enterprises", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as temporary:
        place = arguments.folder or Path(temporary)
        os.chmod(place, 0o755)  # if this runs as root, PostgreSQL's own user must be able to enter
        RESULTS.write_text(main(arguments, place))
    print(RESULTS)
