"""Matches the rows of a batch with existing rows by their natural keys."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from models.reason import Reason
from resolvers.register.references import RowValues, fetch_rows
from resolvers.register.report import Issue
from resolvers.register.rows import DraftRow, Key, RowConverter

KEY_TAKEN = Reason("KEY_TAKEN", "belongs to another row")


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
