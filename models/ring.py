"""Control rings (管控圈) around venues, and the enterprises inside them."""

import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import RankedEnum, rank_check
from models.db.tables import Row


class ControlGrade(enum.Enum):
    """Ordered: a higher number is stricter."""

    ALERT = 1
    CONTROL = 2
    STRICT = 3


class ControlRing(Row, table=True):
    """Everything within `radius_metres` of a venue."""

    __tablename__ = "control_ring"
    __table_args__ = (
        sa.UniqueConstraint("venue_id", "grade"),
        sa.CheckConstraint("radius_metres > 0", name="radius"),
        rank_check("grade", ControlGrade),
    )

    venue_id: int = Field(foreign_key="venue.id")
    grade: ControlGrade = Field(sa_type=RankedEnum(ControlGrade))
    radius_metres: int


class EnterpriseRing(Row, table=True):
    """An enterprise inside a ring. Stored, so that a ring's enterprises are read by key without measuring distances."""

    __tablename__ = "enterprise_ring"
    __table_args__ = (sa.UniqueConstraint("ring_id", "enterprise_id"), sa.Index(None, "enterprise_id", "ring_id"))

    ring_id: int = Field(foreign_key="control_ring.id")
    enterprise_id: int = Field(foreign_key="enterprise.id")
