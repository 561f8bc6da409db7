"""Nodes, and lists of them: what can be filtered and sorted belongs to the type, so every list of it has it."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, dataclass_transform

import strawberry
from strawberry.types.arguments import StrawberryArgument

from resolvers.errors import ErrorCode, RequestError
from resolvers.sql import authorization, selects
from resolvers.sql.pagination import Key, Order, Page, Slice, page
from resolvers.sql.predicates import Condition, Contains, Flag, Predicate, table_column
from resolvers.sql.selects import Relation
from schema import ids
from schema.context import Asker, Context, Record, Rows
from schema.declare import (
    NODES,
    Given,
    GlobalId,
    Load,
    LoadField,
    argument,
    batch,
    column,
    compute,
    compute_now,
    declared,
    part,
    row_type,
    target,
)
from schema.enums import Direction

C = TypeVar("C", bound=type)
T = TypeVar("T")

# -- filters --


@dataclass(frozen=True)
class FilterField:
    """What a field of a filter asks for. `of` is the type whose ids it takes; they reach the clause as keys."""

    clause: Predicate
    of: str | None = None

    def plain(self, value: Any) -> Any:
        if self.of is None:
            return value
        return [ids.key_of(v, self.of) for v in value] if isinstance(value, list) else ids.key_of(value, self.of)


def asks(clause: Predicate, description: str, of: str | None = None) -> Any:
    return strawberry.field(
        default=strawberry.UNSET, description=description, metadata={"asks": FilterField(clause, of)}
    )


def any_id(of: str, clause: Predicate, description: str) -> list[strawberry.ID] | None:
    """Any of these rows of the type `of`."""
    return asks(clause, description, of)  # type: ignore[no-any-return]  # it stands for the value


def one_id(of: str, clause: Predicate, description: str) -> strawberry.ID | None:
    return asks(clause, description, of)  # type: ignore[no-any-return]  # as above


def flag(clause: Predicate, description: str) -> bool | None:
    """Those for which the clause holds, or those for which it does not."""
    return asks(Flag(clause), description)  # type: ignore[no-any-return]  # as above


def day(clause: Predicate, description: str) -> dt.date | None:
    return asks(clause, description)  # type: ignore[no-any-return]  # as above


def part_of(description: str, *columns: Any, personal: tuple[Any, ...] = ()) -> str | None:
    """A part of any of the texts."""
    return asks(Contains(*columns, personal=personal), description)  # type: ignore[no-any-return]  # as above


def conditions(node: Any, given: Any, asker: Asker) -> tuple[Condition, ...]:
    """A filter as the resolvers take it. Raises Refused for what does not apply, or may not be asked."""
    if given is None or given is strawberry.UNSET:
        return ()
    values = given if isinstance(given, Mapping) else given.__dict__
    found = []
    for name, value in values.items():
        if value is None or value is strawberry.UNSET:
            continue
        asked: FilterField | None = node.filters.get(name)
        if asked is None:
            raise RequestError(ErrorCode.BAD_INPUT, f"The filter's `{camel(name)}` does not apply to {node.__name__}.")
        clause = asked.clause.visible(asker.viewer.visibility)
        if clause is None:
            raise RequestError(
                ErrorCode.FORBIDDEN, f"The filter's `{camel(name)}` needs the right to see personal data."
            )
        if not authorization.may_ask(clause, asker.viewer.visibility):
            raise RequestError(
                ErrorCode.FORBIDDEN, f"The filter's `{camel(name)}` looks into rows that are not yours to see."
            )
        found.append(Condition(clause.chosen(value), asked.plain(value)))
    return tuple(found)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def filtered(name: str, description: str) -> Given:
    """An argument of a batch: the filter of the node `name`."""
    return Given(
        description,
        lambda: NODES[name].filter | None,
        lambda value, asker: conditions(NODES[name], value, asker),
    )


# -- nodes --


@dataclass_transform(
    kw_only_default=True, field_specifiers=(column, compute, compute_now, part, batch, declared, strawberry.field)
)
def node(
    row: Any,
    *,
    filter: Any = None,
    clauses: dict[str, FilterField] | None = None,
    inline: bool = False,
    ordering: Any = None,
    sort: Mapping[Any, Any] | None = None,
    default: tuple[Any, bool] | None = None,
) -> Callable[[C], C]:
    """A graph type with a global id, over a table's rows.

    `filter` is its input, `clauses` what the input's fields ask for where they do not say so themselves; `inline` makes
    the fields arguments of their own. `ordering` is the input that chooses from `sort`, a column or Key by enum member;
    `default` is the order without it: a column, Key or member, and whether descending.
    """

    def decorate(cls: C) -> C:
        name = cls.__name__
        cls.__annotations__ = {"id": strawberry.ID, **cls.__annotations__}
        cls.id = declared(GlobalId(name, row.id), "Global id.")  # type: ignore[attr-defined]  # made for every node
        made: Any = row_type(row)(cls)
        made.filter, made.inline, made.order_input = filter, inline, ordering
        made.filters = clauses if clauses is not None else filter_fields(filter)
        primary = Key(row.id)
        chosen = {member: as_key(key) for member, key in (sort or {}).items()}
        made.orders = {
            (member, down): Order(f"{name}.{member.name}", key, primary, down)
            for member, key in chosen.items()
            for down in (False, True)
        }
        key, down = default or (primary, False)
        made.default_order = made.orders.get((key, down)) or Order(name, as_key(key), primary, down)
        NODES[name] = made
        return made  # type: ignore[no-any-return]

    return decorate


def filter_fields(of: Any) -> dict[str, FilterField]:
    if of is None:
        return {}
    definition = getattr(of, "__strawberry_definition__", None)
    return {f.python_name: f.metadata["asks"] for f in definition.fields} if definition else {}


def as_key(key: Any) -> Key:
    return key if isinstance(key, Key) else Key(key)


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


class Listed:
    """A connection that is not read yet: it reads what the client asks of it."""

    def __init__(self, context: Context, rows: Rows, page: Page, key: Any) -> None:
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
        return [Placed(self._cursor(record), record) for record in (await self._slice()).rows]

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
class Placed:
    """What an edge is made of."""

    cursor: str
    node: Record


# -- lists of rows --


@dataclass(eq=False)
class Many(Load):
    """Rows whose `key` is the parent's id; at the root, without a key, all rows."""

    key: Any = None
    through: tuple[Any, Any] | None = None
    _relation: Relation | None = field(default=None, init=False)

    def node(self, field: LoadField) -> Any:
        """The type of the rows."""
        return target(field.type)

    def relation(self, field: LoadField) -> Relation:
        """One object for one field: what is asked of equal relations is read together."""
        if self._relation is None:
            self._relation = selects.relation(self.node(field).row, self.key, self.through)
        return self._relation


@dataclass(eq=False)
class ToMany(Many):
    """A connection."""

    def node(self, field: LoadField) -> Any:
        connection = target(field.type)
        return target(connection.__strawberry_definition__.type_var_map["T"])

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

    def asked(self, field: LoadField, asker: Asker, arguments: dict[str, Any]) -> tuple[Rows, Page]:
        """Which rows, and which page of them. Raises Refused."""
        node = self.node(field)
        given = {f: arguments[f] for f in node.filters if f in arguments} if node.inline else arguments.get("filter")
        order = node.default_order
        if chosen := arguments.get("order_by"):
            order = node.orders[chosen.field, chosen.direction is Direction.DESCENDING]
        bounds = {k: arguments[k] for k in ("first", "after", "last", "before") if arguments.get(k) is not None}
        rows = Rows(node.row, self.relation(field), conditions(node, given, asker))
        return rows, page(order, **bounds)

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        rows, wanted = self.asked(field, context, arguments)
        return Listed(context, rows, wanted, None if self.key is None else source.row.id)


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
class ToList(Many):
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
        rows = Rows(row, self.relation(field), self.fixed)
        found = context.all(rows, self._place(row), None if self.key is None else source.row.id)
        return last_of(found) if self.last else found

    def _place(self, row: Any) -> Callable[[Record], Any]:
        columns = [table_column(c).key for c in self.order(row)]

        def place(record: Record) -> tuple[Any, ...]:
            values = [getattr(record.row, c) for c in columns]
            return tuple(getattr(v, "value", v) for v in values)

        return place


async def last_of(found: Any) -> Record | None:
    records: list[Record] = await found
    return records[-1] if records else None


def to_many(key: Any, description: str, *, through: tuple[Any, Any] | None = None) -> Any:
    """A connection to the rows whose foreign key `key` is this row; `through` joins the table where the key stands."""
    return declared(ToMany(key, through), description)


def to_list(key: Any, description: str, *, through: tuple[Any, Any] | None = None, by: Any = None) -> Any:
    """A list of all of them, for what is bounded by nature; without order by primary key."""
    return declared(ToList(key, through, by=by), description)


def last_to_one(key: Any, description: str, *, where: Predicate | None = None) -> Any:
    """The newest of the rows whose foreign key `key` is this row, among those for which the clause holds."""
    return declared(ToList(key, last=True, where=where), description)
