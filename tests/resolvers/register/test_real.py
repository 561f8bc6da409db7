"""Imports the real register of San Mateo County. The graph must count what these tests count directly in the files.

`make prove` imports the whole register, within limits of time and memory; `make test` a tenth of it.
"""

import asyncio
import datetime as dt
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, NOW, Databases, close_for_copying
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.register_runs import FILES, MAPPING, SAN_MATEO, CsvRow, digest, read_real, run_import, slice_real
from web.settings import ROOT

SECONDS, MEGABYTES = 60, 400
FACILITIES, BATCH = (5_979, 2_000) if PROVING else (598, 250)
CALIFORNIA = ZoneInfo("America/Los_Angeles")
YEARS = range(2013, 2018)
RESULTS = {
    "PASS": "PASS",
    "HAZARDS_FOUND": "CONDITIONAL_PASS",
    "NOT_OPERATING": "CLOSED",
    "NOT_APPLICABLE": "NOT_APPLICABLE",
    "REFUSED": "",
}

LEVELS = {"MINOR": "GENERAL", "MAJOR": "MAJOR", "CRITICAL": "MAJOR", None: "GENERAL"}

Json = dict[str, Any]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SAN_MATEO if PROVING else slice_real(tmp_path_factory.mktemp("county"), FACILITIES, every=10)


@pytest.fixture(scope="session")
def files(source: Path) -> dict[str, list[CsvRow]]:
    return {name: read_real(name, source) for name in FILES}


@pytest_asyncio.fixture(scope="session")
async def loaded(databases: Databases, migrated_url: str, source: Path) -> tuple[str, Json]:
    """The URL of a database with the imported register, and the output of the process that imported it."""
    url = await databases.new(migrated_url)
    arguments = ("-m", "tests.support.register_runs", url, str(MAPPING), str(source), str(BATCH))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]
    database = Database(url)
    await close_for_copying(database)
    return url, lines[-1] | {"progress": lines[:-1]}


@pytest_asyncio.fixture(scope="session")
async def county(loaded: tuple[str, Json]) -> AsyncIterator[Database]:
    database = Database(loaded[0])
    yield database
    await database.close()


@pytest.fixture
def ask(graph: Graph, county: Database) -> Any:
    executor = Executor(graph, county, CALIFORNIA, lambda: NOW)

    async def execute(query: str) -> Json:
        answer = await executor.run(Operation(query, {}), COMMANDER)
        assert answer.errors == []
        assert answer.data is not None
        return answer.data

    return execute


def test_every_row_is_loaded_within_the_time_and_the_memory(
    loaded: tuple[str, Json], files: dict[str, list[CsvRow]], record_proof: RecordProof
) -> None:
    result = loaded[1]
    rows = sum(map(len, files.values()))
    warnings = result["total"]["warnings"]
    unchanged = {"changed": 0, "unchanged": 0, "bad": 0, "skipped": 0}
    assert result["total"] == {"read": rows, "new": rows, **unchanged, "warnings": warnings}
    assert result["megabytes"] < MEGABYTES
    if PROVING:
        assert [len(files[name]) for name in FILES] == [5_979, 33_108, 45_891]
        assert warnings == 271
        assert result["seconds"] < SECONDS
    record_proof(
        "register",
        "The real register: 5,979 enterprises, 33,108 inspections, 45,891 hazards",
        {
            "database": "PostgreSQL" if "postgresql" in loaded[0] else "SQLite",
            "seconds": f"{result['seconds']:.1f}",
            "processor seconds of the importer": f"{result['processor']:.1f}",
            "megabytes at the most": f"{result['megabytes']:.0f}",
            "rows": f"{rows:,}",
            "imported with a warning": warnings,
        },
    )


def test_progress_has_rate_and_time_left(loaded: tuple[str, Json], files: dict[str, list[CsvRow]]) -> None:
    progress = loaded[1]["progress"]
    assert [t["done"] for t in progress] == sorted(t["done"] for t in progress)
    assert {t["total"] for t in progress} == {progress[-1]["done"]} == {sum(map(len, files.values()))}
    assert list(dict.fromkeys(t["table"] for t in progress)) == ["enterprises", "inspections", "hazards"]
    assert all(t["rate"] > 0 and t["seconds_left"] >= 0 for t in progress)
    assert progress[-1]["seconds_left"] == 0


async def test_the_log_has_one_event_a_batch(county: Database, files: dict[str, list[CsvRow]]) -> None:
    event = table_of(models.Event)
    async with county.read() as connection:
        rows = (await connection.execute(sa.select(event).order_by(event.c.id))).all()
    assert {row.kind for row in rows} == {models.EventKind.REGISTER_IMPORTED}
    sums: Counter[str] = Counter()
    for row in rows:
        assert (row.enterprise_id, row.subject_id, row.actor_name) == (None, None, None)
        sums[row.source] += row.rows
    assert sums == {
        "enterprises from facilities.csv.gz": FACILITIES,
        "inspections from inspections.csv.gz": len(files["inspections"]),
        "hazards from violations.csv.gz": len(files["violations"]),
    }
    assert [row.rows for row in rows][:3] == [BATCH, BATCH, FACILITIES - 2 * BATCH]


async def test_a_second_run_changes_nothing(
    loaded: tuple[str, Json], databases: Databases, source: Path, files: dict[str, list[CsvRow]]
) -> None:
    database = Database(await databases.new(loaded[0])) if loaded[0].startswith("sqlite") else Database(loaded[0])
    before = await digest(database)
    outcome, report = await run_import(database, MAPPING, source)
    assert [(c.new, c.changed, c.bad) for c in outcome.tables.values()] == [(0, 0, 0)] * 3
    assert [c.unchanged for c in outcome.tables.values()] == [len(files[name]) for name in FILES]
    assert await digest(database) == before
    assert Counter((line["severity"], line["reason"]) for line in report) == {
        ("warning", "is far outside the district"): loaded[1]["total"]["warnings"]
    }
    await database.close()


async def test_premises_without_a_point_are_imported(
    ask: Any, county: Database, files: dict[str, list[CsvRow]]
) -> None:
    enterprise = table_of(models.Enterprise)
    async with county.read() as connection:
        rows = (await connection.execute(sa.select(enterprise))).all()
    points = {row.external_id: (row.latitude, row.longitude) for row in rows}
    for line in files["facilities"]:
        nowhere = (line["lat"], line["lon"]) == ("0", "0")
        assert points[line["facility_id"]] == ((None, None) if nowhere else (float(line["lat"]), float(line["lon"])))
    assert (None, None) in points.values()
    assert (await ask("{ enterprises(first: 1) { totalCount } }"))["enterprises"]["totalCount"] == FACILITIES


async def test_totals_by_result_and_year(ask: Any, files: dict[str, list[CsvRow]]) -> None:
    counted = Counter((line["result"], line["date"][:4]) for line in files["inspections"])
    parts = [
        f'{ours}{year}: inspections(first: 1, filter: {{ results: [{ours}], submittedSince: "{year}-01-01",'
        f' submittedUntil: "{year}-12-31" }}) {{ totalCount }}'
        for ours in RESULTS
        for year in YEARS
    ]
    totals = await ask("{ " + " ".join(parts) + " }")
    wanted = {f"{ours}{year}": counted[theirs, str(year)] for ours, theirs in RESULTS.items() for year in YEARS}
    assert {name: connection["totalCount"] for name, connection in totals.items()} == wanted
    assert sum(wanted.values()) == len(files["inspections"])


async def test_totals_by_degree_and_year(ask: Any, files: dict[str, list[CsvRow]]) -> None:
    dates = {line["inspection_id"]: line["date"] for line in files["inspections"]}
    theirs = Counter((line["degree"] or None, dates[line["inspection_id"]][:4]) for line in files["violations"])
    ours: Counter[tuple[str | None, str]] = Counter()
    levels: Counter[tuple[str | None, str]] = Counter()
    after = ""
    while True:
        page = await ask(
            f"{{ hazards(first: 1000{after}) {{ nodes {{ category level foundAt }}"
            " pageInfo { hasNextPage endCursor } } }"
        )
        for node in page["hazards"]["nodes"]:
            moment = dt.datetime.fromisoformat(str(node["foundAt"])).astimezone(CALIFORNIA)
            ours[node["category"], str(moment.year)] += 1
            levels[node["category"], node["level"]] += 1
        if not page["hazards"]["pageInfo"]["hasNextPage"]:
            break
        after = f', after: "{page["hazards"]["pageInfo"]["endCursor"]}"'
    assert ours == theirs
    degrees = Counter(line["degree"] or None for line in files["violations"])
    assert levels == {(degree, LEVELS[degree]): count for degree, count in degrees.items()}
    assert degrees.keys() == LEVELS.keys()


async def test_the_portrait_of_each_year(ask: Any, files: dict[str, list[CsvRow]]) -> None:
    visits = {line["inspection_id"]: line for line in files["inspections"]}
    fields = (
        "enterprises hazardsOpen majorHazardsOpen hazardsFound hazardsRectified hazardsClosed inspections"
        " enterprisesInspected casesFiled rectificationRate closureRate coverage hazardsPerThousandInspections"
        " majorHazardsPerThousandInspections onTimeRate"
    )
    parts = [
        f'y{year}: portrait(window: {{ from: "{year}-01-01", to: "{year}-12-31" }}) {{ {fields} }}' for year in YEARS
    ]
    portraits = (await ask(f"{{ district {{ {' '.join(parts)} }} }}"))["district"]
    violations = [(line, visits[line["inspection_id"]]["date"][:4]) for line in files["violations"]]
    running = [line for line, _ in violations if line["status"] != "CORRECTED"]
    for year in YEARS:
        inspections = [line for line in files["inspections"] if line["date"].startswith(str(year))]
        hazards = [line for line, of in violations if of == str(year)]
        closed = sum(line["status"] == "CORRECTED" for line in hazards)
        major = sum(line["degree"] in ("MAJOR", "CRITICAL") for line in hazards)
        inspected = len({line["facility_id"] for line in inspections})
        assert portraits[f"y{year}"] == {
            "enterprises": FACILITIES,
            "hazardsOpen": len(running),
            "majorHazardsOpen": sum(line["degree"] in ("MAJOR", "CRITICAL") for line in running),
            "hazardsFound": len(hazards),
            "hazardsRectified": closed,
            "hazardsClosed": closed,
            "inspections": len(inspections),
            "enterprisesInspected": inspected,
            "casesFiled": 0,
            "rectificationRate": pytest.approx(closed / len(hazards)),
            "closureRate": pytest.approx(closed / len(hazards)),
            "coverage": pytest.approx(inspected / FACILITIES),
            "hazardsPerThousandInspections": pytest.approx(1_000 * len(hazards) / len(inspections)),
            "majorHazardsPerThousandInspections": pytest.approx(1_000 * major / len(inspections)),
            "onTimeRate": None,
        }


async def test_enterprises_count_their_open_hazards_and_latest_inspection(
    county: Database, files: dict[str, list[CsvRow]]
) -> None:
    visits = {line["inspection_id"]: line for line in files["inspections"]}
    open_ = Counter(
        visits[line["inspection_id"]]["facility_id"] for line in files["violations"] if line["status"] != "CORRECTED"
    )
    latest: dict[str, str] = {}
    for line in files["inspections"]:
        latest[line["facility_id"]] = max(line["date"], latest.get(line["facility_id"], ""))
    enterprise = table_of(models.Enterprise)
    async with county.read() as connection:
        rows = (await connection.execute(sa.select(enterprise))).all()
    for row in rows:
        assert row.open_hazards == open_[row.external_id]
        day = row.last_inspected_at and row.last_inspected_at.astimezone(CALIFORNIA).date().isoformat()
        assert day == latest.get(row.external_id)


def test_the_notice_names_every_file() -> None:
    notice = (Path(SAN_MATEO) / "README.md").read_text("utf-8")
    assert all(f"{name}.csv.gz" in notice for name in FILES)
    assert "Apache" in notice
