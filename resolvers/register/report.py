"""The report: what was wrong with which row, as CSV, and the counts, which add up."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO

from resolvers.register.convert import UNDECODABLE

ERROR, WARNING = "error", "warning"
COLUMNS = ("file", "line", "column", "value", "reason", "severity")
VALUE_LENGTH = 200  # characters of a value


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to say of a row. An error keeps it out, a warning does not."""

    line: int
    column: str
    value: str
    reason: str
    severity: str = ERROR


@dataclass
class Counts:
    """Rows of one table: read = new + changed + unchanged + bad. `warnings` are rows that are listed and loaded."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    warnings: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass
class Outcome:
    """What an import did, by table in the order of the run. `moved`: enterprises that new geography put elsewhere."""

    tables: dict[str, Counts] = field(default_factory=dict)
    moved: int = 0

    @property
    def total(self) -> Counts:
        return sum(self.tables.values(), Counts())


class Report:
    """Issues as CSV in UTF-8 with a byte order mark, which Excel needs to see that it is. It holds values as read."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._writer = csv.writer(file)
        file.write("\ufeff")
        self._writer.writerow(COLUMNS)

    def tell(self, name: str, issues: Iterable[Issue]) -> None:
        """Issues of the file of that name."""
        for issue in issues:
            value = UNDECODABLE.sub(_byte, issue.value[:VALUE_LENGTH]).replace("\0", "\\x00")
            self._writer.writerow((name, issue.line, issue.column, value, issue.reason, issue.severity))

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.flush()


def _byte(found: "object") -> str:
    return f"\\x{ord(found.group()) - 0xDC00:02x}"  # type: ignore[attr-defined]
