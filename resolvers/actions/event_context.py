"""Where an event happened: the zone, rings and venues around its subject, and the enterprise's risk grade."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import RiskGrade
from models.db.tables import table_of


@dataclass(frozen=True)
class EventContext:
    """Keys of the zone, of the rings around the place and of their venues, and the enterprise's risk grade."""

    zone_id: int | None = None
    risk: RiskGrade | None = None
    rings: frozenset[int] = frozenset()
    venues: frozenset[int] = frozenset()


async def enterprise_contexts(session: AsyncSession, enterprises: Sequence[int]) -> dict[int, EventContext]:
    """The contexts of enterprises as the transaction sees them, by key. Two statements, however many enterprises."""
    if not enterprises:
        return {}
    enterprise = table_of(models.Enterprise)
    link = table_of(models.EnterpriseRing)
    ring = table_of(models.ControlRing)
    rings: dict[int, set[int]] = {key: set() for key in enterprises}
    venues: dict[int, set[int]] = {key: set() for key in enterprises}
    around = sa.select(link.c.enterprise_id, ring.c.id, ring.c.venue_id).join(ring, ring.c.id == link.c.ring_id)
    for row in await session.execute(around.where(link.c.enterprise_id.in_(enterprises))):
        rings[row.enterprise_id].add(row.id)
        venues[row.enterprise_id].add(row.venue_id)
    columns = sa.select(enterprise.c.id, enterprise.c.zone_id, enterprise.c.risk_grade)
    return {
        row.id: EventContext(row.zone_id, row.risk_grade, frozenset(rings[row.id]), frozenset(venues[row.id]))
        for row in await session.execute(columns.where(enterprise.c.id.in_(enterprises)))
    }


async def venue_contexts(session: AsyncSession, venues: Sequence[int]) -> dict[int, EventContext]:
    """The contexts of venues, by key. A venue lies in all of its own rings, and has no risk grade."""
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
