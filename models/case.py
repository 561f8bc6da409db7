"""Cases (案件): from the proposal to file one (立案) to the penalty (处罚) and its execution."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import EARLIEST, JsonList, UtcTime, named_enum
from models.db.tables import Registered, Row, Versioned, order_indexes


class CaseStatus(enum.Enum):
    PROPOSED = "proposed"
    FILED = "filed"
    NOT_FILED = "not filed"
    INVESTIGATING = "investigating"
    NOTIFIED = "notified"
    HEARING = "hearing"
    DECIDED = "decided"
    NO_PENALTY = "no penalty"
    TRANSFERRED = "transferred"
    WITHDRAWN = "withdrawn"
    EXECUTING = "executing"
    CLOSED = "closed"


class PenaltyKind(enum.Enum):
    WARNING = "warning"
    FINE = "fine"
    CONFISCATION = "confiscation"
    SUSPENSION = "suspension"
    REVOCATION = "revocation"


class Case(Versioned, Registered, Row, table=True):
    """A case against an enterprise, arising from an inspection. The penalty's columns are null until it is decided."""

    __tablename__ = "case_filing"
    __table_args__ = (
        sa.CheckConstraint("fine_yuan >= 0", name="fine"),
        sa.Index(None, "inspection_id", "id"),
        sa.Index(None, "enterprise_id", "id"),
        sa.Index(None, "status", "id"),
        sa.Index(None, "filed_at"),
        *order_indexes(
            {"case_": [], "case_enterprise_": ["enterprise_id"]},
            {
                "filed": sa.text(f"coalesce(filed_at, {EARLIEST})"),
                "decided": sa.text(f"coalesce(decided_at, {EARLIEST})"),
                "fine": sa.text("coalesce(fine_yuan, -1)"),
            },
        ),
    )

    number: str | None = Field(default=None, unique=True)
    inspection_id: int = Field(foreign_key="inspection.id")
    enterprise_id: int = Field(foreign_key="enterprise.id")
    status: CaseStatus = Field(sa_type=named_enum(CaseStatus, "status"))
    grounds: str
    penalty_kinds: list[PenaltyKind] | None = Field(default=None, sa_type=JsonList(PenaltyKind))
    fine_yuan: int | None = None
    filed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    decided_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    closed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
