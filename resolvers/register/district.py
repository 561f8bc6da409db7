"""The district of an import: made where the database has none, refused where it has another."""

import json
import math
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.sqlite_functions import EARTH_RADIUS_METRES
from models.db.tables import table_of
from resolvers.register.convert import CellFormat, converter
from resolvers.register.errors import DistrictMismatch, FileError, InvalidValue
from resolvers.register.mapping import DistrictMapping
from resolvers.register.rows import Area
from resolvers.register.tables import Field, Kind

DISTRICT = table_of(models.District)
ZONE = table_of(models.Zone)


async def find_district(connection: AsyncConnection, place: DistrictMapping) -> int | None:
    """The key of the mapping's district; None where there is none yet. Raises DistrictMismatch for another one.

    Two are the same whose area codes are, or, where one of them has no code, whose names are.
    """
    columns = (DISTRICT.c.id, DISTRICT.c.name, DISTRICT.c.area_code)
    row = (await connection.execute(sa.select(*columns).order_by(DISTRICT.c.id).limit(1))).one_or_none()
    if row is None:
        return None
    coded = place.area_code is not None and row.area_code is not None
    if place.area_code != row.area_code if coded else place.name != row.name:
        there, here = (f"{name} ({code or 'no area code'})" for name, code in (row[1:], (place.name, place.area_code)))
        raise DistrictMismatch(f"The database is that of {there}; the mapping is of {here}. Nothing was read.")
    return int(row.id)


async def ensure_district(connection: AsyncConnection, place: DistrictMapping, boundary: dict[str, Any] | None) -> int:
    """The key of the district, which is made if there is none. Raises DistrictMismatch."""
    if connection.dialect.name == "postgresql":
        # Against another import that makes it at the same time.
        await connection.execute(sa.text("LOCK TABLE district IN SHARE ROW EXCLUSIVE MODE"))
    found = await find_district(connection, place)
    if found is not None:
        return found
    values = {"name": place.name, "name_en": place.name_en, "area_code": place.area_code}
    made = sa.insert(DISTRICT).values(**values, time_zone=place.time_zone, boundary=boundary)
    return int((await connection.execute(made.returning(DISTRICT.c.id))).scalar_one())


def read_boundary(place: DistrictMapping, directory: Path) -> dict[str, Any] | None:
    """The boundary in the file that the mapping names: a GeoJSON polygon, or a feature that is one."""
    if place.boundary is None:
        return None
    try:
        value = json.loads((directory / place.boundary).read_text(encoding="utf-8-sig"))
        features = value.get("features", [value]) if isinstance(value, dict) else []
        shape = features[0] if len(features) == 1 else None
        geometry = shape.get("geometry", shape) if isinstance(shape, dict) else None
        found: dict[str, Any] = converter(Field("boundary", Kind.GEOMETRY), CellFormat())(geometry)
        return found
    except OSError as error:
        raise FileError(f"{place.boundary}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, InvalidValue):
        raise FileError(f"{place.boundary}: not one GeoJSON polygon") from None


async def plausible_area(
    connection: AsyncConnection, place: DistrictMapping, boundary: dict[str, Any] | None
) -> Area | None:
    """Where points of the district may lie: its bounds, zones or boundary, and some way around. None if not known."""
    box = place.bounds
    if box is None:
        shapes = [row[0] for row in await connection.execute(sa.select(ZONE.c.boundary))]
        shapes += [row[0] for row in await connection.execute(sa.select(DISTRICT.c.boundary)) if row[0]]
        points = [point for shape in (*shapes, *([boundary] if boundary else ())) for point in _points(shape)]
        if not points:
            return None
        longitudes, latitudes = [p[0] for p in points], [p[1] for p in points]
        box = (min(longitudes), min(latitudes), max(longitudes), max(latitudes))
    west, south, east, north = box
    up = math.degrees(place.far_metres / EARTH_RADIUS_METRES)
    aside = up / max(math.cos(math.radians(max(abs(south), abs(north)))), 0.01)
    return Area(west - aside, south - up, east + aside, north + up)


def _points(shape: dict[str, Any]) -> list[tuple[float, float]]:
    """The corners of a polygon or multipolygon."""

    def flat(coordinates: Any) -> list[tuple[float, float]]:
        if coordinates and isinstance(coordinates[0], int | float):
            return [(coordinates[0], coordinates[1])]
        return [point for inner in coordinates for point in flat(inner)]

    return flat(shape["coordinates"])
