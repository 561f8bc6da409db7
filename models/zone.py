"""The zones (战区) of a district, each with its own focus."""

import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import JsonList
from models.db.tables import Row


class ZoneFocus(enum.Enum):
    WATERLOGGING = "waterlogging"
    HAZARDOUS_CHEMICALS = "hazardous chemicals"
    CROWDED_PLACES = "crowded places"
    FOREST_AND_FLOOD = "forest and flood"


class Zone(Row, table=True):
    """A zone. `boundary` is an RFC 7946 geometry."""

    __table_args__ = (sa.Index(None, "district_id", "id"),)

    district_id: int = Field(foreign_key="district.id")
    code: str = Field(unique=True)
    name: str
    name_en: str | None = None
    focus: list[ZoneFocus] = Field(sa_type=JsonList(ZoneFocus))
    plan: str
    boundary: dict[str, Any] = Field(sa_type=sa.JSON)
