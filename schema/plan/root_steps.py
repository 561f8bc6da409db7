"""Steps of the root: rows by global id, the only row of a table, and the event log."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import timeline
from resolvers.sql import authorization
from resolvers.sql.pagination import Page
from resolvers.sql.predicates import Condition
from schema.plan.fallback import FallbackRequired
from schema.plan.row_steps import ConnectionSelection, RelatedRows, RowsRequest, connection_values
from schema.plan.steps import ArgumentPlan, ExecutionState, RowLookup
from schema.types import node_id
from subscriptions.event_log import CursorRefused, LogState


@dataclass(eq=False)
class NodeStep:
    """A row of any type by its global id. `lookups` are by the types' names."""

    arguments: ArgumentPlan
    lookups: Mapping[str, RowLookup]
    required = False

    @property
    def statements(self) -> int:
        return max(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        return await find_nodes(state, [self.arguments(state)["id"]], self.lookups)


@dataclass(eq=False)
class NodesStep:
    """Rows of any type by their global ids, in the order of the ids; at most `maximum`."""

    arguments: ArgumentPlan
    lookups: Mapping[str, RowLookup]
    maximum: int
    required = True

    @property
    def statements(self) -> int:
        return sum(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        ids = self.arguments(state)["ids"]
        if len(ids) > self.maximum:
            raise FallbackRequired("too many ids")
        return [await find_nodes(state, ids, self.lookups)]


async def find_nodes(state: ExecutionState, ids: Sequence[str], lookups: Mapping[str, RowLookup]) -> list[Any]:
    """The value of each id's row, or None where there is none. Raises FallbackRequired for the id of no type."""
    decoded = [node_id.decode(text) for text in ids]
    keys: dict[str, set[int]] = {}
    for name, key in decoded:
        keys.setdefault(name, set()).add(key)
    if not keys.keys() <= lookups.keys():
        raise FallbackRequired("the id of no type")
    values = {name: await lookups[name].find(state, own_keys) for name, own_keys in keys.items()}
    return [values[name].get(key) for name, key in decoded]


@dataclass(eq=False)
class SingletonStep:
    """The only row of its table, whose primary key is 1."""

    lookup: RowLookup
    required = True

    @property
    def statements(self) -> int:
        return self.lookup.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        if not authorization.may_read(state.viewer.visibility):
            raise FallbackRequired("not for this viewer")
        return [(await self.lookup.find(state, [1])).get(1)]


@dataclass(frozen=True)
class LogRequest:
    """The events that a list has, and the page of them. `cursors` bound the page; they are not checked yet."""

    conditions: tuple[Condition, ...]
    page: Page
    cursors: dict[str, str]

    def bounded(self, state: LogState) -> Page:
        """The page between its cursors. Raises RequestError for a cursor that the log as it is does not have."""
        try:
            numbers = {name: (state.number(cursor),) for name, cursor in self.cursors.items()}
        except CursorRefused as error:
            raise RequestError(ErrorCode(error.code), error.reason) from None
        return replace(self.page, after=numbers.get("after"), before=numbers.get("before"))


@dataclass(eq=False)
class EventLogStep:
    """Pages of the event log, whose cursors are the events' own."""

    related: RelatedRows
    selection: ConnectionSelection
    make_request: Callable[[ExecutionState], Awaitable[LogRequest]]
    required = True

    @property
    def statements(self) -> int:
        return self.selection.statements + 1

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        request = await self.make_request(state)
        page, epoch = request.page, ""
        if self.selection.rows:
            log = await timeline.state(state.reader)
            page, epoch = request.bounded(log), log.epoch
        at = self.related.table.columns.at(self.related.table.model.id)
        return await connection_values(
            state,
            self.related,
            self.selection,
            RowsRequest(request.conditions, page),
            rows,
            lambda _, row: f"{epoch}-{row[at]}",
        )
