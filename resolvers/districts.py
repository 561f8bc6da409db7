"""The district's own facts that others need."""

from zoneinfo import ZoneInfo

import sqlalchemy as sa

import models
from models.db.database import Database

DEFAULT_ZONE = ZoneInfo("Asia/Shanghai")


async def time_zone(database: Database) -> ZoneInfo | None:
    """The zone in which the district's days are counted; None while there is no district."""
    table = models.District.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
    async with database.read() as connection:
        name = (await connection.execute(sa.select(table.c.time_zone).order_by(table.c.id).limit(1))).scalar()
    return None if name is None else ZoneInfo(name)
