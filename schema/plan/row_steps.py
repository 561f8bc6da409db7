"""Steps for lists of rows: all rows of each parent, or a page of them with its cursors and counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from resolvers.sql.pagination import Order, Page, Slice, SortKey
from resolvers.sql.predicates import Condition
from resolvers.sql.prepared import decoder
from resolvers.sql.row_source import RowSource
from resolvers.sql.selects import Relation
from schema.plan.row_codec import RowLayout
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
# Gives a field of one parent's connection, from each step's values of its rows, their cursors, its slice and its count.
Entry = Callable[[list[Any], Any, ParentSlice, int], Any]


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
        table, source = self.related.table, self.related.source
        selected, unique = table.columns.read(state), list(dict.fromkeys(keys))
        groups = await source.all_rows(
            state.reader, unique, self.request.conditions, order=self.order, selected=selected
        )
        objects = table.objects
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
        self.entries: list[tuple[str, Entry]] = []  # by response key

    @property
    def statements(self) -> int:
        return int(self.rows) + int(self.counts) + sum(step.statements for step in self.objects)


def constant_entry(value: str) -> Entry:
    return lambda values, cursors, part, count: value


def count_entry(values: list[Any], cursors: Any, part: ParentSlice, count: int) -> int:
    return count


def nodes_entry(place: int) -> Entry:
    """The rows' objects, built by the step at this place."""
    return lambda values, cursors, part, count: values[place]


def edges_entry(type_name: str, fields: Sequence[tuple[str, int | str]]) -> Entry:
    """Edges. A field is the place of the step that builds its nodes, or the name of another field."""

    def value(field: int | str, i: int, values: list[Any], cursors: Any) -> Any:
        if isinstance(field, int):
            return values[field][i]
        return cursors[i] if field == "cursor" else type_name

    return lambda values, cursors, part, count: [
        {key: value(field, i, values, cursors) for key, field in fields} for i in range(part.end - part.start)
    ]


def page_info_entry(type_name: str, names: Sequence[tuple[str, str]]) -> Entry:
    """Page information; `names` are its fields by response key."""

    def page_info(values: list[Any], cursors: Any, part: ParentSlice, count: int) -> Any:
        fields = {
            "__typename": type_name,
            "hasNextPage": part.has_next,
            "hasPreviousPage": part.has_previous,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        }
        return {key: fields[name] for key, name in names}

    return page_info


def row_cursor(orders: Sequence[Order], layout: RowLayout) -> Callable[[Page, Any], str]:
    """A function that gives a row's cursor in a page.

    The columns of all `orders` are read for it, since a variable may choose among them.
    """
    places: dict[SortKey, tuple[int, Any]] = {}
    for order in orders:
        for key in order.keys:
            at = layout.at(key.column)
            places[key] = at, decoder(layout.all[at].type, layout.sqlite)

    def cursor(page: Page, row: Any) -> str:
        values = []
        for key in page.order.keys:
            at, decode = places[key]
            value = row[at]
            values.append(value if decode is None or value is None else decode(value))
        return page.order.encode(values)

    return cursor


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
        selected = related.table.columns.read(state)
        slices = await related.source.pages(
            state.reader, page, unique, request.conditions, selected=selected, ends=selection.ends
        )
        rows, parts = flatten(slices)
    values = [await step.run(state, rows) for step in selection.objects]
    counts: dict[Any, int] = dict.fromkeys(unique, 0)
    if selection.counts:
        counts = await related.source.counts(state.reader, unique, request.conditions)
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
