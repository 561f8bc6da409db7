"""Finds the wanted columns in the header of a file."""

from collections.abc import Callable, Sequence

from models.reason import Reason
from resolvers.register.errors import FileError
from resolvers.register.numerals import INVISIBLE

SHOWN = 2_000  # characters of a header in a message


def column_positions(
    file_name: str, names: Sequence[str], wanted: Sequence[str], hint: Callable[[], Reason | None] = lambda: None
) -> list[int]:
    """The positions of the wanted columns, whatever invisible characters are around the names.

    Raises FileError if one is missing or occurs twice. `hint` says how none would be missing.
    """
    tidied = [_tidy(name) for name in names]
    places = [_tidy(name) for name in wanted]
    missing = [name for name, place in zip(wanted, places, strict=True) if place not in tidied]
    if missing:
        # A file in another encoding than the mapping says has bytes that are no characters.
        present = ", ".join(filter(None, tidied)).encode("utf-8", "backslashreplace").decode()[:SHOWN]
        shown = present or Reason("NAMES_BLANK", "no names")
        reason = Reason("COLUMN_MISSING", "has no column {missing}; it has {present}", missing=missing, present=shown)
        if (remedy := hint()) is not None:
            reason = Reason("COLUMN_MISSING_HINT", "{reason}. {hint}", reason=reason, hint=remedy)
        raise FileError(reason, file_name)
    repeated = [name for name, place in zip(wanted, places, strict=True) if tidied.count(place) > 1]
    if repeated:
        reason = Reason("COLUMN_REPEATED", "has several columns named {names}", names=repeated)
        raise FileError(reason, file_name)
    return [tidied.index(place) for place in places]


def _tidy(name: str) -> str:
    return name.translate(INVISIBLE).strip()
