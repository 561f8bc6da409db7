"""Warnings in force over a zone or the whole district."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import RankedEnum, UtcTime, named_enum, rank_check
from models.db.tables import Row, Versioned


class WarningKind(enum.Enum):
    RAINSTORM = "rainstorm"
    TYPHOON = "typhoon"
    HEAT = "heat"
    FIRE = "fire"
    HAZMAT = "hazardous materials"
    OTHER = "other"


class WarningLevel(enum.Enum):
    """Ordered: a higher number is more severe."""

    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4


class Warning(Versioned, Row, table=True):
    """A warning for a zone or, without one, the whole district. `automatic` ones were raised by readings."""

    __table_args__ = (
        rank_check("level", WarningLevel),
        sa.Index(None, "zone_id", "issued_at", "id"),
        sa.Index(None, "issued_at", "id"),
    )

    zone_id: int | None = Field(default=None, foreign_key="zone.id")
    kind: WarningKind = Field(sa_type=named_enum(WarningKind, "kind"))
    level: WarningLevel = Field(sa_type=RankedEnum(WarningLevel))
    headline: str
    issued_at: dt.datetime = Field(sa_type=UtcTime)
    lifted_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    automatic: bool = False
