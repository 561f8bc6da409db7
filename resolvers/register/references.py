"""Resolves references: finds the rows that the rows of a batch refer to by natural keys or names."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.reason import Reason
from resolvers.register.report import Issue
from resolvers.register.rows import DraftRow, RowConverter, condition_holds
from resolvers.register.tables import TABLES, Field, Kind
from resolvers.sql.predicates import among

RowValues = dict[str, Any]  # the values of a row by column

OTHER_ENTERPRISE = Reason("OTHER_ENTERPRISE", "belongs to another enterprise")


async def fetch_rows(
    connection: AsyncConnection, columns: Sequence[sa.ColumnElement[Any]], by: sa.Column[Any], values: Iterable[Any]
) -> Sequence[Any]:
    """These columns of the rows in which `by` has one of the values, sorted by id."""
    wanted = sorted(set(values))
    if not wanted:
        return []
    statement = sa.select(*columns).where(among(by, "wanted", connection.dialect.name == "sqlite"))
    return (await connection.execute(statement.order_by(by.table.c.id), {"wanted": wanted})).all()


async def resolve_references(connection: AsyncConnection, converter: RowConverter, drafts: Sequence[DraftRow]) -> None:
    """Set the ids of the rows that the drafts refer to, and the fields that are copied from those rows.

    A reference to a new row of the same batch stays unresolved until `resolve_within_batch`.
    """
    rows: dict[str, dict[str, list[RowValues]]] = {}
    for name in converter.references:
        texts = {text for draft in drafts for text in _texts(draft.references.get(name))}
        rows[name] = await _referenced_rows(connection, converter, name, texts)
    for draft in drafts:
        for name in converter.references:
            _resolve(converter, draft, name, rows[name])
        for copied in converter.copied:
            assert copied.field.column is not None
            text = draft.references.get(copied.reference)
            candidates = rows[copied.reference].get(text, []) if text is not None else []
            available = len(candidates) == 1 and condition_holds(copied.when, draft.values)
            draft.values[copied.field.column] = candidates[0][str(copied.source.column)] if available else None
        _check_enterprise(converter, draft, rows)


def resolve_within_batch(converter: RowConverter, draft: DraftRow, earlier: dict[str, DraftRow]) -> None:
    """Resolve references to rows of the same table that are earlier in the batch, and add this one to `earlier`."""
    for name, (target, by) in converter.references.items():
        text, column = draft.references.get(name), converter.table.fields[name].column
        if target != converter.table.name or text is None or column is None or draft.values[column] is not None:
            continue
        other = earlier.get(text)
        if other is None or other.is_bad():
            reason = Reason("REFERRED_LATER", "{reason}, or that row comes later", reason=_not_found(target, by))
            draft.issues.append(Issue(draft.line, converter.label(name), text, reason))
        elif other.values.get("enterprise_id") != draft.values.get("enterprise_id"):
            draft.issues.append(Issue(draft.line, converter.label(name), text, OTHER_ENTERPRISE))
        else:
            draft.values[column] = other.id
    for key in draft.keys:
        earlier[key[-1]] = draft


def _texts(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


async def _referenced_rows(
    connection: AsyncConnection, converter: RowConverter, name: str, texts: set[str]
) -> dict[str, list[RowValues]]:
    """By text, the rows of which a field that may be referred to by has that text. Several rows can share a name."""
    target, by = converter.references[name]
    table = TABLES[target].sql_table
    needed = {str(copied.source.column) for copied in converter.copied if copied.reference == name}
    needed |= {"enterprise_id"} if target == "inspections" else set()
    columns: list[sa.ColumnElement[Any]] = [table.c[column] for column in ("id", *sorted(needed))]
    rows: defaultdict[str, dict[int, RowValues]] = defaultdict(dict)
    for field in by or TABLES[target].keys:
        column = table.c[field]
        missing = texts - rows.keys()
        for row in await fetch_rows(connection, [*columns, column.label("text")], column, missing):
            rows[row.text][row.id] = dict(row._mapping)
    return {text: list(by_id.values()) for text, by_id in rows.items()}


def _resolve(converter: RowConverter, draft: DraftRow, name: str, rows: dict[str, list[RowValues]]) -> None:
    """Set the ids that a field refers to, or add an issue for each text that refers to no row or to several."""
    field = converter.table.fields[name]
    ids = []
    for text in _texts(draft.references.get(name)):
        candidates = rows.get(text, [])
        if len(candidates) == 1:
            ids.append(candidates[0]["id"])
        elif reason := _unresolved(converter, field, len(candidates)):
            draft.issues.append(Issue(draft.line, converter.label(name), text, reason))
    if field.kind is Kind.REFERENCES:
        draft.inspectors = frozenset(ids)
    elif field.column is not None:
        draft.values[field.column] = ids[0] if ids else None


def _unresolved(converter: RowConverter, field: Field, candidates: int) -> str:
    """Why a reference has no single row; empty if the row may still be in the batch."""
    if candidates:
        return Reason("NAME_AMBIGUOUS", "is the name of several {target}", target=field.target)
    if field.target == converter.table.name:
        return ""
    return _not_found(field.target, converter.references[field.name][1])


def _not_found(target: str, by: Iterable[str] | None) -> Reason:
    fields = " / ".join(by or TABLES[target].keys)
    return Reason("REFERRED_UNKNOWN", "none of the {target} has this {fields}", target=target, fields=fields)


def _check_enterprise(converter: RowConverter, draft: DraftRow, rows: dict[str, dict[str, list[RowValues]]]) -> None:
    """A row that refers to an inspection belongs to the same enterprise as the inspection."""
    enterprise = draft.values.get("enterprise_id")
    for name, (target, _) in converter.references.items():
        text = draft.references.get(name)
        if target == "inspections" and text is not None and enterprise is not None:
            candidates = rows[name].get(text, [])
            if len(candidates) == 1 and candidates[0]["enterprise_id"] != enterprise:
                draft.issues.append(Issue(draft.line, converter.label(name), text, OTHER_ENTERPRISE))
