"""In which line of a TOML text a key stands: the parser of the standard library does not say."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Path = tuple[str | int, ...]


class LineNumbers:
    """The lines of a valid TOML text, by path. An entry of an array of tables has its number in the path."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {(): 1}
        header: Path = ()
        entries: Counter[Path] = Counter()
        statement, start = "", 1
        for number, line in enumerate(text.splitlines(), start=1):
            if not statement:
                start = number
            statement += line + "\n"
            try:
                found = tomllib.loads(statement)
            except tomllib.TOMLDecodeError:
                continue  # it goes on in the next line
            if statement.lstrip().startswith("["):
                named = max(_paths(found), key=len, default=())
                if statement.lstrip().startswith("[["):
                    entries[named] += 1
                header = _numbered(named, entries)
                self._lines.setdefault(header, start)
            else:
                for path in _paths(found):
                    self._lines.setdefault(header + path, start)
            statement = ""

    def of(self, path: Sequence[str | int]) -> int:
        """The line of the key, or of the nearest that it stands in."""
        for end in range(len(path), -1, -1):
            part = tuple(path[:end])
            for candidate in (part, tuple(key for key in part if isinstance(key, str))):
                if candidate in self._lines:
                    return self._lines[candidate]
        return 1


def _numbered(named: Path, entries: Mapping[Path, int]) -> Path:
    """The path of a header with the numbers of the entries that it stands in, which are the last ones so far."""
    path: Path = ()
    for end, part in enumerate(named, start=1):
        path = (*path, part, entries[named[:end]] - 1) if named[:end] in entries else (*path, part)
    return path


def _paths(value: Any) -> Iterator[Path]:
    """Every path into nested tables."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0])
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (key,)
            yield from ((key, *path) for path in _paths(inner))
