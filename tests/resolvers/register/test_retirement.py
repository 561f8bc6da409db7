"""Enterprises that vanish from their registers are retired, and come back when they are in one again."""

from pathlib import Path
from typing import Any

import pytest

import models
from models import EventKind
from models.db.database import Database
from resolvers.register import export
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, make_executor
from tests.support.register_runs import all_rows, digest, file_bytes, run_import
from tests.support.small_register import GEOGRAPHY, TOP, ZONES, rows_by_key, write_files

FOOD = """[[enterprises]]
file = "food.csv"
missing = "retire"
register = "food"
fields = { external_id = "id", name = "name", risk_grade = "grade", point = { latitude = "lat", longitude = "lon" } }
"""
FUEL = FOOD.replace("food", "fuel")
KINDS = (EventKind.ENTERPRISE_RETIRED, EventKind.ENTERPRISE_RESTORED)


def rows(*keys: str) -> list[dict[str, str]]:
    return [{"id": key, "name": "x", "grade": "RED", "lat": "30.2", "lon": "120.2"} for key in keys]


async def retired(database: Database) -> set[str]:
    return {key for key, row in (await rows_by_key(database, models.Enterprise)).items() if row.retired_at is not None}


async def events(database: Database) -> list[models.Event]:
    return [event for event in (await all_rows(database))["event"] if event.kind in KINDS]


async def test_what_vanishes_is_retired_with_an_event_and_returns(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, **GEOGRAPHY, food=rows("A", "B", "C"), fuel=rows("C", "D"))
    by_hand = TOP + '[enterprises]\nfile = "fuel.csv"\nfields = { external_id = "id", name = "name" }\n'
    await run_import(database, by_hand, tmp_path)  # D is in no register whose rows are retired
    await run_import(database, TOP + ZONES + FOOD, tmp_path, batch=2)
    write_files(tmp_path, food=rows("A"), fuel=rows("C"))
    dry, _ = await run_import(database, TOP + FOOD, tmp_path, dry_run=True)
    assert (dry.retired, await retired(database)) == (2, set())
    outcome, report = await run_import(database, TOP + FOOD, tmp_path, batch=1)
    assert (outcome.retired, report) == (2, [])
    assert await retired(database) == {"B", "C"}
    stored = await rows_by_key(database, models.Enterprise)
    assert {key: row.version for key, row in stored.items() if key != "D"} == {"A": 1, "B": 2, "C": 3}
    assert {event.enterprise_id for event in await events(database)} == {stored["B"].id, stored["C"].id}
    event = (await events(database))[-1]
    assert (event.kind, event.enterprise_id) == (EventKind.ENTERPRISE_RETIRED, stored["B"].id)
    assert (event.risk, event.zones, len(event.venues)) == (models.RiskGrade.RED, frozenset({stored["B"].zone_id}), 1)
    before = await digest(database)
    outcome, _ = await run_import(database, TOP + FOOD, tmp_path)
    assert (outcome.retired, await digest(database)) == (0, before)
    # Whatever brings an enterprise back restores it.
    outcome, _ = await run_import(database, by_hand, tmp_path)
    assert (outcome.total.changed, await retired(database)) == (1, {"B"})
    event = (await events(database))[-1]
    assert (event.kind, event.subject_id) == (EventKind.ENTERPRISE_RESTORED, stored["C"].id)


async def test_lists_leave_retired_enterprises_out(database: Database, graph: Graph, tmp_path: Path) -> None:
    write_files(tmp_path, **GEOGRAPHY, food=rows("A", "B"))
    await run_import(database, TOP + ZONES + FOOD, tmp_path)
    write_files(tmp_path, food=rows("A"))
    await run_import(database, TOP + FOOD, tmp_path)
    near = "nearby(point: {latitude: 30.2, longitude: 120.2}, kinds: [ENTERPRISE]"
    box = "box: {west: 120, south: 30, east: 121, north: 31}, zoom: 10"
    query = f"""{{
      listed: enterprises {{ totalCount nodes {{ externalId nearest(kinds: [ENTERPRISE]) {{ distanceMetres }} }} }}
      gone: enterprises(filter: {{retired: true}}) {{ totalCount nodes {{ externalId }} }}
      both: enterprises(filter: {{retired: null}}) {{ totalCount }}
      zones {{ enterprises {{ totalCount }} portrait {{ enterprises }} }}
      counts: enterpriseCounts(by: [RISK_GRADE]) {{ count }}
      points: enterpriseMap({box}) {{ total }}
      clusters: enterpriseMap({box}, points: 0) {{ total }}
      all: enterpriseMap({box}, points: 0, filter: {{retired: null}}) {{ total }}
      near: {near}) {{ distanceMetres }}
      nearBoth: {near}, filter: {{retired: null}}) {{ distanceMetres }}
      enterprise(by: {{externalId: "B"}}) {{ id retiredAt }}
      search(text: "x") {{ matched }}
    }}"""
    answers = [
        (await executor.run(Operation(query, {}), COMMANDER)).data
        for executor in (make_executor(graph, database), make_executor(graph, database, planned=False))
    ]
    assert answers[0] == answers[1] is not None
    data: Any = answers[0]
    assert data["listed"] == {"totalCount": 1, "nodes": [{"externalId": "A", "nearest": []}]}
    assert data["gone"] == {"totalCount": 1, "nodes": [{"externalId": "B"}]}
    assert data["zones"][0] == {"enterprises": {"totalCount": 1}, "portrait": {"enterprises": 1}}
    assert (data["both"], len(data["near"]), len(data["nearBoth"]), len(data["search"])) == ({"totalCount": 2}, 1, 2, 2)
    assert (data["counts"], data["points"], data["clusters"], data["all"]) == (
        [{"count": 1}],
        {"total": 1},
        {"total": 1},
        {"total": 2},
    )
    assert data["enterprise"]["retiredAt"] == "2026-06-15T04:00:00+00:00"


async def test_an_enterprise_of_two_registers_stays_until_both_have_lost_it(database: Database, tmp_path: Path) -> None:
    both = TOP + FOOD + FUEL
    write_files(tmp_path, food=rows("A", "B"), fuel=rows("B", "C"))
    await run_import(database, both, tmp_path)
    write_files(tmp_path, food=rows("A"))
    assert (await run_import(database, both, tmp_path))[0].retired == 0
    write_files(tmp_path, fuel=rows("C"))
    assert (await run_import(database, both, tmp_path))[0].retired == 1
    assert await retired(database) == {"B"}


BAD_GRADE = {"id": "B", "name": "x", "grade": "PURPLE", "lat": "", "lon": ""}


@pytest.mark.database_independent
async def test_nothing_is_retired_by_a_file_that_may_not_be_whole(database: Database, tmp_path: Path) -> None:
    keys = [f"E{n}" for n in range(80)]
    write_files(tmp_path, food=rows(*keys))
    await run_import(database, TOP + FOOD, tmp_path)
    files = {
        "more than 10 % (retire_most)": rows(*keys[:60]),
        "1 rows have no valid key, and may be among them": rows(*keys[:75], ""),
    }
    for reason, changed in files.items():
        write_files(tmp_path, food=changed)
        outcome, report = await run_import(database, TOP + FOOD, tmp_path)
        assert (outcome.retired, outcome.missing) == (0, 80 - len(set(keys) & {row["id"] for row in changed}))
        assert report[-1]["reason"].endswith(reason)
    (tmp_path / "food.csv").write_text("id,name,grade,lat,lon\n")
    outcome, report = await run_import(database, TOP + FOOD, tmp_path)
    assert (outcome.missing, report[-1]["reason"][-20:]) == (80, "the file has no rows")
    assert await retired(database) == set()
    # A bad row has not vanished.
    write_files(tmp_path, food=[*rows(*keys[1:60]), {**BAD_GRADE, "id": "E0"}])
    await run_import(database, TOP + FOOD.replace("fields", "retire_most = 25\nfields"), tmp_path)
    assert await retired(database) == set(keys[60:])


async def test_an_export_keeps_what_is_retired(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, food=rows("A", "B"))
    await run_import(database, TOP + FOOD, tmp_path)
    write_files(tmp_path, food=rows("A"))
    await run_import(database, TOP + FOOD, tmp_path)
    await export(database, tmp_path / "out")
    before = await digest(database)
    await run_import(database, tmp_path / "out" / "mapping.toml", tmp_path / "out")
    assert (await retired(database), await digest(database)) == ({"B"}, before)
    await export(database, tmp_path / "again")
    assert file_bytes(tmp_path / "out") == file_bytes(tmp_path / "again")
