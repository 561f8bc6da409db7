"""The log, told to those who ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from models import PERSONAL_DATA, Role
from resolvers.sql.predicates import ValuelessPredicate, among
from resolvers.sql.readers import Reader
from subscriptions import event_log
from subscriptions.event_filter import EventFilter

STATE = event_log.state_statement()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it; the name for those who may see it."""

    role: Role
    name: str | None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What became of one field, as text."""

    field: str
    from_: str | None
    to: str | None


@dataclass(frozen=True)
class EventsMatching(ValuelessPredicate):
    """Events of an interest. Equal for equal interests, so that the lists of many parents are read together."""

    interest: EventFilter

    def sql(self, name: str, sqlite: bool) -> sa.ColumnElement[bool]:
        return sa.and_(sa.true(), *self.interest.conditions(sqlite))


async def state(reader: Reader) -> event_log.LogState:
    """The log, at the operation's moment."""
    [row] = await reader.rows(STATE, {})
    return event_log.LogState(row.epoch, row.head)


async def head(reader: Reader, parents: Sequence[tuple[()]]) -> list[str]:
    return [(await state(reader)).cursor] * len(parents)


async def cursors(reader: Reader, parents: Sequence[tuple[int]]) -> list[str]:
    """The cursor of each event."""
    found = await state(reader)
    return [found.cursor_of(number) for (number,) in parents]


async def actors(reader: Reader, parents: Sequence[tuple[Role | None, str | None]]) -> list[Actor | None]:
    """Who did it, from an event's columns; None where nobody did, as when rain raises a warning."""
    named = reader.viewer.visibility.allows(PERSONAL_DATA)
    return [None if role is None else Actor(role, name if named else None) for role, name in parents]


async def changes(reader: Reader, parents: Sequence[tuple[int]]) -> list[list[FieldChange]]:
    """What each event changed, without personal data for those who may not see it."""
    rows = await reader.rows(_changes(reader.sqlite), {"keys": [number for (number,) in parents]})
    named = reader.viewer.visibility.allows(PERSONAL_DATA)
    found = {
        row.id: [FieldChange(c["field"], c["from"], c["to"]) for c in row.changes if named or not c["personal"]]
        for row in rows
    }
    return [found.get(number, []) for (number,) in parents]


@lru_cache
def _changes(sqlite: bool) -> sa.Select[Any]:
    return sa.select(event_log.EVENT.c.id, event_log.EVENT.c.changes).where(among(event_log.EVENT.c.id, "keys", sqlite))
