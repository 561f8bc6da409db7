"""The parts of a plan that begin at the root: a row by its id or another of its names, and the log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.queries import timeline
from resolvers.sql import authorization
from schema import ids
from schema.event import LogAsked
from schema.plans.leaves import Leave
from schema.plans.lists import Asked, Connected, Listing, paged
from schema.plans.parts import Given, Lookup, State
from schema.query import NODES_MAXIMUM, key_asked


@dataclass(eq=False)
class FoundBy:
    """A row by one of its natural keys; `lookups` are by the names of the keys."""

    name: str
    given: Given
    lookups: Mapping[str, Lookup]
    required = False

    @property
    def statements(self) -> int:
        return max(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: State, rows: Sequence[Any]) -> Sequence[Any]:
        by, key = key_asked(self.given(state), self.name)
        return [(await self.lookups[by].find(state, {key})).get(key)]


@dataclass(eq=False)
class FoundOne:
    """Any row by its global id; `lookups` are by the names of types."""

    given: Given
    lookups: Mapping[str, Lookup]
    required = False

    @property
    def statements(self) -> int:
        return max(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: State, rows: Sequence[Any]) -> Sequence[Any]:
        return await found(state, [self.given(state)["id"]], self.lookups)


@dataclass(eq=False)
class FoundAll:
    """Many of them, in the order of the ids."""

    given: Given
    lookups: Mapping[str, Lookup]
    required = True

    @property
    def statements(self) -> int:
        return sum(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: State, rows: Sequence[Any]) -> Sequence[Any]:
        wanted = self.given(state)["ids"]
        if len(wanted) > NODES_MAXIMUM:
            raise Leave("too many ids")
        return [await found(state, wanted, self.lookups)]


async def found(state: State, wanted: Sequence[str], lookups: Mapping[str, Lookup]) -> list[Any]:
    decoded = [ids.decode(text) for text in wanted]
    keys: dict[str, set[int]] = {}
    for name, key in decoded:
        keys.setdefault(name, set()).add(key)
    if not keys.keys() <= lookups.keys():
        raise Leave("the id of no type")
    made = {name: await lookups[name].find(state, mine) for name, mine in keys.items()}
    return [made[name].get(key) for name, key in decoded]


@dataclass(eq=False)
class TheOne:
    """The only row of its table."""

    lookup: Lookup
    required = True

    @property
    def statements(self) -> int:
        return self.lookup.statements

    async def run(self, state: State, rows: Sequence[Any]) -> Sequence[Any]:
        if not authorization.may_read(state.viewer.visibility):
            raise Leave("not for this viewer")
        return [(await self.lookup.find(state, {1})).get(1)]


@dataclass(eq=False)
class LogConnections:
    """Pages of the log, whose cursors are the events' own."""

    listing: Listing
    wanted: Connected
    ask: Callable[[State], LogAsked]
    required = True

    @property
    def statements(self) -> int:
        return self.wanted.statements + 1

    async def run(self, state: State, rows: Sequence[Any]) -> Sequence[Any]:
        asked = self.ask(state)
        page, epoch = asked.page, ""
        if self.wanted.rows:
            log = await timeline.state(state.reader)
            page, epoch = asked.bounded(log), log.epoch
        at = self.listing.table.columns.at(self.listing.table.model.id)
        return await paged(
            state, self.listing, self.wanted, Asked(asked.conditions, page), rows, lambda _, row: f"{epoch}-{row[at]}"
        )
