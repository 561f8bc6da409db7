"""The tables of a register that can be imported and exported, with their natural keys and fields.

Most of it is derived from the row classes in models/, so that a new column there needs little or nothing here.
"""

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

import models
from models import ControlGrade, credit_code
from models.db.column_types import JsonList, RankedEnum, UtcTime
from models.db.tables import table_of
from models.reason import Message, Reason

SHORT = 500  # characters of a text that is in an index
LONG = 1_000_000  # characters of any other text
INTEGER = 2**31 - 1  # the greatest value of a PostgreSQL integer column


class Kind(enum.Enum):
    """What a field holds. The value describes it in messages about mappings."""

    TEXT = Message("KIND_TEXT", "text")
    INTEGER = Message("KIND_INTEGER", "a whole number")
    BOOLEAN = Message("KIND_BOOLEAN", "true or false")
    DATE = Message("KIND_DATE", "a date")
    TIME = Message("KIND_TIME", "a time")
    ENUM = Message("KIND_ENUM", "one of a list of values")
    TEXTS = Message("KIND_TEXTS", "several texts")
    ENUMS = Message("KIND_ENUMS", "several of a list of values")
    GEOMETRY = Message("KIND_GEOMETRY", "a GeoJSON polygon")
    POINT = Message("KIND_POINT", "a point")
    REFERENCE = Message("KIND_REFERENCE", "a reference to a row")
    REFERENCES = Message("KIND_REFERENCES", "references to rows")


@dataclass(frozen=True)
class Field:
    """One field of a table.

    `required`: a new row needs a value.
    `column` is None if the value is in several columns or in rows of another table.
    `members`: the enumeration of an enumerated field. `target`: the table that a reference refers to.
    `bounds` of a whole number are inclusive. `max_length` is in characters.
    `check` returns something false for a text that is not valid, and `format` is why then.
    `future`: the time may be in the future, so that it needs no warning.
    `identifier`: rows are found by it, so characters that cannot be seen or are wide forms of others do not count.
    `limit`: something must be done by this time, so that a date without a time of day means the end of that day.
    """

    name: str
    kind: Kind
    required: bool = False
    column: str | None = None
    members: type[enum.Enum] | None = None
    target: str = ""
    max_length: int = LONG
    bounds: tuple[int, int] = (-INTEGER - 1, INTEGER)
    check: Callable[[str], object] = bool
    format: Reason | None = None
    future: bool = False
    limit: bool = False
    identifier: bool = False


@dataclass(frozen=True)
class Table:
    """One table of a register.

    Each of the fields in `keys` identifies a row on its own; in a `composite` key all of them together do.
    """

    name: str
    model: type[models.Row]
    keys: tuple[str, ...]
    fields: dict[str, Field]
    composite: bool = False

    @property
    def sql_table(self) -> sa.Table:
        return table_of(self.model)

    def has_column(self, column: str) -> bool:
        return column in self.sql_table.c

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The default of every column except the id; None for a column that has none."""
        return {c.name: _default(c) for c in self.sql_table.c if c.name != "id"}

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """The fields that every row needs."""
        return tuple(field for field in self.fields.values() if field.required)


def _default(column: sa.Column[Any]) -> Any:
    default = column.default
    return default.arg if isinstance(default, sa.ColumnDefault) and default.is_scalar else None


# Columns without a field of their own: Huhang counts or derives them, or they are live. A point has two of them.
DERIVED = frozenset(
    {"id", "version", "updated_at", "open_hazards", "last_inspected_at", "latitude", "longitude", "position_at"}
    | {"district_id", "assistance_request_id", "reserved", "announced"}
)
# The position of an inspector is live and never imported.
WITHOUT_POINT = frozenset({"inspectors"})
SHORT_FIELDS = frozenset({"external_id", "code", "number", "badge", "device_id", "name", "full_name", "phone"})
IDENTIFIERS = frozenset({"external_id", "code", "number", "badge", "device_id", "credit_code"})
LIMIT_FIELDS = frozenset({"deadline", "fix_deadline"})
FUTURE_FIELDS = frozenset({"planned_for", *LIMIT_FIELDS})
BOUNDS = {
    "major_hazard_level": (1, 4),
    "strength": (0, INTEGER),
    "quantity": (0, INTEGER),
    "fine_yuan": (0, INTEGER),
}
FORMATS: dict[tuple[str, str], tuple[Callable[[str], object], Reason]] = {
    ("enterprises", "credit_code"): (
        credit_code.is_valid,
        Reason("NOT_CREDIT_CODE", "not a unified social credit code (GB 32100-2015)"),
    ),
    ("cameras", "device_id"): (
        re.compile(r"[0-9]{20}").fullmatch,
        Reason("NOT_DEVICE_ID", "not a device id of 20 digits (GB/T 28181)"),
    ),
    ("stock", "code"): (
        re.compile(r"[0-9]{7}").fullmatch,
        Reason("NOT_SUPPLY_CODE", "not a code of 7 digits (GB/T 38565-2020)"),
    ),
}
# By the name of a reference: the table that it refers to. The column of that name with `_id` holds the id.
TARGETS = {
    "zone": "zones",
    "town": "towns",
    "enterprise": "enterprises",
    "venue": "venues",
    "warehouse": "warehouses",
    "inspection": "inspections",
    "reinspection_of": "inspections",
}
# The fields of a venue that hold the radius of a ring, in metres, with the grade of that ring.
RADIUS_FIELDS = {f"{grade.name.lower()}_metres": grade for grade in sorted(ControlGrade, key=lambda g: -g.value)}


def _field(table: str, column: sa.Column[Any]) -> Field | None:
    """The field of a column; None if the column has no field of its own."""
    name = column.name.removesuffix("_id")
    if column.foreign_keys and column.name not in DERIVED and name in TARGETS:
        if (table, name) == ("enterprises", "zone"):
            return None  # derived from the point
        return Field(name, Kind.REFERENCE, not column.nullable, column.name, target=TARGETS[name], identifier=True)
    if column.name in DERIVED:
        return None
    check, format_ = FORMATS.get((table, column.name), (bool, None))
    return Field(
        column.name,
        _kind(column),
        required=not column.nullable and column.default is None,
        column=column.name,
        members=_members(column.type),
        max_length=SHORT if column.name in SHORT_FIELDS else LONG,
        bounds=BOUNDS.get(column.name, (-INTEGER - 1, INTEGER)),
        check=check,
        format=format_,
        future=column.name in FUTURE_FIELDS,
        limit=column.name in LIMIT_FIELDS,
        identifier=column.name in IDENTIFIERS,
    )


def _kind(column: sa.Column[Any]) -> Kind:
    match column.type:
        case JsonList():
            return Kind.ENUMS if column.type.of else Kind.TEXTS
        case RankedEnum() | sa.Enum():
            return Kind.ENUM
        case UtcTime():
            return Kind.TIME
        case sa.Date():
            return Kind.DATE
        case sa.Boolean():
            return Kind.BOOLEAN
        case sa.Integer():
            return Kind.INTEGER
        case sa.JSON():
            return Kind.GEOMETRY
    return Kind.TEXT


def _members(column_type: sa.types.TypeEngine[Any]) -> type[enum.Enum] | None:
    match column_type:
        case sa.Enum():
            return column_type.enum_class
        case JsonList() | RankedEnum():
            return column_type.of
    return None


def _table(
    name: str, model: type[models.Row], *keys: str, composite: bool = False, more: tuple[Field, ...] = ()
) -> Table:
    rows = table_of(model)
    fields = [field for column in rows.c if (field := _field(name, column)) is not None]
    if "latitude" in rows.c and name not in WITHOUT_POINT:
        fields.append(Field("point", Kind.POINT))
    # The key comes first, because readers of an exported file look for it.
    fields.sort(key=lambda field: field.name not in keys)
    return Table(name, model, keys, {field.name: field for field in (*fields, *more)}, composite)


# In the order of the import: a row refers only to rows of earlier tables or of its own.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table("zones", models.Zone, "code"),
        _table("towns", models.Town, "code"),
        _table(
            "venues",
            models.Venue,
            "code",
            more=tuple(Field(name, Kind.INTEGER, bounds=(1, 1_000_000)) for name in RADIUS_FIELDS),
        ),
        _table("inspectors", models.Inspector, "badge"),
        _table("experts", models.Expert, "external_id"),
        _table("teams", models.Team, "external_id"),
        _table("warehouses", models.Warehouse, "external_id"),
        _table("stock", models.StockItem, "warehouse", "code", composite=True),
        _table("enterprises", models.Enterprise, "credit_code", "external_id"),
        _table("cameras", models.Camera, "device_id", "external_id"),
        _table(
            "inspections",
            models.Inspection,
            "external_id",
            more=(Field("inspectors", Kind.REFERENCES, target="inspectors", identifier=True),),
        ),
        _table("hazards", models.Hazard, "external_id"),
        _table("measures", models.ControlMeasure, "external_id"),
        _table("cases", models.Case, "number", "external_id"),
    )
}
# The tables that decide in which zone, town and rings an enterprise is.
GEOGRAPHY = ("zones", "towns", "venues")
# Dates and times outside these years are taken for typing errors.
YEARS = (1900, 2199)
