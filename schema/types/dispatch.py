"""Dispatches."""

import datetime as dt
from typing import Annotated

import strawberry

import models
from models import DISPATCH_OVER, DispatchStatus
from resolvers.sql.named_rows import VENUE_CODE, HasKey
from resolvers.sql.predicates import Among, Not, OneOf
from schema.fields.columns import column, sub_object
from schema.fields.filters import alternatives, any_code, any_id, filter_field, flag, opposite
from schema.fields.nodes import node
from schema.fields.references import to_one, to_one_of
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enums import describe
from schema.types.next_step import NextStep, steps_field
from schema.types.scalars import Point

describe(
    DispatchStatus,
    "State of a dispatch.",
    REQUESTED="Requested (已请求).",
    ASSIGNED="A resource is assigned; stock is reserved (已指派).",
    ACKNOWLEDGED="The assignment is acknowledged (已确认).",
    EN_ROUTE="On the way (途中).",
    ON_SCENE="At the destination (到场).",
    COMPLETED="The work is done; stock that was used is drawn (已完成).",
    RELEASED="Released (已释放).",
    DECLINED="The assigned resource is not available (已谢绝).",
    CANCELLED="Cancelled (已取消).",
)

DispatchResource = Annotated[
    lazy.Team | lazy.Expert | lazy.StockItem,
    strawberry.union("DispatchResource", description="A resource that can be dispatched."),
]


@strawberry.input(description="Conditions on dispatches.")
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
    venue_codes: list[str] | None = any_code(
        VENUE_CODE, HasKey(models.Dispatch.venue_id, VENUE_CODE), "To a venue with any of these codes."
    )
    or_: list["DispatchFilter"] | None = alternatives()
    not_: "DispatchFilter | None" = opposite()


@node(models.Dispatch, filter=DispatchFilter, default=(models.Dispatch.id, True))
class Dispatch(Node):
    """A team, an expert or stock sent to a place (调度)."""

    status: DispatchStatus = column(models.Dispatch.status, "State in the life cycle.")
    purpose: str = column(models.Dispatch.purpose, "Purpose.", size=TEXT)
    to: Point = sub_object("Destination.", latitude=models.Dispatch.latitude, longitude=models.Dispatch.longitude)
    enterprise: lazy.Enterprise | None = to_one(
        models.Dispatch.enterprise_id, "The enterprise that it is for; null if none."
    )
    venue: lazy.Venue | None = to_one(models.Dispatch.venue_id, "The venue that it is for; null if none.")
    resource: DispatchResource | None = to_one_of(
        {
            models.Team: models.Dispatch.team_id,
            models.Expert: models.Dispatch.expert_id,
            models.StockItem: models.Dispatch.stock_item_id,
        },
        "The resource that is sent; null until assigned.",
    )
    quantity: int | None = column(models.Dispatch.quantity, "Units of stock sent; null for a team or an expert.")
    drawn: int | None = column(models.Dispatch.drawn, "Units of stock used; null until completed.")
    requested_at: dt.datetime = column(models.Dispatch.requested_at, "When it was requested.")
    arrived_at: dt.datetime | None = column(models.Dispatch.arrived_at, "When the resource arrived; null until then.")
    completed_at: dt.datetime | None = column(
        models.Dispatch.completed_at, "When the work was completed; null until then."
    )
    next_steps: list[NextStep] = steps_field("dispatch", models.Dispatch.status)
    version: int = column(models.Dispatch.version, "Version; rises by one with every change.")
