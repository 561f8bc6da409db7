"""CSV, plain or gzipped: a stream of records that goes on behind whatever is broken.

A file is cut into lines first, as bytes, because no byte of a line's end, a comma or a quotation mark is a part of
another character in UTF-8 or GB18030. So a wrong byte or an open quotation mark costs the rows that it stands in, and
none of those that follow.
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
from resolvers.register.readers.record import LONGEST, Record

QUOTE_BYTES = 1024 * 1024  # bytes within which an open quotation mark must be closed
SHOWN = 200  # characters of a broken row in the report

csv.field_size_limit(LONGEST)  # the module has one limit for all; a zone's boundary is longer than its own


@contextmanager
def open_file(path: Path, gzipped: bool) -> Iterator[IO[bytes]]:
    """The file's bytes. Raises FileError where they cannot be had to the end."""
    try:
        with gzip.open(path, "rb") if gzipped else path.open("rb") as file:
            yield file  # type: ignore[misc]  # gzip's own class reads as any file does
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise FileError(f"{path.name}: the gzip data is broken or not complete") from None
    except OSError as error:
        raise FileError(f"{path.name}: {error.strerror or 'cannot be read'}") from None


class _Lines:
    """The lines of a file, decoded and numbered, and those that were taken too early."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self._waiting: deque[tuple[int, str | None]] = deque()
        self._number = 0

    def take(self) -> tuple[int, str | None] | None:
        """The next line with its number; None as its text where it is too long, None for the end."""
        if self._waiting:
            return self._waiting.popleft()
        raw = self._file.readline(LONGEST)
        if not raw:
            return None
        self._number += 1
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = self._file.readline(LONGEST)
            return self._number, None
        # Bytes that are none of the encoding's become lone surrogates, and are told where their field is read.
        text = raw.decode("utf-8" if self._encoding == "utf-8-sig" else self._encoding, "surrogateescape")
        return self._number, text.removeprefix("\ufeff") if self._number == 1 else text

    def give_back(self, lines: Sequence[tuple[int, str | None]]) -> None:
        self._waiting.extendleft(reversed(lines))


def split_rows(lines: _Lines, delimiter: str, width: int | None) -> Iterator[tuple[int, list[str] | None, str]]:
    """Rows with the number of their first line: their fields, or None and why they have none.

    A row of `width` fields may go on over several lines; if it does not come out as that, its first line alone is bad.
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
        following = _QuotedField(lines, text)
        try:
            found = next(csv.reader(following, delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            found = None
        if found is None or (following.taken and width is not None and len(found) != width):
            lines.give_back(following.taken)
            yield number, None, "a quotation mark is not closed, or stands inside a field"
        elif found:
            yield number, found, ""


class _QuotedField:
    """A line and those behind it, as many as an open quotation mark takes."""

    def __init__(self, lines: _Lines, first: str) -> None:
        self._lines, self._first = lines, first
        self.taken: list[tuple[int, str | None]] = []

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
    """The wanted columns of every row that is not blank. Raises FileError, before the first row for a bad header."""
    with open_file(path, gzipped) as file:
        lines = _Lines(file, encoding)
        for _ in range(header - 1):
            lines.take()
        _, names, reason = next(split_rows(lines, delimiter, None), (0, None, "has no header"))
        if names is None:
            raise FileError(f"{path.name}: line {header}: {reason}")
        places = column_positions(path.name, [name.strip() for name in names], wanted)
        for number, found, reason in split_rows(lines, delimiter, len(names)):
            if found is None:
                yield Record(number, reason=reason)
            elif not any(map(str.strip, found)):
                continue
            elif len(found) != len(names):
                reason = f"has {len(found)} columns, and the header {len(names)}"
                yield Record(number, reason=reason, raw=delimiter.join(found)[:SHOWN])
            else:
                yield Record(number, [found[place] for place in places])


def column_positions(file: str, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted columns stand. Raises FileError for those that are missing, or stand there twice."""
    missing = [name for name in wanted if name not in names]
    if missing:
        raise FileError(f"{file}: has no column {', '.join(missing)}; it has {', '.join(n for n in names if n)}")
    double = [name for name in wanted if names.count(name) > 1]
    if double:
        raise FileError(f"{file}: has several columns of the name {', '.join(double)}")
    return [names.index(name) for name in wanted]
