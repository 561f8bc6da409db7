"""Spreadsheets of Excel (XLSX), read row by row; only the workbook's table of shared texts is held whole.

Merged cells are known to the file's end alone, and openpyxl's reader for large files does not look there. A header over
several rows needs them: a column's name is what stands above it, joined by "/".
"""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.exceptions import InvalidFileException

from resolvers.register.errors import FileError
from resolvers.register.readers.csv import column_positions
from resolvers.register.readers.record import Record

MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*\bref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')
BROKEN = (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, EOFError, OSError)
CHUNK = 1 << 16


def read(
    path: Path, wanted: Sequence[str], *, sheet: str | None, header: int, header_rows: int, dates: frozenset[str]
) -> Iterator[Record]:
    """The wanted columns of every row that is not blank. Numbers in the columns of `dates` become times.

    Raises FileError, before the first row for a bad header.
    """
    try:
        with warnings.catch_warnings():
            # It warns of what it does not keep when it writes, such as styles; nothing is written.
            warnings.simplefilter("ignore", UserWarning)
            book = load_workbook(path, read_only=True, data_only=True)
    except BROKEN as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not an XLSX workbook"
        raise FileError(f"{path.name}: {reason}") from None
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise FileError(f"{path.name}: has no sheet {sheet}; it has {', '.join(book.sheetnames)}")
        page: Any = book[sheet] if sheet is not None else book.worksheets[0]
        page.reset_dimensions()  # what a file says of its own size is often wrong
        rows = page.iter_rows(values_only=True)
        head = [next(rows, ()) for _ in range(header - 1 + header_rows)][header - 1 :]
        merged = _merged(path, page._worksheet_path) if header_rows > 1 else []
        names = _names(head, header, merged)
        places = column_positions(path.name, names, wanted)
        serial = [name in dates for name in wanted]
        for number, row in enumerate(rows, start=header + header_rows):
            if all(cell is None or cell == "" for cell in row):
                continue
            cells = [
                _cell(row[place] if place < len(row) else None, date, book.epoch)
                for place, date in zip(places, serial, strict=True)
            ]
            yield Record(number, cells)
    except BROKEN:
        raise FileError(f"{path.name}: the workbook is broken") from None
    finally:
        book.close()


def _cell(value: Any, date: bool, epoch: Any) -> Any:
    if date and type(value) in (int, float):
        try:
            return from_excel(value, epoch)
        except (ValueError, OverflowError):
            return value
    return value


def _merged(path: Path, name: str) -> list[tuple[int, int, int, int]]:
    """The merged ranges of a sheet: left, top, right, bottom, 1 being the first."""
    tail, found = b"", []
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        while chunk := file.read(CHUNK):
            text = tail + chunk
            found += MERGED.findall(text)
            # A piece of a reference may be cut in two, and one that was found must not be found again.
            tail = text[max(text.rfind(b"<"), 0) :]
            if MERGED.match(tail):
                tail = b""
    ranges = [range_boundaries(ref.decode()) for ref in found]
    return [(left, top, right, bottom) for left, top, right, bottom in ranges if left and top and right and bottom]


def _names(head: Sequence[Sequence[Any]], header: int, merged: Sequence[tuple[int, int, int, int]]) -> list[str]:
    """The names of the columns, from the texts above each."""
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
