"""The parts of a plan that are lists of rows: all of a parent's, or a page of them with its cursors and counts."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from resolvers.sql import selects
from resolvers.sql.pagination import Page, cut_page
from resolvers.sql.predicates import Condition, Predicate
from resolvers.sql.prepared import Statement
from resolvers.sql.selects import Relation
from schema.plan.row_codec import SelectedColumns
from schema.plan.steps import STATEMENTS_KEPT, ExecutionState, Step, TableSelection


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """Which rows a list has, and which page of it; without a page, all of them."""

    conditions: tuple[Condition, ...]
    page: Page | None = None


class ParentSlice(NamedTuple):
    """The rows of one parent: from `start` to `end` of all, and whether there are more on either side."""

    start: int
    end: int
    has_next: bool = False
    has_previous: bool = False


@dataclass(eq=False)
class RowSource:
    """The rows of a relation, for each of many parents: `at` is the place of the parent's key, None at the root."""

    table: TableSelection
    relation: Relation
    at: int | None
    _statements: dict[Hashable, Statement] = field(default_factory=dict)

    def keys(self, rows: Sequence[Any]) -> list[Any]:
        return [None] * len(rows) if self.at is None else [row[self.at] for row in rows]

    def _statement(self, key: Hashable, make: Callable[[bool], Any], state: ExecutionState) -> Statement:
        found = self._statements.get(key)
        if found is None:
            if len(self._statements) >= STATEMENTS_KEPT:
                self._statements.clear()
            sqlite = state.reader.sqlite
            found = self._statements[key] = Statement(make(sqlite), sqlite)
        return found

    def _given(
        self, state: ExecutionState, asked: RowsRequest
    ) -> tuple[tuple[Predicate, ...], dict[str, Any], SelectedColumns]:
        conditions, read = [*asked.conditions, *self.table.scope(state)], self.table.columns.read(state)
        return tuple(c.predicate for c in conditions), selects.parameters(conditions, state.reader) | read.values, read

    async def pages(
        self, state: ExecutionState, asked: RowsRequest, keys: Sequence[Any], *, ends: bool
    ) -> tuple[list[Any], dict[Any, ParentSlice]]:
        """The rows of the page of each parent, one after another, and by parent where they lie.

        `ends` says that it matters whether there are more.
        """
        page = asked.page
        assert page is not None
        clauses, values, read = self._given(state, asked)
        relation = self.relation
        values |= page.parameters()
        one = relation.key is None or len(keys) == 1
        write = selects.one_page if one else selects.pages
        statement = self._statement(
            (one, clauses, page.shape, ends, read.shape),
            lambda sqlite: write(read.columns(), relation, page, clauses, sqlite, more=ends),
            state,
        )
        rows = await state.reader.fetch(statement, values | ({"key": keys[0]} if one else {"keys": list(keys)}))
        found = {keys[0]: rows} if one else grouped(keys, rows)
        if not ends and not page.backward:
            return laid_out(found)
        slices = {key: cut_page(page, group) for key, group in found.items()}
        flat, groups = laid_out({key: slice_.rows for key, slice_ in slices.items()})
        for key, slice_ in slices.items():
            groups[key] = groups[key]._replace(has_next=slice_.has_next, has_previous=slice_.has_previous)
        return flat, groups

    async def everything(
        self, state: ExecutionState, asked: RowsRequest, keys: Sequence[Any], order: Callable[[Any], Any]
    ) -> tuple[list[Any], dict[Any, ParentSlice]]:
        """All rows of each parent in an order, in the same form."""
        clauses, values, read = self._given(state, asked)
        relation = self.relation
        write = selects.all_rows if relation.key is None else selects.by_key
        statement = self._statement(
            ("all", clauses, read.shape), lambda sqlite: write(read.columns(), relation, clauses, sqlite), state
        )
        rows = await state.reader.fetch(statement, values | {"keys": list(keys)})
        found = {None: rows} if relation.key is None else grouped(keys, rows)
        return laid_out({key: sorted(group, key=order) for key, group in found.items()})

    async def counts(self, state: ExecutionState, asked: RowsRequest, keys: Sequence[Any]) -> dict[Any, int]:
        clauses, values, _ = self._given(state, asked)
        relation = self.relation
        statement = self._statement(("count", clauses), lambda sqlite: selects.counts(relation, clauses, sqlite), state)
        rows = await state.reader.fetch(statement, values | {"keys": list(keys)})
        if relation.key is None:
            return {keys[0]: rows[0][0]}
        return dict.fromkeys(keys, 0) | {row[0]: row[1] for row in rows}


def grouped(keys: Sequence[Any], rows: Sequence[Any]) -> dict[Any, Sequence[Any]]:
    """Rows by their parent's key, which stands last in each."""
    groups: dict[Any, Any] = {key: [] for key in keys}
    for row in rows:
        groups[row[-1]].append(row)
    return groups


def laid_out(groups: dict[Any, Sequence[Any]]) -> tuple[list[Any], dict[Any, ParentSlice]]:
    """The rows of all groups one after another, and where each group lies."""
    flat: list[Any] = []
    places = {}
    for key, rows in groups.items():
        start = len(flat)
        flat += rows
        places[key] = ParentSlice(start, len(flat))
    return flat, places


@dataclass(eq=False)
class RowListStep:
    """All rows of each parent, few by nature; `last` gives the last of them alone."""

    listing: RowSource
    asked: RowsRequest
    order: Callable[[Any], Any]
    last: bool
    required: bool

    @property
    def statements(self) -> int:
        return 1 + self.listing.table.shape.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        keys = self.listing.keys(rows)
        flat, groups = await self.listing.everything(state, self.asked, list(dict.fromkeys(keys)), self.order)
        if self.last:
            flat = [flat[group.end - 1] for group in groups.values() if group.end > group.start]
            ends = iter(await self.listing.table.shape.run(state, flat))
            found = {key: next(ends) if group.end > group.start else None for key, group in groups.items()}
            return [found[key] for key in keys]
        made = await self.listing.table.shape.run(state, flat)
        return [made[groups[key].start : groups[key].end] for key in keys]


class ConnectionSelection:
    """What of a connection is asked: shapes of its rows, and whether cursors, ends and counts are needed."""

    def __init__(self) -> None:
        self.shapes: list[Step] = []
        self.rows = self.cursors = self.ends = self.counts = False
        # By response key, a function of (what each shape made, cursors, group, count).
        self.entries: list[tuple[str, Callable[[list[Any], Any, ParentSlice, int], Any]]] = []

    @property
    def statements(self) -> int:
        return int(self.rows) + int(self.counts) + sum(shape.statements for shape in self.shapes)


async def connection_values(
    state: ExecutionState,
    listing: RowSource,
    wanted: ConnectionSelection,
    asked: RowsRequest,
    rows: Sequence[Any],
    cursor: Callable[[Page, Any], str] | None,
) -> list[Any]:
    """The connection of each parent."""
    keys = listing.keys(rows)
    once = list(dict.fromkeys(keys))
    page = asked.page
    assert page is not None
    flat: list[Any] = []
    groups: dict[Any, ParentSlice] = dict.fromkeys(once, ParentSlice(0, 0))
    if wanted.rows:
        flat, groups = await listing.pages(state, asked, once, ends=wanted.ends)
    made = [await shape.run(state, flat) for shape in wanted.shapes]
    counts = await listing.counts(state, asked, once) if wanted.counts else dict.fromkeys(once, 0)
    cursors = flat if cursor is None else [cursor(page, row) for row in flat]
    found = {}
    for key, group in groups.items():
        mine = [values[group.start : group.end] for values in made]
        named = cursors[group.start : group.end]
        found[key] = {name: entry(mine, named, group, counts[key]) for name, entry in wanted.entries}
    return [found[key] for key in keys]


@dataclass(eq=False)
class ConnectionStep:
    """A page of each parent's rows. `fixed` says that it is always the same that is asked."""

    listing: RowSource
    wanted: ConnectionSelection
    ask: Callable[[ExecutionState], RowsRequest]
    fixed: bool
    cursor: Callable[[Page, Any], str] | None
    required = True
    _asked: RowsRequest | None = None

    @property
    def statements(self) -> int:
        return self.wanted.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        asked = self._asked or self.ask(state)
        if self.fixed:
            self._asked = asked
        return await connection_values(state, self.listing, self.wanted, asked, rows, self.cursor)
