"""The loaders of the peer in Strawberry: rows of the ORM, with one statement for the same field of many parents."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import aliased
from strawberry.dataloader import DataLoader

import models
from models.db.sqlite_functions import EARTH_RADIUS_METRES

Sessions = async_sessionmaker[AsyncSession]


class Loaders:
    """The loaders of one request."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        enterprise, hazard, inspection = map(_columns, (models.Enterprise, models.Hazard, models.Inspection))
        ring, inside, measure = map(_columns, (models.ControlRing, models.EnterpriseRing, models.ControlMeasure))
        planned = sa.func.coalesce(inspection.planned_for, sa.literal_column("'0001-01-01T00:00:00+00:00'"))
        self.rings = self._many(models.ControlRing, ring.venue_id, ring.grade)
        self.ring_enterprises = self._many(models.Enterprise, inside.ring_id, enterprise.id)
        self.enterprises = self._many(models.Enterprise, enterprise.zone_id, enterprise.id)
        self.hazards = self._many(models.Hazard, hazard.enterprise_id, hazard.found_at.desc(), hazard.id.desc())
        self.inspections = self._many(models.Inspection, inspection.enterprise_id, planned.desc(), inspection.id.desc())
        self.measures = self._many(models.ControlMeasure, measure.enterprise_id, measure.id)
        self.enterprise = self._one(models.Enterprise)
        self.inspection = self._one(models.Inspection)
        self.inspectors: DataLoader[int, Any] = DataLoader(load_fn=self._inspectors)

    def _many(self, row: Any, parent: Any, *order: Any) -> DataLoader[tuple[int, int], Any]:
        """A loader of a parent's first rows, keyed by the parent's id (in the column `parent`) and their number."""

        async def read(wanted: Sequence[tuple[int, int]]) -> list[Any]:
            most = max(first for _, first in wanted)
            place = sa.func.row_number().over(partition_by=parent, order_by=order).label("place")
            source = sa.select(row, parent.label("parent"), place).where(parent.in_({k for k, _ in wanted}))
            if parent.table is not row.__table__:
                source = source.join_from(row, parent.table)
            ranked = source.subquery()
            statement = (
                sa.select(ranked.c.parent, aliased(row, ranked))
                .where(ranked.c.place <= most)
                .order_by(ranked.c.parent, ranked.c.place)
            )
            rows = defaultdict(list)
            async with self.sessions() as session:
                for key, one in await session.execute(statement):
                    rows[key].append(one)
            return [rows[k][:first] for k, first in wanted]

        return DataLoader(load_fn=read)

    def _one(self, row: Any) -> DataLoader[int, Any]:
        async def read(keys: Sequence[int]) -> list[Any]:
            async with self.sessions() as session:
                rows = {r.id: r for r in await session.scalars(sa.select(row).where(row.id.in_(keys)))}
            return [rows.get(key) for key in keys]

        return DataLoader(load_fn=read)

    async def _inspectors(self, keys: Sequence[int]) -> list[Any]:
        link, inspector = _columns(models.InspectionInspector), _columns(models.Inspector)
        statement = (
            sa.select(link.inspection_id, models.Inspector)
            .join_from(models.InspectionInspector, models.Inspector, inspector.id == link.inspector_id)
            .where(link.inspection_id.in_(keys))
            .order_by(inspector.id)
        )
        inspectors = defaultdict(list)
        async with self.sessions() as session:
            for key, row in await session.execute(statement):
                inspectors[key].append(row)
        return [inspectors[key] for key in keys]


async def near(
    sessions: Sessions, row: Any, latitude: float, longitude: float, metres: int, first: int
) -> list[tuple[float, int, Any]]:
    """Metres, degrees from north and the row, nearest first. The index finds a box, from which a circle is selected."""
    tall = math.degrees(metres / EARTH_RADIUS_METRES)
    wide = tall / math.cos(math.radians(latitude))
    f, at = sa.func, _columns(row)
    half = f.power(f.sin(f.radians(at.latitude - latitude) / 2), 2) + math.cos(math.radians(latitude)) * f.cos(
        f.radians(at.latitude)
    ) * f.power(f.sin(f.radians(at.longitude - longitude) / 2), 2)
    away = 2 * EARTH_RADIUS_METRES * f.asin(f.least(1.0, f.sqrt(half)))
    statement = (
        sa.select(row, away.label("away"))
        .where(at.latitude.between(latitude - tall, latitude + tall))
        .where(at.longitude.between(longitude - wide, longitude + wide))
        .where(away <= metres)
        .order_by("away", at.id)
        .limit(first)
    )
    async with sessions() as session:
        return [(away, _bearing(latitude, longitude, r), r) for r, away in await session.execute(statement)]


def _bearing(latitude: float, longitude: float, row: Any) -> int:
    a, b, d = map(math.radians, (latitude, row.latitude, row.longitude - longitude))
    east = math.sin(d) * math.cos(b)
    north = math.cos(a) * math.sin(b) - math.sin(a) * math.cos(b) * math.cos(d)
    return round(math.degrees(math.atan2(east, north))) % 360


def _columns(row: Any) -> Any:
    return row.__table__.c
