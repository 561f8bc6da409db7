"""Which rows belong to one enterprise, as the domain defines it, and a database reduced to them.

This restates the rules independently of resolvers.sql.authorization, so that tests can compare the two.
"""

from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from models.db.database import Database

Keys = dict[str, frozenset[int]]

# Tables that everybody may read, that only the bureau may read, and whose rows name their enterprise.
PUBLIC_TABLES = ("district", "zone", "town", "venue", "control_ring", "warning")
BUREAU_TABLES = ("command_unit", "rainfall_reading", "evidence_upload", "handover")
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
# Inspections come unannounced: an enterprise sees one from the inspectors' arrival on, and one that it asked for from
# the dispatch on. It sees a case once that is filed. What happened before it never sees.
ARRIVED = ("ON_SITE", "SUBMITTED", "IN_REVIEW", "CLOSED")
NEVER_FILED = ("PROPOSED", "NOT_FILED")
BEFORE_ARRIVAL = ("PLANNED", "DISPATCHED", "ACKNOWLEDGED", "DEPARTED", "CANCELLED")
BEFORE_FILING = ("CASE_PROPOSED", "CASE_DECLINED")
# Tables that no client can see.
INTERNAL_TABLES = (
    "access",
    "event_log",
    "client_mutation",
    "account",
    "account_event",
    "login",
    "sign_in_delay",
    "token",
    "pairing",
    "register_entry",
    "portrait_sum",
    "enterprise_set",
    "sent_file",
    "open_upload",
    "upload_piece",
)


def table(name: str) -> sa.Table:
    return SQLModel.metadata.tables[name]


def text(of: sa.Table, name: str) -> sa.ColumnElement[str]:
    """A column of an enum as the name of its member."""
    return sa.cast(of.c[name], sa.Text)


class OwnedRows:
    """Reads which rows belong to one enterprise."""

    def __init__(self, connection: Any, enterprise: int) -> None:
        self._connection, self._enterprise = connection, enterprise
        self.keys: Keys = {"enterprise": frozenset({enterprise})}

    async def read(self) -> Keys:
        """The keys of its own rows, for every table except the internal ones."""
        for name in PUBLIC_TABLES:
            self.keys[name] = await self._pick(table(name).c.id)
        for name in BUREAU_TABLES:
            self.keys[name] = frozenset()
        for name in ENTERPRISE_TABLES:
            self.keys[name] = await self._pick(table(name).c.id, enterprise_id=[self._enterprise])
        await self._remove_what_would_give_notice()
        await self._add_hazard_and_inspection_details()
        await self._add_dispatched_resources()
        return self.keys

    async def _remove_what_would_give_notice(self) -> None:
        inspection, case, event = (table(name) for name in ("inspection", "case_filing", "event"))
        asked = await self._matching(inspection.c.id, text(inspection, "kind") == "ASSISTANCE")
        self.keys["inspection"] &= await self._matching(
            inspection.c.id,
            text(inspection, "status").in_(ARRIVED)
            | (inspection.c.id.in_(sorted(asked)) & (text(inspection, "status") != "PLANNED")),
        )
        self.keys["case_filing"] &= await self._matching(case.c.id, text(case, "status").not_in(NEVER_FILED))
        before = [f"INSPECTION_{step}" for step in BEFORE_ARRIVAL]
        self.keys["event"] -= await self._matching(
            event.c.id,
            text(event, "kind").in_(BEFORE_FILING)
            | (text(event, "kind").in_(before) & event.c.subject_id.not_in(sorted(asked))),
        )

    async def _matching(self, column: sa.Column[Any], condition: sa.ColumnElement[bool]) -> frozenset[int]:
        rows = await self._connection.execute(sa.select(column).where(condition))
        return frozenset(row[0] for row in rows)

    async def _add_hazard_and_inspection_details(self) -> None:
        hazards, inspections = self.keys["hazard"], self.keys["inspection"]
        self.keys["deadline_extension"] = await self._pick(table("deadline_extension").c.id, hazard_id=hazards)
        evidence: set[int] = set()
        for name, column, keys in (("hazard", "hazard_id", hazards), ("inspection", "inspection_id", inspections)):
            link = table(f"{name}_evidence")
            self.keys[link.name] = await self._pick(link.c.id, **{column: keys})
            evidence |= await self._pick(link.c.evidence_id, **{column: keys})
        self.keys["evidence"] = frozenset(evidence)
        assignment = table("inspection_inspector")
        self.keys[assignment.name] = await self._pick(assignment.c.id, inspection_id=inspections)
        self.keys["inspector"] = await self._pick(assignment.c.inspector_id, inspection_id=inspections)

    async def _add_dispatched_resources(self) -> None:
        """The resources dispatched to the enterprise, and the warehouses of the stock among them."""
        dispatch = table("dispatch")
        for name in ("team", "expert", "stock_item"):
            self.keys[name] = await self._pick(dispatch.c[f"{name}_id"], enterprise_id=[self._enterprise])
        self.keys["warehouse"] = await self._pick(table("stock_item").c.warehouse_id, id=self.keys["stock_item"])

    async def _pick(self, column: sa.Column[Any], **where: Any) -> frozenset[int]:
        """The values of a column in the rows whose other columns have one of the given values."""
        conditions = [column.table.c[name].in_(sorted(values)) for name, values in where.items()]
        rows = await self._connection.execute(sa.select(column).where(*conditions))
        return frozenset(row[0] for row in rows if row[0] is not None)


async def own_keys(database: Database, enterprise: int) -> Keys:
    async with database.read() as connection:
        return await OwnedRows(connection, enterprise).read()


async def delete_all_except(database: Database, keys: Keys) -> None:
    """Delete all rows except those with these keys, and of those what an enterprise may not know.

    That is where inspectors are, and that an inspection follows a complaint.
    """
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.delete(table("client_mutation")))
        for each in reversed(SQLModel.metadata.sorted_tables):
            if each.name not in INTERNAL_TABLES:
                await connection.execute(sa.delete(each).where(each.c.id.not_in(sorted(keys[each.name]))))
        inspection, inspector = table("inspection"), table("inspector")
        complaints = text(inspection, "kind") == "COMPLAINT"
        await connection.execute(sa.update(inspection).where(complaints).values(kind="ROUTINE"))
        await connection.execute(sa.update(inspector).values(latitude=None, longitude=None, position_at=None))
