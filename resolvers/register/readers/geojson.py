"""Reads the features of a GeoJSON feature collection (RFC 7946) one by one, so that a file can have any length."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from models.reason import Reason
from resolvers.register.datum import Conversion
from resolvers.register.errors import FileError, InvalidValue, at_line
from resolvers.register.mapping import FEATURE_ID, GEOMETRY
from resolvers.register.readers.crs import UnusableCrs, converted_geometry, crs_conversion
from resolvers.register.readers.encodings import BinaryFile, open_file
from resolvers.register.readers.record import LONGEST, Record, UnknownCell

CHUNK = 1 << 16
SPACE = re.compile(r"[ \t\r\n]*")


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_reject_constant)


class _Parser:
    """Parses the text of a file, of which only as much is in memory as the current value needs."""

    def __init__(self, file: BinaryFile, name: str) -> None:
        self._file, self._name = file, name
        self._text, self._at, self._undecoded = "", 0, b""
        self.line = 1

    def fail(self, reason: str) -> NoReturn:
        raise FileError(at_line(self.line, reason), self._name)

    def _read(self, size: int = CHUNK) -> bool:
        """Read a chunk; whether there was one."""
        raw = self._file.read(size)
        self._undecoded += raw
        # The end of a chunk can be in the middle of a character, which then waits for the next chunk.
        try:
            text, self._undecoded = self._undecoded.decode(), b""
        except UnicodeDecodeError as error:
            if error.end < len(self._undecoded) or not raw or len(self._undecoded) - error.start > 3:
                self.fail(Reason("NOT_UTF_EIGHT", "not UTF-8"))
            text, self._undecoded = self._undecoded[: error.start].decode(), self._undecoded[error.start :]
        self._text, self._at = self._text[self._at :] + text, 0
        return bool(raw)

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def peek(self) -> str:
        """The next character after white space; empty at the end."""
        while True:
            space = SPACE.match(self._text, self._at)
            self._advance(space.end() if space else self._at)
            if self._at < len(self._text) or not self._read():
                return self._text[self._at : self._at + 1]

    def expect(self, character: str) -> None:
        if self.peek() != character:
            self.fail(Reason("CHARACTER_MISSING", "not GeoJSON: {character} is missing", character=character))
        self._advance(self._at + 1)

    def value(self) -> Any:
        """The next value. Raises FileError if it is not JSON."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > LONGEST or not self._read(size):
                    self.fail(error.msg if isinstance(error, json.JSONDecodeError) else Reason("NOT_JSON", "not JSON"))
                size *= 2
            else:
                # A number at the end of the text so far may have more digits.
                if end < len(self._text) or not self._read():
                    self._advance(end)
                    return value


def read(path: Path, wanted: Sequence[str], *, datum: str) -> Iterator[Record]:
    """The wanted properties of each feature, and its id and geometry if those are wanted. Raises FileError.

    The line of a record is the number of its feature, because programs write all features into one line. Coordinates
    are those of the mapping's datum; a `crs` that is another is converted, or refused.
    """
    with open_file(path, path.suffix == ".gz") as file:
        parser = _Parser(file, path.name)
        if parser.peek() == "\ufeff":
            parser.expect("\ufeff")
        parser.expect("{")
        has_features, conversion = False, None
        while parser.peek() != "}":
            name = parser.value()
            parser.expect(":")
            if name == "features" and parser.peek() == "[":
                has_features = True
                yield from _features(parser, wanted, conversion)
            elif name == "crs":
                conversion = _conversion(parser, datum)
                if has_features and conversion is not None:
                    parser.fail(Reason("CRS_LATE", "crs comes after the features, and must come before them"))
            else:
                parser.value()
            if parser.peek() != "}":
                parser.expect(",")
        parser.expect("}")
        if parser.peek():
            parser.fail(Reason("TEXT_AFTER_END", "text after the end of the collection"))
        if not has_features:
            parser.fail(Reason("NOT_A_COLLECTION", "not a collection of features"))


def _conversion(parser: _Parser, datum: str) -> Conversion | None:
    try:
        return crs_conversion(parser.value(), datum)
    except UnusableCrs as error:
        parser.fail(error.reason)


def _features(parser: _Parser, wanted: Sequence[str], conversion: Conversion | None) -> Iterator[Record]:
    parser.expect("[")
    for number in count(1):
        if parser.peek() == "]":
            break
        yield _record(number, parser.value(), wanted, conversion)
        if parser.peek() != "]":
            parser.expect(",")
    parser.expect("]")


def _record(number: int, feature: Any, wanted: Sequence[str], conversion: Conversion | None) -> Record:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(feature, dict) or not isinstance(properties, dict | None):
        return Record(number, reason=Reason("NOT_A_FEATURE", "not a feature"))
    geometry = feature.get("geometry")
    if conversion is not None:
        try:
            geometry = converted_geometry(conversion, geometry)
        except InvalidValue as invalid:
            geometry = UnknownCell(invalid.reason, invalid.shown)
    cells = {**(properties or {}), GEOMETRY: geometry, FEATURE_ID: feature.get("id")}
    return Record(number, [cells.get(name) for name in wanted])
