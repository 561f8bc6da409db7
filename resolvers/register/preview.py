"""Shows the first rows of files as an import would store them. It needs no database, and writes nothing."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from models.reason import Message
from resolvers.geography import DEFAULT_ZONE
from resolvers.register.mapping import Mapping
from resolvers.register.readers.files import read_records
from resolvers.register.report import Issue
from resolvers.register.rows import DraftRow, RowConverter
from resolvers.register.tables import RADIUS_FIELDS, TABLES, Field, Kind


@dataclass(frozen=True)
class PreviewRow:
    """One row: the text of each mapped field (None for no value), and the issues of the row.

    References have the text by which they find their row. Times are in the district's zone, points in WGS-84.
    """

    file: str
    table: str
    line: int
    values: dict[str, str | None]
    issues: list[Issue]


def preview(mapping: Mapping, directory: Path, rows: int, now: dt.datetime) -> Iterator[PreviewRow]:
    """The first rows of each file. Raises FileError."""
    zone = ZoneInfo(mapping.district.time_zone) if mapping.district.time_zone else DEFAULT_ZONE
    mapping = mapping.in_zone(zone.key)
    for name, table in TABLES.items():
        for file in mapping.files.get(name, ()):
            converter = RowConverter(table, file, mapping.escaped, now)
            records = ((n, r) for n, r in enumerate(read_records(converter, directory), 1) if converter.wants(r))
            for number, record in islice(records, rows):
                draft = converter.convert(record, number)
                yield PreviewRow(file.file, name, draft.line, _texts(converter, draft, zone), draft.issues)


def _texts(converter: RowConverter, draft: DraftRow, zone: ZoneInfo) -> dict[str, str | None]:
    bad = {issue.column for issue in draft.issues if issue.severity == "error"}
    texts: dict[str, str | None] = {}
    for name, mapped in converter.file.fields.items():
        if mapped.from_ is not None:
            texts[name] = Message("VALUE_OF", "that of {field}", field=mapped.from_)
        elif converter.label(name) not in bad:
            value = _value(converter.table.fields[name], draft)
            texts[name] = None if value is None else _text(value, zone)
    return texts


def _value(field: Field, draft: DraftRow) -> Any:
    if field.kind is Kind.POINT:
        latitude, longitude = draft.values.get("latitude"), draft.values.get("longitude")
        return None if latitude is None or longitude is None else f"{latitude:.6f}, {longitude:.6f}"
    if field.name in RADIUS_FIELDS:
        return draft.radii.get(RADIUS_FIELDS[field.name])
    if field.kind in (Kind.REFERENCE, Kind.REFERENCES):
        return draft.references.get(field.name)
    return draft.values.get(field.column or field.name)


def _text(value: Any, zone: ZoneInfo) -> str:
    match value:
        case dt.datetime():
            return value.astimezone(zone).isoformat(" ", "seconds")
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(_text(one, zone) for one in value)
        case dict():
            return f"a {value.get('type', 'value')}"
    return str(getattr(value, "name", value))
