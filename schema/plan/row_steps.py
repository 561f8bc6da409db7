"""Steps for lists of rows: all rows of each parent, or a page of them with its cursors and counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from resolvers.sql.pagination import Page, Slice
from resolvers.sql.predicates import Condition
from resolvers.sql.row_source import RowSource
from resolvers.sql.selects import Relation
from schema.plan.steps import ExecutionState, Step, TableSelection


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """The rows of a list: those that meet the conditions, and of them a page, or all without one."""

    conditions: tuple[Condition, ...]
    page: Page | None = None


class ParentSlice(NamedTuple):
    """One parent's part of a list of rows, from `start` up to `end`, and whether more rows lie on either side."""

    start: int
    end: int
    has_next: bool = False
    has_previous: bool = False


NO_ROWS = ParentSlice(0, 0)


@dataclass(eq=False)
class RelatedRows:
    """The rows of a table that belong to parents. `at` is the place of the key in a parent's row, None at the root."""

    table: TableSelection
    relation: Relation
    at: int | None
    source: RowSource = field(init=False)

    def __post_init__(self) -> None:
        self.source = self.table.source(self.relation)

    def keys(self, parents: Sequence[Any]) -> list[Any]:
        return [None] * len(parents) if self.at is None else [parent[self.at] for parent in parents]

    async def pages(
        self, state: ExecutionState, request: RowsRequest, keys: list[Any], *, ends: bool
    ) -> tuple[list[Any], dict[Any, ParentSlice]]:
        """The rows of all parents' pages in one list, and each parent's part of it by key.

        Without `ends`, whether there are rows beyond a page stays unknown.
        """
        assert request.page is not None
        selected = self.table.columns.read(state)
        slices = await self.source.pages(
            state.reader, request.page, keys, request.conditions, selected=selected, ends=ends
        )
        return flatten(slices)

    async def all_rows(
        self, state: ExecutionState, request: RowsRequest, keys: list[Any], order: Callable[[Any], Any]
    ) -> dict[Any, list[Any]]:
        """All rows of each parent, sorted, by key."""
        selected = self.table.columns.read(state)
        return await self.source.all_rows(state.reader, keys, request.conditions, order=order, selected=selected)

    async def counts(self, state: ExecutionState, request: RowsRequest, keys: list[Any]) -> dict[Any, int]:
        return await self.source.counts(state.reader, keys, request.conditions)


def flatten(slices: Mapping[Any, Slice]) -> tuple[list[Any], dict[Any, ParentSlice]]:
    """The rows of all slices in one list, and each slice's part of it."""
    rows: list[Any] = []
    parts = {}
    for key, slice_ in slices.items():
        start = len(rows)
        rows += slice_.rows
        parts[key] = ParentSlice(start, len(rows), slice_.has_next, slice_.has_previous)
    return rows, parts


@dataclass(eq=False)
class RowListStep:
    """All rows of each parent, for relations that are short by nature; with `last`, only the last of them."""

    related: RelatedRows
    request: RowsRequest
    order: Callable[[Any], Any]
    last: bool
    required: bool

    @property
    def statements(self) -> int:
        return 1 + self.related.table.objects.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        keys = self.related.keys(rows)
        groups = await self.related.all_rows(state, self.request, list(dict.fromkeys(keys)), self.order)
        objects = self.related.table.objects
        if self.last:
            last = {key: group[-1] for key, group in groups.items() if group}
            values = dict(zip(last, await objects.run(state, list(last.values())), strict=True))
            return [values.get(key) for key in keys]
        flat, parts = flatten({key: Slice(group, False, False) for key, group in groups.items()})
        built = await objects.run(state, flat)
        return [built[parts[key].start : parts[key].end] for key in keys]


class ConnectionSelection:
    """A selection on a connection: steps that build objects of its rows, and what else it needs of a page.

    `rows`, `cursors`, `ends` and `counts` say whether it needs rows at all, their cursors, whether there are rows
    beyond the page, and the number of all rows.
    """

    def __init__(self) -> None:
        self.objects: list[Step] = []
        self.rows = self.cursors = self.ends = self.counts = False
        # By response key, a function of (each step's values, the cursors, the parent's slice, the count).
        self.entries: list[tuple[str, Callable[[list[Any], Any, ParentSlice, int], Any]]] = []

    @property
    def statements(self) -> int:
        return int(self.rows) + int(self.counts) + sum(step.statements for step in self.objects)


async def connection_values(
    state: ExecutionState,
    related: RelatedRows,
    selection: ConnectionSelection,
    request: RowsRequest,
    parents: Sequence[Any],
    cursor: Callable[[Page, Any], str] | None,
) -> list[Any]:
    """The connection of each parent. `cursor` makes the cursor of a row; None where no cursor is selected."""
    page = request.page
    assert page is not None
    keys = related.keys(parents)
    unique = list(dict.fromkeys(keys))
    rows: list[Any] = []
    parts: dict[Any, ParentSlice] = dict.fromkeys(unique, NO_ROWS)
    if selection.rows:
        rows, parts = await related.pages(state, request, unique, ends=selection.ends)
    values = [await step.run(state, rows) for step in selection.objects]
    counts = await related.counts(state, request, unique) if selection.counts else dict.fromkeys(unique, 0)
    cursors = rows if cursor is None else [cursor(page, row) for row in rows]
    connections = {}
    for key, part in parts.items():
        own_values = [all_values[part.start : part.end] for all_values in values]
        own_cursors = cursors[part.start : part.end]
        connections[key] = {
            name: entry(own_values, own_cursors, part, counts[key]) for name, entry in selection.entries
        }
    return [connections[key] for key in keys]


@dataclass(eq=False)
class ConnectionStep:
    """A page of each parent's rows. `fixed` says that no variable is among the arguments: the request is made once."""

    related: RelatedRows
    selection: ConnectionSelection
    make_request: Callable[[ExecutionState], RowsRequest]
    fixed: bool
    cursor: Callable[[Page, Any], str] | None
    required = True
    _request: RowsRequest | None = None

    @property
    def statements(self) -> int:
        return self.selection.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        request = self._request or self.make_request(state)
        if self.fixed:
            self._request = request
        return await connection_values(state, self.related, self.selection, request, rows, self.cursor)
