"""Honours the `crs` of a GeoJSON file, which RFC 7946 has removed but many programs still write."""

import re
from functools import lru_cache
from typing import Any

import pyproj

from models.reason import Reason
from resolvers.register.datum import Conversion, Point, convert_geometry, projected_to_wgs84

WGS84, DEGREES = "wgs84", ("wgs84", "cgcs2000", "gcj02", "bd09")
GEOGRAPHIC = ("CRS84", "EPSG:4326", "EPSG:4490")  # longitude and latitude, in a datum that is WGS-84 to a decimetre
WEB_MERCATOR = "EPSG:3857"
NAME = re.compile(r"(?:.*[:/])?(?:(CRS84)|EPSG(?:[:/][0-9.]*)?[:/]([0-9]{4,6}))", re.IGNORECASE)


class UnusableCrs(ValueError):
    """The coordinates of a file cannot be converted. `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def crs_conversion(crs: Any, datum: str) -> Conversion | None:
    """The function to apply to coordinates before those of the mapping's datum; None if they stay as they are.

    Programs name CRS84 even if the degrees are those of a Chinese map, so a mapping's datum in degrees comes before a
    geographic `crs`. Raises UnusableCrs if the two contradict each other, or the `crs` is unknown.
    """
    if crs is None:
        return None
    name = _name(crs)
    if name == datum or (name in GEOGRAPHIC and datum in DEGREES):
        return None
    if name == WEB_MERCATOR and datum in DEGREES:
        return _web_mercator()
    conversion = projected_to_wgs84(name) if datum == WGS84 else None
    if conversion is None:
        raise UnusableCrs(
            Reason("CRS_OTHER", "crs is {name}, and the mapping's datum is {datum}", name=name, datum=datum)
        )
    return conversion


def converted_geometry(conversion: Conversion, geometry: Any) -> Any:
    """A geometry with converted coordinates. Raises InvalidValue, which shows the coordinates at fault."""
    if not isinstance(geometry, dict) or not geometry.get("coordinates"):
        return geometry
    return {**geometry, "coordinates": convert_geometry(conversion, geometry["coordinates"])}


def _name(crs: Any) -> str:
    properties = crs.get("properties") if isinstance(crs, dict) and crs.get("type") == "name" else None
    name = properties.get("name") if isinstance(properties, dict) else None
    match = NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise UnusableCrs(Reason("CRS_UNKNOWN", "crs does not name a reference system such as EPSG:4326"))
    return "CRS84" if match[1] else f"EPSG:{match[2]}"


@lru_cache
def _web_mercator() -> Conversion:
    transformer = pyproj.Transformer.from_crs(WEB_MERCATOR, "EPSG:4326", always_xy=True)

    def convert(easting: float, northing: float) -> Point:
        longitude, latitude = transformer.transform(easting, northing)
        return float(longitude), float(latitude)

    return convert
