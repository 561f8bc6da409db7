"""Rescue teams."""

import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import SortableText, named_enum
from models.db.tables import PERSONAL, Located, Registered, Row, Versioned, zone_and_location


class TeamKind(enum.Enum):
    FIRE = "fire"
    HAZMAT = "hazardous materials"
    MEDICAL = "medical"
    WATER_RESCUE = "water rescue"
    ENGINEERING = "engineering"
    POWER = "power"
    SECURITY = "security"
    VOLUNTEER = "volunteer"


class Team(Versioned, Located, Registered, Row, table=True):
    """A rescue team. `strength` is its number of people."""

    __table_args__ = (*zone_and_location(), sa.CheckConstraint("strength >= 0", name="strength"))

    name: str = Field(sa_type=SortableText)
    kind: TeamKind = Field(sa_type=named_enum(TeamKind, "kind"))
    strength: int
    leader_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    leader_phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
    on_standby: bool = False
