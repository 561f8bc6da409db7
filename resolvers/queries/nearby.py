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
from models.db.sqlite_functions import EARTH_RADIUS_METRES
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql import authorization, selects
from resolvers.sql.pagination import PAGE_MAXIMUM
from resolvers.sql.predicates import Condition, Conditions, Predicate
from resolvers.sql.readers import Reader
from resolvers.sql.selects import ExtraSelect

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
# Of one point they are parameters, so that PostgreSQL keeps the plan.
POINT: dict[str, ColumnElement[Any]] = {name: bindparam(f"box_{name}", type_=of) for name, of in BOX.items()}


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
    """Something near: metres along the sphere, degrees from north at the point, and which row.

    `text` is what was read of the row for who asked with a reader that carries.
    """

    distance_metres: int
    bearing_degrees: int
    item: tuple[Any, int]
    text: str | None = None


CARRIES = {"item": "text"}

Point = tuple[float, float]  # latitude, longitude in degrees
RowAt = tuple[int, float, float, str | None]  # a row's key, its point, and what is carried of it


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

    One statement where a distance is given, else at most one for each of three circles.
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
        raise RequestError(ErrorCode.BAD_INPUT, "A latitude is from -90 to 90 degrees, a longitude from -180 to 180.")
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
        raise RequestError(ErrorCode.BAD_PAGE, f"`first` must be from 1 to {PAGE_MAXIMUM:,}.")
    if within_metres is not None and within_metres < 0:
        raise RequestError(ErrorCode.BAD_INPUT, "`withinMetres` must not be negative.")
    known = {i: (lat, lon, own) for i, (lat, lon, own) in enumerate(places) if lat is not None and lon is not None}
    near: list[list[tuple[float, int, Near]]] = [[] for _ in places]
    left = dict.fromkeys(kinds, known)
    circles = CIRCLES if within_metres is None else (float(within_metres),)
    for circle in circles:
        points = {i: point for mine in left.values() for i, point in mine.items()}
        if not points:
            break
        rows = [ROWS[kind] for kind, mine in left.items() if mine]
        found = await _within(reader, rows, points, circle, first, filter)
        for rank, (kind, mine) in enumerate(left.items()):
            row = ROWS[kind]
            full = {i: found[row, i] for i in mine if circle == circles[-1] or len(found[row, i]) == first}
            for i, group in full.items():
                near[i] += [(metres, rank, n) for metres, n in measure(row, mine[i][:2], group)]
            left[kind] = {i: point for i, point in mine.items() if i not in full}
    return [[n for _, _, n in sorted(group, key=lambda g: (g[0], g[1], g[2].item[1]))] for group in near]


def measure(row: Any, point: Point, found: Sequence[RowAt]) -> list[tuple[float, Near]]:
    """Exact distances and bearings from a point."""
    if not found:
        return []
    keys, latitudes, longitudes, texts = zip(*found, strict=True)
    n = len(keys)
    bearings, _, distances = SPHERE.inv([point[1]] * n, [point[0]] * n, list(longitudes), list(latitudes))
    return [
        (distance, Near(round(distance), round(bearing) % 360, (row, key), text))
        for key, distance, bearing, text in zip(keys, distances, bearings, texts, strict=True)
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
    """Metres between points in degrees; SQLite has the function from `models.db.sqlite_functions`."""
    if sqlite:
        return sa.func.great_circle_metres(a, b, c, d, type_=sa.Float)
    f = sa.func
    # Numbers are written into the text: as parameters they would have to be planned with.
    written: Callable[..., ColumnElement[Any]] = sa.literal_column
    two, by_half = written("2"), written("0.5::float8", sa.Float)
    half: ColumnElement[Any] = f.power(f.sin((f.radians(c) - f.radians(a)) * by_half), two)
    half += f.cos(f.radians(a)) * f.cos(f.radians(c)) * f.power(f.sin((f.radians(d) - f.radians(b)) * by_half), two)
    metres: ColumnElement[float] = written(str(2 * EARTH_RADIUS_METRES)) * f.asin(f.least(written("1.0"), f.sqrt(half)))
    return metres


async def _within(
    reader: Reader,
    rows: list[Any],
    points: dict[int, tuple[float, float, int | None]],
    metres: float,
    first: int,
    filter: Conditions,
) -> dict[tuple[Any, int], list[RowAt]]:
    """For each kind of row and each point the nearest rows inside the circle, in one statement."""
    asked: list[tuple[Any, tuple[Predicate, ...]]] = []
    conditions: list[Condition] = []
    for row in rows:
        mine = [*(filter if row is models.Enterprise else ()), *authorization.scope(row, reader.viewer.visibility)]
        asked.append((row, tuple(c.predicate for c in mine)))
        conditions += mine
    # Rounded to a ten-thousandth of a millimetre: the square of a far smaller number is an error to PostgreSQL.
    boxes = [
        [i, round(lat, 12), round(lon, 12), own or 0, *box(lat, lon, metres)] for i, (lat, lon, own) in points.items()
    ]
    one = len(boxes) == 1
    values: dict[str, Any] = {"metres": metres, **selects.parameters(conditions, reader)}
    if one:
        values |= {f"box_{name}": value for name, value in zip(BOX, boxes[0], strict=True)}
    elif reader.sqlite:
        values["boxes"] = orjson.dumps(boxes).decode()
    else:
        values |= {f"box_{name}": [b[i] for b in boxes] for i, name in enumerate(BOX)}
    statement = _statement(tuple(asked), first, one, reader.sqlite, reader.extra_select)
    if reader.extra_select is not None:
        values |= reader.extra_select.values
    found: dict[tuple[Any, int], list[RowAt]] = {(row, i): [] for row in rows for i in points}
    for r in await reader.rows(statement, values):
        found[rows[r.kind], r.i].append((r.id, r.latitude, r.longitude, r.text))
    return found


@lru_cache(maxsize=256)
def _statement(
    asked: tuple[tuple[Any, tuple[Predicate, ...]], ...], first: int, one: bool, sqlite: bool, carry: ExtraSelect | None
) -> sa.Select[Any]:
    """The nearest rows of each table for the one point, or for each of the points in `boxes`."""
    parts, number = [], 0
    for kind, (row, clauses) in enumerate(asked):
        inside = [clause.sql(f"w{number + i}", sqlite) for i, clause in enumerate(clauses)]
        number += len(clauses)
        parts.append(_nearest(kind, row, inside, first, one, sqlite, carry))
    every = sa.union_all(*(sa.select(part) for part in parts)).subquery() if len(parts) > 1 else parts[0]
    return sa.select(every).order_by(every.c.kind, every.c.i, every.c.metres, every.c.id)


def _nearest(
    kind: int,
    row: Any,
    inside: list[ColumnElement[bool]],
    first: int,
    one: bool,
    sqlite: bool,
    carry: ExtraSelect | None,
) -> sa.Subquery:
    """The first rows of one table in each circle."""
    table = row.__table__
    source, at = (None, POINT) if one else _boxes(sqlite)
    conditions = [
        table.c.latitude.between(at["south"], at["north"]),
        table.c.longitude.between(at["west"], at["east"]),
        *inside,
    ]
    if row is models.Enterprise:
        conditions.append(table.c.id != at["own"])
    metres = distance(at["latitude"], at["longitude"], table.c.latitude, table.c.longitude, sqlite)
    text = sa.null() if carry is None else carry.write(row)
    each = sa.select(
        sa.literal_column(str(kind), sa.Integer).label("kind"),
        at["i"].label("i"),
        table.c.id,
        table.c.latitude,
        table.c.longitude,
        metres.label("metres"),
        sa.cast(text, sa.Text).label("text"),
    )
    circle, size = bindparam("metres", type_=sa.Float), sa.literal_column(str(first), sa.Integer)
    if source is None:
        near = each.select_from(table).where(*conditions, metres <= circle)
        return near.order_by(metres, table.c.id).limit(size).subquery()
    every = each.select_from(source.join(table, sa.and_(*conditions))).subquery()
    place = sa.func.row_number().over(partition_by=every.c.i, order_by=(every.c.metres, every.c.id)).label("place")
    ranked = sa.select(every, place).where(every.c.metres <= circle).subquery()
    return sa.select(*(ranked.c[c.key] for c in every.c)).where(ranked.c.place <= size).subquery()


def _boxes(sqlite: bool) -> tuple[Any, dict[str, ColumnElement[Any]]]:
    """The points with their boxes as rows: SQLite reads a JSON array of arrays, PostgreSQL an array for each column."""
    if sqlite:
        source = sa.func.json_each(bindparam("boxes", type_=sa.String)).table_valued("value", name="points")
        return source, {name: sa.func.json_extract(source.c.value, f"$[{i}]") for i, name in enumerate(BOX)}
    arrays = [bindparam(f"box_{name}", type_=ARRAY(of)) for name, of in BOX.items()]
    columns = [sa.column(name, of) for name, of in BOX.items()]
    rows = sa.func.unnest(*arrays).table_valued(*columns, name="points").render_derived()
    return rows, dict(rows.c)
