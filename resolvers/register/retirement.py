"""Retires enterprises that vanish from their registers, and brings back those that are in one again.

A register whose mapping has `missing = "retire"` has an entry for each enterprise that its latest import had. An
enterprise is retired when its last entry goes. It is never deleted.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import models
from models import EventKind
from models.db.portrait_changes import SumChanges
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.event_context import enterprise_contexts
from resolvers.register.key_index import KeyIndex
from resolvers.register.references import RowValues, fetch_rows
from resolvers.register.report import Issue
from resolvers.register.rows import DraftRow, RowConverter
from resolvers.register.tables import TABLES
from resolvers.register.write import ENTERPRISE, update
from resolvers.sql.predicates import among

ENTRY = table_of(models.RegisterEntry)
FEW = 5  # so many may vanish at once, whatever share of the register that is


async def add_entries(connection: AsyncConnection, register: str, enterprises: Iterable[int]) -> None:
    """Remember that the register has these enterprises."""
    ids = sorted(set(enterprises))
    known = await fetch_rows(connection, [ENTRY.c.enterprise_id, ENTRY.c.register_name], ENTRY.c.enterprise_id, ids)
    missing = set(ids) - {row.enterprise_id for row in known if row.register_name == register}
    if missing:
        rows = [{"register_name": register, "enterprise_id": key} for key in sorted(missing)]
        await connection.execute(sa.insert(ENTRY), rows)


async def vanished(
    connection: AsyncConnection, register: str, converters: Sequence[RowConverter], index: KeyIndex
) -> tuple[list[int], int]:
    """The ids of the enterprises that the register had and its files have not, and how many it had.

    `converters` are those of all files of the table, among them the register's.
    """
    files = [number for number, converter in enumerate(converters) if converter.file.register_ == register]
    keys = {name for number in files for name in converters[number].keys}
    columns = [ENTRY.c.enterprise_id, *(ENTERPRISE.c[name] for name in sorted(keys))]
    joined = sa.select(*columns).join_from(ENTRY, ENTERPRISE, ENTERPRISE.c.id == ENTRY.c.enterprise_id)
    rows = (await connection.execute(joined.where(ENTRY.c.register_name == register).order_by(ENTERPRISE.c.id))).all()
    gone = [
        row.enterprise_id
        for row in rows
        if not any(index.has((n, str(row._mapping[n])), files) for n in keys if row._mapping[n] is not None)
    ]
    return gone, len(rows)


def obstacle(converter: RowConverter, gone: int, had: int, read: int, without_key: int) -> Issue | None:
    """Why none of the missing enterprises is retired; None if nothing speaks against it."""
    reason: Reason | None = None
    most = converter.file.retire_most
    if not gone:
        return None
    if without_key:
        reason = Reason("ROWS_WITHOUT_KEY", "{rows:,} rows have no valid key, and may be among them", rows=without_key)
    elif not read:
        reason = Reason("FILE_EMPTY", "the file has no rows")
    elif gone > FEW and 100 * gone > most * had:
        reason = Reason("RETIRED_TOO_MANY", "that is more than {most} % (retire_most)", most=most)
    if reason is None:
        return None
    return Issue(
        0,
        "",
        "",
        Reason(
            "NONE_RETIRED",
            "{gone:,} of the register's {had:,} enterprises are missing, and none was retired: {reason}",
            gone=gone,
            had=had,
            reason=reason,
        ),
    )


async def retire(
    session: AsyncSession, register: str, enterprises: Sequence[int], now: dt.datetime
) -> tuple[list[int], SumChanges]:
    """Remove the register's entries of these enterprises, and retire those that no register has.

    Returns the ids of the retired ones, and what that changes for portraits.
    """
    connection = await session.connection()
    sqlite = connection.dialect.name == "sqlite"
    these = among(ENTRY.c.enterprise_id, "ids", sqlite)
    await connection.execute(
        sa.delete(ENTRY).where(ENTRY.c.register_name == register, these), {"ids": list(enterprises)}
    )
    others = await fetch_rows(connection, [ENTRY.c.enterprise_id], ENTRY.c.enterprise_id, enterprises)
    elsewhere = {row.enterprise_id for row in others}
    columns = [ENTERPRISE.c[name] for name in ("id", "version", "retired_at", "risk_grade")]
    rows = await fetch_rows(connection, columns, ENTERPRISE.c.id, set(enterprises) - elsewhere)
    versions = {row.id: row.version for row in rows if row.retired_at is None}
    values: list[dict[str, Any]] = [{"id": key, "retired_at": now} for key in versions]
    await update(connection, TABLES["enterprises"], values, versions, now)
    counted = SumChanges()
    for row in rows:
        if row.id in versions:
            counted.add(models.Enterprise, row._mapping, {**row._mapping, "retired_at": now})
    return list(versions), counted


def changes(drafts: Iterable[DraftRow], existing: dict[int, RowValues]) -> dict[int, EventKind]:
    """By id, the enterprises that drafts retire or restore."""
    kinds = {}
    for draft in drafts:
        row = existing.get(draft.id or 0)
        if row is not None and (row["retired_at"] is None) != (draft.values["retired_at"] is None):
            kind = EventKind.ENTERPRISE_RESTORED if row["retired_at"] is not None else EventKind.ENTERPRISE_RETIRED
            kinds[row["id"]] = kind
    return kinds


async def events(session: AsyncSession, kinds: dict[int, EventKind], now: dt.datetime) -> list[dict[str, Any]]:
    """The events of enterprises that were retired or restored."""
    contexts = await enterprise_contexts(session, sorted(kinds))
    return [
        {
            "at": now,
            "kind": kind,
            "subject": kind.subject,
            "subject_id": key,
            "enterprise_id": key,
            "zone_id": contexts[key].zone_id,
            "zones": frozenset({contexts[key].zone_id} - {None}),
            "rings": contexts[key].rings,
            "venues": contexts[key].venues,
            "risk": contexts[key].risk,
            "changes": [],
            "major": False,
            "rows": None,
            "source": None,
        }
        for key, kind in sorted(kinds.items())
    ]
