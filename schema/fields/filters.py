"""Nodes, and lists of them: what can be filtered and sorted belongs to the type, so every list of it has it."""

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

# -- filters --


@dataclass(frozen=True)
class FilterField:
    """What a field of a filter asks for. `of` is the type whose ids it takes; they reach the clause as keys."""

    clause: Predicate
    of: str | None = None

    def plain(self, value: Any) -> Any:
        if self.of is None:
            return value
        return (
            [node_id.key_of(v, self.of) for v in value] if isinstance(value, list) else node_id.key_of(value, self.of)
        )


def filter_field(clause: Predicate, description: str, of: str | None = None) -> Any:
    return strawberry.field(
        default=strawberry.UNSET, description=description, metadata={"asks": FilterField(clause, of)}
    )


def any_id(of: str, clause: Predicate, description: str) -> list[strawberry.ID] | None:
    """Any of these rows of the type `of`."""
    return filter_field(clause, description, of)  # type: ignore[no-any-return]  # it stands for the value


def one_id(of: str, clause: Predicate, description: str) -> strawberry.ID | None:
    return filter_field(clause, description, of)  # type: ignore[no-any-return]  # as above


def flag(clause: Predicate, description: str) -> bool | None:
    """Those for which the clause holds, or those for which it does not."""
    return filter_field(Flag(clause), description)  # type: ignore[no-any-return]  # as above


def day(clause: Predicate, description: str) -> dt.date | None:
    return filter_field(clause, description)  # type: ignore[no-any-return]  # as above


def part_of(description: str, *columns: Any, personal: tuple[Any, ...] = ()) -> str | None:
    """A part of any of the texts."""
    return filter_field(Contains(*columns, personal=personal), description)  # type: ignore[no-any-return]  # as above


def conditions(node: Any, given: Any, asker: Requester) -> tuple[Condition, ...]:
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
        clause = asked.clause.visible_to(asker.viewer.visibility)
        if clause is None:
            raise RequestError(
                ErrorCode.FORBIDDEN, f"The filter's `{camel(name)}` needs the right to see personal data."
            )
        if not authorization.may_filter_by(clause, asker.viewer.visibility):
            raise RequestError(
                ErrorCode.FORBIDDEN, f"The filter's `{camel(name)}` looks into rows that are not yours to see."
            )
        found.append(Condition(clause.for_value(value), asked.plain(value)))
    return tuple(found)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def filtered(name: str, description: str) -> BatchArgument:
    """An argument of a batch: the filter of the node `name`."""
    return BatchArgument(
        description,
        lambda: NODES[name].filter | None,
        lambda value, asker: conditions(NODES[name], value, asker),
    )


def filters_of(of: Any) -> dict[str, FilterField]:
    if of is None:
        return {}
    definition = getattr(of, "__strawberry_definition__", None)
    return {f.python_name: f.metadata["asks"] for f in definition.fields} if definition else {}
