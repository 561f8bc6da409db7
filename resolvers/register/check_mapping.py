"""Reading a mapping and holding it against the tables. Every mistake is told at once, each with its line."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from resolvers.register.convert import CellFormat, converter
from resolvers.register.errors import InvalidValue, MappingError, Mistake
from resolvers.register.line_numbers import LineNumbers
from resolvers.register.mapping import GEOMETRY, SUFFIXES, FieldMapping, FileMapping, Mapping
from resolvers.register.tables import TABLES, Field, Kind, Table

Faults = Iterator[tuple[tuple[str | int, ...], str]]  # paths of keys, and what is wrong with them

LISTS = (Kind.TEXTS, Kind.ENUMS, Kind.REFERENCES)
REFERRING = (Kind.REFERENCE, Kind.REFERENCES)
# Which options go with which kinds of fields; the others go with all.
MEANT_FOR: dict[str, tuple[Kind, ...]] = {
    "by": REFERRING,
    "format": (Kind.TIME, Kind.DATE),
    "time_zone": (Kind.TIME,),
    "datum": (Kind.POINT, Kind.GEOMETRY),
    "values": (Kind.ENUM, Kind.ENUMS, Kind.BOOLEAN, Kind.TEXT, Kind.TEXTS, Kind.INTEGER),
    "split": LISTS,
    "default": tuple(kind for kind in Kind if kind not in (Kind.POINT, Kind.GEOMETRY)),
}
WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no key of a mapping",
    "too_short": "has nothing in it",
}


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file. Raises MappingError with everything that is wrong, or because there is none."""
    try:
        return parse_mapping(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or "cannot be read"
        raise MappingError([Mistake(1, "", reason)]) from None


def parse_mapping(source: str) -> Mapping:
    """The mapping in a text. Raises MappingError."""
    try:
        found = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        line = place.removeprefix("line ").split(",")[0].rstrip(")")
        end = source.count("\n") + 1
        raise MappingError([Mistake(int(line) if line.isdigit() else end, "", f"not TOML: {reason}")]) from None
    lines = LineNumbers(source)
    try:
        mapping = Mapping.model_validate(found).settled()
    except ValidationError as error:
        raise MappingError([_mistake(lines, e) for e in error.errors()]) from None
    mistakes = [
        Mistake(lines.of(path), _place(path), reason)
        for name, sheets in mapping.sheets.items()
        for index, sheet in enumerate(sheets)
        for path, reason in _wrong(TABLES[name], sheet, (name, index))
    ]
    if mistakes:
        raise MappingError(mistakes)
    return mapping


def _mistake(lines: LineNumbers, error: ErrorDetails) -> Mistake:
    path = tuple(part for part in error["loc"] if part != "sheets")
    if path == () and error["loc"]:
        return Mistake(1, "", f"names no table: {', '.join(TABLES)}")
    reason = WORDS.get(error["type"], error["msg"].removeprefix("Value error, "))
    if path[-1] == "format" and error["type"] == "missing":
        reason = f"the file's name does not say it: one of {', '.join(SUFFIXES.values())}"
    return Mistake(lines.of(path), _place(path), reason)


def _place(path: tuple[str | int, ...]) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _wrong(table: Table, sheet: FileMapping, path: tuple[str | int, ...]) -> Faults:
    fields = (*path, "fields")
    for name, origin in sheet.fields.items():
        if name not in table.fields:
            yield (*fields, name), f"{table.name} have no such field: {', '.join(table.fields)}"
        else:
            yield from _origin_wrong(table, sheet, table.fields[name], origin, (*fields, name))
    for field in table.fields.values():
        if field.required and field.name not in sheet.fields:
            yield fields, f"{table.name} need {field.name}"
    yield from _key_wrong(table, sheet, path)
    if sheet.format != "xlsx" and (sheet.sheet or sheet.header_rows > 1):
        yield (*path, "sheet" if sheet.sheet else "header_rows"), "goes with xlsx files alone"


def _key_wrong(table: Table, sheet: FileMapping, path: tuple[str | int, ...]) -> Faults:
    for name in sheet.key or ():
        if name not in table.keys:
            yield (*path, "key"), f"{table.name} are known by {' and '.join(table.keys)}, not by {name}"
        elif name not in sheet.fields:
            yield (*path, "key"), f"{name} is not among the fields"
    mapped = [name for name in table.keys if name in sheet.fields]
    if not mapped:
        yield (*path, "fields"), f"{table.name} are known by {' or '.join(table.keys)}, and none is among the fields"
    for name in mapped:
        if sheet.fields[name].from_ is not None or sheet.fields[name].when:
            yield (*path, "fields", name), "a key comes from the row itself, without conditions"


def _origin_wrong(
    table: Table, sheet: FileMapping, field: Field, origin: FieldMapping, path: tuple[str | int, ...]
) -> Faults:
    given = origin.kinds
    if len(given) != 1:
        said = " and ".join(given) or "nothing"
        yield path, f"needs a column, columns, a constant, from, or coordinates, one of them; it has {said}"
        return
    for option in sorted(origin.model_fields_set & MEANT_FOR.keys()):
        if field.kind not in MEANT_FOR[option]:
            yield (*path, option), f"does not go with {field.kind.value}"
    if field.kind in (Kind.POINT, Kind.GEOMETRY):
        yield from _shape_wrong(sheet, field, origin, path)
    elif origin.latitude or origin.longitude or origin.easting or origin.northing:
        yield path, f"coordinates do not go with {field.kind.value}"
    elif GEOMETRY in origin.sources:
        yield path, f"{GEOMETRY} does not go with {field.kind.value}"
    if origin.from_ is not None:
        yield from _from_wrong(table, sheet, field, origin.from_, (*path, "from"))
    for name in origin.when:
        other = sheet.fields.get(name)
        plain = table.fields.get(name, field).kind in (Kind.ENUM, Kind.BOOLEAN, Kind.TEXT)
        if other is None or other.from_ is not None or other.when or not plain:
            yield (
                (*path, "when", name),
                "not a field of this table with a text or one of a list, read without conditions",
            )
    if field.kind in REFERRING:
        yield from _by_wrong(field, origin, path)
    yield from _values_wrong(field, origin, path)


def _shape_wrong(sheet: FileMapping, field: Field, origin: FieldMapping, path: tuple[str | int, ...]) -> Faults:
    pairs = (
        {"latitude": origin.latitude, "longitude": origin.longitude},
        {
            "easting": origin.easting,
            "northing": origin.northing,
        },
    )
    for pair in pairs:
        if len({value is None for value in pair.values()}) > 1:
            yield path, f"needs {' and '.join(pair)}"
    if origin.kinds == ["column"]:
        if field.kind is Kind.POINT and origin.column != GEOMETRY:
            yield path, f"a point has latitude and longitude, easting and northing, or is {GEOMETRY}"
        if origin.column == GEOMETRY and sheet.format != "geojson":
            yield path, f"{GEOMETRY} goes with GeoJSON files alone"
    elif field.kind is Kind.GEOMETRY or origin.kinds[0] in ("columns", "constant", "from"):
        yield path, f"{origin.kinds[0]} does not go with {field.kind.value}"
    elif (origin.datum or sheet.datum or "").startswith("EPSG") != (origin.easting is not None):
        yield (*path, "datum"), "easting and northing go with EPSG:…, latitude and longitude with the other datums"


def _from_wrong(table: Table, sheet: FileMapping, field: Field, source: str, path: tuple[str | int, ...]) -> Faults:
    reference, _, name = source.partition(".")
    through = table.fields.get(reference)
    if through is None or through.kind is not Kind.REFERENCE or reference not in sheet.fields:
        yield path, f"{reference or 'nothing'} is not a field of this table that refers to another"
        return
    if sheet.fields[reference].from_ is not None:
        yield path, f"{reference} is itself taken from another row"
    taken = TABLES[through.target].fields.get(name)
    if (
        taken is None
        or taken.column is None
        or (taken.kind, taken.of, taken.target) != (field.kind, field.of, field.target)
    ):
        yield path, f"{through.target} have no {name or 'such'} field that is {field.kind.value}"


def named_by(target: str) -> tuple[str, ...]:
    """The fields by which rows of a table can be referred to."""
    table = TABLES[target]
    return (*table.keys, "name") if target in ("zones", "towns", "venues", "warehouses") else table.keys


def _by_wrong(field: Field, origin: FieldMapping, path: tuple[str | int, ...]) -> Faults:
    for name in origin.by or ():
        if name not in named_by(field.target):
            yield (*path, "by"), f"{field.target} are known by {', '.join(named_by(field.target))}, not by {name}"


def _values_wrong(field: Field, origin: FieldMapping, path: tuple[str | int, ...]) -> Faults:
    """Constants, defaults and the targets of value maps, tried out."""
    if field.kind in (Kind.POINT, Kind.GEOMETRY):
        return
    given: dict[str, Any] = {"constant": origin.constant, "default": origin.default}
    formats = origin.format or ("iso",)
    for option, value in given.items():
        if value is None:
            continue
        try:
            converter(field, CellFormat(formats=("iso", *formats)))(value)
        except InvalidValue as bad:
            yield (*path, option), bad.reason
    # A field of many is tried by one.
    for key, value in (origin.values or {}).items():
        try:
            converter(field, CellFormat(values={key: value}))
        except InvalidValue as bad:
            yield (*path, "values", key), bad.reason
