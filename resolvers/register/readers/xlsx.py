"""Reads Excel workbooks (XLSX) row by row. Only the workbook's table of shared texts is in memory as a whole.

openpyxl's reader for large files gives a formula without a result as a blank cell, and no merged cells, so a worksheet
is parsed here with the parser that this reader uses. python-calamine would be faster, but gives errors and formulas
without a result as blank cells, and no number formats.
"""

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, iterparse

from openpyxl import load_workbook
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.escape import unescape
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._reader import WorkSheetParser
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.xml.constants import SHEET_MAIN_NS

from models.reason import Reason
from resolvers.register.errors import FileError
from resolvers.register.readers import sheet as sheets
from resolvers.register.readers.record import UnknownCell

MERGED_CELL, ROW, DATA, FORMULA, VALUE = (
    f"{{{SHEET_MAIN_NS}}}{name}" for name in ("mergeCell", "row", "sheetData", "f", "v")
)
# The errors of zipfile, the XML parser and openpyxl for files that are not as they expect.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError),
    *(AttributeError, LookupError, TypeError, ValueError, EOFError, OSError, NotImplementedError),
)
# A file is refused if a part of it expands more than this. Apache POI has the same limit; spreadsheets stay below 50.
MOST_EXPANSION, ALWAYS_ACCEPTED = 100, 1024 * 1024
MOST_SHARED_TEXTS = 512 * 1024 * 1024  # bytes of every part but the worksheets, which are in memory as a whole
CHUNK = 1 << 16


@contextmanager
def open_sheet(path: Path, name: str | None) -> Iterator[sheets.Sheet]:
    """The named worksheet, or the first. Raises FileError."""
    try:
        check_expansion(path, "/worksheets/")
        with warnings.catch_warnings():
            # openpyxl warns of what it would not write back, such as some styles. Nothing is written back.
            warnings.simplefilter("ignore", UserWarning)
            book = load_workbook(path, read_only=True, data_only=True)
    except DAMAGED as error:
        raise sheets.unopened(path, error, Reason("NOT_XLSX", "not an XLSX workbook")) from None
    try:
        page = sheets.choose(path.name, {page.title: page for page in book.worksheets}, name)
        yield sheets.Sheet(_rows(book, page), _merged_cells(page))
    except DAMAGED:
        raise FileError(Reason("WORKBOOK_DAMAGED", "the workbook is damaged"), path.name) from None
    finally:
        book.close()


def check_expansion(path: Path, streamed: str) -> None:
    """Refuse a zipped file that would fill the memory. A part cannot be longer than the file says.

    Parts with `streamed` in their name are not in memory as a whole.
    """
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            expansion = part.file_size / max(part.compress_size, 1)
            held = streamed not in part.filename and part.file_size > MOST_SHARED_TEXTS
            if held or (part.file_size > ALWAYS_ACCEPTED and expansion > MOST_EXPANSION):
                reason = Reason(
                    "PART_TOO_LARGE",
                    "{part} in it is too large: {size:,} bytes",
                    part=part.filename,
                    size=part.file_size,
                )
                raise FileError(reason, path.name)


def _rows(book: Any, page: Any) -> Iterator[sheets.Row]:
    with page._get_source() as source:
        parser = _CellParser(book, source, page._shared_strings)
        data: Element | None = None
        for event, element in iterparse(source, ("start", "end")):
            if event == "start":
                data = element if element.tag == DATA else data
            elif element.tag == ROW:
                number, cells = parser.parse_row(element)
                yield number, {cell["column"]: cell["value"] for cell in cells if cell["value"] not in (None, "")}
                if data is not None:
                    data.clear()


class _CellParser(WorkSheetParser):
    """Parses cells to the values of records."""

    def __init__(self, book: Any, source: Any, texts: Any) -> None:
        super().__init__(source, texts, data_only=True, epoch=book.epoch)
        self._formats = [_number_format(book, style.numFmtId) for style in book._cell_styles]
        self._dates, self._durations = book._date_formats, book._timedelta_formats

    def parse_cell(self, element: Element) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        cell["value"] = self._value(cell, element)
        return cell

    def _value(self, cell: dict[str, Any], element: Element) -> Any:
        value, style = cell["value"], cell["style_id"]
        if value is None:
            return _missing_result(element)
        match cell["data_type"]:
            case "e":
                return UnknownCell(sheets.IS_ERROR, str(value))
            case "n" if style in self._dates:
                try:
                    return from_excel(value, self.epoch, timedelta=style in self._durations)
                except (OverflowError, ValueError):
                    return UnknownCell(sheets.NO_DATE, str(value))
            case "n":
                return sheets.sheet_number(value, self._formats[style], self.epoch)
            case "s" if "_x" in value:
                return unescape(value)
        return value


def _missing_result(element: Element) -> UnknownCell | None:
    """The cell of a formula of which the file has no result. An empty text is a result."""
    formula = element.find(FORMULA)
    if formula is None or (element.get("t") == "str" and element.find(VALUE) is not None):
        return None
    return UnknownCell(sheets.NO_RESULT, f"={formula.text or ''}")


def _number_format(book: Any, number: int) -> str:
    if number < BUILTIN_FORMATS_MAX_SIZE:
        return BUILTIN_FORMATS.get(number, "General")
    return str(book._number_formats[number - BUILTIN_FORMATS_MAX_SIZE])


def _merged_cells(page: Any) -> list[sheets.Bounds]:
    """The merged cells of a worksheet, which are at its end."""
    if not _mentions_merged_cells(page):
        return []
    merged: list[sheets.Bounds] = []
    with page._get_source() as source:
        data: Element | None = None
        for event, element in iterparse(source, ("start", "end")):
            if event == "start":
                data = element if element.tag == DATA else data
            elif element.tag == MERGED_CELL:
                merged.append(CellRange(element.get("ref")).bounds)
            elif element.tag == ROW and data is not None:
                data.clear()
    return merged


def _mentions_merged_cells(page: Any) -> bool:
    """Whether a worksheet may have merged cells: to search its text is much faster than to parse it."""
    with page._get_source() as source:
        before = b""
        while chunk := source.read(CHUNK):
            text = before + chunk
            if b"mergeCell" in text or b"\0" in text:  # UTF-16 has a zero byte in each of these letters
                return True
            before = chunk[-len(b"mergeCell") :]
    return False
