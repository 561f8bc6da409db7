"""The outlines of rings."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

import models
from resolvers import reading
from resolvers.nearby import SPHERE
from resolvers.reading import Reader

CORNERS = 64
NOWHERE: dict[str, Any] = {"type": "Polygon", "coordinates": []}  # RFC 7946, section 3.1: to be read as no place at all


async def boundaries(reader: Reader, parents: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """For each ring (venue's key, radius in metres) a GeoJSON polygon around the venue; empty where it has no point."""
    rows = await reader.rows(_points(reader.sqlite), {"keys": sorted({venue for venue, _ in parents})})
    points = {r.id: (r.latitude, r.longitude) for r in rows if r.latitude is not None}
    return [circle(*points[venue], radius) if venue in points else NOWHERE for venue, radius in parents]


@lru_cache
def _points(sqlite: bool) -> sa.Select[Any]:
    table = models.Venue.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
    columns = [table.c.id, table.c.latitude, table.c.longitude]
    return reading.by_key(columns, reading.relation(models.Venue), (), sqlite)


def circle(latitude: float, longitude: float, radius_metres: float) -> dict[str, Any]:
    """A polygon whose corners lie on the circle; counter-clockwise and closed, as RFC 7946 wants it."""
    angles = [-360.0 * i / CORNERS for i in range(CORNERS)]
    n = len(angles)
    longitudes, latitudes, _ = SPHERE.fwd([longitude] * n, [latitude] * n, angles, [radius_metres] * n)
    corners = [[round(x, 7), round(y, 7)] for x, y in zip(longitudes, latitudes, strict=True)]
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
