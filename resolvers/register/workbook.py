"""Writes a table as an Excel workbook (XLSX), row by row."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from models.reason import Reason
from resolvers.register.errors import RegisterError

ROWS_MAXIMUM = 100_000
TEXT_MAXIMUM = 32_767  # characters of a cell; spreadsheet programs take no more
TITLE_MAXIMUM = 31
NOT_IN_TITLES = re.compile(r"[\[\]:*?/\\']")
TIME_FORMAT = "yyyy-mm-dd hh:mm"


@dataclass(frozen=True)
class TableColumn:
    """A column of the table. The values of one with times are local times such as 2026-06-15T12:00."""

    name: str
    times: bool = False


def write_workbook(title: str, columns: Sequence[TableColumn], lines: Iterable[bytes], target: Path) -> int:
    """Write the rows, each a line with a JSON array of texts, numbers and nulls. Returns how many there are.

    A text is never a formula, whatever it begins with. Raises RegisterError for lines that are not such rows.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(NOT_IN_TITLES.sub(" ", title)[:TITLE_MAXIMUM].strip() or "Huhang")
    sheet.freeze_panes = "A2"

    def cell(value: Any, *, time: bool = False, bold: bool = False) -> Any:
        made = WriteOnlyCell(sheet)
        if isinstance(value, str):
            made.value, made.data_type = ILLEGAL_CHARACTERS_RE.sub("", value)[:TEXT_MAXIMUM], "s"
        else:
            made.value = value
        if time:
            made.number_format = TIME_FORMAT
        if bold:
            made.font = Font(bold=True)
        return made

    sheet.append([cell(column.name, bold=True) for column in columns])
    count = 0
    try:
        for count, line in enumerate(lines, start=1):
            values = row_of(line, columns, count)
            sheet.append([cell(v, time=c.times and v is not None) for v, c in zip(values, columns, strict=True)])
    finally:
        sheet.close()
    book.save(target)
    return count


def row_of(line: bytes, columns: Sequence[TableColumn], number: int) -> list[Any]:
    """The values of a line. Raises RegisterError, which has the number of the row and no value."""
    wrong = RegisterError(
        Reason("TABLE_ROW_WRONG", "Row {row} is not an array of texts, numbers and nulls by column.", row=number)
    )
    if number > ROWS_MAXIMUM:
        raise RegisterError(Reason("TABLE_TOO_LONG", "A table has at most {rows:,} rows.", rows=ROWS_MAXIMUM))
    try:
        values = orjson.loads(line)
        if not isinstance(values, list) or len(values) != len(columns):
            raise wrong
        return [time_of(v) if c.times and v is not None else plain(v) for v, c in zip(values, columns, strict=True)]
    except (ValueError, TypeError):
        raise wrong from None


def plain(value: Any) -> str | int | float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise TypeError
    return value


def time_of(value: Any) -> dt.datetime:
    time = dt.datetime.fromisoformat(value)
    if time.tzinfo is not None:
        raise ValueError
    return time
