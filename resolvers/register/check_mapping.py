"""Reads a mapping and checks it against the tables. All mistakes are reported at once, each with its line."""

import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.reason import Message, Reason
from resolvers.register.cell_sources import compile_pattern, interval
from resolvers.register.convert import CellFormat, converter
from resolvers.register.errors import UNREADABLE, InvalidValue, MappingError, Mistake
from resolvers.register.line_numbers import LineNumbers
from resolvers.register.mapping import FEATURE_ID, GEOMETRY, ROW, SHEETS, SUFFIXES, FieldMapping, FileMapping, Mapping
from resolvers.register.tables import TABLES, Field, Kind, Table

KeyPath = tuple[str | int, ...]
Faults = Iterator[tuple[KeyPath, Reason]]  # the path of a key, and what is wrong with its value

# The kinds of fields that an option applies to. Options that are not listed apply to all.
KINDS_OF_OPTION: dict[str, tuple[Kind, ...]] = {
    "by": (Kind.REFERENCE, Kind.REFERENCES),
    "format": (Kind.TIME, Kind.DATE),
    "time_zone": (Kind.TIME,),
    "datum": (Kind.POINT, Kind.GEOMETRY),
    "values": (Kind.ENUM, Kind.ENUMS, Kind.BOOLEAN, Kind.TEXT, Kind.TEXTS, Kind.INTEGER),
    "ranges": (Kind.ENUM, Kind.BOOLEAN, Kind.TEXT, Kind.INTEGER),
    "factor": (Kind.INTEGER,),
    "round": (Kind.INTEGER,),
    "pattern": tuple(kind for kind in Kind if kind not in (Kind.POINT, Kind.GEOMETRY)),
    "split": (Kind.TEXTS, Kind.ENUMS, Kind.REFERENCES),
    "default": tuple(kind for kind in Kind if kind not in (Kind.POINT, Kind.GEOMETRY)),
}
SOURCES = Message("SOURCES", "column, columns, first_of, template, constant, from, or a pair of coordinates")
# Pydantic's error types with a text of ours.
REASONS = {
    "missing": Reason("MAPPING_KEY_MISSING", "is missing"),
    "extra_forbidden": Reason("MAPPING_KEY_UNKNOWN", "is not a key of a mapping"),
    "too_short": Reason("MAPPING_VALUE_EMPTY", "is empty"),
}
SPREADSHEETS_ONLY = Reason("SPREADSHEETS_ONLY", "applies only to spreadsheets")


def load_mapping(path: Path) -> Mapping:
    """Read the mapping in a file. Raises MappingError with all its mistakes, or because the file cannot be read."""
    try:
        return parse_mapping(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        system = error.strerror if isinstance(error, OSError) else Reason("NOT_UTF_EIGHT", "not UTF-8")
        reason = system or UNREADABLE
        raise MappingError([Mistake(1, "", reason)]) from None


def parse_mapping(source: str) -> Mapping:
    """Read the mapping in a text. Raises MappingError."""
    try:
        value = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        line = place.removeprefix("line ").split(",")[0].rstrip(")")
        last = source.count("\n") + 1
        not_toml = Reason("NOT_TOML", "not TOML: {reason}", reason=reason)
        raise MappingError([Mistake(int(line) if line.isdigit() else last, "", not_toml)]) from None
    lines = LineNumbers(source)
    try:
        mapping = Mapping.model_validate(value).with_defaults()
    except ValidationError as error:
        raise MappingError([_mistake(lines, details) for details in error.errors()]) from None
    mistakes = [
        Mistake(lines.line_of(path), _dotted(path), reason)
        for table, files in mapping.files.items()
        for index, file in enumerate(files)
        for path, reason in _file_faults(TABLES[table], file, (table, index))
    ]
    if mistakes:
        raise MappingError(mistakes)
    return mapping


def _mistake(lines: LineNumbers, error: ErrorDetails) -> Mistake:
    if error["loc"] == ("files",):
        return Mistake(1, "", Reason("MAPPING_EMPTY", "has no table; the tables are {tables}", tables=list(TABLES)))
    path = error["loc"][1:] if error["loc"][:1] == ("files",) else error["loc"]
    # A check of ours raises ValueError with a Reason; pydantic's own messages stay English.
    own = error.get("ctx", {}).get("error")
    reason = own.args[0] if isinstance(own, ValueError) else REASONS.get(error["type"], error["msg"])
    if path[-1] == "format" and error["type"] == "missing":
        formats = list(SUFFIXES.values())
        reason = Reason(
            "FORMAT_UNKNOWN", "cannot be inferred from the file name: give one of {formats}", formats=formats
        )
    return Mistake(lines.line_of(path), _dotted(path), reason)


def _dotted(path: KeyPath) -> str:
    return ".".join(key for key in path if isinstance(key, str))


def _file_faults(table: Table, file: FileMapping, path: KeyPath) -> Faults:
    fields = (*path, "fields")
    for name, mapped in file.fields.items():
        if name not in table.fields:
            yield (
                (*fields, name),
                Reason(
                    "FIELD_UNKNOWN",
                    "{table} have no such field, only {fields}",
                    table=table.name,
                    fields=list(table.fields),
                ),
            )
        else:
            yield from _field_faults(table, file, table.fields[name], mapped, (*fields, name))
    for field in table.fields.values():
        if field.required and field.name not in file.fields:
            yield fields, Reason("FIELD_NEEDED", "{table} need {field}", table=table.name, field=field.name)
    yield from _key_faults(table, file, path)
    yield from _missing_faults(table, file, path)
    for option, rules in (("only", file.only), ("skip", file.skip)):
        for column in {ROW, GEOMETRY} & rules.keys():
            yield (*path, option, column), Reason("COLUMNS_ONLY", "applies to columns, not to this")
    if "delimiter" in file.model_fields_set and not file.format.startswith("csv"):
        yield (*path, "delimiter"), Reason("CSV_ONLY", "applies only to csv files")
    if file.format not in SHEETS and (file.sheet or file.header_rows > 1):
        yield (*path, "sheet" if file.sheet else "header_rows"), SPREADSHEETS_ONLY


def _missing_faults(table: Table, file: FileMapping, path: KeyPath) -> Faults:
    if file.missing == "keep":
        for option in sorted(file.model_fields_set & {"register_", "retire_most"}):
            yield (*path, option.removesuffix("_")), Reason("RETIRE_ONLY", 'applies only with missing = "retire"')
    elif table.name != "enterprises":
        yield (*path, "missing"), Reason("RETIRE_ENTERPRISES", "only enterprises can be retired")
    elif file.register_ is None:
        yield (
            (*path, "missing"),
            Reason(
                "REGISTER_NAME", "needs register, a name by which the register is known from one import to the next"
            ),
        )


def _key_faults(table: Table, file: FileMapping, path: KeyPath) -> Faults:
    for name in file.key or ():
        if name not in table.keys:
            yield (
                (*path, "key"),
                Reason(
                    "KEY_OTHER",
                    "{table} are identified by {keys}, not by {name}",
                    table=table.name,
                    keys=list(table.keys),
                    name=name,
                ),
            )
        elif name not in file.fields:
            yield (*path, "key"), Reason("KEY_UNMAPPED", "{name} is not among the fields", name=name)
    mapped = [name for name in table.keys if name in file.fields]
    if not mapped:
        keys = " / ".join(table.keys)
        yield (
            (*path, "fields"),
            Reason(
                "KEY_NONE",
                "{table} are identified by {keys}, which is not among the fields",
                table=table.name,
                keys=keys,
            ),
        )
    for name in mapped:
        if file.fields[name].from_ is not None or file.fields[name].when or file.fields[name].only_new:
            yield (
                (*path, "fields", name),
                Reason("KEY_OPTIONS", "is a key, which can have none of from, when and only_new"),
            )


def _field_faults(table: Table, file: FileMapping, field: Field, mapped: FieldMapping, path: KeyPath) -> Faults:
    options = mapped.source_options
    if len(options) != 1:
        count = ", ".join(options) or Message("SOURCES_NONE", "none")
        yield path, Reason("SOURCE_ONE", "needs exactly one of {sources}; it has {count}", sources=SOURCES, count=count)
        return
    for option in sorted(mapped.model_fields_set & KINDS_OF_OPTION.keys()):
        if field.kind not in KINDS_OF_OPTION[option]:
            yield (*path, option), Reason("OPTION_OTHER_KIND", "does not apply to {kind}", kind=field.kind.value)
    if field.kind in (Kind.POINT, Kind.GEOMETRY):
        yield from _geometry_faults(file, field, mapped, path)
    elif mapped.latitude or mapped.longitude or mapped.easting or mapped.northing:
        yield path, Reason("COORDINATES_OTHER_KIND", "coordinates do not apply to {kind}", kind=field.kind.value)
    elif GEOMETRY in mapped.source_columns:
        yield (
            path,
            Reason("SOURCE_OTHER_KIND", "{source} does not apply to {kind}", source=GEOMETRY, kind=field.kind.value),
        )
    if FEATURE_ID in mapped.source_columns and file.format != "geojson":
        yield path, Reason("GEOJSON_ONLY", "{source} applies only to GeoJSON files", source=FEATURE_ID)
    yield from _source_faults(mapped, path)
    if mapped.from_ is not None:
        yield from _from_faults(table, file, field, mapped.from_, (*path, "from"))
    yield from _when_faults(table, file, field, mapped, path)
    if field.kind in (Kind.REFERENCE, Kind.REFERENCES):
        yield from _by_faults(field, mapped, path)
    yield from _value_faults(field, mapped, path)


def _source_faults(mapped: FieldMapping, path: KeyPath) -> Faults:
    if "separator" in mapped.model_fields_set and not mapped.columns:
        yield (*path, "separator"), Reason("COLUMNS_NEEDED", "needs columns")
    if mapped.template is not None and not mapped.source_columns:
        yield (
            (*path, "template"),
            Reason("TEMPLATE_FIXED", "names no column, such as {example}; a constant needs none", example="{编号}"),
        )
    if mapped.pattern is not None:
        try:
            compile_pattern(mapped.pattern)
        except ValueError as error:
            yield (*path, "pattern"), error.args[0]
    for option in ("pattern", "factor", "round", "ranges"):
        if getattr(mapped, option) is not None and (mapped.constant is not None or mapped.from_ is not None):
            yield (*path, option), Reason("CELLS_ONLY", "applies only to a value that comes from columns")
    intervals = []
    for text in mapped.ranges or ():
        try:
            intervals.append(interval(text))
        except ValueError as error:
            yield (*path, "ranges", text), error.args[0]
    intervals.sort()
    if any(one[1] > other[0] for one, other in pairwise(intervals)):
        yield (*path, "ranges"), Reason("RANGES_OVERLAP", "overlap")


def _geometry_faults(file: FileMapping, field: Field, mapped: FieldMapping, path: KeyPath) -> Faults:
    degrees = {"latitude": mapped.latitude, "longitude": mapped.longitude}
    metres = {"easting": mapped.easting, "northing": mapped.northing}
    for pair in (degrees, metres):
        if len({value is None for value in pair.values()}) > 1:
            yield path, Reason("PAIR_NEEDED", "needs {names}", names=list(pair))
    [option] = mapped.source_options
    if option == "column":
        if field.kind is Kind.POINT and mapped.column != GEOMETRY:
            yield (
                path,
                Reason(
                    "POINT_SOURCE",
                    "a point needs latitude and longitude, easting and northing, or {geometry}",
                    geometry=GEOMETRY,
                ),
            )
        if mapped.column == GEOMETRY and file.format != "geojson":
            yield path, Reason("GEOJSON_ONLY", "{source} applies only to GeoJSON files", source=GEOMETRY)
    elif field.kind is Kind.GEOMETRY or option not in ("latitude and longitude", "easting and northing"):
        yield (
            path,
            Reason("SOURCE_OTHER_KIND", "{source} does not apply to {kind}", source=option, kind=field.kind.value),
        )
    elif (mapped.datum or file.datum or "").startswith("EPSG") != (mapped.easting is not None):
        yield (
            (*path, "datum"),
            Reason("DATUM_OTHER_PAIR", "easting and northing need EPSG:…, latitude and longitude need another datum"),
        )


def _from_faults(table: Table, file: FileMapping, field: Field, source: str, path: KeyPath) -> Faults:
    reference, _, name = source.partition(".")
    via = table.fields.get(reference)
    if via is None or via.kind is not Kind.REFERENCE or reference not in file.fields:
        yield (
            path,
            Reason(
                "FROM_UNMAPPED",
                "{field} is not a mapped field that refers to a row of another table",
                field=reference or '""',
            ),
        )
        return
    if file.fields[reference].from_ is not None:
        yield path, Reason("FROM_COPIED", "{field} is itself copied from another row", field=reference)
    copied = TABLES[via.target].fields.get(name)
    wanted = (field.kind, field.members, field.target)
    if copied is None or copied.column is None or (copied.kind, copied.members, copied.target) != wanted:
        yield (
            path,
            Reason(
                "FROM_OTHER_KIND",
                "{table} have no field {field} that holds {kind}",
                table=via.target,
                field=name or '""',
                kind=field.kind.value,
            ),
        )


def _when_faults(table: Table, file: FileMapping, field: Field, mapped: FieldMapping, path: KeyPath) -> Faults:
    for name in mapped.when:
        other = file.fields.get(name)
        comparable = table.fields.get(name, field).kind in (Kind.ENUM, Kind.BOOLEAN, Kind.TEXT)
        if other is None or other.from_ is not None or other.when or not comparable:
            yield (
                (*path, "when", name),
                Reason(
                    "WHEN_FIELD",
                    "must be a mapped field without from and when that holds {text}, {boolean}, or {enum}",
                    text=Kind.TEXT.value,
                    boolean=Kind.BOOLEAN.value,
                    enum=Kind.ENUM.value,
                ),
            )


def lookup_fields(target: str) -> tuple[str, ...]:
    """The fields by which a reference can find a row of a table."""
    table = TABLES[target]
    return (*table.keys, "name") if target in ("zones", "towns", "venues", "warehouses") else table.keys


def _by_faults(field: Field, mapped: FieldMapping, path: KeyPath) -> Faults:
    fields = lookup_fields(field.target)
    for name in mapped.by or ():
        if name not in fields:
            yield (
                (*path, "by"),
                Reason(
                    "BY_OTHER",
                    "{table} can be found by {fields}, not by {name}",
                    table=field.target,
                    fields=list(fields),
                    name=name,
                ),
            )


def _value_faults(field: Field, mapped: FieldMapping, path: KeyPath) -> Faults:
    """Convert constants, defaults and the targets of value maps, to see whether the field accepts them."""
    if field.kind in (Kind.POINT, Kind.GEOMETRY):
        return
    cell_format = CellFormat(formats=("iso", *(mapped.format or ("iso",))))
    options: dict[str, Any] = {"constant": mapped.constant, "default": mapped.default}
    for option, value in options.items():
        if value is not None and (reason := _rejection(field, cell_format, value)):
            yield (*path, option), reason
    for option, meanings in (("values", mapped.values), ("ranges", mapped.ranges)):
        for code, value in (meanings or {}).items():
            try:
                converter(field, CellFormat(values={code: value}))
            except InvalidValue as invalid:
                yield (*path, option, code), invalid.reason


def _rejection(field: Field, cell_format: CellFormat, value: Any) -> Reason | None:
    try:
        converter(field, cell_format)(value)
    except InvalidValue as invalid:
        return invalid.reason
    return None
