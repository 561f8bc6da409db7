"""The register as files: every table as CSV, the map as GeoJSON, and the mapping with which `import` reads them again.

Importing an export changes nothing, and exporting what was imported from an export gives the same bytes. So a cell says
everything: no value is an empty cell, and a text that is empty or begins with a backslash has a backslash before it.
"""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.database import Database
from models.db.tables import table_of
from resolvers.register import linked_rows
from resolvers.register.convert import ESCAPE
from resolvers.register.errors import RegisterError
from resolvers.register.references import RowValues, fetch_rows
from resolvers.register.tables import RINGS, TABLES, Field, Kind, Table
from subscriptions import event_log

PAGE = 2_000  # rows
MAPPING, BOUNDARY = "mapping.toml", "district.geojson"
# The map, by table: what each feature says besides its shape. No personal data: maps are passed on.
MAPS = {
    "zones": ("code", "name", "name_en"),
    "venues": ("code", "name", "name_en", "kind"),
    "enterprises": ("credit_code", "external_id", "name", "address", "risk_grade", "industry", "hazardous_chemicals"),
}


async def export(
    database: Database, directory: Path, progress: Callable[[str, int], None] | None = None
) -> dict[str, int]:
    """Write the register into a directory, which is made; files of the same names are replaced. Rows by table.

    Rows without a key that outlives this database get one first. All files show one moment. `progress` is called with
    a table and how many of its rows are written. Raises RegisterError where there is no district.
    """
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    await _name(database)
    counts = {}
    async with database.read() as connection:
        district = (await connection.execute(sa.select(table_of(models.District)))).one_or_none()
        if district is None:
            raise RegisterError("The database has no district, so there is nothing to export.")
        for table in TABLES.values():
            counts[table.name] = await _table(connection, table, directory, progress)
    if district.boundary is not None:
        _write(directory / BOUNDARY, _json(district.boundary) + "\n")
    _write(directory / MAPPING, mapping_text(district))
    return counts


async def _name(database: Database) -> None:
    """Give an external id to each row that has no key but its number, which means nothing in another database."""
    for table in TABLES.values():
        if "external_id" not in table.keys:
            continue
        rows = table.rows
        nameless = sa.and_(*(rows.c[key].is_(None) for key in table.keys))
        async with database.write() as session:
            connection = await session.connection()
            # The log's epoch, so that two databases never give the same.
            epoch = (await event_log.state(connection)).epoch
            made = sa.literal(f"{epoch}-") + sa.cast(rows.c.id, sa.String)
            await connection.execute(sa.update(rows).where(nameless).values(external_id=made))


async def _table(
    connection: AsyncConnection, table: Table, directory: Path, progress: Callable[[str, int], None] | None
) -> int:
    count = 0
    with (directory / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
        # Lines end as RFC 4180 has it, and so a field with either half of such an end is quoted.
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([name for field in table.fields.values() for name in columns(field)])
        features = []
        async for page in _pages(connection, table):
            for row in page:
                writer.writerow([cell for field in table.fields.values() for cell in cells(field, row)])
            if table.name in MAPS:
                features += [_feature(table, row) for row in page]
            count += len(page)
            if progress is not None:
                progress(table.name, count)
    if table.name in MAPS:
        _write(directory / f"{table.name}.geojson", _collection(features))
    return count


async def _pages(connection: AsyncConnection, table: Table) -> AsyncIterator[list[RowValues]]:
    """The rows in the order of their keys, which is that in which they were made; what they refer to as texts."""
    rows, last = table.rows, 0
    columns: list[Any] = list(rows.c)
    source: Any = rows
    for field in table.fields.values():
        if field.kind is Kind.REFERENCE and field.column is not None:
            other = TABLES[field.target].rows.alias(f"of_{field.name}")
            named = [other.c[key] for key in TABLES[field.target].keys]
            columns.append((sa.func.coalesce(*named) if len(named) > 1 else named[0]).label(f"{field.name} named"))
            source = source.outerjoin(other, other.c.id == rows.c[field.column])
    statement = sa.select(*columns).select_from(source).order_by(rows.c.id).limit(PAGE)
    while True:
        page = [dict(row._mapping) for row in await connection.execute(statement.where(rows.c.id > last))]
        if not page:
            return
        await _add_children(connection, table, page)
        yield page
        last = page[-1]["id"]


async def _add_children(connection: AsyncConnection, table: Table, page: Sequence[RowValues]) -> None:
    keys = [row["id"] for row in page]
    if table.name == "venues":
        radii = await linked_rows.read_radii(connection, keys)
        for row in page:
            row.update({name: radii.get(row["id"], {}).get(grade) for name, grade in RINGS.items()})
    if table.name == "inspections":
        inspector = TABLES["inspectors"].rows
        links = await linked_rows.read_links(connection, table.name, keys)
        people = {key for linked in links.values() for key in linked}
        badges = {
            r.id: r.badge
            for r in await fetch_rows(connection, [inspector.c.id, inspector.c.badge], inspector.c.id, people)
        }
        for row in page:
            row["inspectors"] = sorted(badges[key] for key in links.get(row["id"], ()))


# -- cells --


def columns(field: Field) -> list[str]:
    return ["latitude", "longitude"] if field.kind is Kind.POINT else [field.name]


def cells(field: Field, row: RowValues) -> list[str]:
    if field.kind is Kind.POINT:
        return ["" if row[name] is None else repr(float(row[name])) for name in columns(field)]
    value = row[f"{field.name} named" if field.kind is Kind.REFERENCE else field.column or field.name]
    return [_cell(field.kind, value)]


def _cell(kind: Kind, value: Any) -> str:
    if value is None:
        return ""
    match kind:
        case Kind.TEXT | Kind.REFERENCE:
            text = str(value)
            return ESCAPE + text if not text or text[0] == ESCAPE else text
        case Kind.BOOLEAN:
            return "true" if value else "false"
        case Kind.DATE | Kind.TIME:
            return str(value.isoformat())
        case Kind.ENUM:
            return str(value.name)
        case Kind.ENUMS:
            return _json([member.name for member in value])
        case Kind.TEXTS | Kind.REFERENCES | Kind.GEOMETRY:
            return _json(value)
    return str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# -- the map --


def _feature(table: Table, row: RowValues) -> str:
    geometry = row.get("boundary")
    if geometry is None and row.get("latitude") is not None:
        geometry = {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]}
    properties = {name: getattr(row[name], "name", row[name]) for name in MAPS[table.name]}
    return _json({"type": "Feature", "properties": properties, "geometry": geometry})


def _collection(features: Sequence[str]) -> str:
    """One feature a line, so that two exports can be compared line by line."""
    return '{"type":"FeatureCollection","features":[\n' + ",\n".join(features) + "\n]}\n"


# -- the mapping --


def mapping_text(district: Any) -> str:
    """The mapping for files as they are written here."""
    lines = [
        "# Written by Huhang's export, for its import: see docs/guides/register.md.",
        'encoding = "utf-8"',
        "escaped = true",
        "",
        "[district]",
    ]
    for name in ("name", "name_en", "area_code", "time_zone"):
        if getattr(district, name) is not None:
            lines.append(f"{name} = {_quoted(getattr(district, name))}")
    if district.boundary is not None:
        lines.append(f"boundary = {_quoted(BOUNDARY)}")
    for table in TABLES.values():
        lines += ["", f"[{table.name}]", f"file = {_quoted(f'{table.name}.csv')}", "", f"[{table.name}.fields]"]
        lines += [f"{field.name} = {_origin(field)}" for field in table.fields.values()]
    return "\n".join(lines) + "\n"


def _origin(field: Field) -> str:
    if field.kind is Kind.POINT:
        return '{ latitude = "latitude", longitude = "longitude" }'
    if field.kind in (Kind.TEXTS, Kind.ENUMS, Kind.REFERENCES):
        return f'{{ column = {_quoted(field.name)}, split = "json" }}'
    return _quoted(field.name)


def _quoted(text: str) -> str:
    """A text of TOML, which is one of JSON but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
