"""Events: the log as clients see it."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Annotated, Any

import strawberry

import models
from models import EventKind, RiskGrade, Role, Subject
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError, checked_text
from resolvers.queries import timeline
from resolvers.sql.named_rows import (
    RING_CODE,
    VENUE_CODE,
    ZONE_CODE,
    NamedRows,
    find_rows,
    id_key,
    require_rows,
)
from resolvers.sql.readers import Reader
from schema.execution.context import Record
from schema.fields.batch import batch
from schema.fields.columns import column, compute
from schema.fields.events import TYPES, EventId, OfSubject
from schema.fields.references import to_one
from schema.fields.source import NODES, Node, declare_field
from schema.types import lazy, node_id
from schema.types.enums import describe
from subscriptions.event_filter import EventFilter

describe(
    EventKind,
    "Kind of an event.",
    INSPECTION_PLANNED="An inspection was planned.",
    INSPECTION_DISPATCHED="Inspectors were dispatched to an inspection.",
    INSPECTION_ACKNOWLEDGED="The inspectors acknowledged an inspection.",
    INSPECTION_DEPARTED="The inspectors set out.",
    INSPECTION_ARRIVED="The inspectors arrived at the enterprise.",
    INSPECTION_SUBMITTED="The inspectors submitted the result.",
    INSPECTION_REVIEWED="The command centre began to review the result.",
    INSPECTION_RETURNED="The command centre returned the result to the inspectors.",
    INSPECTION_CLOSED="An inspection was closed.",
    INSPECTION_CANCELLED="An inspection was cancelled.",
    HAZARD_FOUND="An inspection found a hazard.",
    HAZARD_REPORTED="A hazard was reported outside an inspection.",
    HAZARD_AMENDED="An inspection amended a hazard that it had found.",
    HAZARD_ASSIGNED="A hazard was assigned to an owner, with a deadline.",
    HAZARD_RECTIFYING_STARTED="The rectification of a hazard began.",
    HAZARD_RECTIFICATION_SUBMITTED="The rectification of a hazard was submitted.",
    HAZARD_ACCEPTED="The rectification of a hazard was accepted.",
    HAZARD_REJECTED="The rectification of a hazard was rejected.",
    HAZARD_CLOSED="A hazard was closed.",
    HAZARD_REOPENED="An accepted hazard was reopened.",
    HAZARD_DISMISSED="A report was dismissed: it was no hazard.",
    HAZARD_EXTENSION_REQUESTED="A later deadline was requested.",
    HAZARD_EXTENSION_DECIDED="A later deadline was approved or refused.",
    HAZARD_EXTENSION_LAPSED="A request for a later deadline lapsed: the hazard ended before anybody decided.",
    CASE_PROPOSED="A case was proposed.",
    CASE_FILED="A case was filed.",
    CASE_DECLINED="A proposed case was not filed.",
    CASE_INVESTIGATED="The investigation of a case began.",
    CASE_NOTIFIED="The enterprise was notified of a case.",
    CASE_HEARD="The hearing of a case began.",
    CASE_DECIDED="A case was decided, with or without a penalty.",
    CASE_EXECUTED="The execution of a penalty began.",
    CASE_CLOSED="A case was closed.",
    DISPATCH_REQUESTED="A dispatch was requested.",
    DISPATCH_ASSIGNED="A resource was assigned to a dispatch.",
    DISPATCH_ACKNOWLEDGED="The assigned resource acknowledged a dispatch.",
    DISPATCH_DEPARTED="The resource set out.",
    DISPATCH_ARRIVED="The resource arrived at the destination.",
    DISPATCH_COMPLETED="The work of a dispatch was completed.",
    DISPATCH_RELEASED="The resource was released.",
    DISPATCH_DECLINED="The assigned resource declined.",
    DISPATCH_CANCELLED="A dispatch was cancelled.",
    DUTY_REPORT_SUBMITTED="An enterprise submitted a duty report.",
    ASSISTANCE_REQUESTED="An enterprise requested help.",
    ASSISTANCE_DISPATCHED="Inspectors were dispatched to help.",
    ASSISTANCE_REOPENED="A request for help is open again: its inspection was cancelled.",
    ASSISTANCE_RESOLVED="The problem of a request for help was solved.",
    ASSISTANCE_WITHDRAWN="The enterprise withdrew a request for help.",
    ENTERPRISE_REGISTERED="An enterprise was registered.",
    ENTERPRISE_CHANGED="An enterprise's own data changed.",
    ENTERPRISE_GRADED="An enterprise's risk was graded.",
    ENTERPRISE_RETIRED="An enterprise vanished from its registers and was retired.",
    ENTERPRISE_RESTORED="A retired enterprise is registered again, by an import or a mutation.",
    CONTROL_MEASURE_ADDED="A control measure was added.",
    CONTROL_MEASURE_LIFTED="A control measure was lifted.",
    INSPECTOR_DUTY_SET="An inspector went on or off duty.",
    TEAM_STANDBY_SET="A team went on or off standby.",
    EXPERT_STANDBY_SET="An expert went on or off standby.",
    STOCK_RECEIVED="Stock was received.",
    STOCK_RESERVED="Stock was reserved for a dispatch.",
    STOCK_FREED="Reserved stock was freed.",
    STOCK_DRAWN="Stock was drawn by a dispatch.",
    WARNING_ISSUED="A warning was issued.",
    WARNING_RAISED="Readings raised or aggravated a warning.",
    WARNING_LIFTED="A warning was lifted.",
    HANDOVER_SIGNED="The officer who leaves signed the handover of the duty.",
    HANDOVER_TAKEN="Another officer took over the duty.",
    REGISTER_IMPORTED="A batch of register rows was imported.",
)


def occurred_at(given: dt.datetime | None, at: dt.datetime) -> dt.datetime:
    return given or at


@strawberry.type(description="Who caused an event.")
class Actor:
    role: Role = strawberry.field(description="Role.")
    name: str | None = strawberry.field(
        description="Name; null if the token had none, or for a viewer who may not see personal data."
    )


@strawberry.type(description="Change of one field.")
class FieldChange:
    field: str = strawberry.field(description="Name of the field in this schema, or for example `reason`.")
    from_: str | None = strawberry.field(name="from", description="Value before, as text; null if there was none.")
    to: str | None = strawberry.field(description="Value after, as text; null if there is none.")


@strawberry.interface(
    description="One row of the log. `from` and `to` are statuses at that time; the subject is shown as it is now."
)
class Event(Node):
    id: strawberry.ID = declare_field(EventId(), "Global id.")
    cursor: str = batch(
        timeline.cursors, models.Event.id, description="Position in the log; streams and lists can continue after it."
    )
    at: dt.datetime = column(models.Event.at, "When it arrived at the server; never before that of an earlier event.")
    occurred_at: dt.datetime = compute(
        occurred_at,
        models.Event.occurred_at,
        models.Event.at,
        description="When it was done, as the client told; `at` where it did not tell.",
    )
    kind: EventKind = column(models.Event.kind, "Kind of the event.")
    actor: Actor | None = batch(
        timeline.actors,
        models.Event.actor_role,
        models.Event.actor_name,
        models.Event.enterprise_id,
        description="Who caused it; null where nobody did, as when rain raises a warning.",
    )
    enterprise: lazy.Enterprise | None = to_one(
        models.Event.enterprise_id, "The enterprise that it concerns; null if none."
    )
    zone: lazy.Zone | None = to_one(models.Event.zone_id, "The zone where it happened; null if none.")
    from_: str | None = column(models.Event.from_status, "Status before; null if there was none.", name="from")
    to: str | None = column(models.Event.to_status, "Status after; null if there is none.")
    changes: list[FieldChange] = batch(
        timeline.changes, models.Event.id, description="Changes besides the status, and reasons."
    )


def event_type(*subjects: Subject) -> Any:
    """A graph type for the events about these subjects."""

    def decorate(cls: Any) -> Any:
        def is_type_of(cls: Any, value: Any, info: Any) -> bool:
            return isinstance(value, Record) and value.model is models.Event and value.row.subject in subjects

        cls.is_type_of = classmethod(is_type_of)
        graph_type: Any = strawberry.type(cls, description=cls.__doc__)
        graph_type.row = models.Event
        NODES[graph_type.__name__] = graph_type
        for subject in subjects:
            TYPES[subject] = graph_type
        return graph_type

    return decorate


@event_type(Subject.INSPECTION)
class InspectionUpdate(Event):
    """An event about an inspection."""

    inspection: lazy.Inspection = declare_field(OfSubject(), "The inspection, as it is now.")


@event_type(Subject.HAZARD)
class HazardUpdate(Event):
    """An event about a hazard."""

    hazard: lazy.Hazard = declare_field(OfSubject(), "The hazard, as it is now.")


@event_type(Subject.CASE)
class CaseUpdate(Event):
    """An event about a case."""

    case: lazy.Case = declare_field(OfSubject(), "The case, as it is now.")


@event_type(Subject.DISPATCH)
class DispatchUpdate(Event):
    """An event about a dispatch."""

    dispatch: lazy.Dispatch = declare_field(OfSubject(), "The dispatch, as it is now.")


@event_type(Subject.ASSISTANCE)
class AssistanceUpdate(Event):
    """An event about a request for help."""

    assistance_request: lazy.AssistanceRequest = declare_field(OfSubject(), "The request, as it is now.")


@event_type(Subject.DUTY_REPORT)
class DutyReportUpdate(Event):
    """An enterprise submitted a duty report."""

    duty_report: lazy.DutyReport = declare_field(OfSubject(), "The duty report.")


@event_type(Subject.MEASURE)
class MeasureUpdate(Event):
    """A measure was added or lifted."""

    control_measure: lazy.ControlMeasure = declare_field(OfSubject(), "The measure, as it is now.")


@event_type(Subject.WARNING)
class WarningUpdate(Event):
    """A warning was issued, raised or lifted."""

    warning: lazy.Warning = declare_field(OfSubject(), "The warning, as it is now.")


@event_type(Subject.ENTERPRISE)
class EnterpriseUpdate(Event):
    """An enterprise was registered, changed or graded."""


ResourceItem = Annotated[
    lazy.Inspector | lazy.Team | lazy.Expert | lazy.StockItem,
    strawberry.union("ResourceItem", description="A resource: on duty, on standby or in stock."),
]


@event_type(Subject.INSPECTOR, Subject.TEAM, Subject.EXPERT, Subject.STOCK_ITEM)
class ResourceUpdate(Event):
    """Duty, standby or stock changed."""

    resource: ResourceItem = declare_field(OfSubject(), "The resource, as it is now.")


@event_type(Subject.HANDOVER)
class HandoverUpdate(Event):
    """The duty was handed over, or taken over."""

    handover: lazy.Handover | None = declare_field(
        OfSubject(), "The handover, as it is now; null for a viewer who is not a commander."
    )


@event_type(Subject.REGISTER)
class RegisterImported(Event):
    """One batch of an import or of the demo. Its rows have no events of their own."""

    rows: int = column(models.Event.rows, "Number of rows.")  # type: ignore[assignment]  # null in other types only
    source: str = column(models.Event.source, "Source of the rows.")  # type: ignore[assignment]  # null in other types only


# -- lists of events --


@strawberry.input(description="Conditions on events. Zone, rings, risk and major are those at the time of the event.")
class UpdateFilter:
    zones: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="In any of these zones, before or after the change."
    )
    zone_codes: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="The same by the zones' codes, instead of `zones`."
    )
    rings: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Inside any of these rings, before or after the change."
    )
    ring_codes: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same by the code of the venue and the grade, as in `HOSC-STADIUM/STRICT`, instead of `rings`.",
    )
    venues: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Inside any ring of any of these venues, before or after the change."
    )
    venue_codes: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="The same by the venues' codes, instead of `venues`."
    )
    enterprises: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="About any of these enterprises."
    )
    kinds: list[EventKind] | None = strawberry.field(default=strawberry.UNSET, description="Of any of these kinds.")
    minimum_risk: RiskGrade | None = strawberry.field(
        default=strawberry.UNSET,
        description="At enterprises of this risk grade or a graver one, before or after.",
    )
    major_only: bool | None = strawberry.field(
        default=strawberry.UNSET, description="If true, only events about a major hazard."
    )


@dataclass(frozen=True)
class RequestedEvents:
    """The events that a client asks for: `filter` but for the rows that it names, and those by field of the filter."""

    filter: EventFilter
    named: tuple[tuple[str, NamedRows], ...] = ()

    async def event_filter(self, reader: Reader) -> EventFilter:
        """The filter as the log takes it. Raises RequestError where it names a row that the viewer does not see."""
        by_id = [rows for _, rows in self.named if not rows.by.coded]
        await require_rows(reader, by_id)
        ids = await find_rows(reader, [rows for _, rows in self.named if rows.by.coded])
        keys: dict[str, Any] = {
            field: frozenset(ids[rows.by][name] for name in rows.names) if rows.by.coded else frozenset(rows.names)
            for field, rows in self.named
        }
        return replace(self.filter, **keys)


def requested_events(update_filter: UpdateFilter | None) -> RequestedEvents:
    """The events that match a client's filter. Raises RequestError for a bad id, or both ids and codes of one kind."""
    if not update_filter:
        return RequestedEvents(EventFilter())
    named: dict[str, NamedRows] = {}
    for field, node in EVENT_PLACES.items():
        if (values := getattr(update_filter, field)) or values == []:
            keys = tuple(node_id.filter_key(field, value, node) for value in values)
            named[field] = NamedRows(id_key(NODES[node].row), keys)
    for field, by in EVENT_CODES.items():
        camel_codes = f"{field[:-1]}Codes"
        if (codes := getattr(update_filter, f"{field[:-1]}_codes")) or codes == []:
            if field in named:
                reason = Reason(
                    "IDS_AND_CODES",
                    "Give either `{field}` or `{codes}`, not both.",
                    field=field,
                    codes=camel_codes,
                )
                raise RequestError(ErrorCode.BAD_INPUT, reason)
            named[field] = NamedRows(by, tuple(checked_text(code) for code in codes))
    event_filter = EventFilter(
        kinds=frozenset(update_filter.kinds) if update_filter.kinds or update_filter.kinds == [] else None,
        minimum_risk=update_filter.minimum_risk or None,
        major_only=bool(update_filter.major_only),
    )
    return RequestedEvents(event_filter, tuple(named.items()))


EVENT_PLACES = {"zones": "Zone", "rings": "ControlRing", "venues": "Venue", "enterprises": "Enterprise"}
EVENT_CODES = {"zones": ZONE_CODE, "rings": RING_CODE, "venues": VENUE_CODE}
Event.row = models.Event  # type: ignore[attr-defined]  # lists of events are read as lists of rows
