"""Inspectors, the officers in the field."""

import datetime as dt

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime
from models.db.tables import PERSONAL, Located, Row, location_check


class Inspector(Located, Row, table=True):
    """An officer. Latitude and longitude are the latest reported position; each report overwrites them."""

    __table_args__ = (location_check(), sa.Index(None, "latitude", "longitude"))

    badge: str = Field(unique=True)
    full_name: str = Field(sa_column_kwargs=PERSONAL)
    phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    on_duty: bool = False
    position_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    zone_id: int | None = Field(default=None, foreign_key="zone.id", index=True)
