"""The records that the readers of files yield."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.reason import Reason

LONGEST = 16 * 1024 * 1024  # bytes of one record; anything longer is not a row of a register


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file, with the wanted cells in order.

    `line` is its first line, or in a spreadsheet its row; the first is 1. A cell is a text, a number, a date, a JSON
    value, None, or of a spreadsheet also a SheetNumber or an UnknownCell. If the row cannot be split into cells,
    `reason` says why and `raw` is the beginning of the row.
    """

    line: int
    cells: Sequence[Any] = ()
    reason: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class SheetNumber:
    """A number in a spreadsheet that its format does not make a date.

    `text` is what the sheet shows, such as 00012. `epoch` is day 0 of the workbook's dates, in case it is one.
    """

    number: int | float
    text: str
    epoch: dt.datetime

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class UnknownCell:
    """A cell that is not blank, but whose value the file does not tell. `reason` says why, `shown` what is there."""

    reason: Reason
    shown: str = ""

    def __str__(self) -> str:
        return self.shown
