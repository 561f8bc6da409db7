"""GeoJSON (RFC 7946): the features of a collection one by one, however long the file."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from resolvers.register.errors import FileError
from resolvers.register.mapping import GEOMETRY
from resolvers.register.readers.csv import open_file
from resolvers.register.readers.record import LONGEST, Record

CHUNK = 1 << 16
SPACE = re.compile(r"[ \t\r\n]*")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_constant)


class _Text:
    """A file's text, of which only as much is held as the value that is being read."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name
        self._held, self._at, self._rest = "", 0, b""
        self.line = 1

    def refuse(self, reason: str) -> NoReturn:
        raise FileError(f"{self._name}: line {self.line}: {reason}")

    def _more(self, size: int = CHUNK) -> bool:
        raw = self._file.read(size)
        self._rest += raw
        # What a chunk cuts in two waits for the next one.
        try:
            text, self._rest = self._rest.decode(), b""
        except UnicodeDecodeError as error:
            if error.end < len(self._rest) or not raw or len(self._rest) - error.start > 3:
                self.refuse("not UTF-8")
            text, self._rest = self._rest[: error.start].decode(), self._rest[error.start :]
        self._held, self._at = self._held[self._at :] + text, 0
        return bool(raw)

    def _pass(self, end: int) -> None:
        self.line += self._held.count("\n", self._at, end)
        self._at = end

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            found = SPACE.match(self._held, self._at)
            self._pass(found.end() if found else self._at)
            if self._at < len(self._held) or not self._more():
                return self._held[self._at : self._at + 1]

    def expect(self, character: str) -> None:
        if self.peek() != character:
            self.refuse(f"not GeoJSON: {character} is missing")
        self._pass(self._at + 1)

    def value(self) -> Any:
        """The next value. Raises FileError where it is not JSON."""
        self.peek()
        size = CHUNK
        while True:
            try:
                value, end = DECODER.raw_decode(self._held, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._held) - self._at > LONGEST or not self._more(size):
                    self.refuse(error.msg if isinstance(error, json.JSONDecodeError) else "not JSON")
                size *= 2
            else:
                # A number at the end of what is held may go on.
                if end < len(self._held) or not self._more():
                    self._pass(end)
                    return value


def read(path: Path, wanted: Sequence[str]) -> Iterator[Record]:
    """Each feature's wanted properties, and its geometry where that is wanted. Raises FileError."""
    with open_file(path, path.suffix == ".gz") as file:
        text = _Text(file, path.name)
        if text.peek() == "\ufeff":
            text.expect("\ufeff")
        text.expect("{")
        found = False
        while text.peek() != "}":
            name = text.value()
            text.expect(":")
            if name == "features" and text.peek() == "[":
                found = True
                yield from _features(text, wanted)
            else:
                text.value()
            if text.peek() != "}":
                text.expect(",")
        if not found:
            text.refuse("not a collection of features")


def _features(text: _Text, wanted: Sequence[str]) -> Iterator[Record]:
    text.expect("[")
    while text.peek() != "]":
        line = text.line
        feature = text.value()
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(feature, dict) or not isinstance(properties, dict | None):
            yield Record(line, reason="not a feature")
        else:
            properties = {**(properties or {}), GEOMETRY: feature.get("geometry")}
            yield Record(line, [properties.get(name) for name in wanted])
        if text.peek() != "]":
            text.expect(",")
    text.expect("]")
