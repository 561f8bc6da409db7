"""Selects the rows of a file that belong to the register, by its `only` and `skip` and the texts of the cells."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from resolvers.register.convert import CellFormat, to_text
from resolvers.register.errors import InvalidValue

Wanted = Callable[[Sequence[Any]], bool]
ANY_END = "*"  # at the end of a text: whatever comes after it


def row_filter(
    only: Mapping[str, Sequence[str]], skip: Mapping[str, Sequence[str]], position: Callable[[str], int]
) -> Wanted | None:
    """Whether a row with these cells is wanted; None if every row is.

    A row is wanted if in each column of `only` it has one of the texts, and in no column of `skip`. The empty text is
    that of a blank cell.
    """
    needed = [(position(column), tuple(texts)) for column, texts in only.items()]
    unwanted = [(position(column), tuple(texts)) for column, texts in skip.items()]
    if not needed and not unwanted:
        return None
    clean = CellFormat().clean

    def has(cells: Sequence[Any], at: int, texts: Sequence[str]) -> bool:
        try:
            value = clean(cells[at])
            text = "" if value is None else to_text(value)
        except InvalidValue:
            return False
        return any(text.startswith(one[:-1]) if one.endswith(ANY_END) else text == one for one in texts)

    def wanted(cells: Sequence[Any]) -> bool:
        return all(has(cells, *one) for one in needed) and not any(has(cells, *one) for one in unwanted)

    return wanted
