"""Code that the readers of spreadsheets share: headers of several rows, merged cells, and numbers as they are shown.

A header can have several rows. The name of a column is then made of the texts above it, joined by "/".
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from models.reason import Reason
from resolvers.register.errors import FileError
from resolvers.register.readers.columns import column_positions
from resolvers.register.readers.record import Record, SheetNumber, UnknownCell

MOST_DIGITS = 10**15  # Excel keeps the first 15 digits of a number
TOO_LONG = Reason(
    "DIGITS_LOST", "a number of more than 15 digits, of which spreadsheets keep 15: the column must be text"
)
NO_RESULT = Reason(
    "FORMULA_WITHOUT_RESULT", "a formula without a result: open the file in a spreadsheet program and save it"
)
IS_ERROR = Reason("ERROR_CELL", "an error in the spreadsheet")
NO_DATE = Reason("DATE_IMPOSSIBLE", "a date that no calendar has")
COVERED = UnknownCell(Reason("CELL_COVERED", "inside a merged cell that begins in another column or in the header"))
# The parts of a number format that only pads and separates digits, such as 000-0000 or "A"00.
PARTS = re.compile(r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<digit>0)|(?P<plain>[-+ ()/:])|[_*].')
IGNORED = re.compile(r"\[(?![<>=])[^\]]*\]")  # a colour or a language

Bounds = tuple[int, int, int, int]  # left, top, right and bottom of a range of cells; the first column and row are 1
Row = tuple[int, dict[int, Any]]  # the number of a row, and by column its cells that are not blank
Page = TypeVar("Page")
# The first bytes of files that are often given the name of another format, and what to do about it.
DISGUISES = {
    b"PK\x03\x04": Reason("PERHAPS_XLSX", 'perhaps it is XLSX or ODS under another name: set format = "xlsx" or "ods"'),
    b"\xd0\xcf\x11\xe0": Reason(
        "PERHAPS_XLS", 'perhaps it is XLS under another name (set format = "xls"), or has a password'
    ),
    b"<": Reason(
        "PERHAPS_PAGE",
        "perhaps it is a web page under another name: open it in a spreadsheet program and save it as XLSX",
    ),
}


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook: its rows in order, and its merged cells."""

    rows: Iterable[Row]
    merged: Sequence[Bounds]


Opener = Callable[[Path, str | None], AbstractContextManager[Sheet]]  # opens the named sheet of a file, or the first


def choose(file_name: str, pages: Mapping[str, Page], name: str | None) -> Page:
    """The named page, or the first. Raises FileError."""
    if not pages:
        raise FileError(Reason("WORKSHEET_NONE", "has no worksheet"), file_name)
    if name is not None and name not in pages:
        reason = Reason("SHEET_UNKNOWN", "has no sheet {name}; it has {sheets}", name=name, sheets=list(pages))
        raise FileError(reason, file_name)
    return pages[name] if name is not None else next(iter(pages.values()))


def unopened(path: Path, error: BaseException, not_wanted: Reason) -> FileError:
    """The error of a file that cannot be opened: the system's reason, or what it is not and what it may be."""
    if isinstance(error, OSError) and error.strerror:
        return FileError(error.strerror, path.name)
    with path.open("rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    hints = [hint for mark, hint in DISGUISES.items() if start.startswith(mark)]
    if hints:
        return FileError(Reason("FILE_DISGUISED", "{reason}; {hint}", reason=not_wanted, hint=hints[0]), path.name)
    return FileError(not_wanted, path.name)


def sheet_number(number: int | float, number_format: str, epoch: dt.datetime) -> SheetNumber | UnknownCell:
    """The cell of a number, which is unknown if it has lost digits."""
    if not abs(number) < MOST_DIGITS:
        return UnknownCell(TOO_LONG, f"{number:.15g}")
    whole = int(number) == number
    text = str(int(number)) if whole else f"{number:.15g}"
    if whole and number >= 0:
        text = _formatted(text, number_format)
    return SheetNumber(int(number) if whole else number, text, epoch)


def _formatted(digits: str, number_format: str) -> str:
    """Digits as a number format shows them. They stay as they are unless the format only pads and separates them."""
    code = IGNORED.sub("", number_format.split(";")[0])
    parts = list(PARTS.finditer(code))
    places = sum(part["digit"] is not None for part in parts)
    if not places or sum(len(part[0]) for part in parts) != len(code):
        return digits
    left = digits.zfill(places)
    shown = []
    for part in parts:
        if part["digit"] is None:
            shown.append(part["quoted"] or part["escaped"] or part["plain"] or "")
        else:
            places -= 1
            end = len(left) - places
            shown.append(left[:end])
            left = left[end:]
    return "".join(shown).strip()


def read(
    open_sheet: Opener, path: Path, wanted: Sequence[str], *, sheet: str | None, header: int, header_rows: int
) -> Iterator[Record]:
    """The wanted columns of every row of a sheet that is not blank.

    Raises FileError, before the first row if the header is wrong.
    """
    with open_sheet(path, sheet) as page:
        yield from _records(path.name, page, wanted, header, header_rows)


def _records(file_name: str, page: Sheet, wanted: Sequence[str], header: int, header_rows: int) -> Iterator[Record]:
    stream, head, first = iter(page.rows), {}, header + header_rows
    body: Iterator[Row] = iter(())
    for number, cells in stream:
        if number >= first:
            body = chain([(number, cells)], stream)
            break
        head[number] = cells
    names = _column_names([head.get(number, {}) for number in range(header, first)], header, page.merged)
    columns = [position + 1 for position in column_positions(file_name, names, wanted)]
    covers = _Covers(page.merged, columns, first)
    for number, cells in body:
        own = dict(cells)
        covers.fill(number, own)
        if cells:
            yield Record(number, [own.get(column) for column in columns])


class _Covers:
    """The merged cells of a body, as its rows pass from the first to the last.

    A merged cell gives its value to each row of its first column. Its other columns are unknown. The work for a row
    does not grow with the size or the number of the merged cells.
    """

    def __init__(self, merged: Sequence[Bounds], columns: Iterable[int], first: int) -> None:
        self._columns, self._first = frozenset(columns), first
        self._waiting = sorted((bounds for bounds in merged if bounds[3] >= first), key=lambda b: b[1], reverse=True)
        self._covers: dict[int, tuple[int, Any]] = {}  # by column, the last row of a merged cell and its value

    def fill(self, number: int, cells: dict[int, Any]) -> None:
        """Give the cells of a row the values of the merged cells that they are in."""
        while self._waiting and self._waiting[-1][1] <= number:
            left, top, right, bottom = self._waiting.pop()
            in_header = top < self._first
            value = COVERED if in_header else cells.get(left) if top == number else None
            if value is not None:
                for column in self._columns:
                    if left <= column <= right:
                        self._covers[column] = (bottom, value if column == left else COVERED)
        for column, (bottom, value) in list(self._covers.items()):
            if bottom < number:
                del self._covers[column]
            else:
                cells[column] = value


def _column_names(head: Sequence[Mapping[int, Any]], header: int, merged: Sequence[Bounds]) -> list[str]:
    """The names of the columns. `head` are the rows of the header, of which `header` is the number of the first."""
    width = max((column for row in head for column in row), default=0)
    grid = [[row.get(column) for column in range(1, width + 1)] for row in head]
    if len(head) > 1:
        _spread(grid, width, header, merged)
    names = []
    for column in range(width):
        parts = [str(row[column]).strip() for row in grid if row[column] is not None]
        names.append("/".join(part for i, part in enumerate(parts) if part and part not in parts[:i]))
    return names


def _spread(grid: Sequence[list[Any]], width: int, header: int, merged: Sequence[Bounds]) -> None:
    """Give every cell of a header the value of the merged cell that it is in."""
    left_over = len(grid) * width
    for left, top, right, bottom in merged:
        if header <= top < header + len(grid) and left <= width:
            value = grid[top - header][left - 1]
            rows, columns = range(top - header, min(bottom - header + 1, len(grid))), range(left - 1, min(right, width))
            left_over -= len(rows) * len(columns)
            if left_over < 0:
                raise ValueError("merged cells overlap")
            for row in rows:
                for column in columns:
                    grid[row][column] = value
