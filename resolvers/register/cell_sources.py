"""Reads the value of a field from the cells of a row, before it is converted: which cells, which part, which number."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

import re2

from models.reason import Reason
from resolvers.register.convert import CellFormat, to_text
from resolvers.register.errors import InvalidValue
from resolvers.register.mapping import PLACE, FieldMapping
from resolvers.register.numerals import to_number

Source = Callable[[Sequence[Any]], Any]  # from the cells of a row to a cleaned value, or None for no value
Step = Callable[[Any], Any]  # from a value to a value

NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?)?"
INTERVAL = re.compile(rf"\s*{NUMBER}\s*\.\.\s*{NUMBER}\s*")
ROUNDINGS = {"nearest": ROUND_HALF_UP, "up": ROUND_UP, "down": ROUND_DOWN}


def compile_pattern(pattern: str) -> Any:
    """The compiled pattern. Raises ValueError if it is not valid.

    RE2 takes time in proportion to the length of the text, whatever the pattern is.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        invalid = Reason("PATTERN_INVALID", "not a regular expression of RE2: {reason}", reason=reason)
        raise ValueError(invalid) from None


def interval(text: str) -> tuple[float, float]:
    """The least number of an interval such as `60..80`, and the first one beyond it. Raises ValueError."""
    match = INTERVAL.fullmatch(text)
    if match is None or match.groups() == (None, None):
        raise ValueError(Reason("NOT_AN_INTERVAL", "not an interval such as 60..80, ..60 or 80.."))
    low, high = float(match[1] or "-inf"), float(match[2] or "inf")
    if low >= high:
        raise ValueError(Reason("INTERVAL_EMPTY", "an interval that holds no number"))
    return low, high


def cell_source(mapped: FieldMapping, cell_format: CellFormat, positions: Sequence[int]) -> Source:
    """Reads the cells that the mapping names, which are at these positions, and takes the named part of them."""
    source = _cells(mapped, cell_format, positions)
    steps: list[Step] = []
    if mapped.pattern is not None:
        steps.append(_part(mapped.pattern))
    if mapped.factor is not None or mapped.round is not None:
        steps.append(_scaled(mapped.factor, mapped.round))
    if not steps:
        return source

    def read(cells: Sequence[Any]) -> Any:
        value = source(cells)
        for step in steps:
            if value is not None:
                value = step(value)
        return value

    return read


def _cells(mapped: FieldMapping, cell_format: CellFormat, positions: Sequence[int]) -> Source:
    clean = cell_format.clean
    if mapped.template is not None:
        return _filled(mapped.template, cell_format, positions)
    if mapped.columns:
        separator = mapped.separator

        def joined(cells: Sequence[Any]) -> str | None:
            parts = [to_text(part) for at in positions if (part := clean(cells[at])) is not None]
            return separator.join(parts) if parts else None

        return joined
    if mapped.first_of:
        return lambda cells: next((value for at in positions if (value := clean(cells[at])) is not None), None)
    [position] = positions
    return lambda cells: clean(cells[position])


def _filled(template: str, cell_format: CellFormat, positions: Sequence[int]) -> Source:
    """The template with the text of a cell in each place; no value if one of the cells has none."""
    fixed = PLACE.split(template)[::2]

    def fill(cells: Sequence[Any]) -> str | None:
        values = [cell_format.clean(cells[at]) for at in positions]
        if None in values:
            return None
        return fixed[0] + "".join(to_text(value) + text for value, text in zip(values, fixed[1:], strict=True))

    return fill


def _part(pattern: str) -> Step:
    """The first group of the pattern, or what it matches if it has no group; no value if that is blank."""
    compiled = compile_pattern(pattern)
    group = 1 if compiled.groups else 0

    def part(value: Any) -> str | None:
        match = compiled.search(to_text(value))
        if match is None:
            raise InvalidValue(Reason("PATTERN_UNMATCHED", "does not match the mapping's pattern"))
        return (match[group] or "").strip() or None

    return part


def _scaled(factor: float | None, rounding: str | None) -> Step:
    multiplier = Decimal(repr(factor)) if factor is not None else Decimal(1)

    def scaled(value: Any) -> int | float:
        number = Decimal(repr(to_number(value))) * multiplier
        if rounding is not None:
            number = number.to_integral_value(ROUNDINGS[rounding])
        return int(number) if number == number.to_integral_value() else float(number)

    return scaled


def by_interval(ranges: Mapping[str, Any], convert: Step) -> Step:
    """The value of the interval that a number is in; `convert` makes the values of the field. Raises ValueError."""
    intervals = sorted((*interval(text), convert(value)) for text, value in ranges.items())

    def value_of(value: Any) -> Any:
        number = to_number(value)
        for low, high, meaning in intervals:
            if low <= number < high:
                return meaning
        raise InvalidValue(Reason("RANGE_NONE", "in none of the mapping's ranges"))

    return value_of
