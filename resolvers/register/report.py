"""The report of an import: the issues of its rows, as CSV, and the counts of its rows."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO

from models.reason import Language, Message, text_in
from resolvers.register.convert import UNDECODABLE
from resolvers.spreadsheet_cells import inert

ERROR, WARNING = Message("ERROR", "error"), Message("WARNING", "warning")
COLUMNS = (
    Message("COLUMN_FILE", "file"),
    Message("COLUMN_LINE", "line"),
    Message("COLUMN_COLUMN", "column"),
    Message("COLUMN_VALUE", "value"),
    Message("COLUMN_REASON", "reason"),
    Message("COLUMN_SEVERITY", "severity"),
)
NUMBER = re.compile(r"[0-9][0-9,.]*")
KINDS_MAXIMUM = 1_000  # kinds of issues that the summary tells apart
VALUE_LENGTH = 200  # characters of a value that are shown


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue of a row. A row with an error is not imported; one with warnings alone is."""

    line: int
    column: str
    value: str
    reason: str
    severity: str = ERROR


@dataclass
class Counts:
    """Rows of one table. read = new + changed + unchanged + bad.

    `warnings` counts imported rows that have warnings, `skipped` those that the mapping leaves out, which are not read.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    warnings: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass
class Outcome:
    """The counts of an import by table, in the order of the import.

    `moved`: enterprises that new geography put into another zone, town or ring. `retired`: those that vanished from
    their register. `missing`: those that vanished, but were not retired, because the file may not be whole.
    """

    tables: dict[str, Counts] = field(default_factory=dict)
    moved: int = 0
    retired: int = 0
    missing: int = 0

    @property
    def total(self) -> Counts:
        return sum(self.tables.values(), Counts())


@dataclass
class IssueGroup:
    """Issues of one kind: how many there are, and the first of them with its file."""

    file: str
    first: Issue
    count: int = 0


class Report:
    """Writes issues as CSV in UTF-8. The byte order mark lets Excel recognise the encoding. Values are as read, but one
    that a spreadsheet program would take for a formula has an apostrophe in front. Reasons and the names of the columns
    are in `language`; the names of the file's columns, which are the mapping's, are not.

    `count` is the number of issues so far.
    """

    def __init__(self, file: IO[str], language: Language = Language.ENGLISH) -> None:
        self.count, self.language = 0, language
        self._groups: dict[tuple[str, ...], IssueGroup] = {}
        self._file = file
        self._writer = csv.writer(file)
        file.write("\ufeff")
        self._writer.writerow(column.text(language) for column in COLUMNS)

    def add(self, file_name: str, issues: Iterable[Issue]) -> None:
        """Write the issues of rows of one file."""
        for issue in issues:
            self._summarise(file_name, issue)
            texts = map(inert, (issue.column, shown_value(issue), text_in(self.language, issue.reason)))
            severity = text_in(self.language, issue.severity)
            self._writer.writerow((inert(file_name), issue.line, *texts, severity))

    def _summarise(self, file_name: str, issue: Issue) -> None:
        self.count += 1
        # Reasons that differ in a number, such as that of a line, are of one kind.
        kind = (file_name, issue.column, NUMBER.sub("0", issue.reason), issue.severity)
        if kind not in self._groups and len(self._groups) >= KINDS_MAXIMUM:
            kind = (file_name, "", "", issue.severity)
        self._groups.setdefault(kind, IssueGroup(file_name, issue)).count += 1

    def summary(self) -> list[IssueGroup]:
        """The issues by file, column and reason: errors first, then by how many there are."""
        return sorted(self._groups.values(), key=lambda group: (group.first.severity != ERROR, -group.count))

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.flush()


def shown_value(issue: Issue) -> str:
    """The value as the report has it, before a spreadsheet program is kept from taking it for a formula."""
    return UNDECODABLE.sub(_escaped_byte, issue.value[:VALUE_LENGTH]).replace("\0", "\\x00")


def _escaped_byte(surrogate: re.Match[str]) -> str:
    """The byte that a lone surrogate stands for, as \\xNN."""
    return f"\\x{ord(surrogate.group()) - 0xDC00:02x}"
