"""What a long proof saw, as a table in docs/proofs/: a line for each database, kept from one run to the next."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.proof_mode import PROVING

FOLDER = Path(__file__).parents[2] / "docs" / "proofs"


def record(name: str, title: str, row: Mapping[str, object], *, folder: Path = FOLDER) -> None:
    """Put a line into the table `name`, in the place of the one with the same first value. Only in `make prove`."""
    if not PROVING and folder == FOLDER:
        return
    path = folder / f"{name}.md"
    head = ["| " + " | ".join(row) + " |", "|" + " --- |" * len(row)]
    found = [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")] if path.exists() else []
    # A table with other columns tells of another proof.
    kept = found[2:] if found[:2] == head else []
    made = "| " + " | ".join(map(str, row.values())) + " |"
    lines = sorted([*(line for line in kept if line.split("|")[1] != made.split("|")[1]), made])
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"# {title}", "", *head, *lines, ""]), "utf-8")
