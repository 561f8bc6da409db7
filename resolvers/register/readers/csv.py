"""Reads CSV files, plain or gzipped, and goes on after whatever is damaged.

A file is first split into lines, as bytes: in UTF-8 and GB18030 the bytes of a line end, a comma or a quotation mark
are never part of another character. So a wrong byte or an open quotation mark costs its own row and no other. A file in
UTF-16 is decoded as a whole, so a wrong byte makes it damaged.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from models.reason import Reason
from resolvers.register.errors import FileError, at_line
from resolvers.register.readers.columns import column_positions
from resolvers.register.readers.encodings import UTF_16, BinaryFile, detect, header_hint, open_file
from resolvers.register.readers.record import LONGEST, Record

QUOTE_BYTES = 1024 * 1024  # within which an open quotation mark must be closed
SHOWN = 200  # characters of a damaged row in the report
QUOTATION = Reason("QUOTATION_OPEN", "a quotation mark is not closed, or is inside a field without quotation marks")
NO_HEADER = Reason("HEADER_NONE", "has no header")

csv.field_size_limit(LONGEST)  # the limit is one for the whole process; its default is too small for a zone's boundary

Line = tuple[int, str | None]  # the number of a line and its text, or None if it is too long


class _Lines:
    """The decoded lines of a file. Lines that were taken too early can be pushed back."""

    def __init__(self, file: BinaryFile | IO[str], encoding: str) -> None:
        self._file, self._encoding = file, "utf-8" if encoding == "utf-8-sig" else encoding
        self._pushed_back: deque[Line] = deque()
        self._number = 0

    def take(self) -> Line | None:
        """The next line; None at the end of the file."""
        if self._pushed_back:
            return self._pushed_back.popleft()
        text, whole = self._read()
        if not text:
            return None
        self._number += 1
        if not whole:
            while not whole:
                _, whole = self._read()
            return self._number, None
        return self._number, text.removeprefix("\ufeff") if self._number == 1 else text

    def _read(self) -> tuple[str, bool]:
        """The rest of a line, and whether that is all of it."""
        line: bytes | str = self._file.readline(LONGEST)
        ended = line.endswith("\n") if isinstance(line, str) else line.endswith(b"\n")
        whole = ended or len(line) < LONGEST
        # Bytes that are not valid become lone surrogates, which are reported when their field is converted.
        return line if isinstance(line, str) else line.decode(self._encoding, "surrogateescape"), whole

    def push_back(self, lines: Sequence[Line]) -> None:
        self._pushed_back.extendleft(reversed(lines))


def split_rows(lines: _Lines, delimiter: str, width: int | None) -> Iterator[tuple[int, list[str] | None, str]]:
    """Rows: the number of the first line, and the fields, or None and the reason why there are none.

    A row can extend over several lines if it then has `width` fields. Otherwise only its first line is bad. Raises
    CutOff if the file ends within a quoted field.
    """
    open_to_end = False  # an open quotation mark was closed nowhere in the rest of the file
    while (first := lines.take()) is not None:
        number, text = first
        if text is None:
            yield number, None, Reason("FILE_LENGTH", "longer than {maximum:,} bytes", maximum=LONGEST)
            continue
        fields: list[str] | None
        if '"' not in text:
            stripped = text.rstrip("\r\n")
            fields = stripped.split(delimiter) if stripped else []
        else:
            quoted = _QuotedRow(lines, text)
            try:
                fields = next(csv.reader(quoted, delimiter=delimiter, strict=True))
            except (csv.Error, StopIteration):
                fields = None
                open_to_end = open_to_end or quoted.reached_end
            if fields is None or (quoted.taken and width is not None and len(fields) != width):
                fields = None
                lines.push_back(quoted.taken)
        if open_to_end and not text.endswith("\n") and (fields is None or len(fields) != width):
            raise CutOff
        if fields is None:
            yield number, None, QUOTATION
        elif fields:
            yield number, fields, ""


class CutOff(Exception):
    """A file ends within a quoted field."""


class _QuotedRow:
    """A line, followed by as many others as an open quotation mark needs. `taken` are those others.

    `reached_end`: the file has no more lines.
    """

    def __init__(self, lines: _Lines, first: str) -> None:
        self._lines, self._first = lines, first
        self.taken: list[Line] = []
        self.reached_end = False

    def __iter__(self) -> Iterator[str]:
        yield self._first
        size = 0
        while size < QUOTE_BYTES:
            if (line := self._lines.take()) is None:
                self.reached_end = True
                return
            self.taken.append(line)
            if line[1] is None:
                return
            size += len(line[1])
            yield line[1]


def read(
    path: Path, wanted: Sequence[str], *, encoding: str | None, delimiter: str, header: int, gzipped: bool
) -> Iterator[Record]:
    """The wanted columns of every row that is not blank. Without an encoding, the file's is detected.

    Raises FileError, before the first row if the header is wrong.
    """
    encoding = encoding or detect(path, gzipped)
    with open_file(path, gzipped) as file, _decoded(file, encoding) as text:
        try:
            yield from _records(path, _Lines(text, encoding), wanted, delimiter, header, gzipped)
        except CutOff:
            reason = Reason("FILE_CUT", "ends within a quoted field: the file was cut off")
            raise FileError(reason, path.name) from None
        except UnicodeError:
            reason = Reason("FILE_ENCODING", "not {encoding}, or cut off", encoding=encoding)
            raise FileError(reason, path.name) from None


def _decoded(file: BinaryFile, encoding: str) -> AbstractContextManager[BinaryFile | IO[str]]:
    """The file as text if its encoding has no lines of bytes. Only a line feed ends a line, as in a file of bytes."""
    return io.TextIOWrapper(file, encoding, newline="\n") if encoding == UTF_16 else nullcontext(file)


def _records(
    path: Path, lines: _Lines, wanted: Sequence[str], delimiter: str, header: int, gzipped: bool
) -> Iterator[Record]:
    for _ in range(header - 1):
        lines.take()
    _, names, reason = next(split_rows(lines, delimiter, None), (0, None, NO_HEADER))
    if names is None:
        raise FileError(at_line(header, reason), path.name)
    positions = column_positions(path.name, names, wanted, lambda: header_hint(path, gzipped, header, wanted))
    for number, fields, reason in split_rows(lines, delimiter, len(names)):
        if fields is None:
            yield Record(number, reason=reason)
        elif not any(map(str.strip, fields)):
            continue
        elif len(fields) != len(names):
            reason = Reason(
                "COLUMNS_DIFFER",
                "has {columns} columns, and the header has {names}",
                columns=len(fields),
                names=len(names),
            )
            yield Record(number, reason=reason, raw=delimiter.join(fields)[:SHOWN])
        else:
            yield Record(number, [fields[at] for at in positions])
