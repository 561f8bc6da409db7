"""Zones, towns and rings by location, from the district's geography in memory."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlmodel import col

import models
from models.db.sqlite_functions import EARTH_RADIUS_METRES, great_circle_metres

if TYPE_CHECKING:
    from shapely import Geometry


class ZoneArea(NamedTuple):
    """A zone's key and boundary, an RFC 7946 polygon or multipolygon."""

    id: int
    boundary: dict[str, Any]


class TownPoint(NamedTuple):
    """A town's key, the key of its zone, and its point in degrees."""

    id: int
    zone_id: int | None
    latitude: float | None
    longitude: float | None


class RingCircle(NamedTuple):
    """A ring's key, its venue's point in degrees, and its radius in metres."""

    id: int
    latitude: float | None
    longitude: float | None
    radius_metres: float


class Places:
    """The district's geography in memory. Points are WGS-84 degrees, latitude first."""

    def __init__(
        self, zones: Iterable[ZoneArea], towns: Iterable[TownPoint] = (), rings: Iterable[RingCircle] = ()
    ) -> None:
        import shapely  # late, here and below: it takes long to import, and few actions place anything

        areas = sorted(zones, key=lambda zone: zone.id)
        self._zones: list[tuple[int, Geometry]] = [(zone.id, _prepared(zone.boundary)) for zone in areas]
        self._zone_tree = shapely.STRtree([area for _, area in self._zones])
        self._towns: defaultdict[int, list[tuple[int, float, float]]] = defaultdict(list)
        for town in sorted(towns):
            if town.zone_id is not None and town.latitude is not None and town.longitude is not None:
                self._towns[town.zone_id].append((town.id, town.latitude, town.longitude))
        self._rings = sorted(
            (ring.id, ring.latitude, ring.longitude, ring.radius_metres)
            for ring in rings
            if ring.latitude is not None and ring.longitude is not None
        )
        self._ring_tree = shapely.STRtree([_box(*circle) for _, *circle in self._rings])

    @classmethod
    async def read(cls, connection: AsyncConnection | AsyncSession) -> "Places":
        """Read the geography from the database, in three statements."""
        venue, ring = models.Venue, models.ControlRing
        zones = await connection.execute(sa.select(col(models.Zone.id), col(models.Zone.boundary)))
        towns = await connection.execute(
            sa.select(
                col(models.Town.id), col(models.Town.zone_id), col(models.Town.latitude), col(models.Town.longitude)
            )
        )
        rings = await connection.execute(
            sa.select(col(ring.id), col(venue.latitude), col(venue.longitude), col(ring.radius_metres)).join(
                venue, col(venue.id) == col(ring.venue_id)
            )
        )
        return cls(
            (ZoneArea(*row) for row in zones), (TownPoint(*row) for row in towns), (RingCircle(*row) for row in rings)
        )

    def zone_of(self, latitude: float, longitude: float) -> int | None:
        """The key of the zone that covers the point, or None; on a common border, the lower key."""
        import shapely

        # The tree compares boxes only; the prepared polygons then give the exact answer.
        candidates: Sequence[int] = self._zone_tree.query(shapely.Point(longitude, latitude)).tolist()
        for index in sorted(candidates):
            zone, area = self._zones[index]
            if shapely.intersects_xy(area, longitude, latitude):
                return zone
        return None

    def town_of(self, latitude: float, longitude: float) -> int | None:
        """The key of the nearest town of the zone that covers the point, or None.

        Towns have points but no boundaries, so this is a guess. It never gives a town of another zone or a town without
        a point. None outside all zones, and where no town of the zone has a point.
        """
        zone = self.zone_of(latitude, longitude)
        towns = self._towns.get(zone, ()) if zone is not None else ()
        return min(
            towns, key=lambda town: great_circle_metres(latitude, longitude, town[1], town[2]), default=(None, 0.0, 0.0)
        )[0]

    def rings_of(self, latitude: float, longitude: float) -> list[int]:
        """Keys of the rings whose venue is at most their radius away along the great circle, ascending."""
        import shapely

        candidates: Sequence[int] = self._ring_tree.query(shapely.Point(longitude, latitude)).tolist()
        return [
            ring
            for ring, venue_latitude, venue_longitude, radius in (self._rings[index] for index in sorted(candidates))
            if great_circle_metres(latitude, longitude, venue_latitude, venue_longitude) <= radius
        ]


def _prepared(boundary: dict[str, Any]) -> "Geometry":
    import shapely
    from shapely.geometry import shape

    area: Geometry = shape(boundary)
    shapely.prepare(area)
    return area


def _box(latitude: float, longitude: float, radius_metres: float) -> "Geometry":
    """A box in degrees that contains the circle; with every longitude where the circle reaches a pole or 180°."""
    import shapely

    # Slightly wider than the circle, because distances are rounded.
    angle = radius_metres / EARTH_RADIUS_METRES * 1.000001 + 1e-9
    south, north = latitude - math.degrees(angle), latitude + math.degrees(angle)
    west, east = -180.0, 180.0
    if max(-south, north) < 90:
        half = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(latitude)))))
        if abs(longitude) + half < 180:
            west, east = longitude - half, longitude + half
    return shapely.box(west, max(south, -90.0), east, min(north, 90.0))
