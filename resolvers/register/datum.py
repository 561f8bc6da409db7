"""Converts coordinates of other datums to WGS-84.

GCJ-02 (火星坐标) is the datum of Chinese consumer maps; it is off by some 500 m. BD-09 is that of Baidu's maps, which
shifts GCJ-02 once more; its inverse is exact to a quarter of a metre. CGCS2000 (国家大地坐标系) and WGS-84
agree to a decimetre and are treated as one. The projected forms of CGCS2000 (高斯-克吕格) are named by their EPSG code.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pyproj
from coord_convert.transform import bd2gcj, gcj2wgs

from models.reason import Reason
from resolvers.register.errors import InvalidValue

CGCS2000 = 4490
# West, south, east and north of the box in which GCJ-02 is converted. Its definition covers a little more, but at the
# very border of that it cannot be inverted.
CHINA = (73.0, 3.0, 137.0, 55.0)

Point = tuple[float, float]
Conversion = Callable[[float, float], Point]


def to_wgs84(datum: str) -> Conversion | None:
    """The function from x and y of a datum to longitude and latitude of WGS-84; None for an unknown datum.

    x and y are longitude and latitude in degrees, or of a projected datum easting and northing in metres.
    """
    if datum in ("wgs84", "cgcs2000"):
        return _unchanged
    if datum == "bd09":
        return _bd09_to_wgs84
    return _gcj02_to_wgs84 if datum == "gcj02" else projected_to_wgs84(datum)


def _unchanged(longitude: float, latitude: float) -> Point:
    return longitude, latitude


def _gcj02_to_wgs84(longitude: float, latitude: float) -> Point:
    west, south, east, north = CHINA
    if not (west <= longitude <= east and south <= latitude <= north):
        return longitude, latitude
    converted: Point = gcj2wgs(longitude, latitude)
    return converted


def _bd09_to_wgs84(longitude: float, latitude: float) -> Point:
    west, south, east, north = CHINA
    if not (west <= longitude <= east and south <= latitude <= north):
        return longitude, latitude
    return _gcj02_to_wgs84(*bd2gcj(longitude, latitude))


@lru_cache
def projected_to_wgs84(datum: str) -> Conversion | None:
    """Like `to_wgs84`, for the EPSG code of a projected CGCS2000 system; None for anything else."""
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


def convert_point(convert: Conversion, x: float, y: float) -> Point:
    """Longitude and latitude. Raises InvalidValue if they are not on the Earth."""
    longitude, latitude = convert(x, y)
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise InvalidValue(Reason("NOT_ON_EARTH", "not a point on the Earth"))
    return longitude, latitude


def convert_geometry(convert: Conversion, coordinates: Any) -> Any:
    """The converted coordinates of an RFC 7946 geometry, nested to any depth.

    Raises InvalidValue, which shows the coordinates at fault.
    """
    if isinstance(coordinates, list) and coordinates and all(isinstance(c, list) for c in coordinates):
        return [convert_geometry(convert, inner) for inner in coordinates]
    numeric = isinstance(coordinates, list) and all(type(c) in (int, float) for c in coordinates)
    if not numeric or len(coordinates) < 2:
        raise InvalidValue(Reason("NOT_COORDINATES", "not the coordinates of a geometry"), str(coordinates))
    try:
        return list(convert_point(convert, coordinates[0], coordinates[1]))
    except InvalidValue as invalid:
        raise InvalidValue(invalid.reason, str(coordinates)) from None
