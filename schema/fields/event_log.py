"""Lists of events, whose cursors are those of the log."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry.types.arguments import StrawberryArgument

import models
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import timeline
from resolvers.sql.pagination import Order, Page, Slice, SortKey, make_page
from resolvers.sql.predicates import Condition
from schema.execution.context import Context, Record, RowSet
from schema.fields.connections import Connection, LazyConnection, ToMany, page_arguments
from schema.fields.source import LoadField, argument, declare_field
from subscriptions.event_log import CursorRefused, LogState

if TYPE_CHECKING:
    pass
from schema.types.event import Event, UpdateFilter, event_filter


@dataclass(frozen=True)
class LogRequest:
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


class LogConnection(LazyConnection):
    """A page of the log. Its cursors are the events' own, and are looked at against the log as it is."""

    def __init__(self, context: Context, rows: RowSet, asked: LogRequest, key: Any) -> None:
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


BY_NUMBER = SortKey(models.Event.id)
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

    def wanted(self, arguments: dict[str, Any]) -> LogRequest:
        """Raises Refused."""
        given: dict[str, Any] = {
            k: arguments[k] for k in ("first", "after", "last", "before") if arguments.get(k) is not None
        }
        bounds: dict[str, str] = {k: given.pop(k) for k in ("after", "before") if k in given}
        condition = Condition(timeline.EventsMatching(event_filter(arguments.get("filter"))))
        return LogRequest((condition,), make_page(NEWEST_FIRST if self.newest_first else OLDEST_FIRST, **given), bounds)

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        asked = self.wanted(arguments)
        rows = RowSet(models.Event, self.relation(field), asked.conditions)
        return LogConnection(context, rows, asked, None if self.key is None else source.row.id)


def log_of(key: Any, description: str) -> Connection[Event]:
    """The events whose column `key` names this row, newest first."""
    return declare_field(Log(key, newest_first=True), description)  # type: ignore[no-any-return]  # it stands for the value


def whole_log(description: str) -> Connection[Event]:
    """All events, oldest first."""
    return declare_field(Log(), description)  # type: ignore[no-any-return]  # as above
