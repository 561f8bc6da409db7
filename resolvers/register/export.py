"""Exports the register: every table as CSV, the map as GeoJSON, and the mapping with which to import them again.

Importing an export into the same database changes nothing, and exporting an imported export gives the same bytes. So
cells are escaped: an empty cell means no value, and a text gets a backslash in front if it is empty, begins with a
backslash, or would be a formula for a spreadsheet program.
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
from models.reason import Reason
from resolvers.register import linked_rows
from resolvers.register.convert import ESCAPE
from resolvers.register.errors import RegisterError
from resolvers.register.references import RowValues, fetch_rows
from resolvers.register.tables import RADIUS_FIELDS, TABLES, Field, Kind, Table
from resolvers.spreadsheet_cells import starts_formula
from subscriptions import event_log

PAGE = 2_000  # rows
MAPPING, BOUNDARY = "mapping.toml", "district.geojson"
# The map, by table: the properties of each feature. Maps are passed on, so they have no personal data.
MAPS = {
    "zones": ("code", "name", "name_en"),
    "venues": ("code", "name", "name_en", "kind"),
    "enterprises": ("credit_code", "external_id", "name", "address", "risk_grade", "industry", "hazardous_chemicals"),
}


async def export(
    database: Database, directory: Path, progress: Callable[[str, int], None] | None = None
) -> dict[str, int]:
    """Write the register into a directory. Returns the number of rows of each table.

    The directory is created, and files of the same names are replaced. All files show the same state of the database.
    Rows that have no key but their id get an external id first. `progress` is called with a table and how many of its
    rows are written. Raises RegisterError if the database has no district.
    """
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    await _assign_external_ids(database)
    counts = {}
    async with database.read() as connection:
        district = (await connection.execute(sa.select(table_of(models.District)))).one_or_none()
        if district is None:
            raise RegisterError(Reason("EXPORT_EMPTY", "The database has no district, so there is nothing to export."))
        for table in TABLES.values():
            counts[table.name] = await _export_table(connection, table, directory, progress)
    if district.boundary is not None:
        _write(directory / BOUNDARY, _json(district.boundary) + "\n")
    _write(directory / MAPPING, mapping_text(district))
    return counts


async def _assign_external_ids(database: Database) -> None:
    """Give an external id to each row that has no key but its id, which means nothing in another database."""
    for table in TABLES.values():
        if "external_id" not in table.keys:
            continue
        rows = table.sql_table
        without_key = sa.and_(*(rows.c[key].is_(None) for key in table.keys))
        async with database.write() as session:
            connection = await session.connection()
            # With the epoch of the log, two databases never assign the same one.
            epoch = (await event_log.state(connection)).epoch
            external_id = sa.literal(f"{epoch}-") + sa.cast(rows.c.id, sa.String)
            await connection.execute(sa.update(rows).where(without_key).values(external_id=external_id))


async def _export_table(
    connection: AsyncConnection, table: Table, directory: Path, progress: Callable[[str, int], None] | None
) -> int:
    count = 0
    with (directory / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
        # With the line ends of RFC 4180, the writer quotes a field that contains either of their characters.
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([name for field in table.fields.values() for name in column_names(field)])
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
    """The rows sorted by id, with a key of each row that they refer to and with the values of their linked rows."""
    rows, last = table.sql_table, 0
    columns: list[Any] = list(rows.c)
    source: Any = rows
    for field in table.fields.values():
        if field.kind is Kind.REFERENCE and field.column is not None:
            other = TABLES[field.target].sql_table.alias(f"of_{field.name}")
            keys = [other.c[key] for key in TABLES[field.target].keys]
            columns.append((sa.func.coalesce(*keys) if len(keys) > 1 else keys[0]).label(_key_label(field)))
            source = source.outerjoin(other, other.c.id == rows.c[field.column])
    statement = sa.select(*columns).select_from(source).order_by(rows.c.id).limit(PAGE)
    while True:
        page = [dict(row._mapping) for row in await connection.execute(statement.where(rows.c.id > last))]
        if not page:
            return
        await _add_linked_rows(connection, table, page)
        yield page
        last = page[-1]["id"]


def _key_label(field: Field) -> str:
    """The name of the column with a key of the row that a field refers to. No column of a table has such a name."""
    return f"key of {field.name}"


async def _add_linked_rows(connection: AsyncConnection, table: Table, page: Sequence[RowValues]) -> None:
    ids = [row["id"] for row in page]
    if table.name == "venues":
        radii = await linked_rows.read_radii(connection, ids)
        for row in page:
            row.update({name: radii.get(row["id"], {}).get(grade) for name, grade in RADIUS_FIELDS.items()})
    if table.name == "inspections":
        inspector = TABLES["inspectors"].sql_table
        links = await linked_rows.read_links(connection, table.name, ids)
        people = {key for linked in links.values() for key in linked}
        badges = {
            r.id: r.badge
            for r in await fetch_rows(connection, [inspector.c.id, inspector.c.badge], inspector.c.id, people)
        }
        for row in page:
            row["inspectors"] = sorted(badges[inspector_id] for inspector_id in links.get(row["id"], ()))


# -- cells --


def column_names(field: Field) -> list[str]:
    """The columns of a field in the CSV."""
    return ["latitude", "longitude"] if field.kind is Kind.POINT else [field.name]


def cells(field: Field, row: RowValues) -> list[str]:
    """The cells of a field, in the order of its columns."""
    if field.kind is Kind.POINT:
        return ["" if row[name] is None else repr(float(row[name])) for name in column_names(field)]
    value = row[_key_label(field) if field.kind is Kind.REFERENCE else field.column or field.name]
    return [_cell(field.kind, value)]


def _cell(kind: Kind, value: Any) -> str:
    if value is None:
        return ""
    match kind:
        case Kind.TEXT | Kind.REFERENCE:
            text = str(value)
            return ESCAPE + text if not text or text[0] == ESCAPE or starts_formula(text) else text
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
    """A feature collection with one feature a line, so that two exports can be compared line by line."""
    return '{"type":"FeatureCollection","features":[\n' + ",\n".join(features) + "\n]}\n"


# -- the mapping --


def mapping_text(district: Any) -> str:
    """The mapping of an export."""
    lines = [
        "# Written by Huhang's export for its import; docs/guides/register.md explains it.",
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
        lines += [f"{field.name} = {_field_mapping(field)}" for field in table.fields.values()]
    return "\n".join(lines) + "\n"


def _field_mapping(field: Field) -> str:
    if field.kind is Kind.POINT:
        return '{ latitude = "latitude", longitude = "longitude" }'
    if field.kind in (Kind.TEXTS, Kind.ENUMS, Kind.REFERENCES):
        return f'{{ column = {_quoted(field.name)}, split = "json" }}'
    return _quoted(field.name)


def _quoted(text: str) -> str:
    """A text in TOML, which differs from JSON in one character only."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
