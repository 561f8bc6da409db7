"""Filters of lists of rows. A node type declares its filter once, and every list of the type takes it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError, checked_text
from resolvers.sql import authorization
from resolvers.sql.composition import Join, composed
from resolvers.sql.named_rows import NamedRows, RowKey, id_key
from resolvers.sql.predicates import Condition, Contains, Flag, Predicate
from schema.execution.context import Requester
from schema.fields.batch import BatchArgument
from schema.fields.source import NODES
from schema.types import node_id

DEPTH_MAXIMUM = 4  # of filters within `or` and `not`
BRANCHES_MAXIMUM = 32  # of filters within `or` and `not`, in all


@dataclass(frozen=True)
class FilterField:
    """The predicate of a filter's field.

    If the field takes global ids, `node` is their type; if it takes other keys of rows, `by` is what they are. `within`
    are the whole numbers that it takes. `standing` is the value that applies to lists whose filter does not have it.
    """

    predicate: Predicate
    node: str | None = None
    by: RowKey | None = None
    within: range | None = None
    standing: Any = None

    def condition(self, name: str, predicate: Predicate, value: Any) -> Condition:
        """The predicate with the value that it takes. Raises RequestError for a bad id or an unknown number."""
        if self.within is not None and (unknown := [number for number in value if number not in self.within]):
            first, last = self.within[0], self.within[-1]
            raise RequestError(
                ErrorCode.BAD_INPUT,
                Reason(
                    "FILTER_NUMBER",
                    "`filter.{field}` takes numbers from {first} to {last}, not {given}.",
                    field=camel(name),
                    first=first,
                    last=last,
                    given=unknown[0],
                ),
            )
        by = self.by
        values = value if isinstance(value, list) else [value]
        if self.node is not None:
            by, values = (
                id_key(NODES[self.node].row),
                [node_id.filter_key(camel(name), text, self.node) for text in values],
            )
        elif by is not None:
            values = [checked_text(text) for text in values]
        if by is None:
            return Condition(predicate, value)
        named = NamedRows(by, tuple(values))
        return Condition(predicate, values if isinstance(value, list) else values[0], (named,))


def filter_field(predicate: Predicate, description: str, node: str | None = None, standing: Any = None) -> Any:
    """A field of a filter input."""
    return field_with(FilterField(predicate, node, standing=standing), description)


def field_with(field: FilterField, description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description, metadata={"filter": field})


def any_id(node: str, predicate: Predicate, description: str) -> list[strawberry.ID] | None:
    """Global ids of the type `node`, any of which may match."""
    field: list[strawberry.ID] | None = filter_field(predicate, description, node)
    return field


def any_code(by: RowKey, predicate: Predicate, description: str) -> list[str] | None:
    """Codes of rows, any of which may match."""
    field: list[str] | None = field_with(FilterField(predicate, by=by), description)
    return field


def any_number(numbers: range, predicate: Predicate, description: str) -> list[int] | None:
    """Whole numbers, any of which may match."""
    field: list[int] | None = field_with(FilterField(predicate, within=numbers), description)
    return field


def alternatives() -> Any:
    """The field `or` of a filter input."""
    return strawberry.field(
        name="or",
        default=strawberry.UNSET,
        description="At least one of these filters holds as well; none of an empty list does. With `not` at most"
        f" {BRANCHES_MAXIMUM} filters in all, {DEPTH_MAXIMUM} deep.",
    )


def opposite() -> Any:
    """The field `not` of a filter input."""
    return strawberry.field(
        name="not",
        default=strawberry.UNSET,
        description="This filter does not hold, as where a condition is on what the row does not have.",
    )


def one_id(node: str, predicate: Predicate, description: str) -> strawberry.ID | None:
    """A global id of the type `node`."""
    field: strawberry.ID | None = filter_field(predicate, description, node)
    return field


def flag(predicate: Predicate, description: str) -> bool | None:
    """True selects rows for which the predicate holds, false the others."""
    field: bool | None = filter_field(Flag(predicate), description)
    return field


def day(predicate: Predicate, description: str) -> dt.date | None:
    """A day in the district's time zone."""
    field: dt.date | None = filter_field(predicate, description)
    return field


def part_of(description: str, *columns: Any, personal: tuple[Any, ...] = ()) -> str | None:
    """A part of any of these columns, and for viewers who may see personal data, of the `personal` ones."""
    field: str | None = filter_field(Contains(*columns, personal=personal), description)
    return field


def conditions(node: Any, filter: Any, requester: Requester) -> tuple[Condition, ...]:
    """The conditions of a filter on rows of a node type; `filter` is its input, or a mapping by field.

    Fields that it does not have count with their standing values; null asks for rows with any value.

    Raises RequestError for a field that the type does not have or the viewer may not use, for a bad id, and for too
    many filters in `or` and `not`.
    """
    if filter is None or filter is strawberry.UNSET:
        values = node.standing
    else:
        values = {**given(filter), **standing(node, filter)}
        if "or_" in values or "not_" in values:
            check_branches(filter)
    return tuple(condition(node, name, value, requester) for name, value in values.items())


def standing(node: Any, filter: Any) -> dict[str, Any]:
    """The standing values of the fields that a filter does not have, not even as null."""
    values = filter if isinstance(filter, Mapping) else filter.__dict__
    return {n: v for n, v in node.standing.items() if values.get(n, strawberry.UNSET) is strawberry.UNSET}


def given(filter: Any) -> dict[str, Any]:
    """The fields of a filter that have a value."""
    values = filter if isinstance(filter, Mapping) else filter.__dict__
    return {name: value for name, value in values.items() if value is not None and value is not strawberry.UNSET}


def check_branches(filter: Any) -> None:
    """Raises RequestError for too many or too deep filters in `or` and `not`."""
    count, level, branches = 0, 0, [filter]
    while branches:
        inner = [given(branch) for branch in branches]
        branches = [
            one for each in inner for one in (*each.get("or_", ()), *([each["not_"]] if "not_" in each else ()))
        ]
        count, level = count + len(branches), level + bool(branches)
        if count > BRANCHES_MAXIMUM or level > DEPTH_MAXIMUM:
            raise RequestError(
                ErrorCode.BAD_INPUT,
                Reason(
                    "FILTER_BRANCHES",
                    "A filter's `or` and `not` may have {maximum} filters in all, {depth} deep.",
                    maximum=BRANCHES_MAXIMUM,
                    depth=DEPTH_MAXIMUM,
                ),
            )


def condition(node: Any, name: str, value: Any, requester: Requester) -> Condition:
    if name in ("or_", "not_"):
        branches = value if name == "or_" else [value]
        parts = [composed(Join.ALL, (condition(node, *each, requester) for each in given(b).items())) for b in branches]
        return composed(Join.ANY if name == "or_" else Join.NONE, parts)
    field: FilterField | None = node.filters.get(name)
    if field is None:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "FILTER_UNKNOWN", "`filter.{field}` does not apply to {type}.", field=camel(name), type=node.__name__
            ),
        )
    visibility = requester.viewer.visibility
    predicate = field.predicate.visible_to(visibility)
    if predicate is None:
        raise RequestError(
            ErrorCode.FORBIDDEN,
            Reason("FILTER_PERSONAL", "`filter.{field}` needs the right to see personal data.", field=camel(name)),
        )
    if not authorization.may_filter_by(predicate, visibility):
        raise RequestError(
            ErrorCode.FORBIDDEN,
            Reason("FILTER_HIDDEN", "`filter.{field}` looks into rows that you may not see.", field=camel(name)),
        )
    return field.condition(name, predicate.for_value(value), value)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def filtered(node: str, description: str) -> BatchArgument:
    """An argument of a batch field: the filter of the type `node`. Without it the standing values apply."""
    return BatchArgument(
        description,
        lambda: NODES[node].filter | None,
        lambda value, requester: conditions(NODES[node], value, requester),
        always=True,
    )


def filter_fields(filter: Any) -> dict[str, FilterField]:
    """By name, the fields that a filter input declares with a predicate of their own; none without an input."""
    definition = getattr(filter, "__strawberry_definition__", None)
    fields = definition.fields if definition else ()
    return {f.python_name: f.metadata["filter"] for f in fields if "filter" in f.metadata}
