"""The parts of a plan that begin at the root: a row by its id or another of its names, and the log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.queries import timeline
from resolvers.sql import authorization
from schema.fields.event_log import LogRequest
from schema.fields.lookups import NODES_MAXIMUM, requested_key
from schema.plan.fallback import FallbackRequired
from schema.plan.row_steps import ConnectionSelection, RowSource, RowsRequest, connection_values
from schema.plan.steps import ArgumentPlan, ExecutionState, RowLookup
from schema.types import node_id


@dataclass(eq=False)
class KeyStep:
    """A row by one of its natural keys; `lookups` are by the names of the keys."""

    name: str
    given: ArgumentPlan
    lookups: Mapping[str, RowLookup]
    required = False

    @property
    def statements(self) -> int:
        return max(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        by, key = requested_key(self.given(state), self.name)
        return [(await self.lookups[by].find(state, {key})).get(key)]


@dataclass(eq=False)
class NodeStep:
    """Any row by its global id; `lookups` are by the names of types."""

    given: ArgumentPlan
    lookups: Mapping[str, RowLookup]
    required = False

    @property
    def statements(self) -> int:
        return max(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        return await find_nodes(state, [self.given(state)["id"]], self.lookups)


@dataclass(eq=False)
class NodesStep:
    """Many of them, in the order of the ids."""

    given: ArgumentPlan
    lookups: Mapping[str, RowLookup]
    required = True

    @property
    def statements(self) -> int:
        return sum(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        wanted = self.given(state)["ids"]
        if len(wanted) > NODES_MAXIMUM:
            raise FallbackRequired("too many ids")
        return [await find_nodes(state, wanted, self.lookups)]


async def find_nodes(state: ExecutionState, wanted: Sequence[str], lookups: Mapping[str, RowLookup]) -> list[Any]:
    decoded = [node_id.decode(text) for text in wanted]
    keys: dict[str, set[int]] = {}
    for name, key in decoded:
        keys.setdefault(name, set()).add(key)
    if not keys.keys() <= lookups.keys():
        raise FallbackRequired("the id of no type")
    made = {name: await lookups[name].find(state, mine) for name, mine in keys.items()}
    return [made[name].get(key) for name, key in decoded]


@dataclass(eq=False)
class SingletonStep:
    """The only row of its table."""

    lookup: RowLookup
    required = True

    @property
    def statements(self) -> int:
        return self.lookup.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        if not authorization.may_read(state.viewer.visibility):
            raise FallbackRequired("not for this viewer")
        return [(await self.lookup.find(state, {1})).get(1)]


@dataclass(eq=False)
class EventLogStep:
    """Pages of the log, whose cursors are the events' own."""

    listing: RowSource
    wanted: ConnectionSelection
    ask: Callable[[ExecutionState], LogRequest]
    required = True

    @property
    def statements(self) -> int:
        return self.wanted.statements + 1

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        asked = self.ask(state)
        page, epoch = asked.page, ""
        if self.wanted.rows:
            log = await timeline.state(state.reader)
            page, epoch = asked.bounded(log), log.epoch
        at = self.listing.table.columns.at(self.listing.table.model.id)
        return await connection_values(
            state,
            self.listing,
            self.wanted,
            RowsRequest(asked.conditions, page),
            rows,
            lambda _, row: f"{epoch}-{row[at]}",
        )
