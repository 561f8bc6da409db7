"""Fields that lead to many rows: connections, and lists that are short by nature."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import strawberry
from strawberry.types.arguments import StrawberryArgument

from resolvers.sql import selects
from resolvers.sql.pagination import Page, Slice, make_page
from resolvers.sql.predicates import Condition, Predicate, table_column
from resolvers.sql.selects import Relation
from schema.execution.context import Context, Record, Requester, RowSet
from schema.fields.filters import conditions
from schema.fields.source import FieldSource, LoadField, argument, declare_field, graph_type
from schema.types.enums import Direction

T = TypeVar("T")


# -- connections --


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether the list goes on after this page.")
    has_previous_page: bool = strawberry.field(description="Whether the list has rows before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null where the page is empty.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row; null where the page is empty.")


@strawberry.type(description="A row in its place in a list.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The place, for `after` and `before`.")
    node: T = strawberry.field(description="The row.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The rows of the page, each with its cursor.")
    nodes: list[T] = strawberry.field(description="The rows of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
    total_count: int = strawberry.field(description="How many rows the whole list has; counted only if asked.")


class LazyConnection:
    """A connection that is not read yet: it reads what the client asks of it."""

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
        found = await self._slice()
        ends = [self._cursor(found.rows[i]) for i in (0, -1)] if found.rows else [None, None]
        return PageInfo(
            has_next_page=found.has_next, has_previous_page=found.has_previous, start_cursor=ends[0], end_cursor=ends[1]
        )

    @property
    async def total_count(self) -> int:
        return await self._context.count(self._rows, self._key)


@dataclass(frozen=True, slots=True)
class EdgeValue:
    """What an edge is made of."""

    cursor: str
    node: Record


# -- lists of rows --


@dataclass(eq=False)
class RowsField(FieldSource):
    """Rows whose `key` is the parent's id; at the root, without a key, all rows."""

    key: Any = None
    through: tuple[Any, Any] | None = None
    _relation: Relation | None = field(default=None, init=False)

    def node(self, field: LoadField) -> Any:
        """The type of the rows."""
        return graph_type(field.type)

    def relation(self, field: LoadField) -> Relation:
        """One object for one field: what is asked of equal relations is read together."""
        if self._relation is None:
            self._relation = selects.relation(self.node(field).row, self.key, self.through)
        return self._relation


@dataclass(eq=False)
class ToMany(RowsField):
    """A connection."""

    def node(self, field: LoadField) -> Any:
        connection = graph_type(field.type)
        return graph_type(connection.__strawberry_definition__.type_var_map["T"])

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        node = self.node(field)
        made = []
        if node.inline:
            for f in node.filter.__strawberry_definition__.fields:
                made.append(argument(f.python_name, f.description, f.type, strawberry.UNSET))
        elif node.filter:
            made.append(argument("filter", "Only those rows.", node.filter | None, strawberry.UNSET))
        if node.order_input:
            made.append(argument("order_by", "The order.", node.order_input | None, strawberry.UNSET))
        return [*made, *page_arguments()]

    def asked(self, field: LoadField, asker: Requester, arguments: dict[str, Any]) -> tuple[RowSet, Page]:
        """Which rows, and which page of them. Raises Refused."""
        node = self.node(field)
        given = {f: arguments[f] for f in node.filters if f in arguments} if node.inline else arguments.get("filter")
        order = node.default_order
        if chosen := arguments.get("order_by"):
            order = node.orders[chosen.field, chosen.direction is Direction.DESCENDING]
        bounds = {k: arguments[k] for k in ("first", "after", "last", "before") if arguments.get(k) is not None}
        rows = RowSet(node.row, self.relation(field), conditions(node, given, asker))
        return rows, make_page(order, **bounds)

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        rows, wanted = self.asked(field, context, arguments)
        return LazyConnection(context, rows, wanted, None if self.key is None else source.row.id)


def page_arguments() -> list[StrawberryArgument]:
    return [
        argument(
            "first",
            "So many rows from the beginning, or after `after`: 1 to 1,000; 20 without `last`.",
            int | None,
            strawberry.UNSET,
        ),
        argument("after", "Only rows after this cursor.", str | None, strawberry.UNSET),
        argument("last", "So many rows from the end, or before `before`: 1 to 1,000.", int | None, strawberry.UNSET),
        argument("before", "Only rows before this cursor.", str | None, strawberry.UNSET),
    ]


@dataclass(eq=False)
class ToList(RowsField):
    """All rows of a parent, few by nature, sorted by `by`."""

    by: Any = None
    last: bool = False
    where: Predicate | None = None

    @property
    def fixed(self) -> tuple[Condition, ...]:
        """What holds for all of them."""
        return () if self.where is None else (Condition(self.where),)

    def order(self, row: Any) -> list[Any]:
        """What a parent's rows are sorted by: `by`, then the primary key."""
        return [c for c in (self.by, row.id) if c is not None]

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        row = self.node(field).row
        rows = RowSet(row, self.relation(field), self.fixed)
        found = context.all(rows, self._place(row), None if self.key is None else source.row.id)
        return last_of(found) if self.last else found

    def _place(self, model: Any) -> Callable[[Any], Any]:
        columns = [table_column(c).key for c in self.order(model)]

        def place(row: Any) -> tuple[Any, ...]:
            values = [getattr(row, c) for c in columns]
            return tuple(getattr(v, "value", v) for v in values)

        return place


async def last_of(found: Any) -> Record | None:
    records: list[Record] = await found
    return records[-1] if records else None


def to_many(key: Any, description: str, *, through: tuple[Any, Any] | None = None) -> Any:
    """A connection to the rows whose foreign key `key` is this row; `through` joins the table where the key stands."""
    return declare_field(ToMany(key, through), description)


def to_list(key: Any, description: str, *, through: tuple[Any, Any] | None = None, by: Any = None) -> Any:
    """A list of all of them, for what is bounded by nature; without order by primary key."""
    return declare_field(ToList(key, through, by=by), description)


def last_to_one(key: Any, description: str, *, where: Predicate | None = None) -> Any:
    """The newest of the rows whose foreign key `key` is this row, among those for which the clause holds."""
    return declare_field(ToList(key, last=True, where=where), description)
