"""What the readers of files give: one record after another, each with its line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 16 * 1024 * 1024  # bytes of one record; a longer one is no row of a register


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file: its first line (of a spreadsheet its row), 1 being the first, and its wanted cells in order.

    A cell is a text, a number, a date, a JSON value or None. Where the row cannot be taken apart, `reason` says why,
    and `raw` is its beginning.
    """

    line: int
    cells: Sequence[Any] = ()
    reason: str = ""
    raw: str = ""
