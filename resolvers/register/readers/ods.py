"""Reads OpenDocument spreadsheets (ODS, ISO/IEC 26300-3) row by row.

python-calamine reads them too, but takes errors and formulas without a result for blank cells, and has no merged cells.
"""

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, iterparse

from openpyxl.utils.datetime import WINDOWS_EPOCH

from models.reason import Reason
from resolvers.register.errors import FileError
from resolvers.register.readers import sheet as sheets
from resolvers.register.readers.record import SheetNumber, UnknownCell
from resolvers.register.readers.xlsx import check_expansion

TABLE_NS, OFFICE, TEXT = (
    f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("table", "office", "text")
)
TABLE, ROW, CELL, COVERED = (f"{TABLE_NS}{name}" for name in ("table", "table-row", "table-cell", "covered-table-cell"))
KIND_IN_CALC = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type"
ERROR = re.compile(r"#(REF|VALUE|DIV/0|NUM|NULL)!|#N/A|#NAME\?|Err:\d+")
CONTENT = "content.xml"
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ParseError, OSError, EOFError),
    *(LookupError, ValueError, OverflowError, NotImplementedError, RecursionError),
)
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384  # of a sheet
MOST_REPEATED = 5_000_000  # cells of a sheet that the file says are the same as the one before
MOST_SPACES = 1_000  # in a row


@contextmanager
def open_sheet(path: Path, name: str | None) -> Iterator[sheets.Sheet]:
    """The named table, or the first. Raises FileError."""
    try:
        check_expansion(path, CONTENT)
        archive = zipfile.ZipFile(path)
    except DAMAGED as error:
        raise sheets.unopened(path, error, Reason("NOT_ODS", "not an ODS spreadsheet")) from None
    with archive:
        try:
            title = sheets.choose(path.name, {title: title for title in _titles(archive)}, name)
            merged: list[sheets.Bounds] = []
            for _ in _rows(archive, title, merged):
                pass  # a merged cell that begins in a row must be known before the row
            yield sheets.Sheet(_rows(archive, title, []), merged)
        except DAMAGED:
            reason = Reason("SPREADSHEET_DAMAGED", "the spreadsheet is damaged or has a password")
            raise FileError(reason, path.name) from None


def _elements(archive: zipfile.ZipFile) -> Iterator[tuple[str, Element]]:
    """The events of all elements. A row is forgotten after its end."""
    parents: list[Element] = []
    with archive.open(CONTENT) as source:
        for event, element in iterparse(source, ("start", "end")):
            if event == "start":
                parents.append(element)
            else:
                parents.pop()
            yield event, element
            if event == "end" and element.tag == ROW and parents:
                parents[-1].clear()


def _titles(archive: zipfile.ZipFile) -> list[str]:
    return [e.get(f"{TABLE_NS}name", "") for event, e in _elements(archive) if event == "start" and e.tag == TABLE]


def _rows(archive: zipfile.ZipFile, title: str, merged: list[sheets.Bounds]) -> Iterator[sheets.Row]:
    """The rows of a table that are not blank. Its merged cells are added to `merged`."""
    number, inside, budget = 1, False, MOST_REPEATED
    for event, element in _elements(archive):
        if event == "start":
            inside = element.get(f"{TABLE_NS}name", "") == title if element.tag == TABLE else inside
        elif element.tag == TABLE and inside:
            return
        elif element.tag == ROW and inside:
            repeated = int(element.get(f"{TABLE_NS}number-rows-repeated", 1))
            cells = _cells(element, number, merged)
            if cells:
                budget -= len(cells) * repeated - len(element)
                if budget < 0 or number + repeated - 1 > MOST_ROWS:
                    raise ValueError("too many cells")
                for at in range(number, number + repeated):
                    yield at, dict(cells)
            number += repeated


def _cells(row: Element, number: int, merged: list[sheets.Bounds]) -> dict[int, Any]:
    column, cells = 1, {}
    for cell in row:
        if cell.tag not in (CELL, COVERED):
            continue
        repeated, wide, high = (
            int(cell.get(f"{TABLE_NS}number-{name}", 1))
            for name in ("columns-repeated", "columns-spanned", "rows-spanned")
        )
        if wide > 1 or high > 1:
            merged.append((column, number, column + wide - 1, number + high - 1))
        value = _value(cell) if cell.tag == CELL else None  # what is under a merged cell is not shown
        if value not in (None, ""):
            if column + repeated - 1 > MOST_COLUMNS:
                raise ValueError("too many columns")
            cells.update(dict.fromkeys(range(column, column + repeated), value))
        column += repeated
    return cells


def _value(cell: Element) -> Any:
    shown = "\n".join(_text(paragraph) for paragraph in cell if paragraph.tag == f"{TEXT}p")
    kind, formula = cell.get(f"{OFFICE}value-type"), cell.get(f"{TABLE_NS}formula")
    if cell.get(KIND_IN_CALC) == "error" or (formula is not None and ERROR.fullmatch(shown)):
        return UnknownCell(sheets.IS_ERROR, shown)
    if formula is not None and kind is None:
        return UnknownCell(sheets.NO_RESULT, formula)
    match kind:
        case "float" | "currency" | "percentage":
            return _number(float(cell.attrib[f"{OFFICE}value"]), shown)
        case "date":
            return dt.datetime.fromisoformat(cell.attrib[f"{OFFICE}date-value"])
        case "boolean":
            return cell.attrib[f"{OFFICE}boolean-value"] == "true"
        case "string":
            return cell.get(f"{OFFICE}string-value", shown)
    return shown


def _number(value: float, shown: str) -> SheetNumber | UnknownCell:
    """A number, which the file also has as its format shows it. Of that only zeros in front are taken."""
    number = sheets.sheet_number(value, "General", WINDOWS_EPOCH)
    if isinstance(number, SheetNumber) and shown.isascii() and shown.isdigit() and shown.lstrip("0") == number.text:
        return replace(number, text=shown)
    return number


def _text(element: Element) -> str:
    """The text of a paragraph, in which elements stand for white space."""
    match element.tag.removeprefix(TEXT):
        case "s":
            return " " * min(int(element.get(f"{TEXT}c", 1)), MOST_SPACES)
        case "tab":
            return "\t"
        case "line-break":
            return "\n"
    return (element.text or "") + "".join(_text(child) + (child.tail or "") for child in element)
