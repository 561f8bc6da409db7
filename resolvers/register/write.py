"""Writes many rows at once. New rows get their ids beforehand, so that other rows of the batch can refer to them."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models import HAZARD_SETTLED, HAZARD_TERMINAL, ExtensionStatus, InspectionStatus
from models.db.tables import table_of
from resolvers.register.tables import Table
from resolvers.sql.predicates import among

ENTERPRISE = table_of(models.Enterprise)
HAZARD = table_of(models.Hazard)
INSPECTION = table_of(models.Inspection)
EXTENSION = table_of(models.DeadlineExtension)


class StaleRows(Exception):
    """Another transaction changed a row after it was read, so that the batch must be repeated."""


async def reserve_ids(connection: AsyncConnection, table: sa.Table, count: int) -> list[int]:
    """As many unused ids, in ascending order, that no other transaction will use."""
    if not count:
        return []
    if connection.dialect.name == "sqlite":
        # SQLite has one writer at a time, and this transaction is it.
        last = (await connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)))).scalar_one()
        return list(range(last + 1, last + 1 + count))
    statement = "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"
    ids = await connection.execute(sa.text(statement), {"name": table.name, "count": count})
    return sorted(row[0] for row in ids)


async def insert(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]], now: dt.datetime) -> None:
    """Insert rows that have their ids. Columns that they lack get their defaults."""
    if rows:
        common = {**table.defaults, **({"updated_at": now} if table.has_column("updated_at") else {})}
        await connection.execute(sa.insert(table.sql_table), [{**common, **row} for row in rows])


async def update(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    versions: dict[int, int],
    now: dt.datetime,
) -> None:
    """Update rows, all of which have the same columns including `id`, and increment their versions.

    `versions` are those that the rows had when they were compared. Raises StaleRows if one has another version by now.
    """
    if not rows:
        return
    sql_table = table.sql_table
    if table.has_column("version"):
        await _lock(connection, sql_table, versions)
    values: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in rows[0] if name != "id"}
    if table.has_column("version"):
        values["version"] = sql_table.c.version + 1
    if table.has_column("updated_at"):
        values["updated_at"] = now
    statement = sa.update(sql_table).where(sql_table.c.id == sa.bindparam("row_id")).values(values)
    await connection.execute(
        statement, [{"row_id" if name == "id" else f"to_{name}": v for name, v in row.items()} for row in rows]
    )


async def _lock(connection: AsyncConnection, table: sa.Table, versions: dict[int, int]) -> None:
    """Lock rows until the transaction ends. Raises StaleRows if their versions are not these."""
    condition = among(table.c.id, "ids", connection.dialect.name == "sqlite")
    statement = sa.select(table.c.id, table.c.version).where(condition).order_by(table.c.id)
    rows = await connection.execute(statement.with_for_update(key_share=True), {"ids": sorted(versions)})
    if {row.id: row.version for row in rows} != versions:
        raise StaleRows


async def update_counters(connection: AsyncConnection, enterprises: Collection[int]) -> None:
    """Update the open hazards and the latest submission of these enterprises.

    They are locked first and counted in a later statement, which sees all that was committed before the lock.
    """
    sqlite = connection.dialect.name == "sqlite"
    condition = among(ENTERPRISE.c.id, "ids", sqlite)
    ids = {"ids": sorted(enterprises)}
    if not sqlite:
        lock = sa.select(ENTERPRISE.c.id).where(condition).order_by(ENTERPRISE.c.id)
        await connection.execute(lock.with_for_update(key_share=True), ids)
    rows = await connection.execute(_counters().where(condition), ids)
    changed = [
        {"row_id": row.id, "open": row.open, "latest": row.latest}
        for row in rows
        if (row.open, row.latest) != (row.open_hazards, row.last_inspected_at)
    ]
    if changed:
        statement = sa.update(ENTERPRISE).where(ENTERPRISE.c.id == sa.bindparam("row_id"))
        values: dict[str, Any] = {"open_hazards": sa.bindparam("open"), "last_inspected_at": sa.bindparam("latest")}
        await connection.execute(statement.values(values), changed)


async def lapse_extensions(connection: AsyncConnection, hazards: Collection[int]) -> None:
    """End the requests for a later deadline that nobody has decided, of those of these hazards that have ended."""
    sqlite = connection.dialect.name == "sqlite"
    ended = sa.select(HAZARD.c.id).where(among(HAZARD.c.id, "ids", sqlite), HAZARD.c.status.in_(HAZARD_SETTLED))
    open_requests = sa.and_(EXTENSION.c.hazard_id.in_(ended), EXTENSION.c.status == ExtensionStatus.REQUESTED)
    lapse = sa.update(EXTENSION).where(open_requests).values(status=ExtensionStatus.LAPSED)
    await connection.execute(lapse, {"ids": sorted(hazards)})


def _counters() -> sa.Select[Any]:
    """Of each enterprise the stored counters, and what they should be."""
    terminal = sorted(HAZARD_TERMINAL, key=lambda status: status.name)
    open_hazards = sa.select(sa.func.count()).where(
        HAZARD.c.enterprise_id == ENTERPRISE.c.id, HAZARD.c.status.not_in(terminal)
    )
    latest = sa.select(sa.func.max(INSPECTION.c.submitted_at)).where(
        INSPECTION.c.enterprise_id == ENTERPRISE.c.id, INSPECTION.c.status != InspectionStatus.CANCELLED
    )
    return sa.select(
        ENTERPRISE.c.id,
        ENTERPRISE.c.open_hazards,
        ENTERPRISE.c.last_inspected_at,
        open_hazards.scalar_subquery().label("open"),
        latest.scalar_subquery().label("latest"),
    )
