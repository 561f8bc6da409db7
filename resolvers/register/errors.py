"""Errors of an import or export: of the whole run, of a mapping, and of a single value."""

from collections.abc import Sequence
from dataclasses import dataclass


class RegisterError(Exception):
    """The import or export stops. The message says why and contains no value of a row."""


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
        return f"line {self.line}: {self.path + ': ' if self.path else ''}{self.reason}"


class MappingError(RegisterError):
    """A mapping has mistakes. `mistakes` are sorted by line."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.path))
        super().__init__("\n".join(map(str, self.mistakes)))


class InvalidValue(Exception):
    """A field does not accept a value. `reason` is the text for the report.

    `shown` is the part of the value that is at fault; empty if it is the whole value.
    """

    def __init__(self, reason: str, shown: str = "") -> None:
        super().__init__(reason)
        self.reason, self.shown = reason, shown
