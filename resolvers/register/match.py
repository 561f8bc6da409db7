"""Which drafts are rows that are there already, and which are new."""

import sqlite3
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from resolvers.register.references import RowValues, fetch_rows
from resolvers.register.report import WARNING, Issue
from resolvers.register.rows import DraftRow, Key, RowConverter

KEY_TAKEN = "belongs to another row"


class ExistingRows:
    """The rows of the table that have a key of one of the drafts, by key and by their own."""

    def __init__(self) -> None:
        self.rows: dict[int, RowValues] = {}
        self.keys: dict[Key, int] = {}

    @classmethod
    async def read(cls, connection: AsyncConnection, form: RowConverter, drafts: Sequence[DraftRow]) -> "ExistingRows":
        standing = cls()
        table = form.table
        # A key that the mapping does not go by must still be nobody else's.
        for name in table.keys if not table.composite else table.keys[:1]:
            column = table.rows.c[table.fields[name].column or name]
            values = {draft.values.get(column.name) for draft in drafts} - {None}
            for row in await fetch_rows(connection, list(table.rows.c), column, values):
                standing.rows[row.id] = dict(row._mapping)
        for found in standing.rows.values():
            for key in _keys(form, found):
                standing.keys[key] = found["id"]
        return standing


def _keys(form: RowConverter, values: RowValues) -> list[Key]:
    """Every key of a row that nobody else may have. Of a composite key, the number of the row that it refers to."""
    table = form.table
    if table.composite:
        return [tuple(str(values.get(table.fields[name].column or name)) for name in table.keys)]
    return [(name, str(values[name])) for name in table.keys if values.get(name) is not None]


def _own(form: RowConverter, keys: Sequence[Key]) -> list[Key]:
    """Of those the ones that the mapping goes by, in its order."""
    if form.table.composite:
        return list(keys)
    return [key for name in form.keys for key in keys if key[0] == name]


def match_rows(form: RowConverter, standing: ExistingRows, drafts: Sequence[DraftRow]) -> list[DraftRow]:
    """Give each good draft the key of its row, where there is one, and return those that are to be written.

    Of several with one key the last good one is written; an earlier one only where there is no row yet.
    """
    taken: dict[Key, DraftRow] = {}
    kept: dict[int, DraftRow] = {}
    for draft in drafts:
        if draft.is_bad():
            continue
        keys = _keys(form, draft.values)
        own = _own(form, keys)
        before = taken.get(own[0])
        if before is not None and _own(form, _keys(form, before.values))[0] != own[0]:
            before = None
        _match_standing(form, standing, draft, own, keys)
        for key in keys:
            other = taken.get(key)
            if other is not None and other is not before:
                _clash(form, draft, key)
        if draft.is_bad():
            continue
        if before is not None:
            kept.pop(id(before), None)
            for key in _keys(form, before.values):
                taken.pop(key, None)
        taken.update(dict.fromkeys(keys, draft))
        if not (draft.superseded and draft.id is not None):
            kept[id(draft)] = draft
    return list(kept.values())


def _match_standing(
    form: RowConverter, standing: ExistingRows, draft: DraftRow, own: Sequence[Key], keys: Iterable[Key]
) -> None:
    for key in own:
        row = standing.keys.get(key)
        if row is None or draft.id is not None:
            continue
        # Found by its second key, it must not have another first one.
        if any(_other(standing.rows[row], first) for first in own[: own.index(key)]):
            _clash(form, draft, key)
            return
        draft.id = row
    for key in keys:
        row = standing.keys.get(key)
        if row is not None and row != draft.id:
            _clash(form, draft, key)


def _other(row: RowValues, key: Key) -> bool:
    value = row.get(key[0])
    return value is not None and str(value) != key[1]


def _clash(form: RowConverter, draft: DraftRow, key: Key) -> None:
    """Say that a key is that of another row, in the database or further up: a second run says the same."""
    if not any(issue.reason == KEY_TAKEN for issue in draft.issues):
        column = ", ".join(map(form.column, form.table.keys)) if form.table.composite else form.column(key[0])
        draft.issues.append(Issue(draft.line, column, " / ".join(key[1:]) or key[0], KEY_TAKEN))


def mark_superseded(form: RowConverter, draft: DraftRow, last: int | None) -> None:
    """Note that a draft's key comes again further down the file."""
    if last is not None and last > draft.line and draft.keys:
        draft.superseded = True
        column = ", ".join(map(form.column, form.keys))
        shown = " / ".join(draft.keys[0] if form.table.composite else draft.keys[0][1:])
        reason = f"the same key comes again in line {last}, and that row counts"
        draft.issues.append(Issue(draft.line, column, shown, reason, WARNING))


def changed_columns(draft: DraftRow, row: RowValues) -> dict[str, Any]:
    """The columns in which a draft is not what stands there."""
    return {column: value for column, value in draft.values.items() if row[column] != value}


class KeyIndex:
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

    def __enter__(self) -> "KeyIndex":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._kept.close()
