"""Finds the wanted columns in the header of a file."""

from collections.abc import Callable, Sequence

from resolvers.register.errors import FileError
from resolvers.register.numerals import INVISIBLE

SHOWN = 2_000  # characters of a header in a message


def column_positions(
    file_name: str, names: Sequence[str], wanted: Sequence[str], hint: Callable[[], str] = str
) -> list[int]:
    """The positions of the wanted columns, whatever invisible characters are around the names.

    Raises FileError if one is missing or occurs twice. `hint` makes the end of the message that one is missing.
    """
    tidied = [_tidy(name) for name in names]
    places = [_tidy(name) for name in wanted]
    missing = [name for name, place in zip(wanted, places, strict=True) if place not in tidied]
    if missing:
        # A file in another encoding than the mapping says has bytes that are no characters.
        present = ", ".join(filter(None, tidied)).encode("utf-8", "backslashreplace").decode()[:SHOWN]
        raise FileError(f"{file_name}: has no column {', '.join(missing)}; it has {present or 'no names'}{hint()}")
    repeated = [name for name, place in zip(wanted, places, strict=True) if tidied.count(place) > 1]
    if repeated:
        raise FileError(f"{file_name}: has several columns named {', '.join(repeated)}")
    return [tidied.index(place) for place in places]


def _tidy(name: str) -> str:
    return name.translate(INVISIBLE).strip()
