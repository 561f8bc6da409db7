"""SQL functions that SQLite lacks. They are registered on each of its connections."""

import datetime as dt
import functools
import math
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

EARTH_RADIUS_METRES = 6_371_008.8  # the mean radius R1 of the WGS-84 ellipsoid (IUGG)


def great_circle_metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The distance in metres along the sphere between two points in degrees, by the haversine formula."""
    p, q = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((q - p) / 2) ** 2
    half += math.cos(p) * math.cos(q) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_METRES * math.asin(min(1.0, math.sqrt(half)))


def local_day(time: str | None, zone: str) -> str | None:
    """The day of an instant in a time zone, both ISO 8601: like PostgreSQL's `timezone(zone, time)::date`."""
    if time is None:
        return None
    # Since 1972 all offsets from UTC have been whole minutes, so all instants of a minute are on the same day.
    return _day(time if time < "1973" else time[:16] + "+00:00", zone)


@functools.lru_cache(maxsize=8_192)
def _day(time: str, zone: str) -> str:
    return dt.datetime.fromisoformat(time).astimezone(ZoneInfo(zone)).date().isoformat()


def inside_polygon(polygon: str, longitude: float | None, latitude: float | None) -> int | None:
    """1 if a GeoJSON polygon covers the place, else 0; NULL without a place."""
    if longitude is None or latitude is None:
        return None
    import shapely  # late: it takes as long to import as the web framework

    return int(shapely.intersects_xy(_prepared(polygon), longitude, latitude))


@functools.lru_cache(maxsize=64)
def _prepared(polygon: str) -> Any:
    import shapely

    area = shapely.from_geojson(polygon)
    shapely.prepare(area)
    return area


def bits_of_hex(digits: str) -> bytes:
    """A set of bits, from hexadecimal digits: like PostgreSQL's `('x' || digits)::bit(n)`."""
    return bytes.fromhex(digits)


def bits_exclusive_or(bits: bytes, others: bytes) -> bytes:
    """The bits that are in one of two sets only: like PostgreSQL's `bits # others`."""
    return (int.from_bytes(bits) ^ int.from_bytes(others)).to_bytes(len(bits))


def bits_union(sets: str) -> bytes:
    """The bits in any of some sets, given as hexadecimal digits between commas: like PostgreSQL's `bit_or(bits)`."""
    union, size = 0, 0
    for digits in sets.split(","):
        bits = bytes.fromhex(digits)
        union, size = union | int.from_bytes(bits), len(bits)
    return union.to_bytes(size)


def bits_shared(bits: bytes, others: bytes) -> int:
    """The number of bits that are in both sets: like PostgreSQL's `bit_count(bits & others)`."""
    return (int.from_bytes(bits) & int.from_bytes(others)).bit_count()


# By name, with the number of arguments. All are deterministic.
FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "great_circle_metres": (4, great_circle_metres),
    "inside_polygon": (3, inside_polygon),
    "local_day": (2, local_day),
    "bits_of_hex": (1, bits_of_hex),
    "bits_exclusive_or": (2, bits_exclusive_or),
    "bits_union": (1, bits_union),
    "bits_shared": (2, bits_shared),
}
