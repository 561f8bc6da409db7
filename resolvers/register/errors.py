"""Errors of an import or export: of the whole run, of a mapping, and of a single value."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.reason import Language, Reason, text_in

UNREADABLE = Reason("FILE_UNREADABLE", "cannot be read")


class RegisterError(Exception):
    """The import or export stops. `reason` says why and contains no value of a row; `where` is a file or a table."""

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(reason, where)
        self.reason, self.where = reason, where

    def __str__(self) -> str:
        return self.text(Language.ENGLISH)

    def text(self, language: Language) -> str:
        return (f"{self.where}: " if self.where else "") + text_in(language, self.reason)


class FileError(RegisterError):
    """A file cannot be read as the mapping says."""


class DistrictMismatch(RegisterError):
    """The database belongs to another district than the mapping."""


@dataclass(frozen=True)
class Mistake:
    """A mistake in a mapping: its line (the first is 1), the dotted path of its key, and the reason."""

    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        return self.text(Language.ENGLISH)

    def text(self, language: Language) -> str:
        path = f"{self.path}: " if self.path else ""
        return (
            Reason("LINE", "line {line}", line=self.line).text(language) + f": {path}{text_in(language, self.reason)}"
        )


def at_line(line: int, reason: str) -> Reason:
    """The reason with the line of a file where it arises."""
    return Reason("AT_LINE", "line {line}: {reason}", line=line, reason=reason)


class MappingError(RegisterError):
    """A mapping has mistakes. `mistakes` are sorted by line."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.path))
        super().__init__("\n".join(map(str, self.mistakes)))


class InvalidValue(Exception):
    """A field does not accept a value. `reason` is for the report.

    `shown` is the part of the value that is at fault; empty if it is the whole value.
    """

    def __init__(self, reason: Reason, shown: str = "") -> None:
        super().__init__(reason)
        self.reason, self.shown = reason, shown
