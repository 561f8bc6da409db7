"""Matches the rows of a batch with existing rows by their natural keys, and finds keys that occur more than once."""

import sqlite3
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from resolvers.register.references import RowValues, fetch_rows
from resolvers.register.report import WARNING, Issue
from resolvers.register.rows import DraftRow, Key, RowConverter

KEY_TAKEN = "belongs to another row"


class KeyIndex:
    """The line of the last row of each key in one file. It is on disk, because a file may have any number of rows."""

    def __init__(self) -> None:
        # SQLite puts a database without a name into a temporary file and deletes it with the connection.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute("CREATE TABLE last_line (key TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def add(self, keys: Iterable[tuple[Key, int]]) -> None:
        """Add keys with their lines, in the order of the file."""
        self._connection.executemany(
            "INSERT INTO last_line VALUES (?, ?) ON CONFLICT DO UPDATE SET line = excluded.line",
            (("\0".join(key), line) for key, line in keys),
        )

    def last_line(self, key: Key) -> int | None:
        """The last line of a key; None if the file does not have it."""
        row = self._connection.execute("SELECT line FROM last_line WHERE key = ?", ("\0".join(key),)).fetchone()
        return None if row is None else int(row[0])

    def __enter__(self) -> "KeyIndex":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()


def mark_superseded(converter: RowConverter, draft: DraftRow, last_line: int | None) -> None:
    """Mark a row whose key the file has again in a later line, and add a warning."""
    if last_line is not None and last_line > draft.line and draft.keys:
        draft.superseded = True
        shown = " / ".join(draft.keys[0] if converter.table.composite else draft.keys[0][1:])
        reason = f"line {last_line} has the same key, and that row counts"
        draft.issues.append(Issue(draft.line, converter.label(*converter.keys), shown, reason, WARNING))


class ExistingRows:
    """The existing rows that have a key of one of the drafts: by id, and their ids by key."""

    def __init__(self) -> None:
        self.rows: dict[int, RowValues] = {}
        self.ids: dict[Key, int] = {}

    @classmethod
    async def read(
        cls, connection: AsyncConnection, converter: RowConverter, drafts: Sequence[DraftRow]
    ) -> "ExistingRows":
        existing = cls()
        table = converter.table
        # Also by keys that the mapping does not match by: they must not belong to other rows.
        for name in table.keys[:1] if table.composite else table.keys:
            column = table.sql_table.c[table.fields[name].column or name]
            values = {draft.values.get(column.name) for draft in drafts} - {None}
            for row in await fetch_rows(connection, list(table.sql_table.c), column, values):
                existing.rows[row.id] = dict(row._mapping)
        for row in existing.rows.values():
            for key in _keys(converter, row):
                existing.ids[key] = row["id"]
        return existing


def _keys(converter: RowConverter, values: RowValues) -> list[Key]:
    """Every key of a row that no other row may have. A composite key holds the ids of the rows that it refers to."""
    table = converter.table
    if table.composite:
        return [tuple(str(values.get(table.fields[name].column or name)) for name in table.keys)]
    return [(name, str(values[name])) for name in table.keys if values.get(name) is not None]


def _match_keys(converter: RowConverter, keys: Sequence[Key]) -> list[Key]:
    """Those of the keys that the mapping matches by, in its order."""
    if converter.table.composite:
        return list(keys)
    return [key for name in converter.keys for key in keys if key[0] == name]


def match_rows(converter: RowConverter, existing: ExistingRows, drafts: Sequence[DraftRow]) -> list[DraftRow]:
    """Set the id of each valid draft whose row exists, and return the drafts to write.

    Of several drafts with one key the last valid one is written. An earlier one is written only if there is no row yet.
    """
    by_key: dict[Key, DraftRow] = {}
    to_write: dict[int, DraftRow] = {}
    for draft in drafts:
        if draft.is_bad():
            continue
        keys = _keys(converter, draft.values)
        match_keys = _match_keys(converter, keys)
        earlier = by_key.get(match_keys[0])
        if earlier is not None and _match_keys(converter, _keys(converter, earlier.values))[0] != match_keys[0]:
            earlier = None
        _match_existing(converter, existing, draft, match_keys, keys)
        for key in keys:
            other = by_key.get(key)
            if other is not None and other is not earlier:
                _add_key_taken(converter, draft, key)
        if draft.is_bad():
            continue
        if earlier is not None:
            to_write.pop(id(earlier), None)
            for key in _keys(converter, earlier.values):
                by_key.pop(key, None)
        by_key.update(dict.fromkeys(keys, draft))
        if not (draft.superseded and draft.id is not None):
            to_write[id(draft)] = draft
    return list(to_write.values())


def _match_existing(
    converter: RowConverter, existing: ExistingRows, draft: DraftRow, match_keys: Sequence[Key], keys: Iterable[Key]
) -> None:
    for key in match_keys:
        row = existing.ids.get(key)
        if row is None or draft.id is not None:
            continue
        # A row found by the second key must not have another first key.
        if any(_differs(existing.rows[row], first) for first in match_keys[: match_keys.index(key)]):
            _add_key_taken(converter, draft, key)
            return
        draft.id = row
    for key in keys:
        row = existing.ids.get(key)
        if row is not None and row != draft.id:
            _add_key_taken(converter, draft, key)


def _differs(row: RowValues, key: Key) -> bool:
    value = row.get(key[0])
    return value is not None and str(value) != key[1]


def _add_key_taken(converter: RowConverter, draft: DraftRow, key: Key) -> None:
    """Add the issue that a key belongs to another row. It reads the same whether that row is in the file or the
    database, so that a second run reports the same."""
    if not any(issue.reason == KEY_TAKEN for issue in draft.issues):
        label = converter.label(*(converter.table.keys if converter.table.composite else key[:1]))
        draft.issues.append(Issue(draft.line, label, " / ".join(key[1:]) or key[0], KEY_TAKEN))


def changed_columns(draft: DraftRow, row: RowValues) -> dict[str, Any]:
    """The values of a draft that differ from those of the existing row."""
    return {column: value for column, value in draft.values.items() if row[column] != value}
