"""What is near a point, nearest first, by distance along the sphere.

A box that surely holds the circle is read through the index on latitude and longitude; the circle is cut out of it in
SQL. Where no distance is asked, circles grow until each holds enough, so that a whole table is rarely measured.
"""

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from pyproj import Geod
from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

import models
from models.database import EARTH_RADIUS_METRES
from resolvers import reading, rights
from resolvers.clauses import Clause, Condition, Conditions
from resolvers.paging import PAGE_MAXIMUM
from resolvers.reading import Reader
from resolvers.refusals import Code, Refused

SPHERE = Geod(a=EARTH_RADIUS_METRES, b=EARTH_RADIUS_METRES)
HALF_ROUND = math.pi * EARTH_RADIUS_METRES
CIRCLES = (2_000.0, 16_000.0, HALF_ROUND)  # metres; the last is the whole sphere


# A point, with the enterprise that is left out and the box around it.
BOX: dict[str, Any] = {
    "i": sa.Integer(),
    "latitude": sa.Float(),
    "longitude": sa.Float(),
    "own": sa.Integer(),
    "south": sa.Float(),
    "north": sa.Float(),
    "west": sa.Float(),
    "east": sa.Float(),
}


class NearbyKind(enum.Enum):
    ENTERPRISE = "enterprise"
    CAMERA = "camera"
    EXPERT = "expert"
    TEAM = "team"
    WAREHOUSE = "warehouse"
    INSPECTOR = "inspector"


ROWS: dict[NearbyKind, Any] = {
    NearbyKind.ENTERPRISE: models.Enterprise,
    NearbyKind.CAMERA: models.Camera,
    NearbyKind.EXPERT: models.Expert,
    NearbyKind.TEAM: models.Team,
    NearbyKind.WAREHOUSE: models.Warehouse,
    NearbyKind.INSPECTOR: models.Inspector,
}


@dataclass(frozen=True, slots=True)
class Near:
    """Something near: metres along the sphere, degrees from north at the point, and which row."""

    distance_metres: int
    bearing_degrees: int
    item: tuple[Any, int]


Point = tuple[float, float]  # latitude, longitude in degrees
Found = tuple[int, float, float]  # a row's key and its point


async def around(
    reader: Reader,
    parents: Sequence[tuple[float | None, float | None]],
    *,
    kinds: list[NearbyKind],
    within_metres: int | None = None,
    first: int = 10,
    filter: Conditions = (),
) -> list[list[Near]]:
    """For each point the first of each kind within a distance; `filter` is for enterprises.

    One statement a kind where a distance is given, else at most one for each of three circles.
    """
    return await _around(reader, [(*p, None) for p in parents], kinds, within_metres, first, filter)


async def nearest_to(
    reader: Reader,
    parents: Sequence[tuple[int, float | None, float | None]],
    *,
    kinds: list[NearbyKind],
    first: int = 3,
) -> list[list[Near]]:
    """For each enterprise (key, latitude, longitude) the nearest of each kind, itself left out."""
    return await _around(reader, [(lat, lon, key) for key, lat, lon in parents], kinds, None, first, ())


async def near_point(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    point: Point,
    kinds: list[NearbyKind],
    within_metres: int | None = None,
    first: int = 10,
    filter: Conditions = (),
) -> list[list[Near]]:
    """The same around a point that the client gives. Raises Refused for a point that is not on the globe."""
    latitude, longitude = point
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Refused(Code.BAD_INPUT, "A latitude is from -90 to 90 degrees, a longitude from -180 to 180.")
    found = await _around(reader, [(latitude, longitude, None)], kinds, within_metres, first, filter)
    return found * len(parents)


async def _around(
    reader: Reader,
    places: list[tuple[float | None, float | None, int | None]],
    kinds: list[NearbyKind],
    within_metres: int | None,
    first: int,
    filter: Conditions,
) -> list[list[Near]]:
    if not 1 <= first <= PAGE_MAXIMUM:
        raise Refused(Code.BAD_PAGE, f"`first` must be from 1 to {PAGE_MAXIMUM:,}.")
    if within_metres is not None and within_metres < 0:
        raise Refused(Code.BAD_INPUT, "`withinMetres` must not be negative.")
    points = {i: (lat, lon, own) for i, (lat, lon, own) in enumerate(places) if lat is not None and lon is not None}
    near: list[list[tuple[float, int, Near]]] = [[] for _ in places]
    for rank, kind in enumerate(dict.fromkeys(kinds)):
        row, left = ROWS[kind], points
        circles = CIRCLES if within_metres is None else (float(within_metres),)
        for circle in circles:
            found = await _within(reader, row, left, circle, first, filter if row is models.Enterprise else ())
            done = left if circle == circles[-1] else {i for i in left if len(found[i]) == first}
            for i in done:
                near[i] += [(d, rank, n) for d, n in measured(row, left[i][:2], found[i])]
            left = {i: p for i, p in left.items() if i not in done}
            if not left:
                break
    return [[n for _, _, n in sorted(group, key=lambda g: (g[0], g[1], g[2].item[1]))] for group in near]


def measured(row: Any, point: Point, found: Sequence[Found]) -> list[tuple[float, Near]]:
    """Exact distances and bearings from a point."""
    if not found:
        return []
    keys, latitudes, longitudes = zip(*found, strict=True)
    n = len(keys)
    bearings, _, distances = SPHERE.inv([point[1]] * n, [point[0]] * n, list(longitudes), list(latitudes))
    return [
        (distance, Near(round(distance), round(bearing) % 360, (row, key)))
        for key, distance, bearing in zip(keys, distances, bearings, strict=True)
    ]


def box(latitude: float, longitude: float, metres: float) -> tuple[float, float, float, float]:
    """South, north, west and east of a box that holds the circle; all longitudes where it holds a pole or the ±180°."""
    angle = min(metres / EARTH_RADIUS_METRES, math.pi)
    tall = math.degrees(angle) + 1e-9
    south, north = latitude - tall, latitude + tall
    if south <= -90 or north >= 90:
        return south, north, -180.0, 180.0
    wide = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(latitude))))) + 1e-9
    west, east = longitude - wide, longitude + wide
    return (south, north, -180.0, 180.0) if west < -180 or east > 180 else (south, north, west, east)


def distance(a: ColumnElement[Any], b: ColumnElement[Any], c: Any, d: Any, sqlite: bool) -> ColumnElement[float]:
    """Metres between points in degrees; SQLite has the function from `models.database`."""
    if sqlite:
        return sa.func.great_circle_metres(a, b, c, d, type_=sa.Float)
    f = sa.func
    # Numbers are written into the text: as parameters they would have to be planned with.
    written: Callable[[str], ColumnElement[Any]] = sa.literal_column
    two = written("2")
    half: ColumnElement[Any] = f.power(f.sin((f.radians(c) - f.radians(a)) / two), two)
    half += f.cos(f.radians(a)) * f.cos(f.radians(c)) * f.power(f.sin((f.radians(d) - f.radians(b)) / two), two)
    metres: ColumnElement[float] = written(str(2 * EARTH_RADIUS_METRES)) * f.asin(f.least(written("1.0"), f.sqrt(half)))
    return metres


async def _within(
    reader: Reader,
    row: Any,
    points: dict[int, tuple[float, float, int | None]],
    metres: float,
    first: int,
    filter: Conditions,
) -> dict[int, list[Found]]:
    """For each point the nearest rows inside the circle, in one statement."""
    conditions: list[Condition] = [*filter, *rights.scope(row, reader.viewer.visibility)]
    # Rounded to a ten-thousandth of a millimetre: the square of a far smaller number is an error to PostgreSQL.
    boxes = [
        [i, round(lat, 12), round(lon, 12), own or 0, *box(lat, lon, metres)] for i, (lat, lon, own) in points.items()
    ]
    statement = _statement(row, tuple(c.clause for c in conditions), reader.sqlite)
    values: dict[str, Any] = {"metres": metres, "n": first}
    if reader.sqlite:
        values["boxes"] = orjson.dumps(boxes).decode()
    else:
        values |= {f"box_{name}": [row[i] for row in boxes] for i, name in enumerate(BOX)}
    found: dict[int, list[Found]] = {i: [] for i in points}
    for r in await reader.rows(statement, {**reading.parameters(conditions, reader), **values}):
        found[r.i].append((r.id, r.latitude, r.longitude))
    return found


@lru_cache(maxsize=256)
def _statement(row: Any, clauses: tuple[Clause, ...], sqlite: bool) -> sa.Select[Any]:
    """The nearest rows of a table for each of the points in `boxes`."""
    table = row.__table__
    source, at = _boxes(sqlite)
    metres_away = distance(at["latitude"], at["longitude"], table.c.latitude, table.c.longitude, sqlite).label("metres")
    inside = [
        table.c.latitude.between(at["south"], at["north"]),
        table.c.longitude.between(at["west"], at["east"]),
        *reading.where(clauses, sqlite),
    ]
    if row is models.Enterprise:
        inside.append(table.c.id != at["own"])
    each = sa.select(at["i"].label("i"), table.c.id, table.c.latitude, table.c.longitude, metres_away).select_from(
        source.join(table, sa.and_(*inside))
    )
    every = each.subquery()
    place = sa.func.row_number().over(partition_by=every.c.i, order_by=(every.c.metres, every.c.id)).label("place")
    ranked = sa.select(every, place).where(every.c.metres <= bindparam("metres", type_=sa.Float)).subquery()
    statement = sa.select(ranked).where(ranked.c.place <= bindparam("n", type_=sa.Integer))
    return statement.order_by(ranked.c.i, ranked.c.place)


def _boxes(sqlite: bool) -> tuple[Any, dict[str, ColumnElement[Any]]]:
    """The points with their boxes as rows: SQLite reads a JSON array of arrays, PostgreSQL an array for each column."""
    if sqlite:
        source = sa.func.json_each(bindparam("boxes", type_=sa.String)).table_valued("value", name="points")
        return source, {name: sa.func.json_extract(source.c.value, f"$[{i}]") for i, name in enumerate(BOX)}
    arrays = [bindparam(f"box_{name}", type_=ARRAY(of)) for name, of in BOX.items()]
    columns = [sa.column(name, of) for name, of in BOX.items()]
    rows = sa.func.unnest(*arrays).table_valued(*columns, name="points").render_derived()
    return rows, dict(rows.c)
