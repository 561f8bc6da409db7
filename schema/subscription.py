"""The root type of subscriptions: which events or states each stream follows.

A stream's document is executed as a query whose root value is the event, once for each event and group. So it does not
use graphql-core's subscriptions, which leak memory with every event.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Annotated, Any

import strawberry
from strawberry.types.arguments import StrawberryArgument

import models
from models import Subject
from models.db.tables import table_of
from models.reason import Reason
from models.visibility import Role
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import portraits
from resolvers.queries.portrait_scopes import Days
from resolvers.sql.named_rows import NamedRows, id_key, require_rows
from resolvers.sql.readers import Reader
from schema.execution.context import Context
from schema.fields.references import ref
from schema.fields.source import (
    FieldPlanner,
    FieldSource,
    LoadField,
    ParentRows,
    SelectedField,
    argument,
    declare_field,
)
from schema.plan.row_codec import DecodedRowLayout
from schema.plan.steps import Step, identity, value_step
from schema.types import lazy, node_id
from schema.types.event import (
    AssistanceUpdate,
    CaseUpdate,
    DispatchUpdate,
    Event,
    HazardUpdate,
    InspectionUpdate,
    UpdateFilter,
    requested_events,
)
from schema.types.inspector import Inspector
from schema.types.portrait import PORTRAIT_COST, Portrait, Window
from schema.types.scalars import Point
from subscriptions.event_filter import EventFilter


class StreamSource(FieldSource):
    """A root field of a subscription. Its value is the root value that the stream gives."""

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return parent

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        return value_step(selected.type, identity, planner.objects(selected.type, selected.nodes, None))


@dataclass(eq=False)
class EventStream(StreamSource):
    """Events about `subjects`, or about all."""

    subjects: frozenset[Subject] | None = None

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [
            argument("filter", "Conditions on the events.", UpdateFilter | None, strawberry.UNSET),
            argument("after", "Start after this cursor of the log; by default now.", str | None, strawberry.UNSET),
        ]

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        # The root is an event's record, which was read before: its row becomes a tuple with the columns of a layout.
        layout = DecodedRowLayout(table_of(models.Event), sqlite=planner.sqlite)
        objects = planner.objects(selected.type, selected.nodes, layout)
        names = [column.key for column in layout.all]
        return value_step(selected.type, lambda event: tuple(getattr(event.row, name) for name in names), objects)

    async def filter(self, reader: Reader, arguments: dict[str, Any]) -> EventFilter:
        """Selects the stream's events for the reader's viewer. Raises RequestError."""
        visibility = reader.viewer.visibility
        own = visibility.enterprise if visibility.role is Role.ENTERPRISE else None
        requested = requested_events(arguments.get("filter") or None)
        return replace(await requested.event_filter(reader), subjects=self.subjects, own=own)


PORTRAITS = {
    "District": (models.District, portraits.of_districts),
    "Zone": (models.Zone, portraits.of_zones),
    "ControlRing": (models.ControlRing, portraits.of_rings),
    "Venue": (models.Venue, portraits.of_venues),
    "Enterprise": (models.Enterprise, portraits.of_enterprises),
}


@dataclass(eq=False)
class PortraitStream(StreamSource):
    """A portrait now, and again whenever it has changed."""

    cost = PORTRAIT_COST

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [
            argument("of", "A district, zone, ring, venue or enterprise.", strawberry.ID),
            argument(
                "window", "Window of days; by default the last 30, today included.", Window | None, strawberry.UNSET
            ),
        ]

    def scope(self, arguments: dict[str, Any]) -> tuple[str, int, Days | None]:
        """The type, the key and the days of the portrait. Raises RequestError."""
        name, key = node_id.decode(arguments["of"])
        if name not in PORTRAITS:
            raise RequestError(
                ErrorCode.BAD_ID,
                Reason("PORTRAIT_SUBJECT", "A portrait is of a district, zone, ring, venue or enterprise."),
            )
        window = arguments.get("window")
        return name, key, (window.from_, window.to) if window else None


@dataclass(frozen=True, slots=True)
class Position:
    """An inspector's position: (model, key) of the inspector, the point, and when it was reported."""

    inspector: tuple[Any, int]
    position: Any
    at: dt.datetime


@strawberry.type(description="Position of an inspector.")
class InspectorPosition:
    inspector: Inspector = ref("inspector", "The inspector.")
    position: Point = strawberry.field(description="The position.")
    at: dt.datetime = strawberry.field(description="When it was reported.")


@dataclass(eq=False)
class PositionStream(StreamSource):
    """The latest positions of inspectors on duty."""

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("zone", "Only inspectors assigned to this zone.", strawberry.ID | None, strawberry.UNSET)]

    async def zone(self, reader: Reader, arguments: dict[str, Any]) -> int | None:
        """The zone's key. Raises RequestError."""
        if not arguments.get("zone"):
            return None
        zone = node_id.key_of(arguments["zone"], "Zone")
        await require_rows(reader, [NamedRows(id_key(models.Zone), (zone,))])
        return zone


# Types of rows that a desk can have open, with their models.
OPENED = {
    "AssistanceRequest": models.AssistanceRequest,
    "Case": models.Case,
    "Dispatch": models.Dispatch,
    "Hazard": models.Hazard,
    "Inspection": models.Inspection,
    "Warning": models.Warning,
}
OpenedItem = Annotated[
    lazy.AssistanceRequest | lazy.Case | lazy.Dispatch | lazy.Hazard | lazy.Inspection | lazy.Warning,
    strawberry.union("OpenedItem", description="A row that a desk can have open."),
]
DESK_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Opened:
    """A row that a person has open, as (model, key)."""

    desk: str
    name: str | None
    item: tuple[Any, int]
    since: dt.datetime


@strawberry.type(description="What a commander has open at a desk.")
class OpenItem:
    desk: strawberry.ID = strawberry.field(description="The desk's own key, as its subscription gave it.")
    name: str | None = strawberry.field(description="Name of the person; null if the account has none.")
    item: OpenedItem | None = ref("item", "The row; null if it is gone.")
    since: dt.datetime = strawberry.field(description="When it was opened.")


@dataclass(eq=False)
class PresenceStream(StreamSource):
    """The items that all desks have open. Subscribing shows the item that the subscriber has open."""

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [
            argument(
                "desk",
                f"A key that the page chose for itself at random, of 1 to {DESK_LENGTH} characters.",
                strawberry.ID,
            ),
            argument(
                "item",
                "The row that this desk has open; without it, it has none open.",
                strawberry.ID | None,
                strawberry.UNSET,
            ),
        ]

    async def opened(self, reader: Reader, arguments: dict[str, Any]) -> tuple[str, tuple[str, int] | None]:
        """The desk's key, and the type name and key of its row. Raises RequestError."""
        desk = arguments["desk"]
        if not 1 <= len(desk) <= DESK_LENGTH:
            raise RequestError(
                ErrorCode.BAD_ID, Reason("DESK_KEY", "A desk's key has 1 to {maximum} characters.", maximum=DESK_LENGTH)
            )
        if not arguments.get("item"):
            return desk, None
        name, key = node_id.decode(arguments["item"])
        if name not in OPENED:
            raise RequestError(
                ErrorCode.BAD_ID,
                Reason(
                    "OPENED_ITEM",
                    "A desk opens a request for help, a case, a dispatch, a hazard, an inspection or a warning.",
                ),
            )
        await require_rows(reader, [NamedRows(id_key(OPENED[name]), (key,))])
        return desk, (name, key)


@strawberry.type(description="Root of subscriptions.")
class Subscription:
    inspection_updates: InspectionUpdate = declare_field(
        EventStream(frozenset({Subject.INSPECTION})), "Events about inspections."
    )
    hazard_updates: HazardUpdate = declare_field(EventStream(frozenset({Subject.HAZARD})), "Events about hazards.")
    case_updates: CaseUpdate = declare_field(EventStream(frozenset({Subject.CASE})), "Events about cases.")
    dispatch_updates: DispatchUpdate = declare_field(
        EventStream(frozenset({Subject.DISPATCH})), "Events about dispatches."
    )
    assistance_updates: AssistanceUpdate = declare_field(
        EventStream(frozenset({Subject.ASSISTANCE})), "Events about requests for help."
    )
    updates: Event = declare_field(EventStream(), "All events in one stream, for a wall.")
    portrait: Portrait = declare_field(
        PortraitStream(),
        "The indicators now, and again whenever more than `asOf` and `cursor` has changed, at most once a second.",
    )
    positions: InspectorPosition = declare_field(
        PositionStream(),
        "The latest position of each inspector on duty: all now, then each after it changes, at most once a second.",
    )
    presence: list[OpenItem] = declare_field(
        PresenceStream(),
        "What all desks have open, now and after each change. While a commander subscribes, the others see `item` with"
        " the commander's name; it ends with the subscription, or 20 s after the desk has fallen silent.",
    )
