"""Lists of events, whose cursors are those of the log."""

from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.types.arguments import StrawberryArgument

import models
from resolvers.queries import timeline
from resolvers.sql.pagination import Order, Slice, SortKey, make_page
from resolvers.sql.predicates import Condition
from resolvers.sql.readers import Reader
from schema.execution.context import Context, Record, RowSet
from schema.fields.connections import Connection, LazyConnection, ToMany, page_arguments
from schema.fields.source import (
    FieldPlanner,
    JsonCompiler,
    LoadField,
    ParentRows,
    SelectedField,
    argument,
    declare_field,
)
from schema.plan.root_steps import EventLogStep, LogRequest
from schema.plan.sql_json_scopes import JsonWriter
from schema.plan.steps import Step
from schema.types.event import Event, UpdateFilter, requested_events


class LogConnection(LazyConnection):
    """A page of the log. Its cursors are the events' own, and are checked against the log as it is."""

    def __init__(self, context: Context, rows: RowSet, request: LogRequest, key: Any) -> None:
        super().__init__(context, rows, request.page, key)
        self._request, self._epoch = request, ""

    async def _slice(self) -> Slice:
        state = await self._context.load("log", self._state, ())
        self._epoch = state.epoch
        return await self._context.page(self._rows, self._request.bounded(state), self._key)

    async def _state(self, keys: list[Any]) -> list[Any]:
        """Read once for all the lists of an operation."""
        return [await timeline.state(self._context.reader)] * len(keys)

    def _cursor(self, record: Record) -> str:
        return f"{self._epoch}-{record.row.id}"


BY_NUMBER = SortKey(models.Event.id)
OLDEST_FIRST = Order("Event", BY_NUMBER, BY_NUMBER)
NEWEST_FIRST = Order("Event", BY_NUMBER, BY_NUMBER, descending=True)


@dataclass(eq=False)
class Log(ToMany):
    """Events; with `key`, those whose column `key` names the parent."""

    newest_first: bool = False

    def node(self, field: LoadField) -> Any:
        return Event

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [
            argument("filter", "Conditions on the events.", UpdateFilter | None, strawberry.UNSET),
            *page_arguments(),
        ]

    async def log_request(self, reader: Reader, arguments: dict[str, Any]) -> LogRequest:
        """The events that the arguments ask for, and the page of them. Raises RequestError."""
        requested = requested_events(arguments.get("filter"))
        names = ("first", "after", "last", "before")
        bounds: dict[str, Any] = {name: arguments[name] for name in names if arguments.get(name) is not None}
        cursors: dict[str, str] = {name: bounds.pop(name) for name in ("after", "before") if name in bounds}
        page = make_page(NEWEST_FIRST if self.newest_first else OLDEST_FIRST, **bounds)
        condition = Condition(timeline.EventsMatching(await requested.event_filter(reader)))
        return LogRequest((condition,), page, cursors)

    async def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        async def load(keys: list[Any]) -> list[Any]:
            return [await self.log_request(context.reader, arguments)] * len(keys)

        # Once for the lists of many parents.
        request = await context.load(("log request", self, repr(sorted(arguments.items()))), load, ())
        rows = RowSet(models.Event, self.relation(field), request.conditions)
        return LogConnection(context, rows, request, None if self.key is None else parent.row.id)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if self.key is not None and rows.layout is None:
            return None
        related, selection = self.selection(selected, rows, planner)
        arguments = planner.arguments(selected)
        return EventLogStep(related, selection, lambda state: self.log_request(state.reader, arguments(state)))

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        return None


def log_of(key: Any, description: str) -> Connection[Event]:
    """The events whose column `key` names this row, newest first."""
    field: Connection[Event] = declare_field(Log(key, newest_first=True), description)
    return field


def whole_log(description: str) -> Connection[Event]:
    """All events, oldest first."""
    field: Connection[Event] = declare_field(Log(), description)
    return field
