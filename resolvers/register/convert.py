"""From what a cell holds to what a field takes. Whatever it does not take raises Bad with the reason."""

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl.utils.datetime import from_excel
from shapely.errors import ShapelyError
from shapely.geometry import shape

from resolvers.register import datum
from resolvers.register.errors import InvalidValue
from resolvers.register.tables import YEARS, Field, Kind

WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
NUMBER = re.compile(r"[+-]?([0-9]{1,18}([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
UNDECODABLE = re.compile("[\ud800-\udfff]")  # what stands for bytes that are none of the encoding's
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "是"), True),
    **dict.fromkeys(("false", "0", "no", "否"), False),
}
ISO, EXCEL = "iso", "excel"
CACHE_SIZE = 5_000
UTC = ZoneInfo("UTC")
ESCAPE = "\\"

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class CellFormat:
    """How the cells of one field are read.

    `escaped`: as Huhang's own export writes them, where only an empty cell has no value and every blank counts.
    """

    no_value: frozenset[str] = frozenset()
    escaped: bool = False
    formats: tuple[str, ...] = (ISO,)
    zone: ZoneInfo = UTC
    split: str = ";"
    values: dict[str, Any] | None = None
    datum: str = "wgs84"

    def clean(self, raw: Any) -> Any:
        """What a cell holds: a text that is not blank, a number, a date, …; None for no value."""
        if isinstance(raw, str):
            if "\0" in raw:
                raise InvalidValue("holds a NUL character")
            if not self.escaped:
                raw = raw.strip()
            if not raw or raw in self.no_value:
                return None
            if self.escaped and raw[0] == ESCAPE:
                raw = raw[1:]
            if not raw.isascii() and UNDECODABLE.search(raw):
                raise InvalidValue("cannot be decoded as the mapping's encoding")
            return raw
        if isinstance(raw, float):
            if not math.isfinite(raw):
                raise InvalidValue("not a number")
            raw = int(raw) if raw.is_integer() else raw
        return None if type(raw) in (int, float) and str(raw) in self.no_value else raw


def text(value: Any) -> str:
    """A cell as text: 13800000000.0 of a spreadsheet is the telephone number 13800000000."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, int | float):
        return str(value)
    raise InvalidValue("not a text")


def number(value: Any) -> float:
    if type(value) in (int, float):
        return float(value)
    if isinstance(value, str) and NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return float(value)
    raise InvalidValue("not a number")


def converter(field: Field, reading: CellFormat) -> Convert:
    """The function from a cleaned cell, never None, to the field's value."""
    convert = _plain(field, reading)
    if field.kind in (Kind.TIME, Kind.DATE, Kind.ENUM):
        convert = _remembering(convert)
    return convert


def _plain(field: Field, reading: CellFormat) -> Convert:
    match field.kind:
        case Kind.TIME:
            return lambda value: _instant(_moment(value, reading), reading.zone)
        case Kind.DATE:
            return lambda value: _day(_moment(value, reading))
        case Kind.GEOMETRY:
            return lambda value: _geometry(value, reading)
        case Kind.TEXTS | Kind.ENUMS | Kind.REFERENCES:
            one = _mapped(field, reading, _member(field) if field.kind is Kind.ENUMS else _text(field))
            return lambda value: [one(part) for part in _parts(value, reading)]
        case Kind.ENUM:
            return _mapped(field, reading, _member(field))
        case Kind.BOOLEAN:
            return _mapped(field, reading, _boolean)
        case Kind.INTEGER:
            return _mapped(field, reading, _whole(field))
    return _mapped(field, reading, _text(field))


def _remembering(convert: Convert) -> Convert:
    """A register has few days, and says each a thousand times."""
    known: dict[Any, Any] = {}

    def remembering(value: Any) -> Any:
        if isinstance(value, list | dict):
            raise InvalidValue("not a text")
        key = (type(value), value)
        if key not in known:
            if len(known) > CACHE_SIZE:
                known.clear()
            known[key] = convert(value)
        return known[key]

    return remembering


def _mapped(field: Field, reading: CellFormat, convert: Convert) -> Convert:
    values = reading.values
    if values is None:
        return convert
    meant = {key: convert(value) for key, value in values.items()}

    def mapped(value: Any) -> Any:
        key = text(value)
        if key in meant:
            return meant[key]
        if field.kind is Kind.TEXT:
            return convert(value)  # a map of texts corrects some of them
        raise InvalidValue("not among the values of the mapping")

    return mapped


def _text(field: Field) -> Convert:
    def convert(value: Any) -> str:
        found = text(value)
        if len(found) > field.longest:
            raise InvalidValue(f"longer than {field.longest:,} characters")
        if not field.check(found) and field.form:
            raise InvalidValue(f"not {field.form}")
        return found

    return convert


def _member(field: Field) -> Convert:
    assert field.of is not None
    members = field.of.__members__

    def convert(value: Any) -> Any:
        found = members.get(text(value))
        if found is None:
            raise InvalidValue(f"not one of {', '.join(members)}")
        return found

    return convert


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    found = BOOLEANS.get(text(value).lower())
    if found is None:
        raise InvalidValue("neither true nor false")
    return found


def _whole(field: Field) -> Convert:
    least, most = field.bounds

    def convert(value: Any) -> int:
        if type(value) is not int:
            if not isinstance(value, str) or not WHOLE.fullmatch(value):
                raise InvalidValue("not a whole number")
            value = int(value)
        if not least <= value <= most:
            raise InvalidValue(f"not from {least:,} to {most:,}")
        return int(value)

    return convert


def _parts(value: Any, reading: CellFormat) -> Iterable[Any]:
    if isinstance(value, str) and reading.split == "json":
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidValue("not a JSON array") from None
    if isinstance(value, list):
        return value
    if reading.split == "json":
        raise InvalidValue("not a JSON array")
    return [part.strip() for part in text(value).split(reading.split) if part.strip()]


# -- times --


def _moment(value: Any, reading: CellFormat) -> dt.datetime:
    """As it is written, with a zone or without. Raises Bad."""
    if isinstance(value, dt.datetime):
        return _in_years(value)
    if isinstance(value, dt.date):
        return _in_years(dt.datetime.combine(value, dt.time()))
    if isinstance(value, str):
        for form in reading.formats:
            try:
                return _in_years(_parsed(value, form))
            except (ValueError, OverflowError):
                continue
        raise InvalidValue(f"not a date or time of the form {' or '.join(reading.formats)}")
    raise InvalidValue("not a date or time")


def _parsed(value: str, form: str) -> dt.datetime:
    if form == ISO:
        return dt.datetime.fromisoformat(value)
    if form == EXCEL:
        found = from_excel(number(value))
        if not isinstance(found, dt.datetime):
            raise ValueError("a time of day")
        return found
    return dt.datetime.strptime(value, form)


def _in_years(value: dt.datetime) -> dt.datetime:
    first, last = YEARS
    if not first <= value.year <= last:
        raise InvalidValue(f"not in the years {first} to {last}")
    return value


def _instant(value: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(dt.UTC)


def _day(value: dt.datetime) -> dt.date:
    if value.time() != dt.time():
        raise InvalidValue("a time, where a day is wanted")
    return value.date()


# -- places --


def _geometry(value: Any, reading: CellFormat) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidValue("not JSON") from None
    if not isinstance(value, dict) or value.get("type") not in ("Polygon", "MultiPolygon"):
        raise InvalidValue("not a GeoJSON polygon")
    convert = datum.to_wgs84(reading.datum)
    assert convert is not None
    try:
        found = {"type": value["type"], "coordinates": datum.convert_geometry(convert, value.get("coordinates"))}
        if shape(found).is_empty:
            raise InvalidValue("an empty polygon")
    except (ValueError, TypeError, IndexError, AttributeError, ShapelyError, RecursionError):
        raise InvalidValue("not the rings of a polygon") from None
    return found


def point_coordinates(value: Any) -> tuple[float, float] | None:
    """The coordinates of a GeoJSON point; None for no geometry."""
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") != "Point":
        raise InvalidValue("not a GeoJSON point")
    coordinates = value.get("coordinates")
    if coordinates == []:
        return None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        raise InvalidValue("not a GeoJSON point")
    return number(coordinates[0]), number(coordinates[1])
