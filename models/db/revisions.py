"""The revisions of the schema that this version needs and that a database has, without Alembic, which imports much."""

import re
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

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


async def revision_of(connection: AsyncConnection) -> str | None:
    """The revision of a database's schema; None where it has none."""
    if not await connection.run_sync(lambda plain: sa.inspect(plain).has_table("alembic_version")):
        return None
    revision: str | None = (await connection.execute(sa.text(REVISION_QUERY))).scalar()
    return revision


def _named() -> list[tuple[str, str]]:
    return [pair for file in VERSIONS.glob("*.py") for pair in REVISION.findall(file.read_text("utf-8"))]
