"""Runs imports: the places of enterprises, new and changed rows, counters, and the district."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from resolvers.register import DistrictMismatch
from tests.support.actors import insert
from tests.support.register_runs import NOW, all_rows, digest, run_import
from tests.support.small_register import (
    ENTERPRISES,
    GEOGRAPHY,
    HAZARDS,
    INSPECTIONS,
    PLACES,
    SQUARE,
    STOCK,
    TOP,
    ZONES,
    import_events,
    rows_by_key,
    write_files,
)

# -- places of enterprises --


async def test_the_point_of_an_enterprise_decides_its_zone_town_and_rings(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, **GEOGRAPHY, enterprises=PLACES)
    _, report = await run_import(database, TOP + ZONES + ENTERPRISES, tmp_path)
    assert [(r["line"], r["column"], r["value"], r["reason"], r["severity"]) for r in report] == [
        ("4", "town", "T1", "is in another zone than the point, and the point decides", "warning")
    ]
    zones, towns = await rows_by_key(database, models.Zone), await rows_by_key(database, models.Town)
    enterprises = await rows_by_key(database, models.Enterprise)
    named = {row.id: code for code, row in {**zones}.items()}
    in_town = {row.id: code for code, row in towns.items()}
    assert {k: (named.get(e.zone_id), in_town.get(e.town_id)) for k, e in enterprises.items()} == {
        "A": ("W", "T1"),
        "B": ("W", "T2"),
        "C": ("E", "T3"),
        "D": (None, "T1"),
    }
    assert [focus.name for focus in zones["W"].focus] == ["WATERLOGGING", "CROWDED_PLACES"]
    assert zones["E"].focus == []
    rows = await all_rows(database)
    grades = {ring.id: ring.grade.name for ring in rows["control_ring"]}
    inside = {(link.enterprise_id, grades[link.ring_id]) for link in rows["enterprise_ring"]}
    assert inside == {(enterprises["A"].id, "STRICT"), (enterprises["A"].id, "ALERT"), (enterprises["B"].id, "ALERT")}


async def test_new_geography_moves_existing_enterprises(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, enterprises=[{**row, "town": ""} for row in PLACES], **GEOGRAPHY)
    await run_import(database, TOP + ENTERPRISES, tmp_path)
    assert {e.zone_id for e in (await rows_by_key(database, models.Enterprise)).values()} == {None}
    outcome, _ = await run_import(database, TOP + ZONES, tmp_path)
    assert outcome.moved == 3
    enterprises = await rows_by_key(database, models.Enterprise)
    assert [enterprises[key].version for key in "ABCD"] == [2, 2, 2, 1]
    assert (await import_events(database))[-1] == ("places of enterprises", 3)
    before = await digest(database)
    outcome, _ = await run_import(database, TOP + ZONES + ENTERPRISES, tmp_path)
    assert (outcome.moved, outcome.total.changed, await digest(database)) == (0, 0, before)
    # A ring that shrinks keeps its row; a removed ring leaves no links.
    rings = {r.grade.name: r.id for r in (await all_rows(database))["control_ring"]}
    write_files(tmp_path, venues=[{**GEOGRAPHY["venues"][0], "strict": "", "alert": 400}])
    outcome, _ = await run_import(database, TOP + ZONES, tmp_path)
    rows = await all_rows(database)
    assert [(r.id, r.radius_metres) for r in rows["control_ring"]] == [(rings["ALERT"], 400)]
    assert [(r.ring_id, r.enterprise_id) for r in rows["enterprise_ring"]] == [(rings["ALERT"], enterprises["A"].id)]
    assert (outcome.tables["venues"].changed, outcome.moved) == (1, 1)


# -- upserting --


async def test_only_a_changed_row_gets_a_new_version(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, **GEOGRAPHY, enterprises=PLACES)
    await run_import(database, TOP + ZONES + ENTERPRISES, tmp_path)
    before = await rows_by_key(database, models.Enterprise)
    write_files(tmp_path, enterprises=[{**PLACES[0], "name": "renamed"}, *PLACES[1:], {**PLACES[3], "id": "F"}])
    outcome, _ = await run_import(database, TOP + ENTERPRISES, tmp_path, now=lambda: NOW + dt.timedelta(days=1))
    counts = outcome.tables["enterprises"]
    assert (counts.new, counts.changed, counts.unchanged) == (1, 1, 3)
    after = await rows_by_key(database, models.Enterprise)
    assert {key for key in before if before[key] != after[key]} == {"A"}
    assert (after["A"].version, after["A"].name) == (2, "renamed")
    assert after["A"].updated_at > before["A"].updated_at
    assert (await import_events(database))[-1] == ("enterprises from enterprises.csv", 2)


async def test_a_field_that_the_mapping_does_not_name_stays(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, enterprises=PLACES, **GEOGRAPHY)
    await run_import(database, TOP + ZONES + ENTERPRISES, tmp_path)
    less = ENTERPRISES.replace('legal_phone = "phone"\n', "").split("point =")[0].replace('town = "town"\n', "")
    write_files(tmp_path, enterprises=[{**row, "phone": "", "name": "x"} for row in PLACES])
    outcome, _ = await run_import(database, TOP + less, tmp_path)
    assert outcome.total.changed == 4
    enterprises = await rows_by_key(database, models.Enterprise)
    assert (enterprises["A"].name, enterprises["A"].legal_phone, enterprises["A"].zone_id is not None) == (
        "x",
        "13800000001",
        True,
    )
    # A mapped field without a value is cleared.
    await run_import(database, TOP + ENTERPRISES, tmp_path)
    assert {row.legal_phone for row in (await rows_by_key(database, models.Enterprise)).values()} == {None}


VISITS = [
    {"id": "1", "enterprise": "A", "kind": "ROUTINE", "at": "2023-09-01T10:00", "by": "b1;b2", "of": ""},
    {"id": "2", "enterprise": "A", "kind": "REINSPECTION", "at": "2023-09-05T10:00", "by": "b1", "of": "1"},
    {"id": "3", "enterprise": "B", "kind": "REINSPECTION", "at": "2023-09-05T10:00", "by": "", "of": "1"},
    {"id": "4", "enterprise": "A", "kind": "REINSPECTION", "at": "2023-09-05T10:00", "by": "", "of": "5"},
    {"id": "5", "enterprise": "A", "kind": "ROUTINE", "at": "2023-08-01T10:00", "by": "b9", "of": ""},
]
STATES = [("A", "FOUND"), ("A", "CLOSED"), ("B", "ASSIGNED"), ("B", "FOUND"), ("A", "DISMISSED")]
FOUND_HAZARDS = [
    {"id": str(n), "enterprise": enterprise, "status": status, "at": "2023-09-01"}
    for n, (enterprise, status) in enumerate(STATES)
]
OFFICERS = [{"badge": "b1", "name": "n1"}, {"badge": "b2", "name": "n2"}]
VISITS_MAPPING = TOP + ENTERPRISES.replace('town = "town"\n', "") + INSPECTIONS + HAZARDS


async def import_visits(database: Database, folder: Path) -> list[tuple[str, str, str]]:
    """Import the visits and hazards above. Returns line, column and reason of each issue of an inspection."""
    write_files(folder, enterprises=PLACES, inspections=VISITS, hazards=FOUND_HAZARDS, inspectors=OFFICERS)
    _, report = await run_import(database, VISITS_MAPPING, folder)
    return [(r["line"], r["column"], r["reason"]) for r in report if r["file"] == "inspections.csv"]


async def test_enterprises_count_their_open_hazards_and_latest_inspection(database: Database, tmp_path: Path) -> None:
    assert await import_visits(database, tmp_path) == [
        ("4", "of", "belongs to another enterprise"),
        ("5", "of", "none of the inspections has this external_id, or that row comes later"),
        ("6", "by", "none of the inspectors has this badge"),
    ]
    enterprises = await rows_by_key(database, models.Enterprise)
    assert {k: e.open_hazards for k, e in enterprises.items()} == {"A": 1, "B": 2, "C": 0, "D": 0}
    assert enterprises["A"].last_inspected_at == dt.datetime(2023, 9, 5, 2, tzinfo=dt.UTC)
    assert (enterprises["B"].last_inspected_at, enterprises["A"].version) == (None, 1)
    inspections = await rows_by_key(database, models.Inspection)
    assert inspections["2"].reinspection_of_id == inspections["1"].id
    links = [(link.inspection_id, link.inspector_id) for link in (await all_rows(database))["inspection_inspector"]]
    assert sorted(links) == [(inspections["1"].id, 1), (inspections["1"].id, 2), (inspections["2"].id, 1)]


async def test_a_hazard_can_move_to_another_enterprise_and_an_inspection_cannot(
    database: Database, tmp_path: Path
) -> None:
    await import_visits(database, tmp_path)
    # The hazard changes the counters of both enterprises. The inspectors of an inspection may change.
    hazard, visit = FOUND_HAZARDS[0], VISITS[0]
    write_files(tmp_path, hazards=[{**hazard, "enterprise": "C"}], inspections=[{**visit, "by": "b2"}])
    outcome, _ = await run_import(database, VISITS_MAPPING, tmp_path)
    assert (outcome.tables["hazards"].changed, outcome.tables["inspections"].changed) == (1, 1)
    enterprises = await rows_by_key(database, models.Enterprise)
    assert {k: e.open_hazards for k, e in enterprises.items()} == {"A": 0, "B": 2, "C": 1, "D": 0}
    # The hazards and cases of an inspection would stay with the other enterprise.
    write_files(tmp_path, inspections=[{**visit, "enterprise": "C"}])
    outcome, report = await run_import(database, VISITS_MAPPING, tmp_path)
    assert (outcome.tables["inspections"].changed, outcome.tables["inspections"].bad) == (0, 1)
    assert [(r["line"], r["reason"]) for r in report if r["file"] == "inspections.csv"] == [
        ("2", "an inspection cannot move to another enterprise")
    ]
    assert (await rows_by_key(database, models.Inspection))["1"].enterprise_id == enterprises["A"].id


async def test_stock_cannot_fall_below_what_is_reserved(database: Database, tmp_path: Path) -> None:
    rows = [{"warehouse": "W", "code": "2010101", "n": 10}, {"warehouse": "W", "code": "2010102", "n": 5}]
    write_files(
        tmp_path,
        warehouses=[{"id": "W"}],
        stock=[*rows, {"warehouse": "X", "code": "2010101", "n": 1}, {**rows[0], "n": -1}],
    )
    _, report = await run_import(database, TOP + STOCK, tmp_path)
    assert [(r["line"], r["column"], r["reason"]) for r in report] == [
        ("2", "warehouse, code", "line 5 has the same key; of such rows the last good one counts"),
        ("4", "warehouse", "none of the warehouses has this external_id"),
        ("5", "n", "not between 0 and 2,147,483,647"),
    ]
    stock = table_of(models.StockItem)
    async with database.write() as session:
        await session.execute(sa.update(stock).values(reserved=4))
    write_files(tmp_path, stock=[{**rows[0], "n": 3}, {**rows[1], "n": 4}])
    outcome, report = await run_import(database, TOP + STOCK, tmp_path)
    assert [(r["line"], r["reason"]) for r in report] == [("2", "less than the 4 reserved for dispatches")]
    items = await rows_by_key(database, models.StockItem)
    assert {c: (s.quantity, s.reserved, s.version) for c, s in items.items()} == {
        "2010101": (10, 4, 1),
        "2010102": (4, 4, 2),
    }
    assert (outcome.total.changed, outcome.total.bad) == (1, 1)


async def test_a_hazard_that_has_ended_waits_for_no_later_deadline(database: Database, tmp_path: Path) -> None:
    await import_visits(database, tmp_path)
    hazards = await rows_by_key(database, models.Hazard)
    asked = {"from_deadline": NOW, "to_deadline": NOW, "reason": "缺配件", "requested_at": NOW}
    ids = {hazards[key].id: key for key in "023"}
    for id_ in ids:
        await insert(
            database, models.DeadlineExtension, {**asked, "hazard_id": id_, "status": models.ExtensionStatus.REQUESTED}
        )
    changed = {"0": "ACCEPTED", "2": "RECTIFYING", "3": "CLOSED"}
    write_files(tmp_path, hazards=[{**row, "status": changed.get(row["id"], row["status"])} for row in FOUND_HAZARDS])
    outcome, _ = await run_import(database, VISITS_MAPPING, tmp_path)
    assert outcome.tables["hazards"].changed == 3
    rows = (await all_rows(database))["deadline_extension"]
    assert {ids[row.hazard_id]: row.status.name for row in rows} == {"0": "LAPSED", "2": "REQUESTED", "3": "LAPSED"}


async def test_the_last_valid_row_of_each_key_counts(database: Database, tmp_path: Path) -> None:
    def row(key: str, name: str) -> dict[str, Any]:
        return {**PLACES[3], "id": key, "name": name, "town": ""}

    write_files(
        tmp_path, enterprises=[row("1", "a"), row("2", "b"), row("1", "c"), row("3", "d"), row("1", "e"), row("2", "")]
    )
    for batch in (1, 2, 100, 1):
        outcome, report = await run_import(database, TOP + ENTERPRISES, tmp_path, batch=batch)
        names = {key: e.name for key, e in (await rows_by_key(database, models.Enterprise)).items()}
        assert names == {"1": "e", "2": "b", "3": "d"}
        assert [(r["line"], r["severity"]) for r in report] == [
            ("2", "warning"),
            ("3", "warning"),
            ("4", "warning"),
            ("7", "error"),
        ]
        assert (outcome.total.read, outcome.total.bad, outcome.total.warnings) == (6, 1, 3)
    assert (outcome.total.new, outcome.total.changed) == (0, 0)


# -- the district --


async def test_the_district_is_created_once_and_another_is_refused(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, enterprises=PLACES)
    (tmp_path / "d.geojson").write_text(json.dumps({"type": "Feature", "geometry": json.loads(SQUARE)}))
    mapping = TOP + 'time_zone = "Asia/Urumqi"\nboundary = "d.geojson"\n' + ENTERPRISES.replace('town = "town"\n', "")
    _, report = await run_import(database, mapping, tmp_path)
    assert [(r["line"], r["reason"]) for r in report] == [("4", "is far outside the district")]
    [district] = (await all_rows(database))["district"]
    assert (district.name, district.area_code, district.time_zone) == ("D", "330109", "Asia/Urumqi")
    assert district.boundary == json.loads(SQUARE)
    before = await digest(database)
    with pytest.raises(DistrictMismatch, match=r"that of D \(330109\), the mapping that of D \(330110\)"):
        await run_import(database, mapping.replace("330109", "330110"), tmp_path)
    assert await digest(database) == before
    for named in ("Asia/Shanghai", "Europe/Paris"):
        with pytest.raises(DistrictMismatch, match=f"time zone is Asia/Urumqi and cannot become {named}"):
            await run_import(database, mapping.replace("Asia/Urumqi", named), tmp_path)
    assert await digest(database) == before
    # Without a time zone the mapping means the district's, also for times without an offset.
    silent = mapping.replace('time_zone = "Asia/Urumqi"\n', "")
    outcome, _ = await run_import(database, silent, tmp_path)
    assert (outcome.total.new, await digest(database)) == (0, before)
    write_files(tmp_path, m=[{"id": "1", "at": "2026-06-01T08:00"}])
    hazard = HAZARDS.replace("hazards.csv", "m.csv").replace('"status"', '{ constant = "FOUND" }', 1)
    hazard = hazard.replace('"enterprise"', '{ constant = "A" }').split("closed_at")[0]
    await run_import(database, silent + hazard, tmp_path)
    [row] = (await all_rows(database))["hazard"]
    assert row.found_at.isoformat() == "2026-06-01T02:00:00+00:00"


async def test_what_a_mapping_says_of_the_district_is_applied(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, enterprises=PLACES)
    mapping = TOP.replace('area_code = "330109"\n', "") + ENTERPRISES.replace('town = "town"\n', "")
    await run_import(database, mapping, tmp_path)
    (tmp_path / "d.geojson").write_text(SQUARE)
    more = 'name = "D"\nname_en = "E"\narea_code = "330109"\nboundary = "d.geojson"\n'
    before = await digest(database)
    await run_import(database, mapping.replace('name = "D"', more), tmp_path, dry_run=True)
    assert await digest(database) == before
    await run_import(database, mapping.replace('name = "D"', more), tmp_path)
    renamed = mapping.replace('name = "D"', 'name = "D 区"\narea_code = "330109"')
    await run_import(database, renamed, tmp_path)
    [district] = (await all_rows(database))["district"]
    assert (district.name, district.name_en, district.area_code) == ("D 区", "E", "330109")
    assert (district.time_zone, district.boundary) == ("Asia/Shanghai", json.loads(SQUARE))
    assert await import_events(database) == [("enterprises from enterprises.csv", 4), ("district", 1), ("district", 1)]
    before = await digest(database)
    await run_import(database, renamed, tmp_path)
    assert await digest(database) == before
