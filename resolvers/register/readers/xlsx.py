"""Reads Excel workbooks (XLSX) row by row. Only the workbook's table of shared texts is in memory as a whole.

A header can have several rows. The name of a column is then made of the texts above it, joined by "/", and needs the
merged cells, which are at the end of a worksheet and which openpyxl's reader for large files does not give.
"""

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.xml.constants import SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from resolvers.register.errors import FileError
from resolvers.register.readers.csv import column_positions
from resolvers.register.readers.record import Record

MERGED_CELL, ROW = f"{{{SHEET_MAIN_NS}}}mergeCell", f"{{{SHEET_MAIN_NS}}}row"
DAMAGED = (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, EOFError, OSError)

Bounds = tuple[int, int, int, int]  # left, top, right and bottom of a range of cells; the first column and row are 1


def read(
    path: Path, wanted: Sequence[str], *, sheet: str | None, header: int, header_rows: int, dates: frozenset[str]
) -> Iterator[Record]:
    """The wanted columns of every row that is not blank. Numbers in the columns of `dates` become dates and times.

    Raises FileError, before the first row if the header is wrong.
    """
    try:
        with warnings.catch_warnings():
            # openpyxl warns of what it would not write back, such as some styles. Nothing is written back.
            warnings.simplefilter("ignore", UserWarning)
            book = load_workbook(path, read_only=True, data_only=True)
    except DAMAGED as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not an XLSX workbook"
        raise FileError(f"{path.name}: {reason}") from None
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise FileError(f"{path.name}: has no sheet {sheet}; it has {', '.join(book.sheetnames)}")
        page: Any = book[sheet] if sheet is not None else book.worksheets[0]
        page.reset_dimensions()  # the size that a file gives for itself is often wrong
        rows = page.iter_rows(values_only=True)
        head = [next(rows, ()) for _ in range(header - 1 + header_rows)][header - 1 :]
        merged = _merged_cells(page) if header_rows > 1 else []
        positions = column_positions(path.name, _column_names(head, header, merged), wanted)
        is_date = [name in dates for name in wanted]
        for number, row in enumerate(rows, start=header + header_rows):
            if all(cell is None or cell == "" for cell in row):
                continue
            cells = [
                _cell(row[at] if at < len(row) else None, date, book.epoch)
                for at, date in zip(positions, is_date, strict=True)
            ]
            yield Record(number, cells)
    except DAMAGED:
        raise FileError(f"{path.name}: the workbook is damaged") from None
    finally:
        book.close()


def _cell(value: Any, is_date: bool, epoch: Any) -> Any:
    """A value, converted if it is the serial number of a date."""
    if is_date and type(value) in (int, float):
        try:
            return from_excel(value, epoch)
        except (ValueError, OverflowError):
            return value
    return value


def _merged_cells(page: Any) -> list[Bounds]:
    """The merged cells of a worksheet."""
    merged: list[Bounds] = []
    with page._get_source() as source:
        for _, element in iterparse(source):
            if element.tag == MERGED_CELL:
                merged.append(CellRange(element.get("ref")).bounds)
            elif element.tag == ROW:
                element.clear()
    return merged


def _column_names(head: Sequence[Sequence[Any]], header: int, merged: Sequence[Bounds]) -> list[str]:
    """The names of the columns. `head` are the rows of the header, of which `header` is the number of the first."""
    width = max((len(row) for row in head), default=0)
    grid = [[*row, *[None] * (width - len(row))] for row in head]
    for left, top, right, bottom in merged:
        if header <= top < header + len(grid) and left <= width:
            value = grid[top - header][left - 1]
            for row in range(top - header, min(bottom - header + 1, len(grid))):
                for column in range(left - 1, min(right, width)):
                    grid[row][column] = value
    names = []
    for column in range(width):
        parts = [str(row[column]).strip() for row in grid if row[column] is not None]
        names.append("/".join(part for i, part in enumerate(parts) if part and part not in parts[:i]))
    return names
