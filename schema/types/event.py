"""Events: the log as clients see it."""

import datetime as dt
from typing import Annotated, Any

import strawberry

import models
from models import EventKind, RiskGrade, Role, Subject
from resolvers.queries import timeline
from schema.execution.context import Record
from schema.fields.batch import batch
from schema.fields.columns import column
from schema.fields.events import TYPES, EventId, OfSubject
from schema.fields.references import to_one
from schema.fields.source import NODES, Node, declare_field
from schema.types import lazy, node_id
from schema.types.enums import describe
from subscriptions.event_filter import EventFilter

describe(
    EventKind,
    "What happened.",
    INSPECTION_PLANNED="An inspection was planned.",
    INSPECTION_DISPATCHED="Inspectors were sent.",
    INSPECTION_ACKNOWLEDGED="The inspectors know of it.",
    INSPECTION_DEPARTED="They set out.",
    INSPECTION_ARRIVED="They arrived.",
    INSPECTION_SUBMITTED="They entered the result.",
    INSPECTION_REVIEWED="The command centre began to look at it.",
    INSPECTION_RETURNED="The command centre sent it back.",
    INSPECTION_CLOSED="It was closed.",
    INSPECTION_CANCELLED="It was called off.",
    HAZARD_FOUND="An inspection found a hazard.",
    HAZARD_REPORTED="A hazard was reported outside an inspection.",
    HAZARD_AMENDED="An inspection said anew what it had found.",
    HAZARD_ASSIGNED="It was given an owner and a deadline.",
    HAZARD_RECTIFYING_STARTED="Its rectification began.",
    HAZARD_RECTIFICATION_SUBMITTED="Its rectification was submitted.",
    HAZARD_ACCEPTED="Its rectification was accepted.",
    HAZARD_REJECTED="Its rectification was sent back.",
    HAZARD_CLOSED="It was closed.",
    HAZARD_REOPENED="An accepted one was opened again.",
    HAZARD_DISMISSED="It was no hazard.",
    HAZARD_EXTENSION_REQUESTED="A later deadline was asked for.",
    HAZARD_EXTENSION_DECIDED="A later deadline was approved or refused.",
    CASE_PROPOSED="A case was proposed.",
    CASE_FILED="It was filed.",
    CASE_DECLINED="It was not filed.",
    CASE_INVESTIGATED="Its investigation began.",
    CASE_NOTIFIED="The enterprise was notified.",
    CASE_HEARD="A hearing began.",
    CASE_DECIDED="It was decided, with a penalty or without.",
    CASE_EXECUTED="The penalty's execution began.",
    CASE_CLOSED="It was closed.",
    DISPATCH_REQUESTED="Something was asked for.",
    DISPATCH_ASSIGNED="Something was chosen.",
    DISPATCH_ACKNOWLEDGED="Whoever is sent knows of it.",
    DISPATCH_DEPARTED="They set out.",
    DISPATCH_ARRIVED="They arrived.",
    DISPATCH_COMPLETED="The work was done.",
    DISPATCH_RELEASED="They are free again.",
    DISPATCH_DECLINED="Whoever was chosen cannot come.",
    DISPATCH_CANCELLED="It was called off.",
    DUTY_REPORT_SUBMITTED="An enterprise on duty reported.",
    ASSISTANCE_REQUESTED="An enterprise asked for help.",
    ASSISTANCE_DISPATCHED="Inspectors were sent to help.",
    ASSISTANCE_REOPENED="The visit that was to help was called off.",
    ASSISTANCE_RESOLVED="The problem was solved.",
    ASSISTANCE_WITHDRAWN="The enterprise took it back.",
    ENTERPRISE_REGISTERED="An enterprise was registered.",
    ENTERPRISE_CHANGED="Its file's own data changed.",
    ENTERPRISE_GRADED="Its risk was graded.",
    CONTROL_MEASURE_ADDED="A control measure was added.",
    CONTROL_MEASURE_LIFTED="A control measure was lifted.",
    INSPECTOR_DUTY_SET="An inspector went on or off duty.",
    TEAM_STANDBY_SET="A team went on or off standby.",
    EXPERT_STANDBY_SET="An expert went on or off standby.",
    STOCK_RECEIVED="Stock came in.",
    STOCK_RESERVED="Stock was promised to a dispatch.",
    STOCK_FREED="Promised stock was freed.",
    STOCK_DRAWN="Stock was used.",
    WARNING_ISSUED="A warning was issued.",
    WARNING_RAISED="Readings raised a warning, or made it graver.",
    WARNING_LIFTED="A warning was lifted.",
    REGISTER_IMPORTED="A batch of rows was imported.",
)


@strawberry.type(description="Who did something.")
class Actor:
    role: Role = strawberry.field(description="In which role.")
    name: str | None = strawberry.field(
        description="Name; null if the token had none, or for a viewer who may not see personal data."
    )


@strawberry.type(description="What became of one field.")
class FieldChange:
    field: str = strawberry.field(description="The field, as it is called here; or `reason` and the like.")
    from_: str | None = strawberry.field(name="from", description="Before, as text; null if there was nothing.")
    to: str | None = strawberry.field(description="After, as text; null if there is nothing.")


@strawberry.interface(
    description="One row of the log. `from` and `to` are the status then; the object of a concrete type is as now."
)
class Event(Node):
    id: strawberry.ID = declare_field(EventId(), "Global id.")
    cursor: str = batch(
        timeline.cursors, models.Event.id, description="Its place in the log; streams and lists go on after it."
    )
    at: dt.datetime = column(models.Event.at, "When it happened.")
    kind: EventKind = column(models.Event.kind, "What happened.")
    actor: Actor | None = batch(
        timeline.actors,
        models.Event.actor_role,
        models.Event.actor_name,
        description="Who did it; null where nobody did, as when rain raises a warning.",
    )
    enterprise: lazy.Enterprise | None = to_one(
        models.Event.enterprise_id, "The enterprise that it happened at or to; null if none."
    )
    zone: lazy.Zone | None = to_one(models.Event.zone_id, "The zone that it happened in; null if none.")
    from_: str | None = column(models.Event.from_status, "Status before; null if there was none.", name="from")
    to: str | None = column(models.Event.to_status, "Status after; null if there is none.")
    changes: list[FieldChange] = batch(
        timeline.changes, models.Event.id, description="What changed besides the status, reasons included."
    )


def event_type(*subjects: Subject) -> Any:
    """A type for the events about these."""

    def decorate(cls: Any) -> Any:
        def is_type_of(cls: Any, value: Any, info: Any) -> bool:
            return isinstance(value, Record) and value.model is models.Event and value.row.subject in subjects

        cls.is_type_of = classmethod(is_type_of)
        made: Any = strawberry.type(cls, description=cls.__doc__)
        made.row = models.Event
        NODES[made.__name__] = made
        for subject in subjects:
            TYPES[subject] = made
        return made

    return decorate


@event_type(Subject.INSPECTION)
class InspectionUpdate(Event):
    """Something happened to an inspection."""

    inspection: lazy.Inspection = declare_field(OfSubject(), "The inspection, as it is now.")


@event_type(Subject.HAZARD)
class HazardUpdate(Event):
    """Something happened to a hazard."""

    hazard: lazy.Hazard = declare_field(OfSubject(), "The hazard, as it is now.")


@event_type(Subject.CASE)
class CaseUpdate(Event):
    """Something happened to a case."""

    case: lazy.Case = declare_field(OfSubject(), "The case, as it is now.")


@event_type(Subject.DISPATCH)
class DispatchUpdate(Event):
    """Something happened to a dispatch."""

    dispatch: lazy.Dispatch = declare_field(OfSubject(), "The dispatch, as it is now.")


@event_type(Subject.ASSISTANCE)
class AssistanceUpdate(Event):
    """Something happened to a request for help."""

    assistance_request: lazy.AssistanceRequest = declare_field(OfSubject(), "The request, as it is now.")


@event_type(Subject.DUTY_REPORT)
class DutyReportUpdate(Event):
    """An enterprise reported."""

    duty_report: lazy.DutyReport = declare_field(OfSubject(), "The report.")


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
    strawberry.union("ResourceItem", description="What can be on duty, on standby or in stock."),
]


@event_type(Subject.INSPECTOR, Subject.TEAM, Subject.EXPERT, Subject.STOCK_ITEM)
class ResourceUpdate(Event):
    """Duty, standby or stock changed."""

    resource: ResourceItem = declare_field(OfSubject(), "The resource, as it is now.")


@event_type(Subject.REGISTER)
class RegisterImported(Event):
    """One batch of an import or of the demo; the rows in it have no events of their own."""

    rows: int = column(models.Event.rows, "How many rows.")  # type: ignore[assignment]  # null in other types only
    source: str = column(models.Event.source, "Where from.")  # type: ignore[assignment]  # as above


# -- lists of events --


@strawberry.input(
    description="Which events, by what they were at the time: zone, rings, risk, whether of a major hazard."
)
class UpdateFilter:
    zones: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="In any of these zones, before or after the change."
    )
    rings: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Inside any of these rings, before or after the change."
    )
    venues: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Inside any ring of any of these venues, before or after the change."
    )
    enterprises: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="At or to any of these enterprises."
    )
    kinds: list[EventKind] | None = strawberry.field(default=strawberry.UNSET, description="Of any of these kinds.")
    minimum_risk: RiskGrade | None = strawberry.field(
        default=strawberry.UNSET,
        description="At enterprises of this grade or a graver one, before or after.",
    )
    major_only: bool | None = strawberry.field(
        default=strawberry.UNSET, description="If true, only those that concern a major hazard."
    )


def event_filter(given: UpdateFilter | None) -> EventFilter:
    """The filter as the log takes it. Raises Refused for a bad id."""
    if not given:
        return EventFilter()

    def keys(values: list[strawberry.ID] | None, name: str) -> frozenset[int] | None:
        return frozenset(node_id.key_of(v, name) for v in values) if values or values == [] else None

    return EventFilter(
        zones=keys(given.zones, "Zone"),
        rings=keys(given.rings, "ControlRing"),
        venues=keys(given.venues, "Venue"),
        enterprises=keys(given.enterprises, "Enterprise"),
        kinds=frozenset(given.kinds) if given.kinds or given.kinds == [] else None,
        minimum_risk=given.minimum_risk or None,
        major_only=bool(given.major_only),
    )


Event.row = models.Event  # type: ignore[attr-defined]  # a list of events is read as a list of rows
