"""Conditions made of others: all of them, any of them, none of them. Filters with `or` and `not` become these."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from resolvers.sql.predicates import Condition, Predicate, RequestTime


class Join(enum.Enum):
    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True)
class Composed(Predicate):
    """Several predicates, each with a value of its own: the value of the whole is the tuple of them.

    Equal compositions are equal predicates, so that one statement serves all values. Without parts ALL and NONE hold
    for every row and ANY for none. A part that is unknown, as for the zone of a row outside all zones, counts as false:
    NONE holds for the row then.
    """

    join: Join
    parts: tuple[Predicate, ...]

    def parameters(self, name: str, value: Any, request: RequestTime) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        for i, (part, each) in enumerate(zip(self.parts, value, strict=True)):
            parameters |= part.parameters(f"{name}_{i}", each, request)
        return parameters

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        parts = [part.sql(f"{name}_{i}", sqlite) for i, part in enumerate(self.parts)]
        if self.join is Join.ALL:
            return sa.and_(sa.true(), *parts)
        if self.join is Join.ANY:
            return sa.or_(sa.false(), *parts)
        return sa.and_(sa.true(), *(sa.func.coalesce(part, sa.false()).is_(sa.false()) for part in parts))

    def tables(self) -> frozenset[sa.Table]:
        return frozenset[sa.Table]().union(*(part.tables() for part in self.parts))


def composed(join: Join, conditions: Iterable[Condition]) -> Condition:
    """One condition of several."""
    parts = list(conditions)
    named = tuple(named for part in parts for named in part.named)
    return Condition(Composed(join, tuple(p.predicate for p in parts)), tuple(p.value for p in parts), named)
