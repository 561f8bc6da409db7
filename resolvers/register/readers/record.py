"""The records that the readers of files yield."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 16 * 1024 * 1024  # bytes of one record; anything longer is not a row of a register


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file, with the wanted cells in order.

    `line` is its first line, or in a spreadsheet its row; the first is 1. A cell is a text, a number, a date, a JSON
    value or None. If the row cannot be split into cells, `reason` says why and `raw` is the beginning of the row.
    """

    line: int
    cells: Sequence[Any] = ()
    reason: str = ""
    raw: str = ""
