"""Rainfall readings, which raise warnings."""

import datetime as dt

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime
from models.db.tables import Row


class RainfallReading(Row, table=True):
    """The rain on a zone since the previous reading, in millimetres."""

    __tablename__ = "rainfall_reading"
    __table_args__ = (
        sa.UniqueConstraint("zone_id", "at"),
        sa.CheckConstraint("millimetres >= 0", name="millimetres"),
    )

    zone_id: int = Field(foreign_key="zone.id")
    at: dt.datetime = Field(sa_type=UtcTime)
    millimetres: float
