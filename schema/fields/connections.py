"""Fields that lead to many rows: connections, and lists that are bounded by nature."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Generic, TypeVar

import strawberry
from graphql import get_named_type
from strawberry.types.arguments import StrawberryArgument

from resolvers.sql import selects
from resolvers.sql.pagination import Page, Slice, make_page
from resolvers.sql.predicates import Condition, Predicate, table_column
from resolvers.sql.prepared import decoder
from resolvers.sql.selects import Relation
from schema.execution.context import Context, Record, Requester, RowSet
from schema.fields.filters import conditions
from schema.fields.source import (
    FieldPlanner,
    FieldSource,
    JsonCompiler,
    LoadField,
    ParentRows,
    SelectedField,
    argument,
    declare_field,
    graph_type,
)
from schema.plan.connections import connection_selection
from schema.plan.row_steps import ConnectionSelection, ConnectionStep, RelatedRows, RowListStep, RowsRequest, row_cursor
from schema.plan.selections import row_model
from schema.plan.sql_json import constant_json, json_count, json_list, json_object, json_page, sorts_as_in_python
from schema.plan.sql_json_scopes import JsonEntries, JsonWriter
from schema.plan.sql_json_step import list_step
from schema.plan.steps import ArgumentPlan, ExecutionState, Step, TableSelection
from schema.types.enums import Direction

T = TypeVar("T")


# -- connections --


@strawberry.type(description="Position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are rows after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are rows before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null if the page is empty.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row; null if the page is empty.")


@strawberry.type(description="A row and its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Position of the row, for `after` and `before`.")
    node: T = strawberry.field(description="The row.")


@strawberry.type(description="A page of a list of rows.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The rows of the page with their cursors.")
    nodes: list[T] = strawberry.field(description="The rows of the page.")
    page_info: PageInfo = strawberry.field(description="Position of the page in the list.")
    total_count: int = strawberry.field(description="Number of rows in the whole list; counted only if selected.")


class LazyConnection:
    """A connection under graphql-core. It reads only what is selected of it."""

    def __init__(self, context: Context, rows: RowSet, page: Page, key: Any) -> None:
        self._context, self._rows, self._page, self._key = context, rows, page, key

    async def _slice(self) -> Slice:
        return await self._context.page(self._rows, self._page, self._key)

    def _cursor(self, record: Record) -> str:
        return self._page.order.cursor(record.row)

    @property
    async def nodes(self) -> list[Record]:
        return list((await self._slice()).rows)

    @property
    async def edges(self) -> list[Any]:
        return [EdgeValue(self._cursor(record), record) for record in (await self._slice()).rows]

    @property
    async def page_info(self) -> PageInfo:
        page = await self._slice()
        ends = [self._cursor(page.rows[i]) for i in (0, -1)] if page.rows else [None, None]
        return PageInfo(
            has_next_page=page.has_next, has_previous_page=page.has_previous, start_cursor=ends[0], end_cursor=ends[1]
        )

    @property
    async def total_count(self) -> int:
        return await self._context.count(self._rows, self._key)


@dataclass(frozen=True, slots=True)
class EdgeValue:
    """The values of an edge."""

    cursor: str
    node: Record


# -- lists of rows --


@dataclass(eq=False)
class RowsField(FieldSource):
    """Rows whose column `key` has the parent's id; without a key, all rows, at the root.

    `through` has the two columns that join the table of `key` to the rows' own.
    """

    key: Any = None
    through: tuple[Any, Any] | None = None
    _relation: Relation | None = field(default=None, init=False)

    def node(self, field: LoadField) -> Any:
        """The graph type of the rows."""
        return graph_type(field.type)

    def relation(self, field: LoadField) -> Relation:
        """The same object for every use of the field: requests with equal relations are read together."""
        if self._relation is None:
            self._relation = selects.relation(self.node(field).row, self.key, self.through)
        return self._relation

    def related(self, selected: SelectedField, rows: ParentRows, table: TableSelection) -> RelatedRows:
        """The rows of each parent. Without a key there is one parent, the root."""
        at = None
        if self.key is not None:
            assert rows.layout is not None
            at = rows.layout.at(row_model(selected.parent).id)
        return RelatedRows(table, self.relation(selected.field), at)


@dataclass(eq=False)
class ToMany(RowsField):
    """A connection."""

    def node(self, field: LoadField) -> Any:
        connection = graph_type(field.type)
        return graph_type(connection.__strawberry_definition__.type_var_map["T"])

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        node = self.node(field)
        arguments = []
        if node.inline:
            for f in node.filter.__strawberry_definition__.fields:
                arguments.append(argument(f.python_name, f.description, f.type, strawberry.UNSET))
        elif node.filter:
            arguments.append(argument("filter", "Conditions on the rows.", node.filter | None, strawberry.UNSET))
        if node.order_input:
            arguments.append(argument("order_by", "The order of the rows.", node.order_input | None, strawberry.UNSET))
        return [*arguments, *page_arguments()]

    def requested(self, field: LoadField, requester: Requester, arguments: dict[str, Any]) -> tuple[RowSet, Page]:
        """The rows that the arguments ask for, and the page of them. Raises RequestError."""
        node = self.node(field)
        filter = {f: arguments[f] for f in node.filters if f in arguments} if node.inline else arguments.get("filter")
        order = node.default_order
        if order_by := arguments.get("order_by"):
            order = node.orders[order_by.field, order_by.direction is Direction.DESCENDING]
        bounds = {k: arguments[k] for k in ("first", "after", "last", "before") if arguments.get(k) is not None}
        rows = RowSet(node.row, self.relation(field), conditions(node, filter, requester))
        return rows, make_page(order, **bounds)

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        rows, page = self.requested(field, context, arguments)
        return LazyConnection(context, rows, page, None if self.key is None else parent.row.id)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if self.key is not None and rows.layout is None:
            return None
        if self.key is None and not planner.sqlite:
            compiler = planner.json_compiler()
            write = self.sql_json(selected, compiler)
            if write is not None:
                return list_step(compiler, write, required=selected.required)
        node = self.node(selected.field)
        related, selection = self.selection(selected, rows, planner)
        arguments = planner.arguments(selected)
        cursor = None
        if selection.cursors:
            cursor = row_cursor([*node.orders.values(), node.default_order], related.table.columns)
        request = self._rows_request(selected.field, arguments)
        return ConnectionStep(related, selection, request, arguments.fixed is not None, cursor)

    def selection(
        self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner
    ) -> tuple[RelatedRows, ConnectionSelection]:
        """The rows of the connection, and what is selected of it."""
        model = self.node(selected.field).row
        layout = planner.layout(model)
        selection = connection_selection(planner, selected.type, selected.nodes, layout)
        return self.related(selected, rows, TableSelection(model, layout, scoped=planner.limited(model))), selection

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        arguments = compiler.arguments(selected)
        request = fixed_once(self._rows_request(selected.field, arguments), arguments)
        scope = compiler.scope(self.node(selected.field).row, request)
        relation = self.relation(selected.field)
        connection: Any = get_named_type(selected.type)
        entries: JsonEntries = []
        for key, nodes in compiler.selections.subfields(connection, selected.nodes).items():
            match nodes[0].name.value:
                case "__typename":
                    entries.append((key, constant_json(f'"{connection.name}"')))
                case "totalCount":
                    entries.append((key, json_count(scope, relation)))
                case "nodes":
                    row_entries = compiler.objects(connection.fields["nodes"].type, nodes)
                    if row_entries is None:
                        return None
                    entries.append((key, json_page(scope, relation, row_entries)))
                case _:
                    return None
        return lambda writer, row: json_object(entries, writer, row)

    def _rows_request(self, field: LoadField, arguments: ArgumentPlan) -> Callable[[ExecutionState], RowsRequest]:
        def request(state: ExecutionState) -> RowsRequest:
            rows, page = self.requested(field, state, arguments(state))
            return RowsRequest(rows.conditions, page)

        return request


def fixed_once(
    request: Callable[[ExecutionState], RowsRequest], arguments: ArgumentPlan
) -> Callable[[ExecutionState], RowsRequest]:
    """The request, made once for all executions if its arguments are fixed."""
    if arguments.fixed is None:
        return request
    requests: list[RowsRequest] = []

    def first(state: ExecutionState) -> RowsRequest:
        if not requests:
            requests.append(request(state))
        return requests[0]

    return first


def page_arguments() -> list[StrawberryArgument]:
    return [
        argument(
            "first",
            "Number of rows from the beginning, or after `after`: 0 to 1,000; 20 without `last`.",
            int | None,
            strawberry.UNSET,
        ),
        argument("after", "Only rows after this cursor.", str | None, strawberry.UNSET),
        argument("last", "Number of rows from the end, or before `before`: 0 to 1,000.", int | None, strawberry.UNSET),
        argument("before", "Only rows before this cursor.", str | None, strawberry.UNSET),
    ]


@dataclass(eq=False)
class ToList(RowsField):
    """All rows of a parent, bounded in number by nature, sorted by `by`; with `last`, only the last of them.

    With `where`, only the rows for which it holds.
    """

    by: Any = None
    last: bool = False
    where: Predicate | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return () if self.where is None else (Condition(self.where),)

    def order(self, model: Any) -> list[Any]:
        """The columns that a parent's rows are sorted by: `by`, then the primary key."""
        return [c for c in (self.by, model.id) if c is not None]

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        model = self.node(field).row
        rows = RowSet(model, self.relation(field), self.conditions)
        records = context.all(rows, self._named_row_key(model), None if self.key is None else parent.row.id)
        return last_of(records) if self.last else records

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if self.key is not None and rows.layout is None:
            return None
        table = planner.table(selected.type, selected.nodes)
        sort_key = self._row_key(table, sqlite=planner.sqlite)
        related = self.related(selected, rows, table)
        return RowListStep(related, RowsRequest(self.conditions), sort_key, self.last, selected.required)

    def sql_json(self, selected: SelectedField, compiler: JsonCompiler) -> JsonWriter | None:
        model = self.node(selected.field).row
        order = self.order(model)
        if self.last or not all(map(sorts_as_in_python, order)):
            return None
        scope = compiler.scope(model, lambda state: RowsRequest(self.conditions))
        entries = compiler.objects(selected.type, selected.nodes)
        if entries is None:
            return None
        return json_list(scope, self.relation(selected.field), entries, [table_column(column).key for column in order])

    def _named_row_key(self, model: Any) -> Callable[[Any], Any]:
        names = [table_column(column).key for column in self.order(model)]
        return lambda row: comparable(getattr(row, name) for name in names)

    def _row_key(self, table: TableSelection, *, sqlite: bool) -> Callable[[Any], Any]:
        places = []
        for column in self.order(table.model):
            at = table.columns.at(column)
            places.append((at, decoder(table.columns.all[at].type, sqlite)))
        if len(places) == 1:
            return itemgetter(places[0][0])
        return lambda row: comparable(row[at] if decode is None else decode(row[at]) for at, decode in places)


def comparable(values: Iterable[Any]) -> tuple[Any, ...]:
    """Values as a sort key: enum members by their values."""
    return tuple(getattr(value, "value", value) for value in values)


async def last_of(records: Awaitable[list[Record]]) -> Record | None:
    rows = await records
    return rows[-1] if rows else None


def to_many(key: Any, description: str, *, through: tuple[Any, Any] | None = None) -> Any:
    """A connection to the rows whose foreign key `key` is this row; `through` joins the table that has the key."""
    return declare_field(ToMany(key, through), description)


def to_list(key: Any, description: str, *, through: tuple[Any, Any] | None = None, by: Any = None) -> Any:
    """A list of all of them, if their number is bounded by nature; without `by`, sorted by primary key."""
    return declare_field(ToList(key, through, by=by), description)


def last_to_one(key: Any, description: str, *, where: Predicate | None = None) -> Any:
    """The newest of the rows whose foreign key `key` is this row and for which `where` holds."""
    return declare_field(ToList(key, last=True, where=where), description)
