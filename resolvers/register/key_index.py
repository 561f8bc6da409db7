"""Finds the rows of a table's files that have the same key, and decides which of them count.

Of the rows of one file with one key the last good one counts. Of several files the later one counts, for the fields
that it has. Which rows are good is known only when they have been compared with the database, so a run first assumes
that the last row of each key is good. `rejected_rows` and `counting_rows` tell afterwards where it was not.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from models.reason import Reason
from resolvers.register.report import WARNING, Issue
from resolvers.register.rows import DraftRow, Key, RowConverter

SCHEMA = """
PRAGMA journal_mode = OFF;
CREATE TABLE seen (key TEXT, file INTEGER, last INTEGER, line INTEGER, rows INTEGER, PRIMARY KEY (key, file))
    WITHOUT ROWID;
CREATE TABLE repeated (key TEXT, file INTEGER, last INTEGER, line INTEGER, good INTEGER, written INTEGER DEFAULT 0,
    created INTEGER DEFAULT 0, PRIMARY KEY (key, file)) WITHOUT ROWID;
"""
ADD = """
INSERT INTO seen VALUES (?, ?, ?, ?, 1)
ON CONFLICT DO UPDATE SET last = excluded.last, line = excluded.line, rows = rows + 1
"""
FIND_REPEATED = """
INSERT INTO repeated (key, file, last, line) SELECT key, file, last, line FROM seen
WHERE key IN (SELECT key FROM seen GROUP BY key HAVING sum(rows) > 1)
"""
REJECTED = "SELECT key FROM repeated WHERE good IS NULL OR good < last"


@dataclass(frozen=True)
class Occurrence:
    """The rows of one key in one file, by their numbers: the last one, and the last one known to be good.

    `line` is where the last one begins. `created`: one of them is new in this run.
    """

    file: int
    last: int
    line: int
    good: int | None
    created: bool


class KeyIndex:
    """The keys of all files of one table. It is on disk, because files may have any number of rows.

    Files have the numbers 0, 1, … in the order of the mapping, rows 1, 2, … in the order of their file.
    """

    def __init__(self) -> None:
        # SQLite puts a database without a name into a temporary file and deletes it with the connection.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(SCHEMA)
        self._connection.execute("BEGIN")
        self._corrected = self._any_repeated = False

    def add(self, file: int, rows: Iterable[tuple[Sequence[Key], int, int]]) -> None:
        """Add the rows of a file, each with its keys, its number and its line."""
        self._connection.executemany(
            ADD, ((_text(key), file, number, line) for keys, number, line in rows for key in keys)
        )

    def find_repeated(self) -> None:
        """Find the keys that occur more than once. Call it when all files have been added."""
        self._any_repeated = self._connection.execute(FIND_REPEATED).rowcount > 0

    def has(self, key: Key, files: Sequence[int]) -> bool:
        """Whether any row of these files has the key, be it good or not."""
        marks = ", ".join("?" * len(files))
        statement = f"SELECT 1 FROM seen WHERE key = ? AND file IN ({marks})"
        return self._connection.execute(statement, (_text(key), *files)).fetchone() is not None

    def occurrences(self, key: Key) -> list[Occurrence]:
        """The rows with a key, by file; empty if it occurs once.

        After `begin_correction` only those with a good row, with that row as the last.
        """
        if not self._any_repeated:
            return []
        rows = self._connection.execute(
            "SELECT file, last, line, good, created FROM repeated WHERE key = ? ORDER BY file", (_text(key),)
        )
        repeated = [Occurrence(file, last, line, good, bool(created)) for file, last, line, good, created in rows]
        if not self._corrected:
            return repeated
        return [Occurrence(o.file, o.good, o.line, o.good, o.created) for o in repeated if o.good is not None]

    def mark(self, file: int, drafts: Iterable[DraftRow]) -> None:
        """Remember which drafts are good, and which of them are written or new."""
        if not self._any_repeated:
            return
        self._connection.executemany(
            "UPDATE repeated SET good = ?, written = ?, created = max(created, ?) WHERE key = ? AND file = ?",
            (
                (draft.number, draft.written, draft.created, _text(key), file)
                for draft in drafts
                if not draft.is_bad()
                for key in draft.keys
            ),
        )

    def begin_correction(self) -> bool:
        """From now on only good rows count. Returns whether the last row of any key was not good."""
        self._corrected = True
        return self._connection.execute(f"{REJECTED} LIMIT 1").fetchone() is not None

    def counting_rows(self, file: int) -> Iterator[tuple[int, bool]]:
        """The rows of a file that count for a key whose last row was not good, and whether they were written.

        They are sorted by number.
        """
        return iter(
            self._connection.execute(
                f"SELECT good, max(written) FROM repeated WHERE file = ? AND good IS NOT NULL AND key IN ({REJECTED})"
                " GROUP BY good ORDER BY good",
                (file,),
            )
        )

    def __enter__(self) -> "KeyIndex":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()


def _text(key: Key) -> str:
    return "\0".join(key)


def mark_superseded(draft: DraftRow, index: KeyIndex, converters: Sequence[RowConverter], file: int) -> None:
    """Mark a row whose key occurs again in a later row or file, and add a warning.

    `converters` are those of all files of the table, `file` is the number of the draft's own.
    """
    if not draft.keys:
        return
    converter = converters[file]
    own = next((o for o in index.occurrences(draft.keys[0]) if o.file == file), None)
    again = {o.file: o for key in draft.keys for o in index.occurrences(key)}
    draft.created_in_run = any(o.created for o in again.values())
    later = [o for number, o in sorted(again.items()) if number > file]
    where: Reason | None = None
    for occurrence in later:
        draft.overridden |= converters[occurrence.file].mapped
        file_name = converters[occurrence.file].file.file
        where = Reason("LINE_OF_FILE", "line {line} of {file}", line=occurrence.line, file=file_name)
    if own is not None and own.last > draft.number:
        draft.superseded = True
        where = Reason("LINE", "line {line}", line=own.line)
    if where is not None:
        shown = " / ".join(draft.keys[0] if converter.table.composite else draft.keys[0][1:])
        reason = Reason("KEY_AGAIN", "{where} has the same key; of such rows the last good one counts", where=where)
        draft.issues.append(Issue(draft.line, converter.label(*converter.keys), shown, reason, WARNING))
