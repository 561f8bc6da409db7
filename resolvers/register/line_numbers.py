"""Line numbers of the keys in a TOML text, which the parser of the standard library does not give."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Path = tuple[str | int, ...]


class LineNumbers:
    """The line of every key of a valid TOML text. The path of an entry in an array of tables has its index."""

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
                parsed = tomllib.loads(statement)
            except tomllib.TOMLDecodeError:
                continue  # the statement continues in the next line
            if statement.lstrip().startswith("["):
                path = max(_paths(parsed), key=len, default=())
                if statement.lstrip().startswith("[["):
                    entries[path] += 1
                header = _with_indexes(path, entries)
                self._lines.setdefault(header, start)
            else:
                for path in _paths(parsed):
                    self._lines.setdefault(header + path, start)
            statement = ""

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line of the key at this path, or of its nearest ancestor."""
        for end in range(len(path), -1, -1):
            ancestor = tuple(path[:end])
            for candidate in (ancestor, tuple(key for key in ancestor if isinstance(key, str))):
                if candidate in self._lines:
                    return self._lines[candidate]
        return 1


def _with_indexes(header: Path, entries: Mapping[Path, int]) -> Path:
    """The path of a header with the index of the last entry of each array of tables that it is in."""
    path: Path = ()
    for end, key in enumerate(header, start=1):
        path = (*path, key, entries[header[:end]] - 1) if header[:end] in entries else (*path, key)
    return path


def _paths(value: Any) -> Iterator[Path]:
    """Every path into nested tables."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0])
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (key,)
            yield from ((key, *path) for path in _paths(inner))
