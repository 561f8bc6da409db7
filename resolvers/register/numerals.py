"""Reads numbers as people write them: with full-width digits, separators of thousands, or needless decimals."""

import math
import re
from typing import Any

from models.reason import Reason
from resolvers.register.errors import InvalidValue
from resolvers.register.readers.record import SheetNumber

WHOLE = re.compile(r"([+-]?[0-9]{1,18})([.]0*)?", re.ASCII)
NUMBER = re.compile(r"[+-]?([0-9]{1,18}([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+([.][0-9]*)?", re.ASCII)  # 1,234,567.89
# Full-width digits and letters as those of ASCII. Punctuation stays: brackets of names have its full-width form.
FULL_WIDTH = {
    code: code - 0xFEE0 for first, last in ("０９", "ＡＺ", "ａｚ") for code in range(ord(first), ord(last) + 1)
}
INVISIBLE = dict.fromkeys([0xAD, 0x2060, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)])
IDENTIFIER = FULL_WIDTH | INVISIBLE
PLAIN = IDENTIFIER | dict(zip(map(ord, "，．：－＋／％　"), ",.:-+/% ", strict=True))


def plain(value: str) -> str:
    """A text that is not prose, such as a number or a date, in ASCII as far as that is possible."""
    return value if value.isascii() else value.translate(PLAIN).strip()


def digits(value: Any) -> Any:
    """A number of a spreadsheet, or a text without separators of thousands. Anything else stays as it is."""
    if isinstance(value, SheetNumber):
        return value.number
    if isinstance(value, str):
        value = plain(value)
        return value.replace(",", "") if GROUPED.fullmatch(value) else value
    return value


def to_number(value: Any) -> float:
    value = digits(value)
    if type(value) in (int, float):
        return float(value)
    if isinstance(value, str) and NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return float(value)
    raise InvalidValue(Reason("NOT_A_NUMBER", "not a number"))


def to_whole_number(value: Any) -> int:
    value = digits(value)
    if type(value) is int:
        return value
    whole = WHOLE.fullmatch(value) if isinstance(value, str) else None
    if whole is None:
        raise InvalidValue(Reason("NOT_WHOLE", "not a whole number"))
    return int(whole[1])
