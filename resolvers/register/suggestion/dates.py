"""Finds the formats of the dates in a column."""

import datetime as dt
from collections.abc import Callable, Sequence

from resolvers.register.convert import EXCEL, ISO

DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m/%d/%y")
CLOCKS = (" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "%H时%M分")
EXCEL_DAYS = range(20_000, 80_000)  # from 1954 to 2119
VALUES = 200  # different ones that are looked at
ENOUGH = 0.9  # of the values of a column


def _is_iso(value: str) -> bool:
    try:
        return dt.datetime.fromisoformat(value) is not None
    except ValueError:
        return False


def _is_excel(value: str) -> bool:
    head = value.split(".")[0]
    return head.isascii() and head.isdigit() and len(head) == 5 and int(head) in EXCEL_DAYS


def _has_format(name: str) -> Callable[[str], bool]:
    def parses(value: str) -> bool:
        try:
            return 1900 <= dt.datetime.strptime(value, name).year <= 2199
        except ValueError:
            return False

    return parses


CHECKS: dict[str, Callable[[str], bool]] = {
    ISO: _is_iso,
    **{name: _has_format(name) for date in DATES for name in (date, *(date + clock for clock in CLOCKS))},
    EXCEL: _is_excel,
}


def date_formats(values: Sequence[str]) -> list[str] | None:
    """The formats that read most of these texts, each time the one that reads the most of the rest.

    None if that is not enough of them. Of two formats that read the same the first in `DATES` is taken: 03/04/2026 is
    the fourth of March.
    """
    rest = list(dict.fromkeys(values))[:VALUES]
    most = (1 - ENOUGH) * len(rest)
    formats: list[str] = []
    while rest:
        read, best = max(((sum(map(check, rest)), name) for name, check in CHECKS.items()), key=lambda one: one[0])
        if not read:
            break
        formats.append(best)
        rest = [value for value in rest if not CHECKS[best](value)]
    return formats if formats and len(rest) <= most else None
