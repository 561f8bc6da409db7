"""Zones, towns and rings of a point, on small invented geographies and on the database."""

import math
from typing import Any

import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, shape

import models
from models.db.database import Database
from models.db.sqlite_functions import EARTH_RADIUS_METRES, great_circle_metres
from resolvers.places import Places, RingCircle, TownPoint, ZoneArea

SPHERE = Geodesic(EARTH_RADIUS_METRES, 0)


def square(west: float, south: float, side: float = 1.0) -> dict[str, Any]:
    east, north = west + side, south + side
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


WEST = ZoneArea(7, square(120, 30))
EAST = ZoneArea(3, square(121, 30))
ISLANDS = ZoneArea(
    9, {"type": "MultiPolygon", "coordinates": [square(125, 30)["coordinates"], square(127, 30)["coordinates"]]}
)
HOLED = ZoneArea(
    11,
    {"type": "Polygon", "coordinates": square(130, 30, 3)["coordinates"] + square(131, 31)["coordinates"]},
)
places = Places(
    [WEST, EAST, ISLANDS, HOLED],
    [
        TownPoint(1, 7, 30.5, 120.1),
        TownPoint(2, 7, 30.5, 120.8),
        TownPoint(3, 3, 30.5, 121.5),
        TownPoint(4, 3, None, None),
        TownPoint(5, None, 30.5, 125.5),
    ],
    [RingCircle(1, 30.0, 120.0, 1_000), RingCircle(2, 30.0, 120.0, 3_000), RingCircle(3, None, None, 5_000)],
)


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (30.5, 120.5, 7),
        (30.5, 121.5, 3),
        (30.5, 121.0, 3),  # on the common border: the lower key
        (30.0, 120.0, 7),  # a corner
        (30.5, 125.5, 9),
        (30.5, 126.5, None),  # between the islands, inside their box
        (30.5, 127.5, 9),
        (31.5, 131.5, None),  # in the hole
        (30.5, 131.5, 11),
        (0.0, 0.0, None),
    ],
)
def test_zone_of(latitude: float, longitude: float, zone: int | None) -> None:
    assert places.zone_of(latitude, longitude) == zone


@pytest.mark.parametrize(
    ("latitude", "longitude", "town"),
    [
        (30.5, 120.4, 1),
        (30.5, 120.6, 2),
        (30.5, 121.01, 3),  # nearer to 2, but that one is in another zone
        (30.5, 125.5, None),  # a zone whose only town belongs to none
        (0.0, 0.0, None),
    ],
)
def test_town_of(latitude: float, longitude: float, town: int | None) -> None:
    assert places.town_of(latitude, longitude) == town


def test_rings_of() -> None:
    degrees_per_metre = math.degrees(1 / EARTH_RADIUS_METRES)
    assert places.rings_of(30.0, 120.0) == [1, 2]
    assert places.rings_of(30.0 + 999.9 * degrees_per_metre, 120.0) == [1, 2]
    assert places.rings_of(30.0 + 1_000.1 * degrees_per_metre, 120.0) == [2]
    assert places.rings_of(30.0, 120.0 + 2_999 * degrees_per_metre / math.cos(math.radians(30))) == [2]
    assert places.rings_of(30.0 + 3_001 * degrees_per_metre, 120.0) == []


def test_an_empty_district_has_no_zones_towns_or_rings() -> None:
    empty = Places([])
    assert empty.zone_of(30, 120) is None
    assert empty.town_of(30, 120) is None
    assert empty.rings_of(30, 120) == []


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(1, 20_000_000),
    st.floats(0, 360),
    st.floats(0, 2),
)
def test_the_box_excludes_no_point_of_a_ring(
    latitude: float, longitude: float, radius: float, bearing: float, share: float
) -> None:
    """Nowhere on earth, poles and date line included, does the box exclude a point within the radius."""
    ring = Places([], [], [RingCircle(1, latitude, longitude, radius)])
    point = SPHERE.Direct(latitude, longitude, bearing, radius * share)
    distance = great_circle_metres(point["lat2"], point["lon2"], latitude, longitude)
    assert ring.rings_of(point["lat2"], point["lon2"]) == ([1] if distance <= radius else [])


async def test_the_geography_is_read_from_the_database(database: Database) -> None:
    async with database.write() as session:
        session.add(models.District(id=1, name="区"))
        await session.flush()
        for zone in (WEST, EAST):
            session.add(
                models.Zone(
                    id=zone.id, district_id=1, code=str(zone.id), name="区", focus=[], plan="", boundary=zone.boundary
                )
            )
        await session.flush()
        session.add(models.Town(id=1, code="1", name="镇", zone_id=7, latitude=30.5, longitude=120.5))
        session.add(
            models.Venue(id=1, code="A", name="馆", kind=models.VenueKind.OTHER, latitude=30.5, longitude=120.5)
        )
        session.add(models.Venue(id=2, code="B", name="馆", kind=models.VenueKind.OTHER))
        await session.flush()
        for ring, venue in ((1, 1), (2, 2)):
            session.add(
                models.ControlRing(id=ring, venue_id=venue, grade=models.ControlGrade.STRICT, radius_metres=1_000)
            )
    async with database.read() as connection:
        read = await Places.read(connection)
    assert read.zone_of(30.5, 121.5) == 3
    assert read.town_of(30.4, 120.4) == 1
    assert read.rings_of(30.5, 120.505) == [1]
    assert shape(WEST.boundary).contains(Point(120.5, 30.5))
