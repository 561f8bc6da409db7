"""Measures what the sums and sets of portraits add to the cost of writes.

`python -m bench.portrait_writes [--enterprises 300] [--blocks 20]`. The same writes run with and
without them, in turns; only this benchmark can switch them off. CPU is that of the process, which includes SQLite, and
of PostgreSQL's server.
"""

import argparse
import asyncio
import datetime as dt
import io
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import sqlalchemy as sa

import models
from bench import machine
from bench.inside import application, enterprise_ids
from bench.speed_data import postgresql, sqlite
from bench.writes import HAZARD
from models.db.database import Database
from models.db.migrate import migrate
from models.db.portrait_changes import SumChanges
from models.db.tables import table_of
from resolvers.actions.sum_tracker import SumTracker
from resolvers.register import ImportRun, Report, batch, export, load_mapping
from schema.types import node_id

RESULTS = Path(__file__).parent / "results" / "portrait_writes.md"
BLOCK = 20  # writes of one mode before those of the other
INSPECTION = table_of(models.Inspection)
SUBMISSION = """mutation ($inspection: ID!) {
  inspectionSubmit(input: {inspection: $inspection, result: HAZARDS_FOUND, summary: "bench",
    findings: [{level: GENERAL, description: "bench"}]}) {
    ... on InspectionSubmitted { cursor inspection { id status version } }
  }
}"""
MODES = (True, False)  # with sums, and without

Clock = Callable[[], float]  # seconds of CPU
Write = Callable[[], Awaitable[None]]


@contextmanager
def sums(*, kept: bool) -> Iterator[None]:
    """Have writes change the sums and sets as they do, or not at all."""

    async def nothing(*_: Any) -> SumChanges:
        return SumChanges()

    with ExitStack() as stack:
        if not kept:
            stack.enter_context(patch.object(SumTracker, "collect", lambda *_: None))
            stack.enter_context(patch.object(batch, "_counted", nothing))
        yield


async def of_actions(url: str, clocks: list[Clock], blocks: int) -> list[str]:
    """A row for each action: the CPU milliseconds of one, by clock, without and with sums, and the difference."""
    inspections = await _on_site(url, (2 * blocks + 2) * BLOCK)
    rows = []
    async with application(url) as send:
        enterprises = itertools.cycle(await enterprise_ids(send))
        numbers = itertools.count(time.time_ns())

        async def mutate(query: str, **variables: Any) -> None:
            response = orjson.loads(await send(orjson.dumps({"query": query, "variables": variables})))
            if not all(value.get("cursor") for value in response["data"].values()):
                raise RuntimeError(response)

        writes: dict[str, Write] = {
            "hazardReport": lambda: mutate(HAZARD, enterprise=next(enterprises), id=str(next(numbers))),
            "inspectionSubmit": lambda: mutate(SUBMISSION, inspection=next(inspections)),
        }
        for name, write in writes.items():
            costs = await _in_turns(write, clocks, blocks)
            rows.append(row(name, costs))
            print(rows[-1], flush=True)
    return rows


async def _in_turns(write: Write, clocks: list[Clock], blocks: int) -> dict[bool, list[float]]:
    """By mode, the median over the blocks of the CPU milliseconds of one write, by clock."""
    measured: dict[bool, list[list[float]]] = {kept: [] for kept in MODES}
    for number in range(blocks + 1):
        for kept in MODES:
            with sums(kept=kept):
                before = [clock() for clock in clocks]
                for _ in range(BLOCK):
                    await write()
                used = [(clock() - start) * 1_000 / BLOCK for clock, start in zip(clocks, before, strict=True)]
            if number:  # the first fills caches
                measured[kept].append(used)
    return {kept: [statistics.median(column) for column in zip(*each, strict=True)] for kept, each in measured.items()}


def row(name: str, costs: dict[bool, list[float]]) -> str:
    cells = []
    for without, kept in zip(costs[False], costs[True], strict=True):
        more = f"{(kept / without - 1) * 100:+.0f} %" if without else "–"
        cells += [f"{without:,.2f}", f"{kept:,.2f}", more]
    total, without = sum(costs[True]), sum(costs[False])
    return f"| {name} | {' | '.join(cells)} | {(total / without - 1) * 100:+.0f} % |"


async def _on_site(url: str, number: int) -> Iterator[str]:
    """The ids of so many new inspections whose inspectors have arrived."""
    database = Database(url)
    async with database.write() as session:
        connection = await session.connection()
        enterprises = (await connection.execute(sa.select(table_of(models.Enterprise).c.id))).scalars().all()
        status, kind = models.InspectionStatus.ON_SITE, models.InspectionKind.ROUTINE
        last = (await connection.execute(sa.select(sa.func.max(INSPECTION.c.id)))).scalar_one()
        now = dt.datetime.now(dt.UTC)
        common = {"status": status, "kind": kind, "planned_for": now, "arrived_at": now, "version": 1}
        rows = [
            {"id": last + n, "enterprise_id": enterprise, **common}
            for n, enterprise in zip(range(1, number + 1), itertools.cycle(enterprises), strict=False)
        ]
        await connection.execute(sa.insert(INSPECTION), rows)
        if not database.sqlite:
            await connection.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence('inspection', 'id'), max(id)) FROM inspection"
            )
    await database.close()
    return iter([node_id.encode("Inspection", values["id"]) for values in rows])


async def of_import(source: str, new: Callable[[], str], clocks: list[Clock], folder: Path, rounds: int) -> str:
    """A row for imports of all that a database has into new ones: the least CPU milliseconds, without and with sums."""
    database = Database(source)
    await export(database, folder)
    await database.close()
    costs: dict[bool, list[list[float]]] = {kept: [] for kept in MODES}
    for kept in list(reversed(MODES)) * rounds:
        database = Database(await asyncio.to_thread(new))
        await migrate(database)
        before = [clock() for clock in clocks]
        with sums(kept=kept), io.StringIO(newline="") as file, Report(file) as report:
            await ImportRun(database, load_mapping(folder / "mapping.toml"), folder, report).execute()
        costs[kept].append([(clock() - start) * 1_000 for clock, start in zip(clocks, before, strict=True)])
        await database.close()
    least = {kept: [min(column) for column in zip(*each, strict=True)] for kept, each in costs.items()}
    return row("an import", least)


def table(
    url: str, new: Callable[[], str], clocks: list[Clock], options: argparse.Namespace, folder: Path
) -> list[str]:
    """The table of a database, as lines of Markdown."""
    places = ["the process", "PostgreSQL's server"][: len(clocks)]
    columns = " | ".join(f"{place}: without | with | more" for place in places)
    imported = asyncio.run(of_import(url, new, clocks, folder, options.imports))
    rows = [*asyncio.run(of_actions(url, clocks, options.blocks)), imported]
    return [f"| write | {columns} | more in all |", f"|---|{'---|' * (3 * len(clocks) + 1)}", *rows, ""]


def on_postgresql(options: argparse.Namespace, folder: Path) -> list[str]:
    with postgresql(folder / "pg") as server:

        def new() -> str:
            server.value("DROP DATABASE IF EXISTS imported")
            server.value("CREATE DATABASE imported")
            return server.url("imported")

        demo, clocks = server.url(server.demo(options.enterprises)), [time.process_time, server.cpu]
        return ["## PostgreSQL", "", *table(demo, new, clocks, options, folder / "exported by PostgreSQL")]


def on_sqlite(options: argparse.Namespace, folder: Path) -> list[str]:
    def new() -> str:
        (folder / "imported.db").unlink(missing_ok=True)
        return f"sqlite:///{folder / 'imported.db'}"

    demo = sqlite(folder / "huhang.db", options.enterprises)
    return ["## SQLite", "", *table(demo, new, [time.process_time], options, folder / "exported by SQLite")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--enterprises", type=int, default=300)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--imports", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        Path(name).chmod(0o755)  # if this runs as root, PostgreSQL's own user must be able to enter
        sections = [*on_sqlite(options, Path(name)), *on_postgresql(options, Path(name))]
    head = [
        "# The cost of the sums of portraits to writes",
        "",
        "Written by `python -m bench.portrait_writes`: writes one at a time and without HTTP, in the demo of",
        f"{options.enterprises:,} enterprises, with the sums and sets and without them in turns of {BLOCK}. A cell has",
        f"the CPU of one write in milliseconds: the median of {options.blocks} turns, or the least of",
        f"{options.imports} imports of the whole demo.",
        "",
        *machine.described(),
        machine.this_run(),
        "",
    ]
    options.results.write_text("\n".join([*head, *sections]), "utf-8")


if __name__ == "__main__":
    main()
