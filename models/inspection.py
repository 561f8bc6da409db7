"""Inspections (检查) and the inspectors who carry them out."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import EARLIEST, UtcTime, named_enum
from models.db.tables import Registered, Row, Versioned, order_indexes


class InspectionKind(enum.Enum):
    ROUTINE = "routine"
    SPECIAL = "special"
    ASSISTANCE = "assistance"
    REINSPECTION = "re-inspection"
    COMPLAINT = "complaint"


class InspectionStatus(enum.Enum):
    PLANNED = "planned"
    DISPATCHED = "dispatched"
    ACKNOWLEDGED = "acknowledged"
    EN_ROUTE = "en route"
    ON_SITE = "on site"
    SUBMITTED = "submitted"
    IN_REVIEW = "in review"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class InspectionResult(enum.Enum):
    PASS = "pass"
    HAZARDS_FOUND = "hazards found"
    REFUSED = "refused"
    NOT_OPERATING = "not operating"
    NOT_APPLICABLE = "not applicable"


class Inspection(Versioned, Registered, Row, table=True):
    """A visit to an enterprise. `assistance_request_id` is the request for assistance that it serves.

    `announced`: the enterprise has been told at the dispatch; otherwise it sees the visit from the arrival on.
    """

    __table_args__ = (
        *order_indexes(
            {"inspection_": [], "inspection_enterprise_": ["enterprise_id"]},
            {
                "planned": sa.text(f"coalesce(planned_for, {EARLIEST})"),
                "submitted": sa.text(f"coalesce(submitted_at, {EARLIEST})"),
            },
        ),
        sa.Index(None, "status", "enterprise_id"),
        # A covering index for the counts of portraits, which then read no rows of the table.
        sa.Index("ix_inspection_counted", "submitted_at", "enterprise_id", "status", "id"),
        sa.Index(None, "reinspection_of_id"),
        sa.Index(None, "assistance_request_id"),
    )

    enterprise_id: int = Field(foreign_key="enterprise.id")
    kind: InspectionKind = Field(sa_type=named_enum(InspectionKind, "kind"))
    status: InspectionStatus = Field(sa_type=named_enum(InspectionStatus, "status"))
    result: InspectionResult | None = Field(default=None, sa_type=named_enum(InspectionResult, "result"))
    planned_for: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    dispatched_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    acknowledged_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    departed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    arrived_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    submitted_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    closed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    summary: str | None = None
    reinspection_of_id: int | None = Field(default=None, foreign_key="inspection.id")
    assistance_request_id: int | None = Field(default=None, foreign_key="assistance_request.id")
    announced: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class InspectionInspector(Row, table=True):
    """An inspector who carries out an inspection."""

    __tablename__ = "inspection_inspector"
    __table_args__ = (
        sa.UniqueConstraint("inspection_id", "inspector_id"),
        sa.Index(None, "inspector_id", "inspection_id"),
    )

    inspection_id: int = Field(foreign_key="inspection.id")
    inspector_id: int = Field(foreign_key="inspector.id")
