"""A district of any size for the benchmark of portraits: a small demo, copied within the database by SQL.

The copies of an enterprise are at its place, with its history, and without numbers that must be unique. So all sums
are multiples of the demo's, and the sets of a copy are those of the demo in the next portion.
"""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.database import Database
from models.db.enterprise_sets import SET
from models.db.portrait_sums import SUM
from models.db.tables import table_of
from models.enterprise_set import PORTION
from models.portrait_sum import SUM_COLUMNS
from resolvers.demo import seed

LARGEST = 8_000  # enterprises of the demo; fewer than a portion has
COPIED = [
    table_of(model)
    for model in (models.Enterprise, models.EnterpriseRing, models.Inspection, models.Hazard, models.Case)
]
POSTGRESQL_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(ARRAY[{tables}]::regclass[]) AND NOT indisunique"""
SQLITE_INDEXES = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({tables})"
)


async def fill(database: Database, enterprises: int, today: dt.date) -> int:
    """Write the demo of so many enterprises, or of a few more, where there is none. Returns how many there are."""
    copies = -(-enterprises // LARGEST)
    await seed(database, enterprises=-(-enterprises // copies), today=today)
    if copies > 1:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await _without_checks(connection, sqlite=database.sqlite)
            await _without_indexes(connection, database.sqlite, lambda: _copy(connection, copies))
            await connection.invalidate()  # so that nobody else gets it
    return copies * -(-enterprises // copies)


async def _without_checks(connection: AsyncConnection, *, sqlite: bool) -> None:
    """Let this connection write rows without looking for those that they refer to, and without waiting for the disk."""
    statements = (
        ["COMMIT", "PRAGMA foreign_keys=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-400000"]
        if sqlite
        else [
            "SET session_replication_role = replica",
            "SET synchronous_commit = off",
            "SET maintenance_work_mem='512MB'",
        ]
    )
    for statement in statements:
        await connection.exec_driver_sql(statement)


async def _without_indexes(connection: AsyncConnection, sqlite: bool, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work without the tables' indexes, and make them afterwards, which is faster."""
    names = ", ".join(f"'{table.name}'" for table in COPIED)
    listed = (SQLITE_INDEXES if sqlite else POSTGRESQL_INDEXES).format(tables=names)
    indexes: list[Any] = [*await connection.exec_driver_sql(listed)]
    for name, _ in indexes:
        await connection.exec_driver_sql(f"DROP INDEX {name}")
    await work()
    for _, definition in indexes:
        await connection.exec_driver_sql(definition)


async def _copy(connection: AsyncConnection, copies: int) -> None:
    """Have everything about enterprises so many times."""
    steps = {table: await _last(connection, table.c.id) for table in COPIED} | {COPIED[0]: PORTION}
    numbers = sa.union_all(*(sa.select(sa.literal_column(f"{n}").label("copy")) for n in range(1, copies))).subquery()
    for table in COPIED:
        values = [_value(column, steps, numbers.c.copy) for column in table.columns]
        rows = sa.select(*values).select_from(table.join(numbers, sa.true())).order_by(numbers.c.copy, table.c.id)
        await connection.execute(sa.insert(table).from_select(list(table.columns), rows))
    await connection.execute(sa.update(SUM).values({name: SUM.c[name] * copies for name in SUM_COLUMNS}))
    sets = sa.select(SET.c.kind, SET.c.key, SET.c.portion + numbers.c.copy, SET.c.members)
    rows = sets.select_from(SET.join(numbers, sa.true()))
    await connection.execute(sa.insert(SET).from_select(list(SET.columns), rows))


async def _last(connection: AsyncConnection, column: sa.Column[Any]) -> int:
    return int((await connection.execute(sa.select(sa.func.max(column)))).scalar_one())


def _value(column: sa.Column[Any], steps: dict[sa.Table, int], copy: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """A column of a copied row. What must be unique is null."""
    table = next((key.column.table for key in column.foreign_keys), column.table if column.primary_key else None)
    if table in steps:
        return column + steps[table] * copy
    return sa.null() if column.unique else column
