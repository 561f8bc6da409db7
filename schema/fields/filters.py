"""Filters of lists of rows. A node type declares its filter once, and every list of the type takes it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry

from resolvers.errors import ErrorCode, RequestError
from resolvers.sql import authorization
from resolvers.sql.predicates import Condition, Contains, Flag, Predicate
from schema.execution.context import Requester
from schema.fields.batch import BatchArgument
from schema.fields.source import NODES
from schema.types import node_id


@dataclass(frozen=True)
class FilterField:
    """The predicate of a filter's field. If the field takes global ids, `node` is their type."""

    predicate: Predicate
    node: str | None = None

    def plain(self, value: Any) -> Any:
        """The value that the predicate takes: global ids become keys. Raises RequestError for a bad id."""
        if self.node is None:
            return value
        if isinstance(value, list):
            return [node_id.key_of(text, self.node) for text in value]
        return node_id.key_of(value, self.node)


def filter_field(predicate: Predicate, description: str, node: str | None = None) -> Any:
    """A field of a filter input."""
    metadata = {"filter": FilterField(predicate, node)}
    return strawberry.field(default=strawberry.UNSET, description=description, metadata=metadata)


def any_id(node: str, predicate: Predicate, description: str) -> list[strawberry.ID] | None:
    """Global ids of the type `node`, any of which may match."""
    return filter_field(predicate, description, node)  # type: ignore[no-any-return]  # it stands for the value


def one_id(node: str, predicate: Predicate, description: str) -> strawberry.ID | None:
    """A global id of the type `node`."""
    return filter_field(predicate, description, node)  # type: ignore[no-any-return]  # as above


def flag(predicate: Predicate, description: str) -> bool | None:
    """True selects rows for which the predicate holds, false the others."""
    return filter_field(Flag(predicate), description)  # type: ignore[no-any-return]  # as above


def day(predicate: Predicate, description: str) -> dt.date | None:
    """A day in the district's time zone."""
    return filter_field(predicate, description)  # type: ignore[no-any-return]  # as above


def part_of(description: str, *columns: Any, personal: tuple[Any, ...] = ()) -> str | None:
    """A part of any of these columns, and for viewers who may see personal data, of the `personal` ones."""
    return filter_field(Contains(*columns, personal=personal), description)  # type: ignore[no-any-return]  # as above


def conditions(node: Any, filter: Any, requester: Requester) -> tuple[Condition, ...]:
    """The conditions of a filter on rows of a node type; `filter` is its input, or a mapping by field.

    Raises RequestError for a field that the type does not have or the viewer may not use, and for a bad id.
    """
    if filter is None or filter is strawberry.UNSET:
        return ()
    values = filter if isinstance(filter, Mapping) else filter.__dict__
    return tuple(
        condition(node, name, value, requester)
        for name, value in values.items()
        if value is not None and value is not strawberry.UNSET
    )


def condition(node: Any, name: str, value: Any, requester: Requester) -> Condition:
    field: FilterField | None = node.filters.get(name)
    if field is None:
        raise RequestError(ErrorCode.BAD_INPUT, f"The filter's `{camel(name)}` does not apply to {node.__name__}.")
    visibility = requester.viewer.visibility
    predicate = field.predicate.visible_to(visibility)
    if predicate is None:
        raise RequestError(ErrorCode.FORBIDDEN, f"The filter's `{camel(name)}` needs the right to see personal data.")
    if not authorization.may_filter_by(predicate, visibility):
        raise RequestError(ErrorCode.FORBIDDEN, f"The filter's `{camel(name)}` looks into rows that you may not see.")
    return Condition(predicate.for_value(value), field.plain(value))


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def filtered(node: str, description: str) -> BatchArgument:
    """An argument of a batch field: the filter of the type `node`."""
    return BatchArgument(
        description,
        lambda: NODES[node].filter | None,
        lambda value, requester: conditions(NODES[node], value, requester),
    )


def filter_fields(filter: Any) -> dict[str, FilterField]:
    """By name, the fields that a filter input declares with a predicate of their own; none without an input."""
    definition = getattr(filter, "__strawberry_definition__", None)
    return {f.python_name: f.metadata["filter"] for f in definition.fields} if definition else {}
