"""Converts the cells of files to the values of fields. Whatever a field rejects raises InvalidValue with the reason."""

import contextlib
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
UNDECODABLE = re.compile("[\ud800-\udfff]")  # lone surrogates stand for bytes that are not valid in the encoding
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "是"), True),
    **dict.fromkeys(("false", "0", "no", "否"), False),
}
ISO, EXCEL = "iso", "excel"
TIME_DIRECTIVE = re.compile("%[HIMSfpcX]")  # in a format of strptime: it has a time of day
CACHE_SIZE = 5_000  # values of one field
UTC = ZoneInfo("UTC")
ESCAPE = "\\"

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class CellFormat:
    """How the cells of one field are read.

    `escaped`: as Huhang's own export writes them. Only an empty cell has no value, and blanks at either end count.
    `zone`: the time zone of times without an offset.
    `values`: by the text of a cell, the value that it stands for.
    """

    no_value: frozenset[str] = frozenset()
    escaped: bool = False
    formats: tuple[str, ...] = (ISO,)
    zone: ZoneInfo = UTC
    split: str = ";"
    values: dict[str, Any] | None = None
    datum: str = "wgs84"

    def clean(self, cell: Any) -> Any:
        """The value of a cell (a text that is not blank, a number, a date, …), or None for no value."""
        if isinstance(cell, str):
            if "\0" in cell:
                raise InvalidValue("contains a NUL character")
            if not self.escaped:
                cell = cell.strip()
            if not cell or cell in self.no_value:
                return None
            if self.escaped and cell[0] == ESCAPE:
                cell = cell[1:]
            if not cell.isascii() and UNDECODABLE.search(cell):
                raise InvalidValue("not valid in the mapping's encoding")
            return cell
        if isinstance(cell, float):
            if not math.isfinite(cell):
                raise InvalidValue("not a number")
            cell = int(cell) if cell.is_integer() else cell
        return None if type(cell) in (int, float) and str(cell) in self.no_value else cell


def to_text(value: Any) -> str:
    """A cleaned cell as text. A spreadsheet's 13800000000.0 is the telephone number 13800000000."""
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


def to_number(value: Any) -> float:
    if type(value) in (int, float):
        return float(value)
    if isinstance(value, str) and NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return float(value)
    raise InvalidValue("not a number")


def converter(field: Field, cell_format: CellFormat) -> Convert:
    """The function that converts a cleaned cell, which is never None, to the field's value."""
    convert = _converter(field, cell_format)
    if field.kind in (Kind.TIME, Kind.DATE, Kind.ENUM):
        convert = _cached(convert)
    return convert


def _converter(field: Field, cell_format: CellFormat) -> Convert:
    match field.kind:
        case Kind.TIME:
            moment = _limit if field.limit else _moment
            return lambda value: _instant(moment(value, cell_format), cell_format.zone)
        case Kind.DATE:
            return lambda value: _date(_moment(value, cell_format))
        case Kind.GEOMETRY:
            return lambda value: _polygon(value, cell_format)
        case Kind.TEXTS | Kind.ENUMS | Kind.REFERENCES:
            one = _mapped(field, cell_format, _to_member(field) if field.kind is Kind.ENUMS else _to_valid_text(field))
            return lambda value: [one(part) for part in _parts(value, cell_format)]
        case Kind.ENUM:
            return _mapped(field, cell_format, _to_member(field))
        case Kind.BOOLEAN:
            return _mapped(field, cell_format, _to_boolean)
        case Kind.INTEGER:
            return _mapped(field, cell_format, _to_integer(field))
    return _mapped(field, cell_format, _to_valid_text(field))


def _cached(convert: Convert) -> Convert:
    """Cache conversions: a register has few different dates, and each of them a thousand times."""
    cache: dict[Any, Any] = {}

    def cached(value: Any) -> Any:
        if isinstance(value, list | dict):
            raise InvalidValue("not a text")
        key = (type(value), value)
        if key not in cache:
            if len(cache) > CACHE_SIZE:
                cache.clear()
            cache[key] = convert(value)
        return cache[key]

    return cached


def _mapped(field: Field, cell_format: CellFormat, convert: Convert) -> Convert:
    """Apply the mapping's `values`, if there are any."""
    if cell_format.values is None:
        return convert
    meanings = {code: convert(value) for code, value in cell_format.values.items()}

    def mapped(value: Any) -> Any:
        code = to_text(value)
        if code in meanings:
            return meanings[code]
        if field.kind is Kind.TEXT:
            return convert(value)  # a map of texts corrects some of them and leaves the others
        raise InvalidValue("not among the mapping's values")

    return mapped


def _to_valid_text(field: Field) -> Convert:
    def convert(value: Any) -> str:
        text = to_text(value)
        if len(text) > field.max_length:
            raise InvalidValue(f"longer than {field.max_length:,} characters")
        if not field.check(text) and field.format:
            raise InvalidValue(f"not {field.format}")
        return text

    return convert


def _to_member(field: Field) -> Convert:
    assert field.members is not None
    members = field.members.__members__

    def convert(value: Any) -> Any:
        member = members.get(to_text(value))
        if member is None:
            raise InvalidValue(f"not one of {', '.join(members)}")
        return member

    return convert


def _to_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    boolean = BOOLEANS.get(to_text(value).lower())
    if boolean is None:
        raise InvalidValue("neither true nor false")
    return boolean


def _to_integer(field: Field) -> Convert:
    least, greatest = field.bounds

    def convert(value: Any) -> int:
        if type(value) is not int:
            if not isinstance(value, str) or not WHOLE.fullmatch(value):
                raise InvalidValue("not a whole number")
            value = int(value)
        if not least <= value <= greatest:
            raise InvalidValue(f"not between {least:,} and {greatest:,}")
        return int(value)

    return convert


def _parts(value: Any, cell_format: CellFormat) -> Iterable[Any]:
    """The values in one cell."""
    if isinstance(value, str) and cell_format.split == "json":
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidValue("not a JSON array") from None
    if isinstance(value, list):
        return value
    if cell_format.split == "json":
        raise InvalidValue("not a JSON array")
    return [part.strip() for part in to_text(value).split(cell_format.split) if part.strip()]


# -- dates and times --


def _moment(value: Any, cell_format: CellFormat) -> dt.datetime:
    """The date and time, with an offset if the cell has one."""
    if isinstance(value, dt.datetime):
        return _in_years(value)
    if isinstance(value, dt.date):
        return _in_years(dt.datetime.combine(value, dt.time()))
    if isinstance(value, str):
        for name in cell_format.formats:
            try:
                return _in_years(_parsed(value, name))
            except (ValueError, OverflowError):
                continue
        raise InvalidValue(f"not a date or time in the format {' or '.join(cell_format.formats)}")
    raise InvalidValue("not a date or time")


def _limit(value: Any, cell_format: CellFormat) -> dt.datetime:
    """The moment until which something may be done.

    A day as a limit ends with that day (Civil Code of the PRC, article 203), so a date without a time of day is its
    last instant. A spreadsheet stores such a date as midnight.
    """
    moment = _moment(value, cell_format)
    whole_day = moment.time() == dt.time() and (not isinstance(value, str) or not _has_time(value, cell_format))
    return dt.datetime.combine(moment.date(), dt.time.max, moment.tzinfo) if whole_day else moment


def _has_time(value: str, cell_format: CellFormat) -> bool:
    """Whether a text that is a valid moment has a time of day."""
    for name in cell_format.formats:
        with contextlib.suppress(ValueError, OverflowError, InvalidValue):
            _parsed(value, name)
            if name == ISO:
                return len(value) > len("2026-W01-1")
            return name != EXCEL and TIME_DIRECTIVE.search(name) is not None
    return False


def _parsed(value: str, format_name: str) -> dt.datetime:
    if format_name == ISO:
        return dt.datetime.fromisoformat(value)
    if format_name == EXCEL:
        moment = from_excel(to_number(value))
        if not isinstance(moment, dt.datetime):
            raise ValueError("a time of day")
        return moment
    return dt.datetime.strptime(value, format_name)


def _in_years(value: dt.datetime) -> dt.datetime:
    first, last = YEARS
    if not first <= value.year <= last:
        raise InvalidValue(f"not between the years {first} and {last}")
    return value


def _instant(value: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(dt.UTC)


def _date(value: dt.datetime) -> dt.date:
    if value.time() != dt.time():
        raise InvalidValue("a time where only a date is expected")
    return value.date()


# -- points and polygons --


def _polygon(value: Any, cell_format: CellFormat) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidValue("not JSON") from None
    if not isinstance(value, dict) or value.get("type") not in ("Polygon", "MultiPolygon"):
        raise InvalidValue("not a GeoJSON polygon")
    convert = datum.to_wgs84(cell_format.datum)
    assert convert is not None
    try:
        polygon = {"type": value["type"], "coordinates": datum.convert_geometry(convert, value.get("coordinates"))}
        if shape(polygon).is_empty:
            raise InvalidValue("an empty polygon")
    except (ValueError, TypeError, IndexError, AttributeError, ShapelyError, RecursionError):
        raise InvalidValue("not the rings of a polygon") from None
    return polygon


def point_coordinates(value: Any) -> tuple[float, float] | None:
    """The x and y of a GeoJSON point; None if there is no geometry."""
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") != "Point":
        raise InvalidValue("not a GeoJSON point")
    coordinates = value.get("coordinates")
    if coordinates == []:
        return None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        raise InvalidValue("not a GeoJSON point")
    return to_number(coordinates[0]), to_number(coordinates[1])
