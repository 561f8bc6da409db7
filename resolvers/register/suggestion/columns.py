"""Finds the column of each field of a table, by its name and by its values, and the key of the rows."""

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from models import credit_code
from resolvers.register.errors import InvalidValue
from resolvers.register.mapping import GEOMETRY
from resolvers.register.numerals import to_number
from resolvers.register.suggestion.dates import date_formats
from resolvers.register.suggestion.sample import Sample
from resolvers.register.suggestion.words import column_words, plain
from resolvers.register.tables import Field, Kind, Table

MOST = 0.9  # of the values of a column that must fit
LATITUDES, LONGITUDES = (3.0, 54.0), (73.0, 136.0)  # of China, in degrees

Columns = dict[str, str]  # by field the column; a point has `latitude` and `longitude`


def match_columns(table: Table, sample: Sample) -> Columns:
    """By field, its column. The column whose name is the surest word for a field gets it; then the values decide."""
    names: dict[str, str] = {}
    for column in sample.columns:
        names.setdefault(plain(column), column)
        names.setdefault(plain(column.replace("（", "(").split("(")[0]), column)
    candidates = sorted(
        (rank, order, field, names[word])
        for order, field in enumerate(_fields(table))
        for rank, word in enumerate(column_words(table.name, field))
        if word in names
    )
    columns: Columns = {}
    for _, _, field, column in candidates:
        if field not in columns and column not in columns.values() and fits(table, field, sample, column):
            columns[field] = column
    _match_by_values(table, sample, columns)
    if GEOMETRY in sample.columns and "boundary" in table.fields:
        columns["boundary"] = GEOMETRY
    return columns


def _fields(table: Table) -> list[str]:
    fields = [name for name, field in table.fields.items() if field.kind not in (Kind.POINT, Kind.GEOMETRY)]
    return [*fields, "latitude", "longitude"] if "point" in table.fields else fields


def fits(table: Table, field: str, sample: Sample, column: str) -> bool:
    """Whether most values of a column can be values of the field."""
    values = [value for value in sample.values(column) if value]
    if field in ("latitude", "longitude"):
        return share(values, lambda value: abs(number(value)) <= 180) >= MOST
    target: Field = table.fields[field]
    match target.kind:
        case Kind.TIME | Kind.DATE:
            return is_date(sample.cells_of(column)) or date_formats(values) is not None
        case Kind.INTEGER:
            return share(values, lambda value: number(value) == number(value)) >= MOST
        case Kind.ENUM | Kind.BOOLEAN:
            return len(set(values)) <= 40
    if field in table.keys and not table.composite and len(set(values)) < MOST * len(values):
        return False
    if field == "credit_code":
        return share(values, credit_code.is_valid) >= 0.5
    return bool(values)


def number(value: str) -> float:
    """The number in a text, with separators of thousands; not a number (NaN) if it is none."""
    try:
        return to_number(value.replace(",", ""))
    except InvalidValue:
        return float("nan")


def is_date(cells: Iterable[Any]) -> bool:
    """Whether all cells that are not blank are dates of a spreadsheet."""
    kinds = {isinstance(cell, dt.date) for cell in cells if cell not in (None, "")}
    return kinds == {True}


def share(values: Sequence[str], condition: Any) -> float:
    """The share of the values for which a condition holds; 0 of none."""
    return sum(bool(condition(value)) for value in values) / len(values) if values else 0.0


def _match_by_values(table: Table, sample: Sample, columns: Columns) -> None:
    free = [name for name in sample.columns if name not in columns.values() and name != GEOMETRY]
    values = {name: [value for value in sample.values(name) if value] for name in free}
    if "credit_code" in table.fields and "credit_code" not in columns:
        for name in free:
            if share(values[name], credit_code.is_valid) >= MOST:
                columns["credit_code"] = name
                break
    if "point" in table.fields and not columns.keys() & {"latitude", "longitude"}:
        latitudes, longitudes = (
            [name for name in free if _has_degrees(values[name], *bounds)] for bounds in (LATITUDES, LONGITUDES)
        )
        if len(latitudes) == len(longitudes) == 1:
            columns.update(latitude=latitudes[0], longitude=longitudes[0])


def _has_degrees(values: Sequence[str], low: float, high: float) -> bool:
    """Whether most of the texts are numbers with decimals in a range."""
    return share(values, lambda value: "." in value and low <= number(value) <= high) >= MOST


def unique_columns(sample: Sample, likely: Sequence[str]) -> list[str] | None:
    """One column, or else two, whose values tell all rows apart; those that are `likely` come first."""
    rest = [name for name in sample.columns if name not in likely and name != GEOMETRY]
    names = [*likely, *rest][:12]
    values = {name: sample.values(name) for name in names}
    full = [name for name in names if all(values[name])]
    for width in (1, 2):
        for chosen in combinations(full, width):
            rows = list(zip(*(values[name] for name in chosen), strict=True))
            if rows and len(set(rows)) == len(rows) and max(len(value) for row in rows for value in row) <= 60:
                return list(chosen)
    return None
