"""Handovers of the duty, and the briefing for them."""

import datetime as dt
from typing import Annotated

import strawberry

import models
from models import PERSONAL_DATA
from resolvers.queries.briefings import BriefingKind
from resolvers.sql.predicates import IsNull
from schema.fields.columns import column
from schema.fields.filters import alternatives, flag, opposite
from schema.fields.nodes import node
from schema.fields.references import ref
from schema.fields.source import TEXT, FieldCost, Node
from schema.types import lazy
from schema.types.enums import describe

describe(
    BriefingKind,
    "Kinds of items that wait for the command centre.",
    ASSISTANCE="A request for help: it waits until inspectors are sent.",
    HAZARD="A hazard: it waits for its assignment or dismissal, its acceptance, or its close.",
    EXTENSION="A later deadline of a hazard: it waits for the decision.",
    INSPECTION="An inspection: it waits for its review, or its close.",
    CASE="A case: it waits for its filing, or its decision.",
    DISPATCH="A dispatch: it waits for a resource.",
)


@strawberry.input(description="Conditions on handovers.")
class HandoverFilter:
    open: bool | None = flag(IsNull(models.Handover.taken_at), "Those that nobody has taken over, or the others.")
    or_: list["HandoverFilter"] | None = alternatives()
    not_: "HandoverFilter | None" = opposite()


@node(models.Handover, filter=HandoverFilter, default=(models.Handover.id, True))
class Handover(Node):
    """The end of one officer's duty and the beginning of another's (交接班). For commanders only."""

    leaving_name: str | None = column(
        models.Handover.leaving_name, "Name of the officer who left; null if their token had none.", sees=PERSONAL_DATA
    )
    arriving_name: str | None = column(
        models.Handover.arriving_name,
        "Name of the officer who took over; null until then, or if their token had none.",
        sees=PERSONAL_DATA,
    )
    note: str | None = column(
        models.Handover.note,
        "Note of the officer who left; null for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        size=TEXT,
    )
    signed_at: dt.datetime = column(models.Handover.signed_at, "When the officer who left signed.")
    taken_at: dt.datetime | None = column(models.Handover.taken_at, "When another took over; null until then.")
    version: int = column(models.Handover.version, "Version; rises by one with every change.")


BriefingItem = Annotated[
    lazy.AssistanceRequest | lazy.Hazard | lazy.Inspection | lazy.Case | lazy.Dispatch,
    strawberry.union("BriefingItem", description="An item of a briefing."),
]


@strawberry.type(description="One item of a briefing.")
class BriefingLine:
    kind: BriefingKind = strawberry.field(description="Kind of the item.")
    status: str = strawberry.field(
        description="Status that the last change led to; of an extension REQUESTED, DECIDED or LAPSED."
    )
    item: BriefingItem = ref("item", "The item, as it is now; of an extension the hazard.")
    event: lazy.Event | None = ref("event", "The last change of its status; null for an item of an import.")


@strawberry.type(description="Items of one kind and status that are not listed one by one.")
class BriefingGroup:
    kind: BriefingKind = strawberry.field(description="Kind of the items.")
    status: str = strawberry.field(
        description="Status that the last change led to; of extensions REQUESTED, DECIDED or LAPSED."
    )
    count: int = strawberry.field(description="Number of items, 1 or more.")
    first_event: lazy.Event | None = ref("first_event", "First of their last changes; null if all are of imports.")
    last_event: lazy.Event | None = ref("last_event", "Last of their last changes; null if all are of imports.")


@strawberry.type(description="Items of a briefing.")
class BriefingSection:
    count: int = strawberry.field(description="Number of items.")
    lines: list[BriefingLine] = strawberry.field(
        description="Requests for help, major hazards and items of enterprises of grade RED or ORANGE; at most 100."
    )
    rest: list[BriefingGroup] = strawberry.field(description="The others.")


@strawberry.type(
    description="What the command centre had to act on in a span of the log (交接班简报). The numbers add up:"
    " takenOver + arrived − done − lapsed = waiting."
)
class Briefing:
    after: str = strawberry.field(description="Cursor of the last event before the span.")
    cursor: str = strawberry.field(description="Cursor of the last event of the span, which is the log's end.")
    since: dt.datetime | None = strawberry.field(
        description="Time of the last event before the span; null if there is none."
    )
    as_of: dt.datetime = strawberry.field(description="Time of the reading.")
    cut: bool = strawberry.field(
        description="Whether the span would begin earlier, but is cut to the last 50,000 events."
    )
    handover: lazy.Handover | None = ref(
        "handover", "The handover that you signed or took over last; null if there is none."
    )
    taken_over: int = strawberry.field(description="Number of items that waited at the beginning.")
    arrived: BriefingSection = strawberry.field(description="Items that began to wait.")
    done: BriefingSection = strawberry.field(description="Items that wait no more by an act of the bureau.")
    lapsed: BriefingSection = strawberry.field(
        description="Items that wait no more without an act of the bureau, as when an enterprise withdraws."
    )
    waiting: BriefingSection = strawberry.field(description="Items that wait now.")


BRIEFING_COST = FieldCost(read=5_000)  # the events of a day
