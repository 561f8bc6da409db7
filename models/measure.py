"""Control measures (管控措施) that contain an enterprise's dangers."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime, named_enum
from models.db.tables import PERSONAL, Registered, Row, Versioned


class MeasureKind(enum.Enum):
    ELIMINATION = "elimination"
    ENGINEERING = "engineering"
    ADMINISTRATIVE = "administrative"
    TRAINING = "training"
    PPE = "personal protective equipment"
    EMERGENCY = "emergency"


class ControlMeasure(Versioned, Registered, Row, table=True):
    """A measure (管控措施) in force from `since` until it is lifted."""

    __tablename__ = "control_measure"
    __table_args__ = (sa.Index(None, "enterprise_id", "id"),)

    enterprise_id: int = Field(foreign_key="enterprise.id")
    kind: MeasureKind = Field(sa_type=named_enum(MeasureKind, "kind"))
    description: str
    responsible_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    responsible_phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    since: dt.date
    lifted_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
