"""Events: the log as clients see it."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Union

import strawberry
from strawberry.types.arguments import StrawberryArgument

import models
from models import EventKind, RiskGrade, Role, Subject
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import timeline
from resolvers.sql.pagination import Key, Order, Page, Slice, page
from resolvers.sql.predicates import Condition
from schema import ids
from schema.connection import Connection, Listed, ToMany, page_arguments
from schema.context import Context, Record, Rows
from schema.declare import NODES, Load, LoadField, Node, argument, batch, column, declared, to_one

# Not among the names that the build supplies: Python has a Warning of its own, and would take that.
from schema.warning import Warning
from subscriptions.event_filter import EventFilter
from subscriptions.event_log import CursorRefused, LogState

if TYPE_CHECKING:
    from schema.assistance import AssistanceRequest, DutyReport
    from schema.case import Case
    from schema.dispatch import Dispatch
    from schema.enterprise import Enterprise
    from schema.expert import Expert
    from schema.hazard import Hazard
    from schema.inspection import Inspection
    from schema.inspector import Inspector
    from schema.measure import ControlMeasure
    from schema.team import Team
    from schema.warehouse import StockItem
    from schema.zone import Zone

# By subject: the type that tells of it, and the model of its rows.
TYPES: dict[Subject, Any] = {}
MODELS: dict[Subject, Any] = {s: getattr(models, s.value) for s in Subject if s is not Subject.REGISTER}


@dataclass(eq=False)
class EventId(Load):
    """The global id; its type is the event's own."""

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return ids.encode(TYPES[source.row.subject].__name__, source.row.id)


@dataclass(eq=False)
class OfSubject(Load):
    """The row that the event is about."""

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return context.one(MODELS[source.row.subject], source.row.subject_id)


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
    id: strawberry.ID = declared(EventId(), "Global id.")
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

    inspection: "Inspection" = declared(OfSubject(), "The inspection, as it is now.")


@event_type(Subject.HAZARD)
class HazardUpdate(Event):
    """Something happened to a hazard."""

    hazard: "Hazard" = declared(OfSubject(), "The hazard, as it is now.")


@event_type(Subject.CASE)
class CaseUpdate(Event):
    """Something happened to a case."""

    case: "Case" = declared(OfSubject(), "The case, as it is now.")


@event_type(Subject.DISPATCH)
class DispatchUpdate(Event):
    """Something happened to a dispatch."""

    dispatch: "Dispatch" = declared(OfSubject(), "The dispatch, as it is now.")


@event_type(Subject.ASSISTANCE)
class AssistanceUpdate(Event):
    """Something happened to a request for help."""

    assistance_request: "AssistanceRequest" = declared(OfSubject(), "The request, as it is now.")


@event_type(Subject.DUTY_REPORT)
class DutyReportUpdate(Event):
    """An enterprise reported."""

    duty_report: "DutyReport" = declared(OfSubject(), "The report.")


@event_type(Subject.MEASURE)
class MeasureUpdate(Event):
    """A measure was added or lifted."""

    control_measure: "ControlMeasure" = declared(OfSubject(), "The measure, as it is now.")


@event_type(Subject.WARNING)
class WarningUpdate(Event):
    """A warning was issued, raised or lifted."""

    warning: Warning = declared(OfSubject(), "The warning, as it is now.")


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

    resource: ResourceItem = declared(OfSubject(), "The resource, as it is now.")


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


def interest(given: UpdateFilter | None) -> EventFilter:
    """The filter as the log takes it. Raises Refused for a bad id."""
    if not given:
        return EventFilter()

    def keys(values: list[strawberry.ID] | None, name: str) -> frozenset[int] | None:
        return frozenset(ids.key_of(v, name) for v in values) if values or values == [] else None

    return EventFilter(
        zones=keys(given.zones, "Zone"),
        rings=keys(given.rings, "ControlRing"),
        venues=keys(given.venues, "Venue"),
        enterprises=keys(given.enterprises, "Enterprise"),
        kinds=frozenset(given.kinds) if given.kinds or given.kinds == [] else None,
        minimum_risk=given.minimum_risk or None,
        major_only=bool(given.major_only),
    )


@dataclass(frozen=True)
class LogAsked:
    """Which events a list has, and which page of them; `bounds` are cursors by name, not looked at yet."""

    conditions: tuple[Condition, ...]
    page: Page
    bounds: dict[str, str]

    def bounded(self, state: LogState) -> Page:
        """The page between its cursors. Raises Refused for one that the log as it is does not have."""
        try:
            numbers = {name: (state.number(cursor),) for name, cursor in self.bounds.items()}
        except CursorRefused as error:
            raise RequestError(ErrorCode(error.code), error.message) from None
        return replace(self.page, after=numbers.get("after"), before=numbers.get("before"))


class LogListed(Listed):
    """A page of the log. Its cursors are the events' own, and are looked at against the log as it is."""

    def __init__(self, context: Context, rows: Rows, asked: LogAsked, key: Any) -> None:
        super().__init__(context, rows, asked.page, key)
        self._asked, self._epoch = asked, ""

    async def _slice(self) -> Slice:
        state = await self._context.load("log", self._state, ())
        self._epoch = state.epoch
        return await self._context.page(self._rows, self._asked.bounded(state), self._key)

    async def _state(self, keys: list[Any]) -> list[Any]:
        """Once for all the lists of an operation."""
        return [await timeline.state(self._context.reader)] * len(keys)

    def _cursor(self, record: Record) -> str:
        return f"{self._epoch}-{record.row.id}"


BY_NUMBER = Key(models.Event.id)
OLDEST_FIRST = Order("Event", BY_NUMBER, BY_NUMBER)
NEWEST_FIRST = Order("Event", BY_NUMBER, BY_NUMBER, descending=True)


@dataclass(eq=False)
class Log(ToMany):
    """Events; with `key`, those whose column `key` is the parent."""

    newest_first: bool = False

    def node(self, field: LoadField) -> Any:
        return Event

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [
            argument("filter", "Only those events.", UpdateFilter | None, strawberry.UNSET),
            *page_arguments(),
        ]

    def wanted(self, arguments: dict[str, Any]) -> LogAsked:
        """Raises Refused."""
        given: dict[str, Any] = {
            k: arguments[k] for k in ("first", "after", "last", "before") if arguments.get(k) is not None
        }
        bounds: dict[str, str] = {k: given.pop(k) for k in ("after", "before") if k in given}
        condition = Condition(timeline.Of(interest(arguments.get("filter"))))
        return LogAsked((condition,), page(NEWEST_FIRST if self.newest_first else OLDEST_FIRST, **given), bounds)

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        asked = self.wanted(arguments)
        rows = Rows(models.Event, self.relation(field), asked.conditions)
        return LogListed(context, rows, asked, None if self.key is None else source.row.id)


Event.row = models.Event  # type: ignore[attr-defined]  # a list of events is read as a list of rows


def log_of(key: Any, description: str) -> Connection[Event]:
    """The events whose column `key` names this row, newest first."""
    return declared(Log(key, newest_first=True), description)  # type: ignore[no-any-return]  # it stands for the value


def whole_log(description: str) -> Connection[Event]:
    """All events, oldest first."""
    return declared(Log(), description)  # type: ignore[no-any-return]  # as above
