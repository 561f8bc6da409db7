"""Reads GeoJSON geometries: points, and polygons with their rings."""

import json
from collections.abc import Iterator
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.validation import explain_validity

from models.reason import Reason
from resolvers.register import datum
from resolvers.register.errors import InvalidValue
from resolvers.register.numerals import to_number

NOT_RINGS = Reason("NOT_RINGS", "not the rings of a polygon")
NOT_A_POINT = Reason("NOT_A_POINT", "not a GeoJSON point")


def polygon(value: Any, datum_name: str) -> dict[str, Any]:
    """A polygon or multipolygon in WGS-84. Rings that are not closed are closed. Raises InvalidValue."""
    value = _parsed(value)
    convert = datum.to_wgs84(datum_name)
    assert convert is not None
    try:
        closed = {"type": value["type"], "coordinates": value.get("coordinates")}
        closed["coordinates"] = datum.convert_geometry(convert, closed["coordinates"])
        for ring in _rings(closed):
            if ring[0] != ring[-1]:
                ring.append(ring[0])
            if len(ring) < 4:
                raise InvalidValue(Reason("RING_SHORT", "a ring of fewer than three points"), str(ring))
        if shape(closed).is_empty:
            raise InvalidValue(Reason("POLYGON_EMPTY", "an empty polygon"))
    except (ValueError, TypeError, IndexError, AttributeError, ShapelyError, RecursionError):
        raise InvalidValue(NOT_RINGS) from None
    return closed


def doubt(value: Any, converted: dict[str, Any]) -> str:
    """The reason for a warning about a polygon; empty if there is none. `value` is as in the file."""
    if any(ring[0] != ring[-1] for ring in _rings(_parsed(value))):
        return Reason("RING_CLOSED", "had a ring that was not closed, and was closed")
    explanation = explain_validity(shape(converted))
    return (
        ""
        if explanation == "Valid Geometry"
        else Reason("POLYGON_NOT_SIMPLE", "is not a simple polygon: {explanation}", explanation=explanation)
    )


def _parsed(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise InvalidValue(Reason("NOT_JSON", "not JSON")) from None
    if not isinstance(value, dict) or value.get("type") not in ("Polygon", "MultiPolygon"):
        raise InvalidValue(Reason("NOT_A_POLYGON", "not a GeoJSON polygon"))
    return value


def _rings(polygon: dict[str, Any]) -> Iterator[list[Any]]:
    polygons = polygon["coordinates"] if polygon["type"] == "MultiPolygon" else [polygon["coordinates"]]
    return (ring for rings in polygons for ring in rings)


def point_coordinates(value: Any) -> tuple[float, float] | None:
    """The x and y of a GeoJSON point; None if there is no geometry."""
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") != "Point":
        raise InvalidValue(NOT_A_POINT)
    coordinates = value.get("coordinates")
    if coordinates == []:
        return None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        raise InvalidValue(NOT_A_POINT)
    return to_number(coordinates[0]), to_number(coordinates[1])
