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

from openpyxl.utils.datetime import WINDOWS_EPOCH, from_excel

from models.reason import Reason
from resolvers.register import geometry
from resolvers.register.errors import InvalidValue
from resolvers.register.numerals import IDENTIFIER, plain, to_number, to_whole_number
from resolvers.register.readers.record import SheetNumber, UnknownCell
from resolvers.register.tables import YEARS, Field, Kind

UNDECODABLE = re.compile("[\ud800-\udfff]")  # lone surrogates stand for bytes that are not valid in the encoding
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "是"), True),
    **dict.fromkeys(("false", "0", "no", "否"), False),
}
TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')  # programs write ="007" into CSV files so that Excel keeps the zeros
ISO, EXCEL = "iso", "excel"
TIME_DIRECTIVE = re.compile("%[HIMSfpcX]")  # in a format of strptime: it has a time of day
MIDNIGHT = re.compile(r"(.*[T \u65e5])24([:\u65f6\u70b9].*)")  # 24:00, or the same with 时 or 点: the end of a day
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
        if isinstance(cell, UnknownCell):
            if cell.shown in self.no_value:
                return None
            raise InvalidValue(cell.reason)
        if isinstance(cell, SheetNumber):
            return None if {cell.text, str(cell.number)} & self.no_value else cell
        if isinstance(cell, str):
            if "\0" in cell:
                raise InvalidValue(Reason("NUL_CHARACTER", "contains a NUL character"))
            if not self.escaped:
                cell = cell.strip()
                if cell.startswith('="') and (formula := TEXT_FORMULA.fullmatch(cell)) is not None:
                    cell = formula[1].replace('""', '"').strip()
            if not cell or cell in self.no_value:
                return None
            if self.escaped and cell[0] == ESCAPE:
                cell = cell[1:]
            if not cell.isascii() and UNDECODABLE.search(cell):
                raise InvalidValue(Reason("NOT_IN_ENCODING", "not valid in the mapping's encoding"))
            return cell
        if isinstance(cell, float):
            if not math.isfinite(cell):
                raise InvalidValue(Reason("NOT_A_NUMBER", "not a number"))
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
    if isinstance(value, int | float | SheetNumber):
        return str(value)
    raise InvalidValue(Reason("NOT_A_TEXT", "not a text"))


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
            return lambda value: geometry.polygon(value, cell_format.datum)
        case Kind.TEXTS | Kind.ENUMS | Kind.REFERENCES:
            one = _mapped(
                field,
                cell_format,
                _to_member(field) if field.kind is Kind.ENUMS else _to_valid_text(field, cell_format),
            )
            return lambda value: [one(part) for part in _parts(value, cell_format)]
        case Kind.ENUM:
            return _mapped(field, cell_format, _to_member(field))
        case Kind.BOOLEAN:
            return _mapped(field, cell_format, _to_boolean)
        case Kind.INTEGER:
            return _mapped(field, cell_format, _to_integer(field))
    return _mapped(field, cell_format, _to_valid_text(field, cell_format))


def _cached(convert: Convert) -> Convert:
    """Cache conversions: a register has few different dates, and each of them a thousand times."""
    cache: dict[Any, Any] = {}

    def cached(value: Any) -> Any:
        if isinstance(value, list | dict):
            raise InvalidValue(Reason("NOT_A_TEXT", "not a text"))
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
        raise InvalidValue(Reason("NOT_AMONG_VALUES", "not among the mapping's values"))

    return mapped


def _to_valid_text(field: Field, cell_format: CellFormat) -> Convert:
    def convert(value: Any) -> str:
        text = to_text(value)
        if field.identifier and not cell_format.escaped and not text.isascii():
            text = text.translate(IDENTIFIER).strip()
            if not text:
                raise InvalidValue(Reason("NOTHING_VISIBLE", "has no visible character"))
        if len(text) > field.max_length:
            raise InvalidValue(Reason("CELL_LENGTH", "longer than {maximum:,} characters", maximum=field.max_length))
        if not field.check(text) and field.format:
            raise InvalidValue(field.format)
        return text

    return convert


def _to_member(field: Field) -> Convert:
    assert field.members is not None
    members = field.members.__members__

    def convert(value: Any) -> Any:
        member = members.get(to_text(value))
        if member is None:
            raise InvalidValue(Reason("NOT_ONE_OF", "not one of {members}", members=list(members)))
        return member

    return convert


def _to_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    boolean = BOOLEANS.get(plain(to_text(value)).lower())
    if boolean is None:
        raise InvalidValue(Reason("NOT_BOOLEAN", "neither true nor false"))
    return boolean


def _to_integer(field: Field) -> Convert:
    least, greatest = field.bounds

    def convert(value: Any) -> int:
        whole = to_whole_number(value)
        if not least <= whole <= greatest:
            raise InvalidValue(
                Reason("NOT_BETWEEN", "not between {least:,} and {greatest:,}", least=least, greatest=greatest)
            )
        return whole

    return convert


def _parts(value: Any, cell_format: CellFormat) -> Iterable[Any]:
    """The values in one cell."""
    if isinstance(value, str) and cell_format.split == "json":
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidValue(Reason("NOT_JSON_ARRAY", "not a JSON array")) from None
    if isinstance(value, list):
        return value
    if cell_format.split == "json":
        raise InvalidValue(Reason("NOT_JSON_ARRAY", "not a JSON array"))
    return [part.strip() for part in to_text(value).split(cell_format.split) if part.strip()]


# -- dates and times --


def _moment(value: Any, cell_format: CellFormat) -> dt.datetime:
    """The date and time, with an offset if the cell has one."""
    if isinstance(value, dt.datetime):
        return _in_years(value)
    if isinstance(value, dt.date):
        return _in_years(dt.datetime.combine(value, dt.time()))
    if isinstance(value, str | SheetNumber):
        return _in_years(_parsed(value, cell_format)[0])
    raise InvalidValue(Reason("NOT_A_TIME", "not a date or time"))


def _limit(value: Any, cell_format: CellFormat) -> dt.datetime:
    """The moment until which something may be done.

    A day as a limit ends with that day (Civil Code of the PRC, article 203), so a date without a time of day is its
    last instant. A spreadsheet stores such a date as midnight.
    """
    moment = _moment(value, cell_format)
    has_time = isinstance(value, str | SheetNumber) and _parsed(value, cell_format)[1]
    whole_day = moment.time() == dt.time() and not has_time
    return dt.datetime.combine(moment.date(), dt.time.max, moment.tzinfo) if whole_day else moment


def _parsed(value: str | SheetNumber, cell_format: CellFormat) -> tuple[dt.datetime, bool]:
    """The date and time in the first of the formats that fits, and whether the text gives a time of day."""
    if isinstance(value, str):
        value = plain(value)
    for name in cell_format.formats:
        with contextlib.suppress(ValueError, OverflowError, InvalidValue):
            return _parsed_as(value, name)
    if (midnight := MIDNIGHT.fullmatch(str(value))) is not None:
        for name in cell_format.formats:
            with contextlib.suppress(ValueError, OverflowError, InvalidValue):
                moment, has_time = _parsed_as(f"{midnight[1]}00{midnight[2]}", name)
                if has_time and moment.time() == dt.time():
                    return moment + dt.timedelta(days=1), True
    formats = " / ".join(cell_format.formats)
    reason = Reason("NOT_IN_FORMAT", "not a date or time in the format {formats}", formats=formats)
    if isinstance(value, SheetNumber) and EXCEL not in cell_format.formats:
        reason = Reason(
            "NOT_IN_FORMAT_NOR_EXCEL",
            "{reason}; for numbers that count days, the mapping's dates need {excel}",
            reason=reason,
            excel=EXCEL,
        )
    raise InvalidValue(reason)


def _parsed_as(value: str | SheetNumber, name: str) -> tuple[dt.datetime, bool]:
    if name == EXCEL:
        moment = from_excel(to_number(value), value.epoch if isinstance(value, SheetNumber) else WINDOWS_EPOCH)
        if not isinstance(moment, dt.datetime):
            raise ValueError("a time of day")
        return moment, False
    text = str(value)
    if name == ISO:
        return dt.datetime.fromisoformat(text), len(text) > len("2026-W01-1")
    return dt.datetime.strptime(text, name), TIME_DIRECTIVE.search(name) is not None


def _in_years(value: dt.datetime) -> dt.datetime:
    first, last = YEARS
    if not first <= value.year <= last:
        raise InvalidValue(Reason("NOT_IN_YEARS", "not between the years {first} and {last}", first=first, last=last))
    return value


def _instant(value: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(dt.UTC)


def _date(value: dt.datetime) -> dt.date:
    if value.time() != dt.time():
        raise InvalidValue(Reason("NOT_A_DATE", "a time where only a date is expected"))
    return value.date()
