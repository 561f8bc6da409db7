"""Duty reports of enterprises, and the requests for assistance (协助) that arise from their problems."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime, named_enum
from models.db.tables import Row, Versioned


class DutyReport(Row, table=True):
    """A report of an enterprise on duty to the command centre."""

    __tablename__ = "duty_report"
    __table_args__ = (
        sa.CheckConstraint("experts_on_standby >= 0", name="experts"),
        sa.Index(None, "enterprise_id", "id"),
    )

    enterprise_id: int = Field(foreign_key="enterprise.id")
    at: dt.datetime = Field(sa_type=UtcTime)
    measures_in_place: str
    supplies: str
    experts_on_standby: int = 0


class AssistanceStatus(enum.Enum):
    OPEN = "open"
    DISPATCHED = "dispatched"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


class AssistanceRequest(Versioned, Row, table=True):
    """A problem that an enterprise needs help with. Inspections that serve it refer to it."""

    __tablename__ = "assistance_request"
    __table_args__ = (
        sa.Index(None, "enterprise_id", "id"),
        sa.Index(None, "duty_report_id", "id"),
        sa.Index(None, "status", "id"),
    )

    enterprise_id: int = Field(foreign_key="enterprise.id")
    duty_report_id: int | None = Field(default=None, foreign_key="duty_report.id")
    problem: str
    status: AssistanceStatus = Field(sa_type=named_enum(AssistanceStatus, "status"))
    resolution: str | None = None
    requested_at: dt.datetime = Field(sa_type=UtcTime)
    resolved_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
