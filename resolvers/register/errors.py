"""What can be wrong with an import: as a whole, in a row, in a cell."""

from collections.abc import Sequence
from dataclasses import dataclass


class RegisterError(Exception):
    """Nothing (more) is read or written; the text says why, and names no value of a row."""


class FileError(RegisterError):
    """A file that cannot be read as the mapping says."""


class DistrictMismatch(RegisterError):
    """The database has another district than the mapping's."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a mapping: its line (1 is the first), its place among the keys, and what is wrong."""

    line: int
    place: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.place + ': ' if self.place else ''}{self.reason}"


class MappingError(RegisterError):
    """A mapping that cannot be followed; `mistakes` are in the order of their lines."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.place))
        super().__init__("\n".join(map(str, self.mistakes)))


class InvalidValue(Exception):
    """A value that a field does not take."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
