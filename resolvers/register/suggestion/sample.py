"""Reads the beginning of a file that no mapping describes yet: its encoding, delimiter, header and some rows."""

import codecs
import csv
import gzip
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from models.reason import Reason
from resolvers.register.convert import to_text
from resolvers.register.errors import FileError, InvalidValue
from resolvers.register.mapping import GEOMETRY, SUFFIXES
from resolvers.register.readers.files import SHEETS

BYTES = 4 * 1024 * 1024  # of a text file that are looked at
ROWS = 5_000  # of a file that are looked at
HEADER_ROWS = 20  # among which the header is looked for
DELIMITERS = ",\t;|，"
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Sample:
    """The beginning of a file. `header` is the line of the header. `complete`: these are all its rows."""

    path: Path
    format: str
    columns: list[str]
    cells: list[list[Any]]
    header: int = 1
    encoding: str | None = None
    delimiter: str | None = None
    complete: bool = True

    def cells_of(self, column: str) -> list[Any]:
        at = self.columns.index(column)
        return [row[at] for row in self.cells]

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        columns = zip(*self.cells, strict=True) if self.cells else [()] * len(self.columns)
        return {name: [_text(cell) for cell in cells] for name, cells in zip(self.columns, columns, strict=True)}

    def values(self, column: str) -> list[str]:
        """The texts of a column; empty for a blank cell."""
        return self._texts[column]


def read_sample(path: Path) -> Sample:
    """Raises FileError for a file that cannot be read, or that has no header."""
    formats = [name for suffix, name in SUFFIXES.items() if path.name.lower().endswith(suffix)]
    if not formats:
        raise FileError(Reason("SUFFIX_UNKNOWN", "not one of {suffixes}", suffixes=list(SUFFIXES)), str(path))
    try:
        match formats[-1]:
            case "geojson":
                return _geojson(path)
            case "csv" | "csv.gz":
                return _csv(path, formats[-1])
            case _:
                return _sheet(path, formats[-1])
    except FileError:
        raise
    except Exception as error:  # whatever a damaged file makes its parser raise
        strange = Reason("FILE_STRANGE", "not a {format} file", format=formats[-1])
        system = error.strerror if isinstance(error, OSError) else None
        raise FileError(system or strange, str(path)) from None


def _text(cell: Any) -> str:
    try:
        return "" if cell is None else to_text(cell).strip()
    except InvalidValue:
        return ""


def _csv(path: Path, format_name: str) -> Sample:
    with gzip.open(path, "rb") if format_name == "csv.gz" else path.open("rb") as file:
        raw = file.read(BYTES)
        complete = not file.read(1)
    if not complete:
        raw = raw[: raw.rfind(b"\n") + 1]
    encoding, text = decoded(raw)
    delimiter = likely_delimiter(text)
    rows = list(islice(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), ROWS + HEADER_ROWS))
    return _with_header(path, format_name, rows, complete, encoding=encoding, delimiter=delimiter)


def decoded(raw: bytes) -> tuple[str, str]:
    """The encoding of a text and the text: UTF-8 if it is valid, else GB 18030."""
    for mark, encoding in MARKS:
        if raw.startswith(mark):
            return encoding, raw.decode(encoding, "replace").removeprefix("\ufeff")
    try:
        return "utf-8", raw.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030", raw.decode("gb18030", "replace")


def likely_delimiter(text: str) -> str:
    """The delimiter by which most of the first lines have the same number of columns, and more than one."""
    lines = text.splitlines()[: 3 * HEADER_ROWS]
    best, best_score = ",", 0
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if len(row) > 1)
        score = max((count * min(width, 5) for width, count in widths.items()), default=0)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sheet(path: Path, format_name: str) -> Sample:
    rows: list[list[Any]] = []
    with SHEETS[format_name](path, None) as sheet:
        for number, cells in islice(sheet.rows, ROWS + HEADER_ROWS + 1):
            rows += [[] for _ in range(len(rows) + 1, min(number, ROWS + HEADER_ROWS + 1))]  # rows that are blank
            rows.append([cells.get(column) for column in range(1, max(cells, default=0) + 1)])
    return _with_header(path, format_name, rows, len(rows) <= ROWS + HEADER_ROWS)


def _with_header(path: Path, format_name: str, rows: Sequence[Sequence[Any]], complete: bool, **more: Any) -> Sample:
    at = header_row(rows)
    if at is None:
        raise FileError(Reason("NAMES_NONE", "has no line with the names of its columns"), str(path))
    names = [_text(cell) for cell in rows[at]]
    usable = [i for i, name in enumerate(names) if name and names.count(name) == 1]
    body = [row for row in rows[at + 1 :] if any(_text(cell) for cell in row)]
    cells = [[row[i] if i < len(row) else None for i in usable] for row in body]
    return Sample(path, format_name, [names[i] for i in usable], cells, at + 1, complete=complete, **more)


def header_row(rows: Sequence[Sequence[Any]]) -> int | None:
    """The first row of which most cells are different texts that are no numbers; titles above it are narrower."""
    width = max((sum(bool(_text(cell)) for cell in row) for row in rows[:HEADER_ROWS]), default=0)
    for number, row in enumerate(rows[:HEADER_ROWS]):
        texts = [text for cell in row if (text := _text(cell))]
        names = [text for text in texts if isinstance(text, str) and not text.replace(".", "").isdigit()]
        if len(names) == len(texts) and len(set(names)) == len(names) and 2 * len(names) > width:
            return number
    return None


def _geojson(path: Path) -> Sample:
    value = json.loads(path.read_text(encoding="utf-8-sig"))
    features = [feature for feature in value["features"] if isinstance(feature, dict)]
    properties = [feature.get("properties") or {} for feature in features[:ROWS]]
    columns = list(dict.fromkeys(name for each in properties for name in each))
    cells = [
        [*(each.get(name) for name in columns), (feature.get("geometry") or {}).get("type")]
        for each, feature in zip(properties, features, strict=False)
    ]
    return Sample(path, "geojson", [*columns, GEOMETRY], cells, complete=len(features) <= ROWS)
