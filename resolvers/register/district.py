"""The district of an import, which the import creates in an empty database."""

import json
import math
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.db.sqlite_functions import EARTH_RADIUS_METRES
from models.db.tables import table_of
from models.reason import Reason
from resolvers.geography import DEFAULT_ZONE
from resolvers.register.errors import UNREADABLE, DistrictMismatch, FileError, InvalidValue
from resolvers.register.geometry import polygon
from resolvers.register.mapping import DistrictMapping
from resolvers.register.readers.crs import WGS84, UnusableCrs, converted_geometry, crs_conversion
from resolvers.register.rows import Area
from resolvers.register.tables import TABLES

DISTRICT = table_of(models.District)
ZONE = table_of(models.Zone)
NOT_ONE_POLYGON = Reason("NOT_ONE_POLYGON", "not one GeoJSON polygon")


async def find_district(connection: AsyncConnection, mapping: DistrictMapping) -> Any | None:
    """The row of the mapping's district, or None if the database has no district.

    Districts are compared by area code or, if one of them has none, by name. Raises DistrictMismatch if the database
    has another district, or one with another time zone: servers count days in it and never change it.
    """
    row = (await connection.execute(sa.select(DISTRICT).order_by(DISTRICT.c.id).limit(1))).one_or_none()
    if row is None:
        return None
    by_code = mapping.area_code is not None and row.area_code is not None
    if mapping.area_code != row.area_code if by_code else mapping.name != row.name:
        database, wanted = (f"{one.name} ({one.area_code or '—'})" for one in (row, mapping))
        raise DistrictMismatch(
            Reason(
                "DISTRICT_OTHER",
                "The database is that of {database}, the mapping that of {wanted}. Nothing was read.",
                database=database,
                wanted=wanted,
            )
        )
    if mapping.time_zone not in (None, row.time_zone):
        raise DistrictMismatch(
            Reason(
                "TIME_ZONE_OTHER",
                "The district's time zone is {zone} and cannot become {wanted}. Nothing was read.",
                zone=row.time_zone,
                wanted=mapping.time_zone,
            )
        )
    return row


async def contents(connection: AsyncConnection) -> tuple[tuple[str, str | None] | None, list[str]]:
    """Name and area code of the database's district, None if it has none, and the tables that have rows."""
    row = (await connection.execute(sa.select(DISTRICT.c.name, DISTRICT.c.area_code).limit(1))).one_or_none()
    filled = [
        table.name
        for table in TABLES.values()
        if (await connection.execute(sa.select(table.sql_table.c.id).limit(1))).first() is not None
    ]
    return None if row is None else (row.name, row.area_code), filled


async def ensure_district(
    connection: AsyncConnection, mapping: DistrictMapping, boundary: dict[str, Any] | None
) -> tuple[int, bool]:
    """The id of the mapping's district, and whether a row that was there has changed. Raises DistrictMismatch.

    The district is created if the database has none. Otherwise it gets what the mapping says of it.
    """
    if connection.dialect.name == "postgresql":
        # Another import may be about to create it.
        await connection.execute(sa.text("LOCK TABLE district IN SHARE ROW EXCLUSIVE MODE"))
    existing = await find_district(connection, mapping)
    values = {"name": mapping.name, "name_en": mapping.name_en, "area_code": mapping.area_code, "boundary": boundary}
    if existing is None:
        insert = sa.insert(DISTRICT).values(**values, time_zone=mapping.time_zone or DEFAULT_ZONE.key)
        return int((await connection.execute(insert.returning(DISTRICT.c.id))).scalar_one()), False
    changed = {key: value for key, value in values.items() if value not in (None, existing._mapping[key])}
    if changed:
        await connection.execute(sa.update(DISTRICT).where(DISTRICT.c.id == existing.id).values(**changed))
    return int(existing.id), bool(changed)


def read_boundary(mapping: DistrictMapping, directory: Path) -> dict[str, Any] | None:
    """The polygon in the mapping's boundary file: a GeoJSON geometry, or a feature or collection of one."""
    if mapping.boundary is None:
        return None
    try:
        value = json.loads((directory / mapping.boundary).read_text(encoding="utf-8-sig"))
        features = value.get("features", [value]) if isinstance(value, dict) else []
        feature = features[0] if len(features) == 1 else None
        geometry = feature.get("geometry", feature) if isinstance(feature, dict) else None
        conversion = crs_conversion(value.get("crs") if isinstance(value, dict) else None, WGS84)
        return polygon(converted_geometry(conversion, geometry) if conversion else geometry, WGS84)
    except OSError as error:
        raise FileError(error.strerror or UNREADABLE, mapping.boundary) from None
    except UnusableCrs as error:
        raise FileError(error.reason, mapping.boundary) from None
    except InvalidValue as invalid:
        reason = Reason("BOUNDARY_BECAUSE", "{boundary}: {reason}", boundary=NOT_ONE_POLYGON, reason=invalid.reason)
        if invalid.shown:
            reason = Reason("BOUNDARY_AT", "{reason}: {shown}", reason=reason, shown=invalid.shown)
        raise FileError(reason, mapping.boundary) from None
    except (ValueError, RecursionError):
        raise FileError(NOT_ONE_POLYGON, mapping.boundary) from None


async def plausible_area(
    connection: AsyncConnection, mapping: DistrictMapping, boundary: dict[str, Any] | None
) -> Area | None:
    """The box in which points are not far from the district; None if nothing says where the district is.

    It is the mapping's `bounds`, or else the box around the district's boundary and zones, widened by `far_metres`.
    """
    box = mapping.bounds
    if box is None:
        polygons = [row[0] for row in await connection.execute(sa.select(ZONE.c.boundary))]
        if boundary is None:
            boundary = (await connection.execute(sa.select(DISTRICT.c.boundary).limit(1))).scalar()
        points = [point for polygon in (*polygons, *([boundary] if boundary else ())) for point in _points(polygon)]
        if not points:
            return None
        longitudes, latitudes = [p[0] for p in points], [p[1] for p in points]
        box = (min(longitudes), min(latitudes), max(longitudes), max(latitudes))
    west, south, east, north = box
    margin = math.degrees(mapping.far_metres / EARTH_RADIUS_METRES)
    # A degree of longitude is shorter than one of latitude, and the shorter the nearer to a pole.
    wide_margin = margin / max(math.cos(math.radians(max(abs(south), abs(north)))), 0.01)
    return Area(west - wide_margin, south - margin, east + wide_margin, north + margin)


def _points(polygon: dict[str, Any]) -> list[tuple[float, float]]:
    """Longitude and latitude of the corners of a polygon or multipolygon."""

    def flat(coordinates: Any) -> list[tuple[float, float]]:
        if coordinates and isinstance(coordinates[0], int | float):
            return [(coordinates[0], coordinates[1])]
        return [point for inner in coordinates for point in flat(inner)]

    return flat(polygon["coordinates"])
