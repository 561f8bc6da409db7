"""Finds out in which encoding a CSV file is, if the mapping does not name it."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from models.reason import Reason
from resolvers.register.errors import UNREADABLE, FileError

UTF_8, GB_18030, UTF_16 = "utf-8", "gb18030", "utf-16"
MARKS = {codecs.BOM_UTF8: UTF_8, codecs.BOM_UTF16_LE: UTF_16, codecs.BOM_UTF16_BE: UTF_16}
CHUNK = 1 << 20
BinaryFile = io.BufferedReader | gzip.GzipFile
HINTED = (UTF_8, GB_18030, UTF_16, "windows-1252")  # in this order
DELIMITERS = ",;\t|"


@contextmanager
def open_file(path: Path, gzipped: bool) -> Iterator[BinaryFile]:
    """Open a file. Raises FileError if it cannot be opened, or cannot be read to its end."""
    try:
        with gzip.open(path, "rb") if gzipped else path.open("rb") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error):
        reason = Reason("GZIP_DAMAGED", "the gzip data is damaged or incomplete")
        raise FileError(reason, path.name) from None
    except OSError as error:
        raise FileError(error.strerror or UNREADABLE, path.name) from None


def detect(path: Path, gzipped: bool) -> str:
    """The encoding that a file's byte order mark names, or else UTF-8 if all of it is valid UTF-8.

    Of any other file it is UTF-8 or GB 18030, in whichever fewer lines are wrong: a wrong byte costs its own line and
    no other. Raises FileError if the file cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise FileError(error.strerror or UNREADABLE, path.name) from None
    return _detect(path, gzipped, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _detect(path: Path, gzipped: bool, size: int, changed: int) -> str:
    """Cached, because an import reads each file several times. `size` and `changed` tell versions of a file apart."""
    with open_file(path, gzipped) as file:
        start = file.read(3)
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    with open_file(path, gzipped) as file:
        decoder = codecs.getincrementaldecoder(UTF_8)()
        try:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            pass
        else:
            return UTF_8
    with open_file(path, gzipped) as file:
        wrong = {UTF_8: 0, GB_18030: 0}
        while line := file.readline(CHUNK):
            for encoding in wrong:
                wrong[encoding] += not _is_valid(line, encoding)
    return min(wrong, key=lambda encoding: wrong[encoding])


def _is_valid(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def header_hint(path: Path, gzipped: bool, header: int, wanted: Sequence[str]) -> Reason | None:
    """The encoding and delimiter with which the header has all wanted columns, for a message; None if none has."""
    with open_file(path, gzipped) as file:
        start = file.read(CHUNK)
    for encoding in HINTED:
        lines = start.decode(encoding, "replace").split("\n")
        line = lines[header - 1] if header <= len(lines) else ""
        for delimiter in DELIMITERS:
            names = {name.strip(' \r"\ufeff') for name in line.split(delimiter)}
            if names.issuperset(wanted):
                shown = "\\t" if delimiter == "\t" else delimiter
                return Reason(
                    "HEADER_HINT",
                    'With encoding = "{encoding}" and delimiter = "{delimiter}" it has all columns of the mapping',
                    encoding=encoding,
                    delimiter=shown,
                )
    return None
