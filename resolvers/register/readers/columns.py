"""Finds the wanted columns in the header of a file."""

from collections.abc import Sequence

from resolvers.register.errors import FileError


def column_positions(file_name: str, names: Sequence[str], wanted: Sequence[str], hint: str = "") -> list[int]:
    """The positions of the wanted columns. Raises FileError if one is missing or occurs twice.

    `hint` is added to the message that one is missing.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        present = ", ".join(n for n in names if n) or "only blank cells"
        raise FileError(f"{file_name}: has no column {', '.join(missing)}; it has {present}{hint}")
    repeated = [name for name in wanted if names.count(name) > 1]
    if repeated:
        raise FileError(f"{file_name}: has several columns named {', '.join(repeated)}")
    return [names.index(name) for name in wanted]
