"""Points of other datums as WGS-84.

GCJ-02 (火星坐标) is what Chinese consumer maps use; it is off by some 500 m. CGCS2000 (国家大地坐标系) and WGS-84 agree
to a decimetre and are taken as one; its projected forms (高斯-克吕格) are named by EPSG code.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pyproj
from coord_convert.transform import gcj2wgs

from resolvers.register.errors import InvalidValue

CGCS2000 = 4490
GEOGRAPHIC = ("wgs84", "cgcs2000", "gcj02")
# Where GCJ-02 is in use. Its own definition says a little more, but at the very border of that there is no way back.
CHINA = (73.0, 3.0, 137.0, 55.0)  # west, south, east, north

Point = tuple[float, float]
Conversion = Callable[[float, float], Point]


def _same(longitude: float, latitude: float) -> Point:
    return longitude, latitude


def _gcj02(longitude: float, latitude: float) -> Point:
    west, south, east, north = CHINA
    if not (west <= longitude <= east and south <= latitude <= north):
        return longitude, latitude
    back: Point = gcj2wgs(longitude, latitude)
    return back


@lru_cache
def projected_to_wgs84(datum: str) -> Conversion | None:
    """From easting and northing in metres to longitude and latitude; None where it is no projection of CGCS2000."""
    code = re.fullmatch(r"EPSG:([0-9]{4,6})", datum)
    if code is None:
        return None
    try:
        system = pyproj.CRS.from_epsg(int(code[1]))
    except pyproj.exceptions.CRSError:
        return None
    base = system.geodetic_crs
    if not system.is_projected or base is None or base.to_epsg() != CGCS2000:
        return None
    transformer = pyproj.Transformer.from_crs(system, base, always_xy=True)

    def convert(easting: float, northing: float) -> Point:
        longitude, latitude = transformer.transform(easting, northing)
        return float(longitude), float(latitude)

    return convert


def to_wgs84(datum: str) -> Conversion | None:
    """From a datum's own (longitude, latitude), or (easting, northing), to those of WGS-84; None for an unknown one."""
    if datum in ("wgs84", "cgcs2000"):
        return _same
    return _gcj02 if datum == "gcj02" else projected_to_wgs84(datum)


def convert_point(convert: Conversion, x: float, y: float) -> Point:
    """A checked (longitude, latitude). Raises Bad."""
    longitude, latitude = convert(x, y)
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise InvalidValue("not a point on the Earth")
    return longitude, latitude


def convert_geometry(convert: Conversion, coordinates: Any) -> Any:
    """The coordinates of an RFC 7946 geometry, nested however deep. Raises Bad."""
    if isinstance(coordinates, list) and coordinates and all(isinstance(c, list) for c in coordinates):
        return [convert_geometry(convert, inner) for inner in coordinates]
    numbers = isinstance(coordinates, list) and all(type(c) in (int, float) for c in coordinates)
    if not numbers or len(coordinates) < 2:
        raise InvalidValue("not the coordinates of a geometry")
    return list(convert_point(convert, coordinates[0], coordinates[1]))
