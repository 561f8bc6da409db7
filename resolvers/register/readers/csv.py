"""Reads CSV files, plain or gzipped, and goes on after whatever is damaged.

A file is first split into lines, as bytes: in UTF-8 and GB18030 the bytes of a line end, a comma or a quotation mark
are never part of another character. So a wrong byte or an open quotation mark costs its own row and no other.
"""

import csv
import gzip
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from resolvers.register.errors import FileError
from resolvers.register.readers.columns import column_positions
from resolvers.register.readers.record import LONGEST, Record

QUOTE_BYTES = 1024 * 1024  # within which an open quotation mark must be closed
SHOWN = 200  # characters of a damaged row in the report

csv.field_size_limit(LONGEST)  # the limit is one for the whole process; its default is too small for a zone's boundary

Line = tuple[int, str | None]  # the number of a line and its text, or None if it is too long


@contextmanager
def open_file(path: Path, gzipped: bool) -> Iterator[IO[bytes]]:
    """Open a file. Raises FileError if it cannot be opened, or cannot be read to its end."""
    try:
        with gzip.open(path, "rb") if gzipped else path.open("rb") as file:
            yield file  # type: ignore[misc]  # GzipFile is no IO[bytes] for the type checker, but reads like one
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise FileError(f"{path.name}: the gzip data is damaged or incomplete") from None
    except OSError as error:
        raise FileError(f"{path.name}: {error.strerror or 'cannot be read'}") from None


class _Lines:
    """The decoded lines of a file. Lines that were taken too early can be pushed back."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self._pushed_back: deque[Line] = deque()
        self._number = 0

    def take(self) -> Line | None:
        """The next line; None at the end of the file."""
        if self._pushed_back:
            return self._pushed_back.popleft()
        raw = self._file.readline(LONGEST)
        if not raw:
            return None
        self._number += 1
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = self._file.readline(LONGEST)
            return self._number, None
        # Bytes that are not valid become lone surrogates, which are reported when their field is converted.
        text = raw.decode("utf-8" if self._encoding == "utf-8-sig" else self._encoding, "surrogateescape")
        return self._number, text.removeprefix("\ufeff") if self._number == 1 else text

    def push_back(self, lines: Sequence[Line]) -> None:
        self._pushed_back.extendleft(reversed(lines))


def split_rows(lines: _Lines, delimiter: str, width: int | None) -> Iterator[tuple[int, list[str] | None, str]]:
    """Rows: the number of the first line, and the fields, or None and the reason why there are none.

    A row can extend over several lines if it then has `width` fields. Otherwise only its first line is bad.
    """
    while (first := lines.take()) is not None:
        number, text = first
        if text is None:
            yield number, None, f"longer than {LONGEST:,} bytes"
            continue
        if '"' not in text:
            stripped = text.rstrip("\r\n")
            if stripped:
                yield number, stripped.split(delimiter), ""
            continue
        quoted = _QuotedRow(lines, text)
        try:
            fields = next(csv.reader(quoted, delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            fields = None
        if fields is None or (quoted.taken and width is not None and len(fields) != width):
            lines.push_back(quoted.taken)
            yield number, None, "a quotation mark is not closed, or is inside a field without quotation marks"
        elif fields:
            yield number, fields, ""


class _QuotedRow:
    """A line, followed by as many others as an open quotation mark needs. `taken` are those others."""

    def __init__(self, lines: _Lines, first: str) -> None:
        self._lines, self._first = lines, first
        self.taken: list[Line] = []

    def __iter__(self) -> Iterator[str]:
        yield self._first
        size = 0
        while size < QUOTE_BYTES and (line := self._lines.take()) is not None:
            self.taken.append(line)
            if line[1] is None:
                return
            size += len(line[1])
            yield line[1]


def read(
    path: Path, wanted: Sequence[str], *, encoding: str, delimiter: str, header: int, gzipped: bool
) -> Iterator[Record]:
    """The wanted columns of every row that is not blank.

    Raises FileError, before the first row if the header is wrong.
    """
    with open_file(path, gzipped) as file:
        lines = _Lines(file, encoding)
        for _ in range(header - 1):
            lines.take()
        _, names, reason = next(split_rows(lines, delimiter, None), (0, None, "has no header"))
        if names is None:
            raise FileError(f"{path.name}: line {header}: {reason}")
        positions = column_positions(path.name, [name.strip() for name in names], wanted)
        for number, fields, reason in split_rows(lines, delimiter, len(names)):
            if fields is None:
                yield Record(number, reason=reason)
            elif not any(map(str.strip, fields)):
                continue
            elif len(fields) != len(names):
                reason = f"has {len(fields)} columns, and the header has {len(names)}"
                yield Record(number, reason=reason, raw=delimiter.join(fields)[:SHOWN])
            else:
                yield Record(number, [fields[at] for at in positions])
