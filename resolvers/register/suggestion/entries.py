"""Writes the entry of each field of a table in a suggested mapping, in TOML."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from resolvers.register.check_mapping import lookup_fields
from resolvers.register.mapping import GEOMETRY, ROW
from resolvers.register.suggestion.columns import Columns, is_date, number, unique_columns
from resolvers.register.suggestion.dates import date_formats
from resolvers.register.suggestion.sample import Sample
from resolvers.register.suggestion.words import WORDS, booleans, codes, plain
from resolvers.register.tables import Field, Kind, Table

UNKNOWN = "(not known)"
SHOWN = 8  # codes that a comment shows
TEN_THOUSAND = "万"  # in the name of a column: its numbers are in units of 10,000


@dataclass(frozen=True)
class Entry:
    """One line of a mapping, and what the clerk should check. One that is not `active` is written as a comment."""

    field: str
    value: str
    comment: str = ""
    active: bool = True

    def __str__(self) -> str:
        line = f"{'' if self.active else '# '}{self.field} = {self.value}"
        return f"# {self.comment}\n{line}" if self.comment else line


def quoted(value: Any) -> str:
    """A text, list or truth value in TOML, which differs from JSON in one character only."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def inline(**options: Any) -> str:
    return "{ " + ", ".join(f"{name} = {value}" for name, value in options.items()) + " }"


def entries(table: Table, sample: Sample, columns: Columns, tables: Collection[str]) -> list[Entry]:
    """The entries of all fields that have a column, a constant, or a row of another table to copy from.

    `tables` are those that have rows, in the other files or in the database.
    """
    lines = [_key(table, sample, columns)] if not columns.keys() & set(table.keys) else []
    for name, field in table.fields.items():
        if name in columns and field.kind is not Kind.POINT:
            lines.append(_entry(table, field, sample, columns, tables))
        elif field.kind is Kind.POINT:
            lines += _point(sample, columns)
        elif field.required and name not in {line.field for line in lines}:
            lines.append(_without_column(table, field, columns))
    if table.name == "hazards" and "closed_at" not in columns:
        lines.append(_closed_at(lines))
    return lines


def _key(table: Table, sample: Sample, columns: Columns) -> Entry:
    field = table.keys[-1]
    likely = [column for name, column in columns.items() if table.fields.get(name, Field("", Kind.TEXT)).target]
    unique = unique_columns(sample, likely)
    if unique is None:
        comment = "No column tells all rows apart, so the number of the row in the file does."
        return Entry(field, quoted(ROW), comment)
    if len(unique) == 1:
        return Entry(field, quoted(unique[0]), "The first column that is different in every row.")
    value = inline(columns=quoted(unique), separator=quoted("-"))
    return Entry(field, value, "These columns together are different in every row.")


def _entry(table: Table, field: Field, sample: Sample, columns: Columns, tables: Collection[str]) -> Entry:
    column = columns[field.name]
    values = [value for value in sample.values(column) if value and value not in WORDS["no_value"]]
    match field.kind:
        case Kind.ENUM | Kind.ENUMS:
            return _codes(table, field, column, values, some_blank=len(values) < len(sample.cells))
        case Kind.BOOLEAN:
            return _booleans(field, column, values)
        case Kind.INTEGER:
            return _whole_number(field, column, values)
        case Kind.TIME | Kind.DATE:
            if (table.name, field.name) == ("hazards", "closed_at"):
                return Entry(field.name, inline(column=quoted(column), when=inline(status=quoted("CLOSED"))))
        case Kind.REFERENCE | Kind.REFERENCES:
            return _reference(table, field, column, tables)
    if field.required and field.name not in table.keys and len(values) < len(sample.cells):
        return Entry(field.name, inline(column=quoted(column), default=quoted(UNKNOWN)), "Some rows have none.")
    return Entry(field.name, quoted(column))


def _codes(table: Table, field: Field, column: str, values: list[str], *, some_blank: bool) -> Entry:
    assert field.members is not None
    known = codes(table.name, field.name, list(field.members.__members__))
    distinct = list(dict.fromkeys(values))
    meanings = {value: known[plain(value)] for value in distinct if plain(value) in known}
    unknown = [value for value in distinct if value not in meanings]
    comment = ""
    if unknown:
        members = ", ".join(field.members.__members__)
        comment = f"Say which of {members} these are: {', '.join(map(quoted, unknown[:SHOWN]))}."
    if not meanings:
        constant = _constant(table, field)
        if field.required:
            return Entry(field.name, inline(constant=quoted(constant)), f"{quoted(column)}: {comment}")
        return Entry(field.name, inline(column=quoted(column), values="{}"), comment, active=False)
    if all(value == code for value, code in meanings.items()) and not unknown:
        return Entry(field.name, quoted(column))
    pairs = inline(**{quoted(value): quoted(code) for value, code in meanings.items()})
    more = {"default": quoted(_constant(table, field))} if field.required and some_blank else {}
    return Entry(field.name, inline(column=quoted(column), values=pairs, **more), comment)


def _booleans(field: Field, column: str, values: list[str]) -> Entry:
    known = booleans()
    distinct = list(dict.fromkeys(values))
    unknown = [value for value in distinct if plain(value) not in known]
    if unknown:
        comment = f"Say which of true and false these are: {', '.join(map(quoted, unknown[:SHOWN]))}."
        return Entry(field.name, inline(column=quoted(column), values="{}"), comment, active=False)
    pairs = inline(**{quoted(value): quoted(known[plain(value)]) for value in distinct})
    return Entry(field.name, inline(column=quoted(column), values=pairs))


def _whole_number(field: Field, column: str, values: list[str]) -> Entry:
    factor = {"factor": "10000"} if TEN_THOUSAND in column else {}
    fraction = any(not (number(value) * (10_000 if factor else 1)).is_integer() for value in values)
    options = {**factor, **({"round": quoted("nearest")} if fraction else {})}
    return Entry(field.name, inline(column=quoted(column), **options) if options else quoted(column))


def _reference(table: Table, field: Field, column: str, tables: Collection[str]) -> Entry:
    by = lookup_fields(field.target)
    value = inline(column=quoted(column), by=quoted(list(by))) if "name" in by else quoted(column)
    if field.required or field.target in tables:
        return Entry(field.name, value)
    return Entry(field.name, value, f"When there are {field.target} to refer to:", active=False)


def _point(sample: Sample, columns: Columns) -> list[Entry]:
    datum = "The datum is taken for WGS-84. Amap and Tencent have gcj02, Baidu has bd09."
    if GEOMETRY in sample.columns and "Point" in sample.values(GEOMETRY):
        return [Entry("point", quoted(GEOMETRY))]
    if not columns.keys() >= {"latitude", "longitude"}:
        return []
    pairs = zip(sample.values(columns["latitude"]), sample.values(columns["longitude"]), strict=True)
    zero = any(x and y and number(x) == 0 == number(y) for x, y in pairs)
    no_value = {"no_value": quoted(["0,0"])} if zero else {}
    degrees = {name: quoted(columns[name]) for name in ("latitude", "longitude")}
    return [Entry("point", inline(**degrees, **no_value), datum)]


def _constant(table: Table, field: Field) -> Any:
    assert field.members is not None
    return WORDS["constants"].get(f"{table.name}.{field.name}", next(iter(field.members.__members__)))


def _without_column(table: Table, field: Field, columns: Columns) -> Entry:
    """A required field without a column: from the inspection, or the same for every row."""
    copied = {"enterprise": "inspection.enterprise", "found_at": "inspection.submitted_at"}.get(field.name)
    if copied is not None and "inspection" in columns:
        return Entry(field.name, inline(**{"from": quoted(copied)}))
    every = "No column has this, so every row gets the same."
    match field.kind:
        case Kind.ENUM:
            return Entry(field.name, inline(constant=quoted(_constant(table, field))), every)
        case Kind.TEXTS | Kind.ENUMS:
            return Entry(field.name, inline(constant="[]"), every)
        case Kind.INTEGER:
            return Entry(field.name, inline(constant="0"), every)
        case Kind.TEXT:
            constant = WORDS["constants"].get(f"{table.name}.{field.name}", UNKNOWN)
            name = columns.get("external_id") or columns.get("code")
            if field.name in ("name", "full_name", "description") and name:
                return Entry(field.name, quoted(name), "No column has this, so the key stands for it.")
            return Entry(field.name, inline(constant=quoted(constant)), every)
    return Entry(field.name, '""', f"Say which column has {field.kind.value} for this.", active=False)


def _closed_at(lines: list[Entry]) -> Entry:
    """A hazard that is CLOSED needs a time of closing."""
    discovery = next(line for line in lines if line.field == "found_at")
    when = inline(status=quoted("CLOSED"))
    comment = "No column has this, so a closed hazard is taken to be closed when it was found."
    if discovery.value.startswith("{ from"):
        return Entry("closed_at", inline(**{"from": quoted("inspection.submitted_at")}, when=when), comment)
    return Entry("closed_at", inline(column=discovery.value, when=when), comment, active=discovery.active)


def dates(sample: Sample, table: Table, columns: Columns) -> list[str]:
    """The formats of all dates of a file, without those that the import reads anyway."""
    formats: dict[str, None] = {}
    for name, column in columns.items():
        field = table.fields.get(name)
        if field is not None and field.kind in (Kind.TIME, Kind.DATE) and not is_date(sample.cells_of(column)):
            values = [value for value in sample.values(column) if value and value not in WORDS["no_value"]]
            formats.update(dict.fromkeys(date_formats(values) or ()))
    return list(formats)
