"""What a register can hold: the tables that are imported and exported, their natural keys and their fields.

Most of it is read off the rows in models/, so that a column that is new there needs one more word here.
"""

import datetime as dt
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

SHORT = 500  # characters of what stands in an index
LONG = 1_000_000  # characters of any other text
INTEGER = 2**31 - 1  # what an integer column of PostgreSQL takes


class Kind(enum.Enum):
    """What a field holds; the value is what the mapping's author is told to give."""

    TEXT = "text"
    INTEGER = "a whole number"
    BOOLEAN = "true or false"
    DATE = "a date"
    TIME = "a time"
    ENUM = "one of a list"
    TEXTS = "texts"
    ENUMS = "several of a list"
    GEOMETRY = "a GeoJSON polygon"
    POINT = "a point"
    REFERENCE = "the key of a row"
    REFERENCES = "the keys of rows"


@dataclass(frozen=True)
class Field:
    """One field of a table. `column` is None where it is kept in several columns, or in rows of another table.

    `required`: a new row needs a value. `bounds` are of a whole number, inclusive. `pattern` and `check` are what a
    text must be, and `form` says so in words. `ahead`: a time that may well lie in the future.
    """

    name: str
    kind: Kind
    required: bool = False
    column: str | None = None
    of: type[enum.Enum] | None = None
    target: str = ""
    longest: int = LONG
    bounds: tuple[int, int] = (-INTEGER - 1, INTEGER)
    check: Callable[[str], object] = bool
    form: str = ""
    ahead: bool = False


@dataclass(frozen=True)
class Table:
    """One table of a register. `keys` are fields of which each alone names a row; all together where `composite`."""

    name: str
    model: type[models.Row]
    keys: tuple[str, ...]
    fields: dict[str, Field]
    composite: bool = False

    @property
    def rows(self) -> sa.Table:
        return table_of(self.model)

    def has(self, column: str) -> bool:
        return column in self.rows.c

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Every column but the key of the row, with what it has where nothing is said."""
        return {c.name: _default(c) for c in self.rows.c if c.name != "id"}

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """The fields that no row is without."""
        return tuple(field for field in self.fields.values() if field.required)


def _default(column: sa.Column[Any]) -> Any:
    default = column.default
    return default.arg if isinstance(default, sa.ColumnDefault) and default.is_scalar else None


# What no register may write: what Huhang counts and derives itself, and what is live and of the moment.
OWN = frozenset(
    {"id", "version", "updated_at", "open_hazards", "last_inspected_at", "latitude", "longitude", "position_at"}
    | {"district_id", "assistance_request_id", "reserved"}
)
# Places of inspectors are live and are never imported, so theirs is no point of a register.
POINTLESS = frozenset({"inspectors"})
SHORT_FIELDS = frozenset({"external_id", "code", "number", "badge", "device_id", "name", "full_name", "phone"})
AHEAD = frozenset({"planned_for", "deadline", "fix_deadline"})
BOUNDS = {
    "major_hazard_level": (1, 4),
    "strength": (0, INTEGER),
    "quantity": (0, INTEGER),
    "fine_yuan": (0, INTEGER),
}
FORMS: dict[tuple[str, str], tuple[Callable[[str], object], str]] = {
    ("enterprises", "credit_code"): (credit_code.is_valid, "a unified social credit code (GB 32100-2015)"),
    ("cameras", "device_id"): (re.compile(r"[0-9]{20}").fullmatch, "a device id of 20 digits (GB/T 28181)"),
    ("stock", "code"): (re.compile(r"[0-9]{7}").fullmatch, "a code of 7 digits (GB/T 38565-2020)"),
}
# By a name in a mapping: the table that it refers to. A column of that name and `_id` holds the key.
TARGETS = {
    "zone": "zones",
    "town": "towns",
    "enterprise": "enterprises",
    "venue": "venues",
    "warehouse": "warehouses",
    "inspection": "inspections",
    "reinspection_of": "inspections",
}
RINGS = {f"{grade.name.lower()}_metres": grade for grade in sorted(ControlGrade, key=lambda g: -g.value)}


def _field(table: str, column: sa.Column[Any]) -> Field | None:
    """The field that a column is, if a register may write it."""
    name = column.name.removesuffix("_id")
    if column.foreign_keys and column.name not in OWN and name in TARGETS:
        derived = (table, name) in {("enterprises", "zone")}
        required = not column.nullable
        return None if derived else Field(name, Kind.REFERENCE, required, column.name, target=TARGETS[name])
    if column.name in OWN:
        return None
    check, form = FORMS.get((table, column.name), (bool, ""))
    return Field(
        column.name,
        _kind(column),
        required=not column.nullable and column.default is None,
        column=column.name,
        of=_members(column.type),
        longest=SHORT if column.name in SHORT_FIELDS else LONG,
        bounds=BOUNDS.get(column.name, (-INTEGER - 1, INTEGER)),
        check=check,
        form=form,
        ahead=column.name in AHEAD,
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


def _members(of: Any) -> type[enum.Enum] | None:
    found: type[enum.Enum] | None = of.enum_class if isinstance(of, sa.Enum) else getattr(of, "of", None)
    return found


def _table(
    name: str, model: type[models.Row], *keys: str, composite: bool = False, more: tuple[Field, ...] = ()
) -> Table:
    rows = table_of(model)
    found = [field for column in rows.c if (field := _field(name, column)) is not None]
    if "latitude" in rows.c and name not in POINTLESS:
        found.append(Field("point", Kind.POINT))
    # The key first, since that is what a reader of an exported file looks for.
    found.sort(key=lambda field: field.name not in keys)
    return Table(name, model, keys, {field.name: field for field in (*found, *more)}, composite)


# In the order in which they are imported: whatever a row refers to stands in a table before its own, or in its own.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table("zones", models.Zone, "code"),
        _table("towns", models.Town, "code"),
        _table(
            "venues",
            models.Venue,
            "code",
            more=tuple(Field(name, Kind.INTEGER, bounds=(1, 1_000_000)) for name in RINGS),
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
            more=(Field("inspectors", Kind.REFERENCES, target="inspectors"),),
        ),
        _table("hazards", models.Hazard, "external_id"),
        _table("measures", models.ControlMeasure, "external_id"),
        _table("cases", models.Case, "number", "external_id"),
    )
}
# Those by which it is decided where an enterprise lies.
GEOGRAPHY = ("zones", "towns", "venues")
# A time of a register lies in these years: whatever is far from them is a slip of the pen.
YEARS = (1900, 2199)
EARLIEST = dt.date(YEARS[0], 1, 1)
