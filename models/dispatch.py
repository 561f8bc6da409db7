"""Dispatches (调度): a team, an expert or stock sent to a place."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime, named_enum
from models.db.tables import Row, Versioned


class DispatchStatus(enum.Enum):
    REQUESTED = "requested"
    ASSIGNED = "assigned"
    ACKNOWLEDGED = "acknowledged"
    EN_ROUTE = "en route"
    ON_SCENE = "on scene"
    COMPLETED = "completed"
    RELEASED = "released"
    DECLINED = "declined"
    CANCELLED = "cancelled"


DISPATCH_OVER = frozenset({DispatchStatus.RELEASED, DispatchStatus.DECLINED, DispatchStatus.CANCELLED})


class Dispatch(Versioned, Row, table=True):
    """A resource sent to a point, for an enterprise or a venue. `quantity` and `drawn` count units of a stock item."""

    __table_args__ = (
        sa.CheckConstraint(
            "(CASE WHEN team_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN expert_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN stock_item_id IS NULL THEN 0 ELSE 1 END) <= 1",
            name="resource",
        ),
        sa.CheckConstraint("(quantity IS NULL) = (stock_item_id IS NULL) AND quantity > 0", name="quantity"),
        sa.CheckConstraint("drawn BETWEEN 0 AND quantity", name="drawn"),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180", name="location"),
        sa.Index(None, "enterprise_id", "id"),
        sa.Index(None, "venue_id", "id"),
        sa.Index(None, "team_id", "id"),
        sa.Index(None, "expert_id", "id"),
        sa.Index(None, "stock_item_id", "id"),
        sa.Index(None, "status", "id"),
    )

    status: DispatchStatus = Field(sa_type=named_enum(DispatchStatus, "status"))
    purpose: str
    latitude: float
    longitude: float
    enterprise_id: int | None = Field(default=None, foreign_key="enterprise.id")
    venue_id: int | None = Field(default=None, foreign_key="venue.id")
    team_id: int | None = Field(default=None, foreign_key="team.id")
    expert_id: int | None = Field(default=None, foreign_key="expert.id")
    stock_item_id: int | None = Field(default=None, foreign_key="stock_item.id")
    quantity: int | None = None
    drawn: int | None = None
    requested_at: dt.datetime = Field(sa_type=UtcTime)
    arrived_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    completed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
