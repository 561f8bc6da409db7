"""Decorators that turn a class of declared fields into a graph type over a table's rows."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import strawberry

from resolvers.sql.pagination import Order, SortKey
from schema.execution.context import Record
from schema.fields.batch import batch
from schema.fields.columns import GlobalId, column, compute, compute_now, sub_object
from schema.fields.filters import FilterField, filter_fields
from schema.fields.source import NODES, OF_ROW, declare_field

C = TypeVar("C", bound=type)


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(column, compute, compute_now, sub_object, batch, declare_field, strawberry.field),
)
def node(
    model: Any,
    *,
    filter: Any = None,
    predicates: dict[str, FilterField] | None = None,
    inline: bool = False,
    ordering: Any = None,
    sort: Mapping[Any, Any] | None = None,
    default: tuple[Any, bool] | None = None,
) -> Callable[[C], C]:
    """A graph type with a global id, over the rows of a model.

    `filter` is the input that lists of the type take; with `inline`, its fields are arguments of their own.
    `predicates` has the predicates of its fields by name, if several types share the input.
    `ordering` is the input that chooses the order, from the members in `sort`: by member, a column or SortKey.
    `default` is the order without it: a column, SortKey or member, and whether it is descending; by default the primary
    key, ascending.
    """

    def decorate(cls: C) -> C:
        name = cls.__name__
        cls.__annotations__ = {"id": strawberry.ID, **cls.__annotations__}
        cls.id = declare_field(GlobalId(name, model.id), "Global id.")  # type: ignore[attr-defined]  # made for every node
        graph_type: Any = row_type(model)(cls)  # the same class
        graph_type.filter, graph_type.inline, graph_type.order_input = filter, inline, ordering
        graph_type.filters = predicates if predicates is not None else filter_fields(filter)
        graph_type.standing = {n: f.standing for n, f in graph_type.filters.items() if f.standing is not None}
        primary = SortKey(model.id)
        graph_type.orders = {
            (member, descending): Order(f"{name}.{member.name}", sort_key(key), primary, descending)
            for member, key in (sort or {}).items()
            for descending in (False, True)
        }
        key, descending = default or (primary, False)
        order = graph_type.orders.get((key, descending))
        graph_type.default_order = order or Order(name, sort_key(key), primary, descending)
        NODES[name] = graph_type
        return cls

    return decorate


def sort_key(key: Any) -> SortKey:
    return key if isinstance(key, SortKey) else SortKey(key)


@dataclass_transform(
    kw_only_default=True, field_specifiers=(column, compute, compute_now, sub_object, strawberry.field)
)
def row_type(model: Any) -> Callable[[C], C]:
    """A graph type over the rows of a model, without a global id of its own. Its docstring is its description."""

    def decorate(cls: C) -> C:
        def is_type_of(cls: Any, value: Any, info: Any) -> bool:
            return isinstance(value, Record) and value.model is model

        cls.is_type_of = classmethod(is_type_of)  # type: ignore[attr-defined]  # Strawberry looks for it
        # Strawberry adds to the class and returns it.
        graph_type: Any = strawberry.type(cls, description=inspect.cleandoc(cls.__doc__ or ""))
        graph_type.row = model
        OF_ROW[model] = graph_type
        return cls

    return decorate
