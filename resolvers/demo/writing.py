"""Bulk writing of rows, without the ORM but with the same column types."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from models import Row

Encoder = Callable[[Any], Any]
Taken = Mapping[type[Row], list[dict[str, Any]]]


class _Sheet:
    """One table: its columns, and how each value is encoded for the driver."""

    def __init__(self, table: sa.Table, dialect: sa.Dialect) -> None:
        self.name = table.name
        self.columns = [column.name for column in table.columns]
        self.defaults = [_default(column) for column in table.columns]
        self.encoders: list[Encoder | None] = [
            column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns
        ]
        self.insert = (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({', '.join('?' * len(self.columns))})"
        )

    def encoded(self, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        # By columns, because most need no encoding, which is then decided once for all rows.
        columns: list[Iterable[Any]] = []
        for name, default, encoder in zip(self.columns, self.defaults, self.encoders, strict=True):
            values = [row.get(name, default) for row in rows]
            columns.append([encoder(value) for value in values] if encoder else values)
        return list(zip(*columns, strict=True))


def _default(column: sa.Column[Any]) -> Any:
    default = column.default
    return default.arg if isinstance(default, sa.ColumnDefault) and default.is_scalar else None


class Writer:
    """Writes to one kind of database, in the connection's current transaction."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._postgresql = dialect.name == "postgresql"
        self._sheets = {table: _Sheet(table, dialect) for table in SQLModel.metadata.sorted_tables}

    async def write(self, connection: AsyncConnection, taken: Taken) -> Counter[str]:
        """Insert rows, referred tables first; within a table, a row may refer to an earlier one.

        Returns how many by table.
        """
        if self._postgresql:
            # SQLAlchemy begins the transaction with its first statement, and COPY bypasses SQLAlchemy.
            await connection.execute(sa.select(1))
        by_table = {SQLModel.metadata.tables[str(table.__tablename__)]: rows for table, rows in taken.items()}
        counts: Counter[str] = Counter()
        for table, sheet in self._sheets.items():
            if rows := by_table.get(table):
                await self._insert(connection, sheet, sheet.encoded(rows))
                counts[table.name] = len(rows)
        return counts

    async def _insert(self, connection: AsyncConnection, sheet: _Sheet, rows: list[tuple[Any, ...]]) -> None:
        if not self._postgresql:
            await connection.exec_driver_sql(sheet.insert, rows)
            return
        # COPY is several times faster than INSERT, and only the driver offers it.
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.copy_records_to_table(sheet.name, records=rows, columns=sheet.columns)

    async def follow(self, connection: AsyncConnection, tables: Iterable[str]) -> None:
        """Move PostgreSQL's sequences behind the keys written. SQLite needs nothing of the kind."""
        if not self._postgresql:
            return
        for name in tables:
            await connection.execute(
                sa.text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
            )
