"""Finding rows by what a register calls them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from resolvers.register.report import Issue
from resolvers.register.rows import DraftRow, RowConverter, condition_holds
from resolvers.register.tables import TABLES, Kind, Table
from resolvers.sql.predicates import among

RowValues = dict[str, Any]  # a row by its columns

OTHER_ENTERPRISE = "is of another enterprise"


async def fetch_rows(
    connection: AsyncConnection, columns: Sequence[sa.ColumnElement[Any]], by: sa.Column[Any], values: Iterable[Any]
) -> Sequence[Any]:
    """These columns of the rows in which `by` has one of the values, in the order of their keys."""
    wanted = sorted(set(values))
    if not wanted:
        return []
    table = by.table
    statement = sa.select(*columns).where(among(by, "wanted", connection.dialect.name == "sqlite"))
    return (await connection.execute(statement.order_by(table.c.id), {"wanted": wanted})).all()


async def resolve_references(connection: AsyncConnection, form: RowConverter, drafts: Sequence[DraftRow]) -> None:
    """Turn the texts by which the drafts refer to rows into keys; fill what is borrowed from those rows.

    A reference to a row of the same table that stands earlier among the drafts stays a text until that has its key.
    """
    rows: dict[str, dict[str, list[RowValues]]] = {}
    for name, (target, by) in form.references.items():
        texts = {text for draft in drafts for text in _texts(draft.references.get(name))}
        rows[name] = await _named(connection, form, name, TABLES[target], by, texts)
    for draft in drafts:
        for name in form.references:
            _refer(form, draft, name, rows[name])
        for borrowed in form.borrowed:
            column = borrowed.field.column
            assert column is not None
            text = draft.references.get(borrowed.reference)
            source = rows[borrowed.reference].get(text, []) if text is not None else []
            given = len(source) == 1 and condition_holds(borrowed.when, draft.values)
            draft.values[column] = source[0][str(borrowed.taken.column)] if given else None
        _one_enterprise(form, draft, rows)


def _one_enterprise(form: RowConverter, draft: DraftRow, rows: dict[str, dict[str, list[RowValues]]]) -> None:
    """What comes of an inspection is of the same enterprise as that."""
    enterprise = draft.values.get("enterprise_id")
    for name, (target, _) in form.references.items():
        text = draft.references.get(name)
        if target == "inspections" and text is not None and enterprise is not None:
            found = rows[name].get(text, [])
            if len(found) == 1 and found[0]["enterprise_id"] != enterprise:
                draft.issues.append(Issue(draft.line, form.column(name), text, OTHER_ENTERPRISE))


def _texts(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


async def _named(
    connection: AsyncConnection,
    form: RowConverter,
    name: str,
    target: Table,
    by: tuple[str, ...] | None,
    texts: set[str],
) -> dict[str, list[RowValues]]:
    """The rows that have one of the texts in a field that names them, by text; a name may be that of several."""
    needed = {str(b.taken.column) for b in form.borrowed if b.reference == name}
    needed |= {"enterprise_id"} if target.name == "inspections" else set()
    columns: list[sa.ColumnElement[Any]] = [target.rows.c[column] for column in ("id", *sorted(needed))]
    found: defaultdict[str, dict[int, RowValues]] = defaultdict(dict)
    for field in by or target.keys:
        column = target.rows.c[field]
        rest = texts - found.keys()
        for row in await fetch_rows(connection, [*columns, column.label("named")], column, rest):
            found[row.named][row.id] = dict(row._mapping)
    return {text: list(rows.values()) for text, rows in found.items()}


def _refer(form: RowConverter, draft: DraftRow, name: str, rows: dict[str, list[RowValues]]) -> None:
    """Set the key that a reference stands for, or say why there is none."""
    field = form.table.fields[name]
    texts = _texts(draft.references.get(name))
    keys = []
    for text in texts:
        found = rows.get(text, [])
        if len(found) == 1:
            keys.append(found[0]["id"])
        elif found:
            draft.issues.append(Issue(draft.line, form.column(name), text, f"is the name of several {field.target}"))
        elif TABLES[field.target] is not form.table:
            by = form.references[name][1] or TABLES[field.target].keys
            draft.issues.append(Issue(draft.line, form.column(name), text, not_found_reason(field.target, by)))
    if field.kind is Kind.REFERENCES:
        draft.inspectors = frozenset(keys)
    elif field.column is not None:
        # Without a key, and no issue: a row of this very batch, perhaps.
        draft.values[field.column] = keys[0] if keys else None


def not_found_reason(target: str, by: Iterable[str]) -> str:
    return f"none of the {target} has this {' or '.join(by)}"
