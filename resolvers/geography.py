"""Boundaries of rings, and the district's time zone."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from resolvers.queries.nearby import sphere
from resolvers.sql import selects
from resolvers.sql.readers import Reader

CORNERS = 64
NO_PLACE: dict[str, Any] = {"type": "Polygon", "coordinates": []}  # no place at all, by RFC 7946, section 3.1


async def boundaries(reader: Reader, parents: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """For each ring (venue's key, radius in metres) a GeoJSON polygon; empty where the venue has no location."""
    rows = await reader.rows(_points(reader.sqlite), {"keys": sorted({venue for venue, _ in parents})})
    points = {r.id: (r.latitude, r.longitude) for r in rows if r.latitude is not None}
    return [circle(*points[venue], radius) if venue in points else NO_PLACE for venue, radius in parents]


@lru_cache
def _points(sqlite: bool) -> sa.Select[Any]:
    table = table_of(models.Venue)
    columns = [table.c.id, table.c.latitude, table.c.longitude]
    return selects.by_key(columns, selects.relation(models.Venue), (), sqlite)


def circle(latitude: float, longitude: float, radius_metres: float) -> dict[str, Any]:
    """A polygon with its corners on the circle, counter-clockwise and closed as RFC 7946 requires."""
    angles = [-360.0 * i / CORNERS for i in range(CORNERS)]
    n = len(angles)
    longitudes, latitudes, _ = sphere().fwd([longitude] * n, [latitude] * n, angles, [radius_metres] * n)
    corners = [[round(x, 7), round(y, 7)] for x, y in zip(longitudes, latitudes, strict=True)]
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


DEFAULT_ZONE = ZoneInfo("Asia/Shanghai")


async def time_zone(database: Database) -> ZoneInfo | None:
    """The district's time zone, which decides where days begin; None while there is no district."""
    table = table_of(models.District)
    async with database.read() as connection:
        name = (await connection.execute(sa.select(table.c.time_zone).order_by(table.c.id).limit(1))).scalar()
    return None if name is None else ZoneInfo(name)
