"""What an event keeps of its enterprise: where it is and how grave its risk is, at that moment."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import RiskGrade
from models.db.tables import table_of


@dataclass(frozen=True)
class EventContext:
    """Keys of its zone, of the rings that it lies in and of their venues, and its grade."""

    zone_id: int | None = None
    risk: RiskGrade | None = None
    rings: frozenset[int] = frozenset()
    venues: frozenset[int] = frozenset()


async def enterprise_contexts(session: AsyncSession, enterprises: Sequence[int]) -> dict[int, EventContext]:
    """By enterprise; two statements, however many."""
    if not enterprises:
        return {}
    enterprise = table_of(models.Enterprise)
    inside = table_of(models.EnterpriseRing)
    ring = table_of(models.ControlRing)
    rings: dict[int, set[tuple[int, int]]] = {key: set() for key in enterprises}
    found = sa.select(inside.c.enterprise_id, ring.c.id, ring.c.venue_id).join(ring, ring.c.id == inside.c.ring_id)
    for row in await session.execute(found.where(inside.c.enterprise_id.in_(enterprises))):
        rings[row.enterprise_id].add((row.id, row.venue_id))
    columns = sa.select(enterprise.c.id, enterprise.c.zone_id, enterprise.c.risk_grade)
    return {
        row.id: EventContext(
            row.zone_id,
            row.risk_grade,
            frozenset(ring for ring, _ in rings[row.id]),
            frozenset(venue for _, venue in rings[row.id]),
        )
        for row in await session.execute(columns.where(enterprise.c.id.in_(enterprises)))
    }


async def venue_contexts(session: AsyncSession, venues: Sequence[int]) -> dict[int, EventContext]:
    """The same of what happens at a venue itself: it is in all of its rings."""
    if not venues:
        return {}
    venue = table_of(models.Venue)
    ring = table_of(models.ControlRing)
    rings: dict[int, set[int]] = {key: set() for key in venues}
    for row in await session.execute(sa.select(ring.c.id, ring.c.venue_id).where(ring.c.venue_id.in_(venues))):
        rings[row.venue_id].add(row.id)
    zones = sa.select(venue.c.id, venue.c.zone_id).where(venue.c.id.in_(venues))
    return {
        row.id: EventContext(row.zone_id, None, frozenset(rings[row.id]), frozenset({row.id}))
        for row in await session.execute(zones)
    }
