"""The revision of the schema that this version needs, without Alembic: importing that takes a third of a second."""

import re
from functools import cache
from pathlib import Path

VERSIONS = Path(__file__).parent / "migrations" / "versions"
REVISION_QUERY = "SELECT version_num FROM alembic_version"
REVISION = re.compile(r'^(revision|down_revision) = "(\w+)"$', re.MULTILINE)


@cache
def known_revisions() -> frozenset[str]:
    """All revisions of this version's migrations."""
    return frozenset(name for kind, name in _named() if kind == "revision")


@cache
def head() -> str:
    """The revision that this version needs: the one that no other follows."""
    [last] = known_revisions() - {name for kind, name in _named() if kind == "down_revision"}
    return last


def is_migrated(revision: str | None) -> bool:
    """Whether this version runs on a database at this revision.

    One that this version does not know is newer: while servers are replaced one by one, the older ones go on.
    """
    return revision is not None and (revision == head() or revision not in known_revisions())


def _named() -> list[tuple[str, str]]:
    return [pair for file in VERSIONS.glob("*.py") for pair in REVISION.findall(file.read_text("utf-8"))]
