"""The demo has the same rows on every run and database, the chosen number of enterprises, and all states."""

import datetime as dt
import enum
import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

import models
from models import (
    AssistanceStatus,
    CaseStatus,
    DispatchStatus,
    ExtensionStatus,
    HazardLevel,
    HazardStatus,
    InspectionKind,
    InspectionStatus,
    Row,
)
from models.db.database import Database
from resolvers.demo import DistrictExists, batches, seed, seeding
from resolvers.demo.writing import Writer
from tests.support.demo_rows import MIDNIGHT, NUMBER, TODAY, Rows, make

ROOT = Path(__file__).parents[3]


async def read(database: Database, table: type[Row]) -> list[dict[str, Any]]:
    columns = SQLModel.metadata.tables[str(table.__tablename__)]
    async with database.read() as connection:
        return [dict(row._mapping) for row in await connection.execute(sa.select(columns).order_by(columns.c.id))]


# Writing


async def test_the_database_has_exactly_the_rows_that_are_made(database: Database, made: Rows) -> None:
    reached: list[tuple[int, int]] = []
    counts = await seed(
        database, enterprises=NUMBER, today=TODAY, progress=lambda done, all: reached.append((done, all))
    )
    assert reached == [(NUMBER, NUMBER)]
    assert counts == {table.__tablename__: len(rows) for table, rows in made.items()}
    for table, rows in made.items():
        stored = await read(database, table)
        assert [{key: row[key] for key in given} for row, given in zip(stored, rows, strict=True)] == rows, table


async def test_new_keys_continue_after_the_demo(database: Database) -> None:
    await seed(database, enterprises=3, today=TODAY)
    async with database.write() as session:
        session.add(models.Town(code="330109999", name="新镇"))
        session.add(
            models.DutyReport(enterprise_id=1, at=MIDNIGHT, measures_in_place="", supplies="", experts_on_standby=0)
        )
    assert (await read(database, models.Town))[-1]["id"] == 28


async def test_a_second_demo_is_refused(database: Database) -> None:
    await seed(database, enterprises=3, today=TODAY)
    with pytest.raises(DistrictExists):
        await seed(database, enterprises=5, today=TODAY)
    assert len(await read(database, models.Enterprise)) == 3
    assert len(await read(database, models.District)) == 1


async def test_batches_are_committed_one_by_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "BATCH", 70)
    reached: list[tuple[int, int]] = []

    class Interrupted(Exception):
        pass

    def interrupt(done: int, number: int) -> None:
        reached.append((done, number))
        if done > 100:
            raise Interrupted

    with pytest.raises(Interrupted):
        await seed(database, enterprises=NUMBER, today=TODAY, progress=interrupt)
    assert reached == [(70, NUMBER), (140, NUMBER)]
    assert len(await read(database, models.Enterprise)) == 140


async def test_a_rolled_back_batch_leaves_nothing(database: Database) -> None:
    class Undone(Exception):
        pass

    async def write_and_fail() -> None:
        async with database.write() as session:
            await Writer(database.engine.dialect).write(await session.connection(), make(3))
            raise Undone

    with pytest.raises(Undone):
        await write_and_fail()
    assert await read(database, models.District) == []


# Determinism


def test_the_size_of_a_batch_makes_no_difference(made: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "BATCH", 70)
    other = make()
    assert {t: rows for t, rows in other.items() if t is not models.Event} == {
        t: rows for t, rows in made.items() if t is not models.Event
    }
    # Each batch has an event of its own before all others, so only their numbers differ.
    assert [{**e, "id": 0} for e in other[models.Event][3:]] == [{**e, "id": 0} for e in made[models.Event][1:]]


def digest() -> str:
    return hashlib.sha256(repr(list(batches(60, TODAY))).encode()).hexdigest()


def test_another_process_makes_the_same_rows() -> None:
    program = f"from {Path(__file__).stem} import digest; print(digest())"
    environment = os.environ | {
        "PYTHONHASHSEED": "12345",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
    }
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest()


def test_another_day_moves_the_times_and_nothing_else(made: Rows) -> None:
    later = make(today=TODAY + dt.timedelta(days=1))
    assert [hazard["found_at"] + dt.timedelta(days=1) for hazard in made[models.Hazard]] == [
        hazard["found_at"] for hazard in later[models.Hazard]
    ]
    assert [hazard["status"] for hazard in made[models.Hazard]] == [h["status"] for h in later[models.Hazard]]
    assert [(e["name"], e["latitude"]) for e in made[models.Enterprise]] == [
        (e["name"], e["latitude"]) for e in later[models.Enterprise]
    ]


@pytest.mark.parametrize("number", [0, 1, 11])
def test_small_demos(number: int) -> None:
    assert len(make(number)[models.Enterprise]) == number


@pytest.mark.parametrize("number", [-1, 1_000_001])
def test_impossible_demos(number: int) -> None:
    with pytest.raises(ValueError, match="the demo has"):
        make(number)


# What there is


def test_how_much_of_everything(made: Rows) -> None:
    expected: dict[type[Row], int] = {
        models.District: 1,
        models.Zone: 4,
        models.CommandUnit: 11,
        models.Town: 27,
        models.Venue: 18,
        models.ControlRing: 54,
        models.Expert: 40,
        models.Team: 24,
        models.Warehouse: 12,
        models.Inspector: 60,
        models.Enterprise: NUMBER,
    }
    assert {table: len(made[table]) for table in expected} == expected
    grown: list[type[Row]] = [models.Camera, models.Case, models.DeadlineExtension, models.DutyReport, models.Warning]
    grown += [models.EnterpriseRing, models.HazardEvidence, models.InspectionEvidence, models.InspectionInspector]
    assert all(made[table] for table in grown)
    assert {unit["kind"].name for unit in made[models.CommandUnit]} == {"OFFICE", "GROUP", "ZONE_HQ"}
    assert {team["kind"] for team in made[models.Team]} == set(models.TeamKind)
    assert all(10 <= n <= 30 for n in Counter(item["warehouse_id"] for item in made[models.StockItem]).values())
    assert any("lifted_at" not in warning for warning in made[models.Warning])


def test_averages() -> None:
    made = make(1_000)
    assert len(made[models.Hazard]) / 1_000 == pytest.approx(10, rel=0.05)
    assert len(made[models.Inspection]) / 1_000 == pytest.approx(5, rel=0.05)
    assert len(made[models.ControlMeasure]) / 1_000 == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize(
    ("table", "column", "of"),
    [
        (models.Hazard, "status", HazardStatus),
        (models.Hazard, "level", HazardLevel),
        (models.DeadlineExtension, "status", ExtensionStatus),
        (models.Inspection, "status", InspectionStatus),
        (models.Inspection, "kind", InspectionKind),
        (models.Case, "status", CaseStatus),
        (models.Dispatch, "status", DispatchStatus),
        (models.AssistanceRequest, "status", AssistanceStatus),
        (models.ControlMeasure, "kind", models.MeasureKind),
        (models.Enterprise, "risk_grade", models.RiskGrade),
    ],
)
def test_everything_occurs(made: Rows, table: type[Row], column: str, of: type[enum.Enum]) -> None:
    # An enterprise of the demo waits for the decision before it submits, so that no request lapses.
    assert {row[column] for row in made[table]} >= set(of) - {ExtensionStatus.LAPSED}


def test_every_result_of_an_inspection_occurs(made: Rows) -> None:
    assert {row.get("result") for row in made[models.Inspection]} == {None, *models.InspectionResult}


def test_the_zones_differ_as_they_should() -> None:
    made = make(1_000)
    enterprises: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for enterprise in made[models.Enterprise]:
        enterprises[enterprise["zone_id"]].append(enterprise)
    zones = {zone["code"]: enterprises[zone["id"]] for zone in made[models.Zone]}
    chemical = {code: sum(e["hazardous_chemicals"] for e in inside) / len(inside) for code, inside in zones.items()}
    assert max(chemical, key=lambda code: chemical[code]) == "GUALI"
    assert min(zones, key=lambda code: len(zones[code])) == "CENTURY_CITY"
    assert {e["risk_grade"] for e in made[models.Enterprise]} == {None, *models.RiskGrade}
    assert all(e["hazardous_chemicals"] for e in made[models.Enterprise] if e["major_hazard_level"])
    assert any(e["major_hazard_level"] for e in made[models.Enterprise])
