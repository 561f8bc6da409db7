"""Which drafts are rows that are there already, and which are new."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from resolvers.register.forms import Draft, Form, Key
from resolvers.register.lookup import Found, fetch
from resolvers.register.report import WARNING, Issue

CLASH = "belongs to another row"


class Standing:
    """The rows of the table that have a key of one of the drafts, by key and by their own."""

    def __init__(self) -> None:
        self.rows: dict[int, Found] = {}
        self.keys: dict[Key, int] = {}

    @classmethod
    async def read(cls, connection: AsyncConnection, form: Form, drafts: Sequence[Draft]) -> "Standing":
        standing = cls()
        table = form.table
        # A key that the mapping does not go by must still be nobody else's.
        for name in table.keys if not table.composite else table.keys[:1]:
            column = table.rows.c[table.fields[name].column or name]
            values = {draft.values.get(column.name) for draft in drafts} - {None}
            for row in await fetch(connection, list(table.rows.c), column, values):
                standing.rows[row.id] = dict(row._mapping)
        for found in standing.rows.values():
            for key in _keys(form, found):
                standing.keys[key] = found["id"]
        return standing


def _keys(form: Form, values: Found) -> list[Key]:
    """Every key of a row that nobody else may have. Of a composite key, the number of the row that it refers to."""
    table = form.table
    if table.composite:
        return [tuple(str(values.get(table.fields[name].column or name)) for name in table.keys)]
    return [(name, str(values[name])) for name in table.keys if values.get(name) is not None]


def _own(form: Form, keys: Sequence[Key]) -> list[Key]:
    """Of those the ones that the mapping goes by, in its order."""
    if form.table.composite:
        return list(keys)
    return [key for name in form.keys for key in keys if key[0] == name]


def match(form: Form, standing: Standing, drafts: Sequence[Draft]) -> list[Draft]:
    """Give each good draft the key of its row, where there is one, and return those that are to be written.

    Of several with one key the last good one is written; an earlier one only where there is no row yet.
    """
    taken: dict[Key, Draft] = {}
    kept: dict[int, Draft] = {}
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


def _match_standing(form: Form, standing: Standing, draft: Draft, own: Sequence[Key], keys: Iterable[Key]) -> None:
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


def _other(row: Found, key: Key) -> bool:
    value = row.get(key[0])
    return value is not None and str(value) != key[1]


def _clash(form: Form, draft: Draft, key: Key) -> None:
    """Say that a key is that of another row, in the database or further up: a second run says the same."""
    if not any(issue.reason == CLASH for issue in draft.issues):
        column = ", ".join(map(form.column, form.table.keys)) if form.table.composite else form.column(key[0])
        draft.issues.append(Issue(draft.line, column, " / ".join(key[1:]) or key[0], CLASH))


def supersede(form: Form, draft: Draft, last: int | None) -> None:
    """Note that a draft's key comes again further down the file."""
    if last is not None and last > draft.line and draft.keys:
        draft.superseded = True
        column = ", ".join(map(form.column, form.keys))
        shown = " / ".join(draft.keys[0] if form.table.composite else draft.keys[0][1:])
        reason = f"the same key comes again in line {last}, and that row counts"
        draft.issues.append(Issue(draft.line, column, shown, reason, WARNING))


def differing(draft: Draft, row: Found) -> dict[str, Any]:
    """The columns in which a draft is not what stands there."""
    return {column: value for column, value in draft.values.items() if row[column] != value}
