"""Reads workbooks of Excel 97 to 2003 (XLS), which have at most 65,536 rows and are in memory as a whole.

`formatting_info` makes xlrd give merged cells and number formats. This format does not tell a formula that was never
computed, which some programs write, from one whose result is an empty text.
"""

import datetime as dt
import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xlrd
from openpyxl.utils.datetime import CALENDAR_MAC_1904, WINDOWS_EPOCH, from_excel

from models.reason import Reason
from resolvers.register.errors import FileError
from resolvers.register.readers import sheet as sheets
from resolvers.register.readers.record import UnknownCell

# The errors of xlrd for files that are not as it expects.
DAMAGED = (
    *(zipfile.BadZipFile, xlrd.XLRDError, xlrd.compdoc.CompDocError, struct.error, AssertionError, OSError, EOFError),
    *(AttributeError, LookupError, TypeError, ValueError, OverflowError, NotImplementedError, RecursionError),
)
LARGEST = 256 * 1024 * 1024  # bytes


@contextmanager
def open_sheet(path: Path, name: str | None) -> Iterator[sheets.Sheet]:
    """The named worksheet, or the first. Raises FileError."""
    try:
        if path.stat().st_size > LARGEST:
            raise FileError(Reason("FILE_LENGTH", "longer than {maximum:,} bytes", maximum=LARGEST), path.name)
        book = xlrd.open_workbook(path, formatting_info=True, on_demand=True, ragged_rows=True, logfile=io.StringIO())
        pages = {title: number for number, title in enumerate(book.sheet_names())}
    except DAMAGED as error:
        raise sheets.unopened(path, error, Reason("NOT_XLS", "not an XLS workbook")) from None
    try:
        page = book.sheet_by_index(sheets.choose(path.name, pages, name))
        # xlrd counts from 0, and its ends are those after the last.
        merged = [(left + 1, top + 1, right, bottom) for top, bottom, left, right in page.merged_cells]
        yield sheets.Sheet(_rows(book, page), merged)
    except DAMAGED:
        raise FileError(Reason("WORKBOOK_DAMAGED", "the workbook is damaged"), path.name) from None
    finally:
        book.release_resources()


def _rows(book: Any, page: Any) -> Iterator[sheets.Row]:
    epoch = CALENDAR_MAC_1904 if book.datemode else WINDOWS_EPOCH
    for number in range(page.nrows):
        cells = ((column, _value(book, cell, epoch)) for column, cell in enumerate(page.row(number), start=1))
        yield number + 1, {column: value for column, value in cells if value not in (None, "")}


def _value(book: Any, cell: Any, epoch: dt.datetime) -> Any:
    match cell.ctype:
        case xlrd.XL_CELL_TEXT:
            return cell.value
        case xlrd.XL_CELL_BOOLEAN:
            return bool(cell.value)
        case xlrd.XL_CELL_ERROR:
            return UnknownCell(sheets.IS_ERROR, xlrd.error_text_from_code.get(cell.value, "#ERROR"))
        case xlrd.XL_CELL_DATE:
            try:
                return from_excel(cell.value, epoch)
            except (OverflowError, ValueError):
                return UnknownCell(sheets.NO_DATE, str(cell.value))
        case xlrd.XL_CELL_NUMBER:
            style = book.format_map[book.xf_list[cell.xf_index].format_key]
            return sheets.sheet_number(cell.value, style.format_str, epoch)
    return None
