"""Events: the log as clients see it."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Union

import strawberry

import models
from models import EventKind, RiskGrade, Role, Subject
from resolvers.queries import timeline
from schema.execution.context import Record
from schema.fields.batch import batch
from schema.fields.columns import column
from schema.fields.references import to_one
from schema.fields.source import NODES, Node, declare_field
from schema.types import node_id
from schema.types.warning import Warning
from subscriptions.event_filter import EventFilter

if TYPE_CHECKING:
    from schema.types.assistance import AssistanceRequest, DutyReport
    from schema.types.case import Case
    from schema.types.dispatch import Dispatch
    from schema.types.enterprise import Enterprise
    from schema.types.expert import Expert
    from schema.types.hazard import Hazard
    from schema.types.inspection import Inspection
    from schema.types.inspector import Inspector
    from schema.types.measure import ControlMeasure
    from schema.types.team import Team
    from schema.types.warehouse import StockItem
    from schema.types.zone import Zone
from schema.fields.events import TYPES, EventId, OfSubject


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
    enterprise: "Enterprise | None" = to_one(
        models.Event.enterprise_id, "The enterprise that it happened at or to; null if none."
    )
    zone: "Zone | None" = to_one(models.Event.zone_id, "The zone that it happened in; null if none.")
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

    inspection: "Inspection" = declare_field(OfSubject(), "The inspection, as it is now.")


@event_type(Subject.HAZARD)
class HazardUpdate(Event):
    """Something happened to a hazard."""

    hazard: "Hazard" = declare_field(OfSubject(), "The hazard, as it is now.")


@event_type(Subject.CASE)
class CaseUpdate(Event):
    """Something happened to a case."""

    case: "Case" = declare_field(OfSubject(), "The case, as it is now.")


@event_type(Subject.DISPATCH)
class DispatchUpdate(Event):
    """Something happened to a dispatch."""

    dispatch: "Dispatch" = declare_field(OfSubject(), "The dispatch, as it is now.")


@event_type(Subject.ASSISTANCE)
class AssistanceUpdate(Event):
    """Something happened to a request for help."""

    assistance_request: "AssistanceRequest" = declare_field(OfSubject(), "The request, as it is now.")


@event_type(Subject.DUTY_REPORT)
class DutyReportUpdate(Event):
    """An enterprise reported."""

    duty_report: "DutyReport" = declare_field(OfSubject(), "The report.")


@event_type(Subject.MEASURE)
class MeasureUpdate(Event):
    """A measure was added or lifted."""

    control_measure: "ControlMeasure" = declare_field(OfSubject(), "The measure, as it is now.")


@event_type(Subject.WARNING)
class WarningUpdate(Event):
    """A warning was issued, raised or lifted."""

    warning: Warning = declare_field(OfSubject(), "The warning, as it is now.")


@event_type(Subject.ENTERPRISE)
class EnterpriseUpdate(Event):
    """An enterprise was registered, changed or graded."""


ResourceItem = Annotated[
    Union["Inspector", "Team", "Expert", "StockItem"],
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
