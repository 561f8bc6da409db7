"""Importing an export changes nothing, and exporting an imported export gives the same bytes."""

import csv
import datetime as dt
import io
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from resolvers.register import RegisterError, export
from resolvers.register.tables import TABLES
from resolvers.spreadsheet_cells import starts_formula
from tests.conftest import DEMO_ENTERPRISES, Databases
from tests.support.register_runs import digest, file_bytes, run_import, slice_real

FILES = {*(f"{name}.csv" for name in TABLES), "mapping.toml", "district.geojson"}
MAPS = {"zones.geojson", "venues.geojson", "enterprises.geojson"}
# Texts that a file would lose or change without escaping.
ODD = (
    "",
    " ",
    " a ",
    "\\",
    "\\N",
    "a\\b",
    '"',
    'say "no"',
    "a,b",
    "a;b",
    "two\nlines",
    "\r",
    "a\r\nb",
    "\n",
    "N/A",
    "0",
    "=1+1",
    " =1+1",
    "-1+1",
    "-5",
    "+86 571",
    "@a",
    "＝1+1",
    "\ufeffx",
    "漏电\t保护",
    "😀",
    "null",
)


@pytest.mark.exhaustive
async def test_importing_an_export_changes_nothing(own_demo: Database, tmp_path: Path) -> None:
    counts = await export(own_demo, tmp_path)
    assert counts["enterprises"] == DEMO_ENTERPRISES
    assert min(counts.values()) > 0
    before = await digest(own_demo)
    outcome, report = await run_import(own_demo, tmp_path / "mapping.toml", tmp_path)
    assert [line for line in report if line["severity"] == "error"] == []
    assert {name: (c.new, c.changed, c.bad) for name, c in outcome.tables.items()} == dict.fromkeys(TABLES, (0, 0, 0))
    assert {name: c.unchanged for name, c in outcome.tables.items()} == counts
    assert outcome.moved == 0
    assert await digest(own_demo) == before


@pytest.mark.exhaustive
async def test_exporting_an_imported_export_gives_the_same_bytes(
    own_demo: Database, database: Database, tmp_path: Path
) -> None:
    counts = await export(own_demo, tmp_path / "first")
    outcome, report = await run_import(database, tmp_path / "first" / "mapping.toml", tmp_path / "first")
    assert [line for line in report if line["severity"] == "error"] == []
    assert {name: c.new for name, c in outcome.tables.items()} == counts
    await export(database, tmp_path / "second")
    first, second = file_bytes(tmp_path / "first"), file_bytes(tmp_path / "second")
    assert {name for name in first if first[name] != second[name]} == set()
    assert first.keys() == second.keys() == FILES | MAPS


@pytest.mark.exhaustive
async def test_exporting_the_imported_real_register_gives_the_same_bytes(
    database: Database, databases: Databases, migrated_url: str, tmp_path: Path
) -> None:
    source = slice_real(tmp_path, 150)
    mapping = (Path(__file__).parent / "san_mateo.toml").read_text()
    await run_import(database, mapping, source)
    counts = await export(database, tmp_path / "first")
    assert (counts["enterprises"], counts["zones"], counts["hazards"] > 1_000) == (150, 0, True)
    other = Database(await databases.new(migrated_url))
    await run_import(other, tmp_path / "first" / "mapping.toml", tmp_path / "first", batch=97)
    await export(other, tmp_path / "second")
    assert file_bytes(tmp_path / "first") == file_bytes(tmp_path / "second")
    assert "district.geojson" not in file_bytes(tmp_path / "first")
    await other.close()


def formulas(directory: Path) -> set[str]:
    """The cells that a spreadsheet program would execute."""
    texts = [content.decode() for name, content in file_bytes(directory).items() if name.endswith(".csv")]
    return {cell for text in texts for row in csv.reader(io.StringIO(text)) for cell in row if starts_formula(cell)}


@pytest.mark.exhaustive
async def test_an_export_preserves_every_text(own_demo: Database, database: Database, tmp_path: Path) -> None:
    hazard = table_of(models.Hazard)
    expert = table_of(models.Expert)
    async with own_demo.write() as session:
        keys = list((await session.execute(sa.select(hazard.c.id).order_by(hazard.c.id).limit(len(ODD)))).scalars())
        for key, text in zip(keys, ODD, strict=True):
            await session.execute(
                sa.update(hazard)
                .where(hazard.c.id == key)
                .values(description=text, category=text, external_id=f" {text}\\{key}")
            )
        await session.execute(sa.update(expert).values(specialties=list(ODD)))
    await export(own_demo, tmp_path)
    await run_import(database, tmp_path / "mapping.toml", tmp_path)
    assert formulas(tmp_path) == set()
    async with database.read() as connection:
        hazards = (await connection.execute(sa.select(hazard).order_by(hazard.c.id).limit(len(ODD)))).all()
        specialties = (await connection.execute(sa.select(expert.c.specialties).limit(1))).scalar()
    assert [(row.description, row.category) for row in hazards] == [(text, text) for text in ODD]
    assert [row.external_id for row in hazards] == [f" {t}\\{k}" for k, t in zip(keys, ODD, strict=True)]
    assert specialties == list(ODD)


async def test_rows_without_a_key_get_a_permanent_one(own_demo: Database, tmp_path: Path) -> None:
    hazard = table_of(models.Hazard)
    await export(own_demo, tmp_path / "first")
    async with own_demo.read() as connection:
        without_key = (
            await connection.execute(sa.select(hazard.c.external_id).where(hazard.c.external_id.is_(None)))
        ).all()
    assert without_key == []
    await export(own_demo, tmp_path / "second")
    assert file_bytes(tmp_path / "first") == file_bytes(tmp_path / "second")


async def test_the_exported_map_has_no_personal_data(own_demo: Database, tmp_path: Path) -> None:
    enterprise = table_of(models.Enterprise)
    await export(own_demo, tmp_path)
    async with own_demo.read() as connection:
        rows = (await connection.execute(sa.select(enterprise))).all()
    collection = orjson.loads((tmp_path / "enterprises.geojson").read_bytes())
    points = {f["properties"]["name"]: f["geometry"]["coordinates"] for f in collection["features"]}
    assert points == {row.name: [row.longitude, row.latitude] for row in rows}
    text = (tmp_path / "enterprises.geojson").read_text("utf-8")
    assert not any(person in text for row in rows for person in (row.legal_phone, row.safety_phone) if person)
    assert {f["geometry"]["type"] for f in orjson.loads((tmp_path / "zones.geojson").read_bytes())["features"]} <= {
        "Polygon",
        "MultiPolygon",
    }


async def test_an_export_without_a_district_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="no district"):
        await export(database, tmp_path)


async def test_an_export_preserves_exact_times_and_coordinates(database: Database, tmp_path: Path) -> None:
    moment = dt.datetime(2023, 9, 23, 12, 0, 0, 123456, tzinfo=dt.UTC)
    async with database.write() as session:
        session.add(models.District(name="D"))
        session.add(models.Enterprise(name="E", external_id="1", latitude=0.1 + 0.2, longitude=1e-7))
        await session.flush()
        session.add(
            models.Inspection(
                enterprise_id=1,
                kind=models.InspectionKind.ROUTINE,
                status=models.InspectionStatus.SUBMITTED,
                submitted_at=moment,
            )
        )
    await export(database, tmp_path)
    assert "2023-09-23T12:00:00.123456+00:00" in (tmp_path / "inspections.csv").read_text("utf-8")
    assert "0.30000000000000004,1e-07" in (tmp_path / "enterprises.csv").read_text("utf-8")
    outcome, _ = await run_import(database, tmp_path / "mapping.toml", tmp_path)
    assert (outcome.total.new, outcome.total.changed, outcome.total.bad) == (0, 0, 0)
