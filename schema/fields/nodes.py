"""Decorators that make a graph type, with or without a global id, of a class of declared fields."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import strawberry

from resolvers.sql.pagination import Order, SortKey
from schema.execution.context import Record
from schema.fields.batch import batch
from schema.fields.columns import GlobalId, column, compute, compute_now, sub_object
from schema.fields.filters import FilterField, filters_of
from schema.fields.source import NODES, OF_ROW, declare_field

C = TypeVar("C", bound=type)


# -- nodes --


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(column, compute, compute_now, sub_object, batch, declare_field, strawberry.field),
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
        cls.id = declare_field(GlobalId(name, row.id), "Global id.")  # type: ignore[attr-defined]  # made for every node
        made: Any = row_type(row)(cls)
        made.filter, made.inline, made.order_input = filter, inline, ordering
        made.filters = clauses if clauses is not None else filters_of(filter)
        primary = SortKey(row.id)
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


def as_key(key: Any) -> SortKey:
    return key if isinstance(key, SortKey) else SortKey(key)


@dataclass_transform(
    kw_only_default=True, field_specifiers=(column, compute, compute_now, sub_object, strawberry.field)
)
def row_type(row: Any) -> Callable[[C], C]:
    """A graph type over a table's rows."""

    def decorate(cls: C) -> C:
        def is_type_of(cls: Any, value: Any, info: Any) -> bool:
            return isinstance(value, Record) and value.model is row

        cls.is_type_of = classmethod(is_type_of)  # type: ignore[attr-defined]  # Strawberry looks for it
        made: Any = strawberry.type(cls, description=inspect.cleandoc(cls.__doc__ or ""))
        made.row = row
        OF_ROW[row] = made
        return made  # type: ignore[no-any-return]

    return decorate
