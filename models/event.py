"""Events: one row for every change, written in its transaction. The log says what happened, and in which order."""

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.clock import now
from models.db.column_types import RankedEnum, UtcTime, named_enum
from models.db.tables import PERSONAL, Row
from models.enterprise import RiskGrade
from models.visibility import Role


class Subject(enum.Enum):
    """The noun that an event is about."""

    INSPECTION = "Inspection"
    HAZARD = "Hazard"
    CASE = "Case"
    DISPATCH = "Dispatch"
    ASSISTANCE = "AssistanceRequest"
    DUTY_REPORT = "DutyReport"
    MEASURE = "ControlMeasure"
    WARNING = "Warning"
    ENTERPRISE = "Enterprise"
    INSPECTOR = "Inspector"
    TEAM = "Team"
    EXPERT = "Expert"
    STOCK_ITEM = "StockItem"
    HANDOVER = "Handover"
    REGISTER = "Register"


class EventKind(enum.Enum):
    """What happened, in the past tense. The value is a number and the noun that it happened to."""

    INSPECTION_PLANNED = (1, Subject.INSPECTION)
    INSPECTION_DISPATCHED = (2, Subject.INSPECTION)
    INSPECTION_ACKNOWLEDGED = (3, Subject.INSPECTION)
    INSPECTION_DEPARTED = (4, Subject.INSPECTION)
    INSPECTION_ARRIVED = (5, Subject.INSPECTION)
    INSPECTION_SUBMITTED = (6, Subject.INSPECTION)
    INSPECTION_REVIEWED = (7, Subject.INSPECTION)
    INSPECTION_RETURNED = (8, Subject.INSPECTION)
    INSPECTION_CLOSED = (9, Subject.INSPECTION)
    INSPECTION_CANCELLED = (10, Subject.INSPECTION)
    HAZARD_FOUND = (20, Subject.HAZARD)
    HAZARD_REPORTED = (21, Subject.HAZARD)
    HAZARD_AMENDED = (22, Subject.HAZARD)
    HAZARD_ASSIGNED = (23, Subject.HAZARD)
    HAZARD_RECTIFYING_STARTED = (24, Subject.HAZARD)
    HAZARD_RECTIFICATION_SUBMITTED = (25, Subject.HAZARD)
    HAZARD_ACCEPTED = (26, Subject.HAZARD)
    HAZARD_REJECTED = (27, Subject.HAZARD)
    HAZARD_CLOSED = (28, Subject.HAZARD)
    HAZARD_REOPENED = (29, Subject.HAZARD)
    HAZARD_DISMISSED = (30, Subject.HAZARD)
    HAZARD_EXTENSION_REQUESTED = (31, Subject.HAZARD)
    HAZARD_EXTENSION_DECIDED = (32, Subject.HAZARD)
    HAZARD_EXTENSION_LAPSED = (33, Subject.HAZARD)
    CASE_PROPOSED = (40, Subject.CASE)
    CASE_FILED = (41, Subject.CASE)
    CASE_DECLINED = (42, Subject.CASE)
    CASE_INVESTIGATED = (43, Subject.CASE)
    CASE_NOTIFIED = (44, Subject.CASE)
    CASE_HEARD = (45, Subject.CASE)
    CASE_DECIDED = (46, Subject.CASE)
    CASE_EXECUTED = (47, Subject.CASE)
    CASE_CLOSED = (48, Subject.CASE)
    DISPATCH_REQUESTED = (60, Subject.DISPATCH)
    DISPATCH_ASSIGNED = (61, Subject.DISPATCH)
    DISPATCH_ACKNOWLEDGED = (62, Subject.DISPATCH)
    DISPATCH_DEPARTED = (63, Subject.DISPATCH)
    DISPATCH_ARRIVED = (64, Subject.DISPATCH)
    DISPATCH_COMPLETED = (65, Subject.DISPATCH)
    DISPATCH_RELEASED = (66, Subject.DISPATCH)
    DISPATCH_DECLINED = (67, Subject.DISPATCH)
    DISPATCH_CANCELLED = (68, Subject.DISPATCH)
    DUTY_REPORT_SUBMITTED = (80, Subject.DUTY_REPORT)
    ASSISTANCE_REQUESTED = (81, Subject.ASSISTANCE)
    ASSISTANCE_DISPATCHED = (82, Subject.ASSISTANCE)
    ASSISTANCE_REOPENED = (83, Subject.ASSISTANCE)
    ASSISTANCE_RESOLVED = (84, Subject.ASSISTANCE)
    ASSISTANCE_WITHDRAWN = (85, Subject.ASSISTANCE)
    ENTERPRISE_REGISTERED = (90, Subject.ENTERPRISE)
    ENTERPRISE_CHANGED = (91, Subject.ENTERPRISE)
    ENTERPRISE_GRADED = (92, Subject.ENTERPRISE)
    ENTERPRISE_RETIRED = (95, Subject.ENTERPRISE)
    ENTERPRISE_RESTORED = (96, Subject.ENTERPRISE)
    CONTROL_MEASURE_ADDED = (93, Subject.MEASURE)
    CONTROL_MEASURE_LIFTED = (94, Subject.MEASURE)
    INSPECTOR_DUTY_SET = (100, Subject.INSPECTOR)
    TEAM_STANDBY_SET = (101, Subject.TEAM)
    EXPERT_STANDBY_SET = (102, Subject.EXPERT)
    STOCK_RECEIVED = (103, Subject.STOCK_ITEM)
    STOCK_RESERVED = (104, Subject.STOCK_ITEM)
    STOCK_FREED = (105, Subject.STOCK_ITEM)
    STOCK_DRAWN = (106, Subject.STOCK_ITEM)
    WARNING_ISSUED = (110, Subject.WARNING)
    WARNING_RAISED = (111, Subject.WARNING)
    WARNING_LIFTED = (112, Subject.WARNING)
    HANDOVER_SIGNED = (115, Subject.HANDOVER)
    HANDOVER_TAKEN = (116, Subject.HANDOVER)
    REGISTER_IMPORTED = (120, Subject.REGISTER)

    @property
    def subject(self) -> Subject:
        subject: Subject = self.value[1]
        return subject


class KeySet(sa.TypeDecorator[frozenset[int]]):
    """A small set of keys, stored as text like `,3,17,`, so that LIKE finds a key on both databases."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: frozenset[int] | None, dialect: sa.Dialect) -> str:
        return "".join(f",{key}" for key in sorted(value or ())) + "," if value else ""

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> frozenset[int]:
        return frozenset(int(key) for key in (value or "").split(",") if key)


class Event(Row, table=True):
    """One row of the log.

    `zones`, `rings`, `venues` and `risk` are the enterprise's at the time of the event. If it moved, they include those
    from before and after, and `risk` is the higher of both. So a filter needs only this row. `changes` is a list of
    {field, from, to, personal}. `actor` is the identity of the person or program that caused it. An `internal` event is
    hidden from the enterprise that it concerns. `at` is when it arrived, and never runs backwards; `occurred_at` is
    when it was done, where the client told.
    """

    __table_args__ = (
        sa.Index("ix_event_subject", "subject", "subject_id", "id"),
        sa.Index("ix_event_enterprise", "enterprise_id", "id"),
        sa.Index("ix_event_kind", "kind", "id"),
        # An id is never used again, even after its row was deleted.
        {"sqlite_autoincrement": True},
    )

    at: dt.datetime = Field(sa_type=UtcTime)
    kind: EventKind = Field(sa_type=named_enum(EventKind, "kind", constrained=False))
    subject: Subject = Field(sa_type=named_enum(Subject, "subject", constrained=False))
    subject_id: int | None = None
    actor: str | None = None
    actor_role: Role | None = Field(default=None, sa_type=named_enum(Role, "actor_role"))
    actor_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    from_status: str | None = None
    to_status: str | None = None
    changes: list[dict[str, Any]] = Field(default_factory=list, sa_type=sa.JSON)
    enterprise_id: int | None = Field(default=None, foreign_key="enterprise.id")
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
    zones: frozenset[int] = Field(default=frozenset(), sa_type=KeySet)
    rings: frozenset[int] = Field(default=frozenset(), sa_type=KeySet)
    venues: frozenset[int] = Field(default=frozenset(), sa_type=KeySet)
    risk: RiskGrade | None = Field(default=None, sa_type=RankedEnum(RiskGrade))
    major: bool = False
    internal: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    rows: int | None = None
    source: str | None = None
    occurred_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)


class EventLog(SQLModel, table=True):
    """The log itself, one row. A restore renews its epoch, which invalidates all earlier cursors."""

    __tablename__ = "event_log"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one"),)

    id: int = Field(default=1, primary_key=True)
    epoch: str = Field(max_length=16)


class ClientMutation(SQLModel, table=True):
    """The outcome of a mutation with a client's id, so that a repeated request gets it without running again.

    A repeat comes from the same viewer, or from the same device, whoever is signed in there.
    """

    __tablename__ = "client_mutation"
    __table_args__ = (
        sa.UniqueConstraint("viewer", "client_mutation_id"),
        sa.Index(None, "device", "client_mutation_id", unique=True),
        sa.Index(None, "at"),
    )

    id: int = Field(default=None, primary_key=True)
    viewer: str
    device: str | None = Field(default=None, max_length=64)
    client_mutation_id: str
    fingerprint: str = Field(max_length=64)
    outcome: dict[str, Any] = Field(sa_type=sa.JSON)
    at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
