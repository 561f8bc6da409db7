"""Writes the results of long proofs as tables in docs/proofs/, one row for each database or scenario.

Tests use the fixture `record_proof`, which writes in `make prove` only and after the test has passed.
"""

import datetime as dt
import fcntl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "proofs"

# Table, title, and the row by column; a later call in the same test replaces an earlier one with the same first value.
RecordProof = Callable[[str, str, Mapping[str, object]], None]


def write(path: Path, title: str, commit: str, row: Mapping[str, object]) -> None:
    """Put a row, with commit and date, into the table of a file. It replaces the row with the same first value.

    Rows under other columns come from an earlier form of the proof and are dropped.
    """
    row = {**row, "commit": commit, "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"}
    head = [_line(row), "|" + " --- |" * len(row)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        # Several workers may write at once.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        table = [line for line in file.read().splitlines() if line.startswith("|")]
        new, old = _line(row.values()), table[2:] if table[:2] == head else []
        lines = sorted([*(line for line in old if line.split("|")[1] != new.split("|")[1]), new])
        file.truncate(0)
        file.write("\n".join([f"# {title}", "", *head, *lines, ""]))


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
