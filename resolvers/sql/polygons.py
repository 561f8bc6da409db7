"""Rows inside a polygon that the client draws: first by its box, through an index, and then exactly.

SQLite asks shapely (models/db/sqlite_functions.py), PostgreSQL has an operator of its own. A place on the border counts
as inside; PostgreSQL takes a tenth of a metre for the border.
"""

from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.predicates import Predicate, RequestTime, table_column

POSITIONS_MAXIMUM = 500  # every row in the box is compared with each edge
BOX = ("west", "south", "east", "north")

Ring = list[tuple[float, float]]


class PolygonOfPostgres(UserDefinedType[Any]):
    """PostgreSQL's own type."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "POLYGON"


@dataclass(eq=False)
class InsidePolygon(Predicate):
    """The place in two columns is inside a GeoJSON polygon and outside its holes."""

    longitude: Any
    latitude: Any

    def parameters(self, name: str, value: Any, request: RequestTime) -> dict[str, Any]:
        import shapely  # late: few requests need it

        rings = checked_rings(value)
        edges = zip(BOX, shapely.Polygon(rings[0]).bounds, strict=True)
        texts = [",".join(f"({x!r},{y!r})" for x, y in ring) for ring in rings]
        return {
            **{f"{name}_{side}": edge for side, edge in edges},
            f"{name}_polygon": orjson.dumps({"type": "Polygon", "coordinates": rings}).decode(),
            f"{name}_outside": texts[0],
            f"{name}_holes": texts[1:],
        }

    def sql(self, name: str, sqlite: bool) -> ColumnElement[bool]:
        longitude, latitude = table_column(self.longitude), table_column(self.latitude)
        west, south, east, north = (bindparam(f"{name}_{side}", type_=sa.Float) for side in BOX)
        box = latitude.between(south, north), longitude.between(west, east)
        if sqlite:
            text = bindparam(f"{name}_polygon", type_=sa.String)
            return sa.and_(*box, sa.func.inside_polygon(text, longitude, latitude, type_=sa.Integer) == 1)
        # Subqueries, which PostgreSQL evaluates once: it would parse the text of a parameter for each row.
        outside = sa.select(sa.cast(bindparam(f"{name}_outside", type_=sa.String), PolygonOfPostgres))
        arrays = bindparam(f"{name}_holes", type_=ARRAY(sa.String))
        holes = sa.select(sa.cast(arrays, ARRAY(PolygonOfPostgres))).scalar_subquery()
        place = sa.func.point(longitude, latitude)
        in_hole = place.op("<@", is_comparison=True)(sa.any_(sa.cast(holes, ARRAY(PolygonOfPostgres))))
        return sa.and_(*box, place.op("<@", is_comparison=True)(outside.scalar_subquery()), sa.not_(in_hole))


def checked_rings(value: Any) -> list[Ring]:
    """The rings of a GeoJSON polygon, the outer one first. Raises RequestError (BAD_INPUT)."""
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    coordinates = value.get("coordinates") if isinstance(value, dict) and value.get("type") == "Polygon" else None
    if not isinstance(coordinates, list) or not coordinates or not all(isinstance(r, list) for r in coordinates):
        raise refused(
            Reason(
                "POLYGON_FORM",
                '`within` must be a GeoJSON object: {{"type": "Polygon", "coordinates": [[[lon, lat], …]]}}.',
            )
        )
    if sum(map(len, coordinates)) > POSITIONS_MAXIMUM:
        raise refused(
            Reason("POLYGON_POSITIONS", "`within` may have at most {maximum} positions.", maximum=POSITIONS_MAXIMUM)
        )
    rings = [[checked_position(position) for position in ring] for ring in coordinates]
    if not all(len(ring) >= 4 and ring[0] == ring[-1] for ring in rings):
        raise refused(
            Reason(
                "POLYGON_RING",
                "Each ring of `within` needs at least four positions, and its last one must equal its first.",
            )
        )
    try:
        polygon = shape({"type": "Polygon", "coordinates": rings})
    except (ShapelyError, ValueError):
        raise refused(Reason("POLYGON_RINGS", "The rings of `within` do not make a polygon.")) from None
    if not polygon.is_valid:
        raise refused(Reason("POLYGON_CROSSING", "The edges of `within` cross, or a hole is not inside it."))
    return rings


def checked_position(position: Any) -> tuple[float, float]:
    """Longitude and latitude. Raises RequestError (BAD_INPUT)."""
    numbers = position[:2] if isinstance(position, list) and 2 <= len(position) <= 3 else []
    if not numbers or not all(type(n) in (int, float) for n in numbers):
        raise refused(Reason("POSITION_FORM", "A position of `within` is a list of a longitude and a latitude."))
    longitude, latitude = numbers
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise refused(
            Reason("POSITION_RANGE", "A position of `within` is longitude, -180 to 180, and then latitude, -90 to 90.")
        )
    return float(longitude), float(latitude)


def refused(reason: Reason) -> RequestError:
    """The error about the filter's `within`."""
    return RequestError(ErrorCode.BAD_INPUT, reason)
