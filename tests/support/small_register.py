"""A small register for tests: the parts of its mapping, its geography and four enterprises."""

import csv
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from models.db.database import Database
from models.db.tables import table_of
from tests.support.register_runs import all_rows

SQUARE = '{"type":"Polygon","coordinates":[[[120,30],[121,30],[121,31],[120,31],[120,30]]]}'
EAST = SQUARE.replace("120", "122").replace("121", "123")

TOP = """dates = ["iso"]
[district]
name = "D"
area_code = "330109"
"""
ZONES = """[zones]
file = "zones.csv"
[zones.fields]
code = "code"
name = "code"
focus = { column = "focus", split = "+" }
plan = { constant = "-" }
boundary = "boundary"
[towns]
file = "towns.csv"
fields = { code = "code", name = "code", zone = "zone", point = { latitude = "lat", longitude = "lon" } }
[venues]
file = "venues.csv"
[venues.fields]
code = "code"
name = "code"
kind = { constant = "COMPETITION" }
point = { latitude = "lat", longitude = "lon" }
strict_metres = "strict"
alert_metres = "alert"
"""
ENTERPRISES = """[enterprises]
file = "enterprises.csv"
[enterprises.fields]
external_id = "id"
name = "name"
town = "town"
legal_phone = "phone"
point = { latitude = "lat", longitude = "lon" }
"""
INSPECTIONS = """[inspectors]
file = "inspectors.csv"
fields = { badge = "badge", full_name = "name" }
[inspections]
file = "inspections.csv"
[inspections.fields]
external_id = "id"
enterprise = "enterprise"
kind = "kind"
status = { constant = "SUBMITTED" }
submitted_at = "at"
inspectors = "by"
reinspection_of = "of"
"""
HAZARDS = """[hazards]
file = "hazards.csv"
[hazards.fields]
external_id = "id"
enterprise = "enterprise"
level = { constant = "GENERAL" }
status = "status"
description = "id"
found_at = "at"
closed_at = { column = "at", when = { status = "CLOSED" } }
"""
STOCK = """[warehouses]
file = "warehouses.csv"
fields = { external_id = "id", name = "id" }
[stock]
file = "stock.csv"
fields = { warehouse = "warehouse", code = "code", name = "code", unit = { constant = "pcs" }, quantity = "n" }
"""
GEOGRAPHY: dict[str, list[dict[str, Any]]] = {
    "zones": [
        {"code": "W", "focus": "WATERLOGGING+CROWDED_PLACES", "boundary": SQUARE},
        {"code": "E", "focus": "", "boundary": EAST},
    ],
    "towns": [
        {"code": "T1", "zone": "W", "lat": 30.2, "lon": 120.2},
        {"code": "T2", "zone": "W", "lat": 30.8, "lon": 120.8},
        {"code": "T3", "zone": "E", "lat": 30.5, "lon": 122.5},
    ],
    "venues": [{"code": "V", "lat": 30.2, "lon": 120.2, "strict": 500, "alert": 3000}],
}
PLACES: list[dict[str, Any]] = [
    {"id": "A", "name": "near", "town": "", "phone": "13800000001", "lat": 30.203, "lon": 120.2},
    {"id": "B", "name": "with a town", "town": "T2", "phone": "13800000002", "lat": 30.21, "lon": 120.2},
    {"id": "C", "name": "elsewhere", "town": "T1", "phone": "13800000003", "lat": 30.5, "lon": 122.5},
    {"id": "D", "name": "nowhere", "town": "T1", "phone": "13800000004", "lat": "", "lon": ""},
]


def write_files(directory: Path, **files: list[dict[str, Any]]) -> Path:
    """Write each list of rows to the CSV file of its name."""
    for name, rows in files.items():
        with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return directory


async def rows_by_key(database: Database, model: Any) -> dict[str, Any]:
    """The rows of a table by their natural key."""
    rows = table_of(model)
    key = next(name for name in ("external_id", "code", "badge") if name in rows.c)
    async with database.read() as connection:
        return {row._mapping[key]: row for row in await connection.execute(sa.select(rows).order_by(rows.c.id))}


async def import_events(database: Database) -> list[tuple[str | None, int | None]]:
    """The source and the number of rows of each event."""
    return [(event.source, event.rows) for event in (await all_rows(database))["event"]]
