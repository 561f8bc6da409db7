"""Where an event happened: the zone, rings and venues around its subject, and the enterprise's risk grade."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


def _statements() -> tuple[sa.Select[Any], sa.Select[Any]]:
    """The SELECTs of enterprises and of venues with their rings: a row for each ring, or one without a ring."""
    enterprise, venue = table_of(models.Enterprise), table_of(models.Venue)
    link, ring = table_of(models.EnterpriseRing), table_of(models.ControlRing)
    keys: sa.BindParameter[Any] = sa.bindparam("keys", expanding=True)
    around = sa.outerjoin(enterprise, link, link.c.enterprise_id == enterprise.c.id)
    around = sa.outerjoin(around, ring, ring.c.id == link.c.ring_id)
    enterprises = sa.select(
        enterprise.c.id, enterprise.c.zone_id, enterprise.c.risk_grade, ring.c.id.label("ring"), ring.c.venue_id
    )
    venues = sa.select(
        venue.c.id,
        venue.c.zone_id,
        sa.null().label("risk_grade"),
        ring.c.id.label("ring"),
        venue.c.id.label("venue_id"),
    )
    own = sa.outerjoin(venue, ring, ring.c.venue_id == venue.c.id)
    return (
        enterprises.select_from(around).where(enterprise.c.id.in_(keys)),
        venues.select_from(own).where(venue.c.id.in_(keys)),
    )


OF_ENTERPRISES, OF_VENUES = _statements()


async def enterprise_contexts(session: AsyncSession, enterprises: Sequence[int]) -> dict[int, EventContext]:
    """The contexts of enterprises as the transaction sees them, by key."""
    return await _contexts(session, OF_ENTERPRISES, enterprises)


async def venue_contexts(session: AsyncSession, venues: Sequence[int]) -> dict[int, EventContext]:
    """The contexts of venues, by key. A venue lies in all of its own rings, and has no risk grade."""
    return await _contexts(session, OF_VENUES, venues)


async def _contexts(session: AsyncSession, statement: sa.Select[Any], keys: Sequence[int]) -> dict[int, EventContext]:
    if not keys:
        return {}
    rows: dict[int, list[Any]] = {}
    for row in await session.execute(statement, {"keys": keys}):
        rows.setdefault(row.id, []).append(row)
    return {key: _context(around) for key, around in rows.items()}


def _context(rows: Sequence[Any]) -> EventContext:
    around = [row for row in rows if row.venue_id is not None]
    rings = frozenset(row.ring for row in rows if row.ring is not None)
    return EventContext(rows[0].zone_id, rows[0].risk_grade, rings, frozenset(row.venue_id for row in around))
