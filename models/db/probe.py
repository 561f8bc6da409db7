"""Tries whether a database can be used, on a connection of its own: a full pool neither hides nor causes a failure.

A probe opens a connection, reads the schema's revision, and makes a write that it rolls back. The write needs what any
change needs: a database that takes writes, room on its disk, and the locks that changes wait for.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import asyncpg

from models.db.revisions import REVISION_QUERY

LOCK_SECONDS, SILENT_SECONDS = 1.0, 3.0  # the longest waits for a lock, and for an answer
FILLER_BYTES = 1 << 16


class Probe(Protocol):
    """`step` is under way or failed: connection, migrations or write. `revision` is the schema's, or None."""

    step: str
    revision: str | None

    async def run(self) -> None:
        """Raises what the driver raises where a step fails."""


class PostgresProbe:
    """A probe with the given options of asyncpg. `append_lock` is the key of the log's advisory lock."""

    def __init__(self, options: dict[str, Any], append_lock: int) -> None:
        self._options, self.step = options, "connection"
        self.revision: str | None = None
        # A temporary table has files beside those of the others. Its rows need pages that the disk must have.
        self._write = (
            "BEGIN; CREATE TEMPORARY TABLE probe (number bigint) ON COMMIT DROP;"
            " INSERT INTO probe SELECT generate_series(1, 1000);"
            f" SELECT pg_advisory_xact_lock({append_lock}); ROLLBACK"
        )

    async def run(self) -> None:
        self.step, self.revision = "connection", None
        limits = {"lock_timeout": str(round(1_000 * LOCK_SECONDS))}
        options = {**self._options, "server_settings": limits, "timeout": SILENT_SECONDS}
        connection = await asyncpg.connect(**options, command_timeout=SILENT_SECONDS)
        try:
            self.step = "migrations"
            try:
                self.revision = await connection.fetchval(REVISION_QUERY)
            except asyncpg.UndefinedTableError:
                self.revision = None
            self.step = "write"
            await connection.execute(self._write)
            await connection.close(timeout=SILENT_SECONDS)
        finally:
            connection.terminate()


class SqliteProbe:
    """A probe of a SQLite file, in a thread."""

    def __init__(self, path: str) -> None:
        self._address, self.step = f"file:{quote(str(Path(path).absolute()))}?mode=rw", "connection"
        self.revision: str | None = None

    async def run(self) -> None:
        await asyncio.to_thread(self._run)

    def _run(self) -> None:
        self.step, self.revision = "connection", None
        connect = sqlite3.connect(self._address, uri=True, isolation_level=None, timeout=LOCK_SECONDS)
        with closing(connect) as connection:
            # With so small a cache what is written goes to the disk at once, not only at a commit.
            for setting in ("cache_size=4", "cache_spill=1"):
                connection.execute(f"PRAGMA {setting}")
            self.step = "migrations"
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                [self.revision] = connection.execute(REVISION_QUERY).fetchone() or [None]
            self.step = "write"
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE probe (filler)")
            connection.execute("INSERT INTO probe VALUES (randomblob(?))", [FILLER_BYTES])
            connection.execute("ROLLBACK")
