"""Writing many rows at once: keys given out beforehand, so that rows may refer to rows of the same batch."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models import HAZARD_TERMINAL, InspectionStatus
from models.db.tables import table_of
from resolvers.register.tables import Table
from resolvers.sql.predicates import among

ENTERPRISE = table_of(models.Enterprise)
HAZARD = table_of(models.Hazard)
INSPECTION = table_of(models.Inspection)


class StaleRows(Exception):
    """A row was changed by somebody else after it was read: the batch is to be done again."""


async def reserve_ids(connection: AsyncConnection, table: sa.Table, number: int) -> list[int]:
    """So many keys that no row has or will get, in ascending order."""
    if not number:
        return []
    if connection.dialect.name == "sqlite":
        # Nobody else writes before this transaction ends.
        last = (await connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)))).scalar_one()
        return list(range(last + 1, last + 1 + number))
    statement = "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :number)"
    found = await connection.execute(sa.text(statement), {"name": table.name, "number": number})
    return sorted(row[0] for row in found)


async def insert(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]], now: dt.datetime) -> None:
    """New rows, each with its key; what they do not say is the default."""
    if rows:
        common = {**table.defaults, **({"updated_at": now} if table.has("updated_at") else {})}
        await connection.execute(sa.insert(table.rows), [{**common, **row} for row in rows])


async def update(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    versions: dict[int, int],
    now: dt.datetime,
) -> None:
    """Write rows that all have the same columns, `id` among them; their versions rise by one.

    Raises Stale where a row no longer has the version that it had when it was compared.
    """
    if not rows:
        return
    if table.has("version"):
        await _lock(connection, table.rows, versions)
    values: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in rows[0] if name != "id"}
    if table.has("version"):
        values["version"] = table.rows.c.version + 1
    if table.has("updated_at"):
        values["updated_at"] = now
    statement = sa.update(table.rows).where(table.rows.c.id == sa.bindparam("key")).values(values)
    await connection.execute(
        statement, [{"key" if name == "id" else f"to_{name}": v for name, v in row.items()} for row in rows]
    )


async def _lock(connection: AsyncConnection, table: sa.Table, versions: dict[int, int]) -> None:
    mine = among(table.c.id, "ids", connection.dialect.name == "sqlite")
    statement = sa.select(table.c.id, table.c.version).where(mine).order_by(table.c.id)
    found = await connection.execute(statement.with_for_update(key_share=True), {"ids": sorted(versions)})
    if {row.id: row.version for row in found} != versions:
        raise StaleRows


async def update_counters(connection: AsyncConnection, enterprises: Collection[int]) -> None:
    """Set what the enterprises count of their own rows: open hazards, and the latest submission.

    They are locked first and counted in a later statement, which sees all that was committed before the lock.
    """
    sqlite = connection.dialect.name == "sqlite"
    mine = among(ENTERPRISE.c.id, "ids", sqlite)
    ids = {"ids": sorted(enterprises)}
    if not sqlite:
        lock = sa.select(ENTERPRISE.c.id).where(mine).order_by(ENTERPRISE.c.id)
        await connection.execute(lock.with_for_update(key_share=True), ids)
    open_ = sa.select(sa.func.count()).where(
        HAZARD.c.enterprise_id == ENTERPRISE.c.id, HAZARD.c.status.not_in(sorted(HAZARD_TERMINAL, key=lambda s: s.name))
    )
    latest = sa.select(sa.func.max(INSPECTION.c.submitted_at)).where(
        INSPECTION.c.enterprise_id == ENTERPRISE.c.id, INSPECTION.c.status != InspectionStatus.CANCELLED
    )
    columns = (ENTERPRISE.c.id, ENTERPRISE.c.open_hazards, ENTERPRISE.c.last_inspected_at)
    counted = sa.select(
        *columns, open_.scalar_subquery().label("open"), latest.scalar_subquery().label("latest")
    ).where(mine)
    changed = [
        {"key": row.id, "open": row.open, "latest": row.latest}
        for row in await connection.execute(counted, ids)
        if (row.open, row.latest) != (row.open_hazards, row.last_inspected_at)
    ]
    if changed:
        statement = sa.update(ENTERPRISE).where(ENTERPRISE.c.id == sa.bindparam("key"))
        values: dict[str, Any] = {"open_hazards": sa.bindparam("open"), "last_inspected_at": sa.bindparam("latest")}
        await connection.execute(statement.values(values), changed)
