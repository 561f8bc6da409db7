"""Which keys a file has, and where each stands last: on disk, so that a file may have any number of rows."""

import sqlite3
from collections.abc import Iterable
from types import TracebackType

from resolvers.register.forms import Key


class Seen:
    """The last line of each key of one file."""

    def __init__(self) -> None:
        # No name: SQLite keeps it in a file of its own, which goes when the connection does.
        self._kept = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._kept.execute("PRAGMA journal_mode=OFF")
        self._kept.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID")
        self._kept.execute("BEGIN")

    def note(self, keys: Iterable[tuple[Key, int]]) -> None:
        """Keys with their lines, in the order of the file."""
        self._kept.executemany(
            "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO UPDATE SET line = excluded.line",
            (("\0".join(key), line) for key, line in keys),
        )

    def last(self, key: Key) -> int | None:
        """The last line of a key; None for one that was not noted."""
        row = self._kept.execute("SELECT line FROM seen WHERE key = ?", ("\0".join(key),)).fetchone()
        return None if row is None else int(row[0])

    def __enter__(self) -> "Seen":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._kept.close()
