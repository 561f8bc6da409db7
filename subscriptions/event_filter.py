"""Filters of events: one predicate over the event's row, in SQL and in memory alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, TableValuedAlias
from sqlalchemy.dialects.postgresql import ARRAY

from models import EventKind, RiskGrade, Subject
from subscriptions.event_log import EVENT


@dataclass(frozen=True)
class EventFilter:
    """None means no condition; an empty set matches nothing. Keys are primary keys.

    `zones`, `rings` and `venues` match an event whose subject was in any of them before or after the change. `own`
    limits a viewer to the events of this enterprise that are not internal.
    """

    zones: frozenset[int] | None = None
    rings: frozenset[int] | None = None
    venues: frozenset[int] | None = None
    enterprises: frozenset[int] | None = None
    kinds: frozenset[EventKind] | None = None
    subjects: frozenset[Subject] | None = None
    minimum_risk: RiskGrade | None = None
    major_only: bool = False
    own: int | None = None

    def matches(self, event: Any) -> bool:
        """Whether a row of the log matches. `event` is an object with the columns as attributes."""
        placed = ((self.zones, event.zones), (self.rings, event.rings), (self.venues, event.venues))
        return (
            all(keys is None or not keys.isdisjoint(places) for keys, places in placed)
            and (self.enterprises is None or event.enterprise_id in self.enterprises)
            and (self.kinds is None or event.kind in self.kinds)
            and (self.subjects is None or event.subject in self.subjects)
            and (self.minimum_risk is None or (event.risk is not None and event.risk.value >= self.minimum_risk.value))
            and (not self.major_only or event.major)
            and (self.own is None or (event.enterprise_id == self.own and not event.internal))
        )

    def conditions(self, sqlite: bool) -> list[ColumnElement[bool]]:
        """The same predicate in SQL. A set of keys is one parameter, however many there are."""
        c = EVENT.c
        conditions: list[ColumnElement[bool]] = []
        for column, keys in ((c.zones, self.zones), (c.rings, self.rings), (c.venues, self.venues)):
            if keys is not None:
                conditions.append(_intersects(column, keys, sqlite))
        if self.enterprises is not None:
            conditions.append(_in_keys(c.enterprise_id, self.enterprises, sqlite))
        if self.kinds is not None:
            conditions.append(c.kind.in_(sorted(self.kinds, key=lambda kind: kind.name)))
        if self.subjects is not None:
            conditions.append(c.subject.in_(sorted(self.subjects, key=lambda subject: subject.name)))
        if self.minimum_risk is not None:
            conditions.append(c.risk >= self.minimum_risk)
        if self.major_only:
            conditions.append(c.major.is_(sa.true()))
        if self.own is not None:
            conditions += [c.enterprise_id == self.own, c.internal.is_(sa.false())]
        return conditions


def _intersects(column: ColumnElement[Any], keys: Iterable[int], sqlite: bool) -> ColumnElement[bool]:
    """Whether the set in the column, stored as `,3,17,`, contains one of the keys."""
    text, parts = sa.type_coerce(column, sa.String), [f",{key}," for key in sorted(keys)]
    if sqlite:
        return sa.exists().where(sa.func.instr(text, _table_of(parts).c.value) > 0)
    return text.like(sa.any_(sa.literal([f"%{part}%" for part in parts], ARRAY(sa.String))))


def _in_keys(column: ColumnElement[Any], keys: Iterable[int], sqlite: bool) -> ColumnElement[bool]:
    if sqlite:
        return column.in_(sa.select(_table_of(sorted(keys)).c.value))
    return column == sa.any_(sa.literal(sorted(keys), ARRAY(sa.Integer)))


def _table_of(values: list[Any]) -> TableValuedAlias:
    """Values as a table for SQLite, which has no arrays."""
    return sa.func.json_each(orjson.dumps(values).decode()).table_valued("value")
