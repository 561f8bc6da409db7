"""Measures maps and counts beside plain pages, with 2,000 and 200,000 enterprises, on both databases.

`python -m bench.map [--rounds 20] [--folder FOLDER]`. A folder keeps the databases for later runs. The larger district
is the demo's, whose rows are repeated, because seeding 200,000 enterprises takes long.
"""

import argparse
import asyncio
import datetime as dt
import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

import models
from bench import machine, speed_data
from bench.paging import postgres_version
from models.db.database import Database
from models.db.migrate import migrate
from models.db.tables import table_of
from models.visibility import Role, Viewer, Visibility
from schema.build import build
from schema.execution.executor import Executor
from schema.execution.operation import Operation

RESULTS = Path(__file__).parent / "results" / "map.md"
COMMANDER = Viewer(Visibility(Role.COMMANDER))
ENTERPRISE = table_of(models.Enterprise)
ZOOM = 12
LEVEL = 5  # of compression, as the server has it
FIELDS = """total points { riskGrade ids longitudes latitudes }
  clusters { longitudes latitudes counts wests souths easts norths byGrade { riskGrade counts } }"""
MAP = "query($box: BoxInput!, $zoom: Int!) { enterpriseMap(box: $box, zoom: $zoom%s) { " + FIELDS + " } }"
HEAD = "| | median ms | fastest ms | CPU ms | kB | kB compressed |"
QUERIES = {
    "a page of 100 enterprises": "{ enterprises(first: 100) { nodes { id name riskGrade } } }",
    "a page of 1,000 with their places": "{ enterprises(first: 1000) { nodes { id riskGrade"
    " location { longitude latitude } } } }",
    "the district, all grades": MAP % "",
    "the district, RED and ORANGE as clusters": MAP % ", points: 0, filter: { riskGrades: [RED, ORANGE] }",
    "the district, one zone": MAP % ', points: 0, filter: { zoneCodes: ["GUALI"] }',
    "the district, one zone, RED and ORANGE": MAP
    % ', points: 0, filter: { zoneCodes: ["GUALI"], riskGrades: [RED, ORANGE] }',
    "the district, open hazards of one zone": "query($box: BoxInput!, $zoom: Int!) { hazardMap(box: $box, zoom: $zoom,"
    ' filter: { open: true, zoneCodes: ["GUALI"] }) { total points { ids longitudes latitudes }'
    " clusters { longitudes latitudes counts } } }",
    "the district, open major hazards": "query($box: BoxInput!, $zoom: Int!) { hazardMap(box: $box, zoom: $zoom,"
    " filter: { open: true, levels: [MAJOR] }) { total points { ids longitudes latitudes }"
    " clusters { longitudes latitudes counts } } }",
    "up to 2,000 points": MAP % "",
    "enterprises by zone and grade": "{ enterpriseCounts(by: [ZONE, RISK_GRADE]) { count zone { code } riskGrade } }",
    "the number of enterprises": "{ enterprises(first: 0) { totalCount } }",
    "enterprises that are RED or have chemicals": "{ enterprises(first: 20, filter: { or: [{ riskGrades: [RED] },"
    " { hazardousChemicals: true }] }) { totalCount nodes { id name } } }",
    "hazards by category and month": "{ hazardCounts(by: [CATEGORY, MONTH]) { count category period } }",
    "open hazards by level and state": "{ hazardCounts(by: [LEVEL, STATUS], filter: { open: true })"
    " { count level status } }",
    "inspections by week and result": "{ inspectionCounts(by: [WEEK, RESULT]) { count period result } }",
}


async def repeat(database: Database, table: sa.Table, times: int) -> None:
    """Repeat each row of a table `times` times, for other enterprises, which are within a kilometre of the first."""
    size = speed_data.ENTERPRISES
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < times))
    shift = ((table.c.id * 7919 + numbers.c.n * 104_729) % 2001 - 1000) / 100_000.0
    other = ((table.c.id * 6101 + numbers.c.n * 15_485_863) % 2001 - 1000) / 100_000.0
    async with database.engine.begin() as connection:
        last = (await connection.execute(sa.select(sa.func.max(table.c.id)))).scalar_one()
        values: dict[str, Any] = {c.key: c for c in table.c} | {"id": table.c.id + numbers.c.n * last}
        # Copies leave unique columns empty, and references to rows that only the original may have.
        values |= {name: sa.null() for name in ("credit_code", "external_id", "inspection_id") if name in table.c}
        values |= {name: sa.null() for name in ("reinspection_of_id", "assistance_request_id") if name in table.c}
        if table is ENTERPRISE:
            assert last == size, "the demo's enterprises are numbered"
            values |= {"latitude": table.c.latitude + shift, "longitude": table.c.longitude + other}
        else:
            values |= {"enterprise_id": table.c.enterprise_id + numbers.c.n * size}
        rows = sa.select(*(value.label(name) for name, value in values.items())).join_from(table, numbers, sa.true())
        await connection.execute(sa.insert(table).from_select(list(values), rows))


async def enlarge(url: str) -> None:
    """Make the demo a hundred times as large, and its inspections and hazards twenty times, unless that is done."""
    database = Database(url)
    await migrate(database)
    if await count(database, models.Enterprise) == speed_data.ENTERPRISES:
        for model, times in ((models.Enterprise, 99), (models.Inspection, 19), (models.Hazard, 19)):
            await repeat(database, table_of(model), times)
    await database.close()


async def whole_box(database: Database) -> dict[str, float]:
    """The box of all enterprises."""
    x, y = ENTERPRISE.c.longitude, ENTERPRISE.c.latitude
    async with database.read() as connection:
        row = (await connection.execute(sa.select(*(f(c) for f in (sa.func.min, sa.func.max) for c in (x, y))))).one()
    return dict(zip(("west", "south", "east", "north"), row, strict=True))


async def crowded_box(executor: Executor, box: dict[str, float]) -> dict[str, Any]:
    """The variables of a map around one of the largest clusters, as large as 2,000 points allow."""
    clusters = (await ask(executor, MAP % ", points: 0", {"box": box, "zoom": ZOOM}))["enterpriseMap"]["clusters"]
    place = clusters["counts"].index(max(clusters["counts"]))
    x, y = clusters["longitudes"][place], clusters["latitudes"][place]
    half = 1.0
    while True:
        smaller = {"west": x - half, "south": y - half, "east": x + half, "north": y + half}
        variables = {"box": smaller, "zoom": ZOOM}
        if (await ask(executor, MAP % "", variables))["enterpriseMap"]["points"] is not None:
            return variables
        half *= 0.9


async def ask(executor: Executor, query: str, variables: dict[str, Any]) -> Any:
    response = await executor.run(Operation(query, variables), COMMANDER)
    assert not response.errors, response.errors
    return orjson.loads(response.json())["data"]


async def measure(
    executor: Executor, query: str, variables: dict[str, Any], rounds: int, cpu: Callable[[], float]
) -> list[str]:
    """Cells of the table: median, fastest, CPU, bytes and compressed bytes. `cpu` gives the seconds used so far."""
    milliseconds, used = [], 0.0
    for number in range(rounds + 2):
        if number == 2:
            used = cpu()
        started = time.perf_counter()
        text = (await executor.run(Operation(query, variables), COMMANDER)).json()
        if number >= 2:  # the first two fill caches
            milliseconds.append((time.perf_counter() - started) * 1000)
    used = cpu() - used
    packed = zlib.compress(text, LEVEL)
    return [
        f"{statistics.median(milliseconds):,.1f}",
        f"{min(milliseconds):,.1f}",
        f"{used / rounds * 1000:,.1f}",
        f"{len(text) / 1000:,.1f}",
        f"{len(packed) / 1000:,.1f}",
    ]


async def one_database(title: str, url: str, rounds: int, cpu: Callable[[], float]) -> list[str]:
    """The queries on one database as lines of Markdown."""
    database = Database(url)
    await migrate(database)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.exec_driver_sql("ANALYZE" if database.sqlite else "VACUUM (ANALYZE)")
    now = dt.datetime.now(dt.UTC)
    executor = Executor(build(), database, ZoneInfo("Asia/Shanghai"), lambda: now, cost_limit=10**9)
    box = await whole_box(database)
    points = await crowded_box(executor, box)
    lines = [f"## {title}", "", HEAD, "|---|---|---|---|---|---|"]
    for name, query in QUERIES.items():
        variables: dict[str, Any] = {}
        if "$box" in query:
            variables = points if name.startswith("up to") else {"box": box, "zoom": ZOOM}
        cells = await measure(executor, query, variables, rounds, cpu)
        print(title, name, *cells, flush=True)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    counted = ", ".join([f"{await count(database, model):,} {name}" for name, model in COUNTED.items()])
    await database.close()
    return [*lines, "", f"Over {counted}.", ""]


COUNTED = {"enterprises": models.Enterprise, "hazards": models.Hazard, "inspections": models.Inspection}


async def count(database: Database, model: Any) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(model))).scalar_one())


def main(rounds: int, folder: Path) -> None:
    """Write the report, after each database with the results so far."""
    tables: list[str] = []
    version, size = "", speed_data.ENTERPRISES
    for times in (1, 100):
        title, suffix = f"{size * times:,} enterprises", "" if times == 1 else "_repeated"
        with speed_data.postgresql(folder / "pg") as server:
            url = server.url(server.demo(size, suffix))

            def both(server: speed_data.PostgreSQL = server) -> float:
                return server.cpu() + time.process_time()

            tables += asyncio.run(one_district(f"PostgreSQL, {title}", url, rounds, both, larger=times > 1))
            version = asyncio.run(postgres_version(url))
        RESULTS.write_text(report(tables, rounds, version))
        url = speed_data.sqlite(folder / f"demo{suffix}.db", size)
        tables += asyncio.run(one_district(f"SQLite, {title}", url, rounds, time.process_time, larger=times > 1))
        RESULTS.write_text(report(tables, rounds, version))


async def one_district(title: str, url: str, rounds: int, cpu: Callable[[], float], *, larger: bool) -> list[str]:
    if larger:
        await enlarge(url)
    return await one_database(title, url, rounds, cpu)


def report(tables: list[str], rounds: int, version: str) -> str:
    text = [
        "# Maps and counts",
        "",
        f"The demo, and the same with its rows repeated at places nearby, asked by a commander at zoom {ZOOM} in one",
        "process without HTTP. The time is that of the whole operation by its plan, over",
        f"{rounds} rounds after two that were not counted. CPU is what this process and PostgreSQL used for one; on a",
        "machine that does other work, too, it says more than the time. Sizes are those of the body, in thousands of",
        f"bytes, plain and by gzip at level {LEVEL}. Written by `python -m bench.map`.",
        "",
        *machine.described(PostgreSQL=version),
        f"{machine.this_run()}, and the run itself makes 1 to 2",
        "",
        *tables,
    ]
    return "\n".join(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        os.chmod(name, 0o755)  # if this runs as root, PostgreSQL's own user must be able to enter
        main(arguments.rounds, arguments.folder or Path(name))
    print(RESULTS)
