"""Dispatches."""

import datetime as dt
from typing import Annotated

import strawberry

import models
from models import DISPATCH_OVER, DispatchStatus
from resolvers.sql.predicates import Among, Not, OneOf
from schema.fields.columns import column, sub_object
from schema.fields.filters import any_id, filter_field, flag
from schema.fields.nodes import node
from schema.fields.references import to_one, to_one_of
from schema.fields.source import Node
from schema.types import lazy
from schema.types.enums import describe
from schema.types.scalars import Point

describe(
    DispatchStatus,
    "Where a dispatch stands.",
    REQUESTED="Asked for (已请求).",
    ASSIGNED="Something was chosen; stock is reserved (已指派).",
    ACKNOWLEDGED="Whoever is sent knows of it (已确认).",
    EN_ROUTE="On the way (途中).",
    ON_SCENE="At the place (到场).",
    COMPLETED="The work is done; what was used is drawn (已完成).",
    RELEASED="Free again (已释放).",
    DECLINED="Whoever was chosen cannot come (已谢绝).",
    CANCELLED="Called off (已取消).",
)

DispatchResource = Annotated[
    lazy.Team | lazy.Expert | lazy.StockItem, strawberry.union("DispatchResource", description="What can be sent.")
]


@strawberry.input(description="Which dispatches.")
class DispatchFilter:
    statuses: list[DispatchStatus] | None = filter_field(Among(models.Dispatch.status), "In any of these states.")
    active: bool | None = flag(
        Not(OneOf(models.Dispatch.status, DISPATCH_OVER)),
        "Those neither released, declined nor cancelled, or the others.",
    )
    enterprises: list[strawberry.ID] | None = any_id(
        "Enterprise", Among(models.Dispatch.enterprise_id), "To any of these enterprises."
    )
    venues: list[strawberry.ID] | None = any_id("Venue", Among(models.Dispatch.venue_id), "To any of these venues.")


@node(models.Dispatch, filter=DispatchFilter, default=(models.Dispatch.id, True))
class Dispatch(Node):
    """A team, an expert or stock sent to a place (调度)."""

    status: DispatchStatus = column(models.Dispatch.status, "Where it stands.")
    purpose: str = column(models.Dispatch.purpose, "What for.")
    to: Point = sub_object("Where to.", latitude=models.Dispatch.latitude, longitude=models.Dispatch.longitude)
    enterprise: lazy.Enterprise | None = to_one(
        models.Dispatch.enterprise_id, "The enterprise it is for; null if none."
    )
    venue: lazy.Venue | None = to_one(models.Dispatch.venue_id, "The venue it is for; null if none.")
    resource: DispatchResource | None = to_one_of(
        {
            models.Team: models.Dispatch.team_id,
            models.Expert: models.Dispatch.expert_id,
            models.StockItem: models.Dispatch.stock_item_id,
        },
        "What is sent; null until it is chosen.",
    )
    quantity: int | None = column(models.Dispatch.quantity, "Units of stock that are sent; null for people.")
    drawn: int | None = column(models.Dispatch.drawn, "Units of stock that were used; null until completed.")
    requested_at: dt.datetime = column(models.Dispatch.requested_at, "When it was asked for.")
    arrived_at: dt.datetime | None = column(models.Dispatch.arrived_at, "When it arrived, or null.")
    completed_at: dt.datetime | None = column(models.Dispatch.completed_at, "When the work was done, or null.")
    version: int = column(models.Dispatch.version, "Rises by one with every change.")
