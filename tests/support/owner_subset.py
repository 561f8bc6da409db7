"""What is an enterprise's own, as the domain says it and nobody else: for a database that holds nothing else."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from models.db.database import Database

Keys = dict[str, frozenset[int]]

# By table: everybody's, nobody's but the bureau's, or whose rows name the enterprise.
PUBLIC_TABLES = ("district", "zone", "town", "venue", "control_ring", "warning")
BUREAU_TABLES = ("command_unit", "rainfall_reading", "evidence_upload")
ENTERPRISE_TABLES = (
    "enterprise_ring",
    "hazard",
    "inspection",
    "case_filing",
    "control_measure",
    "camera",
    "dispatch",
    "duty_report",
    "assistance_request",
    "event",
)
# What no client can see, in whatever way.
INTERNAL_TABLES = ("event_log", "client_mutation")


def table(name: str) -> sa.Table:
    return SQLModel.metadata.tables[name]


class OwnedRows:
    """Which rows are one enterprise's own."""

    def __init__(self, connection: Any, enterprise: int) -> None:
        self._connection, self._enterprise = connection, enterprise
        self.keys: Keys = {"enterprise": frozenset({enterprise})}

    async def read(self) -> Keys:
        """By table, the keys of its own rows; every table of the database but the unseen is there."""
        for name in PUBLIC_TABLES:
            self.keys[name] = await self._pick(table(name).c.id)
        for name in BUREAU_TABLES:
            self.keys[name] = frozenset()
        for name in ENTERPRISE_TABLES:
            self.keys[name] = await self._pick(table(name).c.id, enterprise_id=[self._enterprise])
        await self._of_hazards_and_inspections()
        await self._sent()
        return self.keys

    async def _of_hazards_and_inspections(self) -> None:
        hazards, inspections = self.keys["hazard"], self.keys["inspection"]
        self.keys["deadline_extension"] = await self._pick(table("deadline_extension").c.id, hazard_id=hazards)
        evidence: set[int] = set()
        for name, of, among in (("hazard", "hazard_id", hazards), ("inspection", "inspection_id", inspections)):
            link = table(f"{name}_evidence")
            self.keys[link.name] = await self._pick(link.c.id, **{of: among})
            evidence |= await self._pick(link.c.evidence_id, **{of: among})
        self.keys["evidence"] = frozenset(evidence)
        carries_out = table("inspection_inspector")
        self.keys[carries_out.name] = await self._pick(carries_out.c.id, inspection_id=inspections)
        self.keys["inspector"] = await self._pick(carries_out.c.inspector_id, inspection_id=inspections)

    async def _sent(self) -> None:
        """The resources that were dispatched to it, and where its stock lies."""
        dispatch = table("dispatch")
        for name in ("team", "expert", "stock_item"):
            self.keys[name] = await self._pick(dispatch.c[f"{name}_id"], enterprise_id=[self._enterprise])
        self.keys["warehouse"] = await self._pick(table("stock_item").c.warehouse_id, id=self.keys["stock_item"])

    async def _pick(self, column: sa.Column[Any], **where: Any) -> frozenset[int]:
        """The values of a column in the rows whose columns have any of these values."""
        conditions = [column.table.c[name].in_(sorted(values)) for name, values in where.items()]
        rows = await self._connection.execute(sa.select(column).where(*conditions))
        return frozenset(row[0] for row in rows if row[0] is not None)


async def own_keys(database: Database, enterprise: int) -> Keys:
    async with database.read() as connection:
        return await OwnedRows(connection, enterprise).read()


async def delete_all_except(database: Database, keys: Keys) -> None:
    """Take everything else out of the database."""
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.delete(table("client_mutation")))
        for each in reversed(SQLModel.metadata.sorted_tables):
            if each.name not in INTERNAL_TABLES:
                await connection.execute(sa.delete(each).where(each.c.id.not_in(sorted(keys[each.name]))))
