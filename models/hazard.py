"""Hazards (隐患) with their five fixes (五落实), and requests to extend their deadlines."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import LATEST, RankedEnum, UtcTime, named_enum, rank_check
from models.db.tables import PERSONAL, Registered, Row, Versioned, order_indexes


class HazardLevel(enum.Enum):
    """Ordered: a higher number is more severe."""

    GENERAL = 1
    MAJOR = 2


class HazardStatus(enum.Enum):
    FOUND = "found"
    UNDER_REVIEW = "under review"
    ASSIGNED = "assigned"
    RECTIFYING = "rectifying"
    PENDING_ACCEPTANCE = "pending acceptance"
    ACCEPTED = "accepted"
    CLOSED = "closed"
    DISMISSED = "dismissed"


HAZARD_TERMINAL = frozenset({HazardStatus.CLOSED, HazardStatus.DISMISSED})
# The deadline no longer matters once the rectification is accepted or the hazard is dismissed.
HAZARD_SETTLED = frozenset({HazardStatus.ACCEPTED, *HAZARD_TERMINAL})
# As the filter `open` is written, so that databases see that the index answers it.
OPEN = sa.text("status NOT IN ('CLOSED', 'DISMISSED')")


class Hazard(Versioned, Registered, Row, table=True):
    """A danger at an enterprise.

    `deadline` is the current one, extensions included. `rectified_at` is the time of the latest submitted rectification
    that was not rejected.
    """

    __table_args__ = (
        rank_check("level", HazardLevel),
        sa.CheckConstraint("(status = 'CLOSED') = (closed_at IS NOT NULL)", name="closed"),
        *order_indexes(
            {"hazard_": [], "hazard_enterprise_": ["enterprise_id"]},
            {"found": "found_at", "deadline": sa.text(f"coalesce(deadline, {LATEST})"), "level": "level"},
        ),
        sa.Index("ix_hazard_inspection_by_found", "inspection_id", "found_at", "id"),
        # Covering indexes for counts by status and by day (`hazardCounts`), and for deadlines that pass today.
        sa.Index("ix_hazard_counted_open", "status", "enterprise_id", "deadline", "level"),
        sa.Index("ix_hazard_counted_due", "deadline", "enterprise_id", "status", "rectified_at"),
        sa.Index("ix_hazard_counted_found", "found_at", "enterprise_id", "status", "level", "inspection_id"),
        sa.Index("ix_hazard_counted_closed", "closed_at", "enterprise_id"),
        sa.Index("ix_hazard_counted_accepted", "accepted_at", "enterprise_id", "status"),
        # For maps of open hazards, which are a small part of all.
        sa.Index("ix_hazard_open", "enterprise_id", "level", sqlite_where=OPEN, postgresql_where=OPEN),
        sa.Index("ix_hazard_enterprise_status", "enterprise_id", "status", "deadline"),
    )

    enterprise_id: int = Field(foreign_key="enterprise.id")
    inspection_id: int | None = Field(default=None, foreign_key="inspection.id")
    level: HazardLevel = Field(sa_type=RankedEnum(HazardLevel))
    status: HazardStatus = Field(sa_type=named_enum(HazardStatus, "status"))
    category: str | None = None
    description: str
    found_at: dt.datetime = Field(sa_type=UtcTime)
    deadline: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    rectified_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    accepted_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    closed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    owner_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    owner_phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    fix_responsibility: str | None = None
    fix_measures: str | None = None
    fix_funds: str | None = None
    fix_deadline: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    fix_contingency_plan: str | None = None
    rectification: str | None = None


class ExtensionStatus(enum.Enum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"


class DeadlineExtension(Row, table=True):
    """A request to extend a hazard's deadline, with its outcome. One that is not decided lapses with its hazard."""

    __tablename__ = "deadline_extension"
    __table_args__ = (sa.Index(None, "hazard_id", "id"),)

    hazard_id: int = Field(foreign_key="hazard.id")
    from_deadline: dt.datetime = Field(sa_type=UtcTime)
    to_deadline: dt.datetime = Field(sa_type=UtcTime)
    reason: str
    status: ExtensionStatus = Field(sa_type=named_enum(ExtensionStatus, "status"))
    requested_at: dt.datetime = Field(sa_type=UtcTime)
    decided_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
