"""Fields of events that need more than a column: cursors, actors and changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from models import PERSONAL_DATA, Role
from models.access import AccessKind
from resolvers.disclosures import is_kept, note_row
from resolvers.sql.predicates import ValuelessPredicate, among
from resolvers.sql.readers import Reader
from subscriptions import event_log
from subscriptions.event_filter import EventFilter

STATE = event_log.state_statement()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an event. The name is None for a viewer who may not see personal data."""

    role: Role
    name: str | None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The change of one field, as text."""

    field: str
    from_: str | None
    to: str | None


@dataclass(frozen=True)
class EventsMatching(ValuelessPredicate):
    """Events that match a filter. Equal for equal filters, so that the lists of many parents are read together."""

    filter: EventFilter

    def sql(self, name: str, sqlite: bool) -> sa.ColumnElement[bool]:
        return sa.and_(sa.true(), *self.filter.conditions(sqlite))


async def state(reader: Reader) -> event_log.LogState:
    """The log's epoch and head."""
    [row] = await reader.rows(STATE, {})
    return event_log.LogState(row.epoch, row.head)


async def head(reader: Reader, parents: Sequence[tuple[()]]) -> list[str]:
    return [(await state(reader)).cursor] * len(parents)


async def cursors(reader: Reader, parents: Sequence[tuple[int]]) -> list[str]:
    """The cursor of each event."""
    log = await state(reader)
    return [log.cursor_of(number) for (number,) in parents]


async def actors(reader: Reader, parents: Sequence[tuple[Role | None, str | None, int | None]]) -> list[Actor | None]:
    """The actor from an event's role, name and enterprise; None where nobody did it, as when rain raises a warning."""
    personal = reader.viewer.visibility.allows(PERSONAL_DATA)
    if personal and is_kept(reader.viewer.visibility):
        for role, name, enterprise in parents:
            if role is Role.ENTERPRISE and name is not None:
                note_row(reader.disclosures, AccessKind.CONTACTS, enterprise)
    return [None if role is None else Actor(role, name if personal else None) for role, name, _ in parents]


async def changes(reader: Reader, parents: Sequence[tuple[int]]) -> list[list[FieldChange]]:
    """The changes of each event, without personal data for a viewer who may not see them."""
    rows = await reader.rows(_changes(reader.sqlite), {"keys": [number for (number,) in parents]})
    personal = reader.viewer.visibility.allows(PERSONAL_DATA)
    if personal and is_kept(reader.viewer.visibility):
        for row in rows:
            if any(c["personal"] for c in row.changes):
                note_row(reader.disclosures, AccessKind.CONTACTS, row.enterprise_id)
    by_event = {
        row.id: [FieldChange(c["field"], c["from"], c["to"]) for c in row.changes if personal or not c["personal"]]
        for row in rows
    }
    return [by_event.get(number, []) for (number,) in parents]


@lru_cache
def _changes(sqlite: bool) -> sa.Select[Any]:
    event = event_log.EVENT
    return sa.select(event.c.id, event.c.changes, event.c.enterprise_id).where(among(event.c.id, "keys", sqlite))
