"""The rows nearest to a point, by great-circle distance.

The statement reads a box that contains the circle through the index on latitude and longitude, and then keeps what lies
within the circle. Without a given distance, the circle grows until it has enough rows, so that a whole table is rarely
read.
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
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.retired import CURRENT
from resolvers.sql import authorization, selects
from resolvers.sql.named_rows import require_rows
from resolvers.sql.pagination import check_size
from resolvers.sql.predicates import Condition, Conditions, Predicate
from resolvers.sql.readers import Reader
from resolvers.sql.selects import ExtraSelect

SPHERE = Geod(a=EARTH_RADIUS_METRES, b=EARTH_RADIUS_METRES)
HALF_ROUND = math.pi * EARTH_RADIUS_METRES
CIRCLES = (2_000.0, 16_000.0, HALF_ROUND)  # metres; the last is the whole sphere


# A point, the key of the enterprise to leave out, and the box around the circle.
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
# For one point these are parameters, so that PostgreSQL reuses the plan.
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
    """A row near a point: metres along the sphere, degrees clockwise from north at the point, and (model, key).

    `text` is what the reader's extra select read of the row.
    """

    distance_metres: int
    bearing_degrees: int
    item: tuple[Any, int]
    text: str | None = None


JSON_ATTRIBUTES = {"item": "text"}

Point = tuple[float, float]  # latitude, longitude in degrees
RowAt = tuple[int, float, float, str | None]  # a row's key, its point, and the text of the extra select


async def around(
    reader: Reader,
    parents: Sequence[tuple[float | None, float | None]],
    *,
    kinds: list[NearbyKind],
    within_metres: int | None = None,
    first: int = 10,
    filter: Conditions = (),
) -> list[list[Near]]:
    """For each point the nearest rows of each kind within a distance; `filter` applies to enterprises.

    One statement with a distance, else at most one for each of three circles.
    """
    return await _around(reader, [(*p, None) for p in parents], kinds, within_metres, first, filter)


async def nearest_to(
    reader: Reader,
    parents: Sequence[tuple[int, float | None, float | None]],
    *,
    kinds: list[NearbyKind],
    first: int = 3,
) -> list[list[Near]]:
    """For each enterprise (key, latitude, longitude) the nearest rows of each kind, itself excluded."""
    return await _around(reader, [(lat, lon, key) for key, lat, lon in parents], kinds, None, first, CURRENT)


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
    """Like `around`, for one point given by the client. Raises RequestError for a point that is not on the globe."""
    latitude, longitude = point
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason("POINT_RANGE", "A latitude is from -90 to 90 degrees, a longitude from -180 to 180."),
        )
    rows = await _around(reader, [(latitude, longitude, None)], kinds, within_metres, first, filter)
    return rows * len(parents)


async def _around(
    reader: Reader,
    places: list[tuple[float | None, float | None, int | None]],
    kinds: list[NearbyKind],
    within_metres: int | None,
    first: int,
    filter: Conditions,
) -> list[list[Near]]:
    check_size("first", first)
    if within_metres is not None and within_metres < 0:
        raise RequestError(ErrorCode.BAD_INPUT, Reason("DISTANCE_NEGATIVE", "`withinMetres` must not be negative."))
    known = {i: (lat, lon, own) for i, (lat, lon, own) in enumerate(places) if lat is not None and lon is not None}
    near: list[list[tuple[float, int, Near]]] = [[] for _ in places]
    remaining = dict.fromkeys(kinds, known)
    circles = CIRCLES if within_metres is None else (float(within_metres),)
    for circle in circles:
        points = {i: point for of_kind in remaining.values() for i, point in of_kind.items()}
        if not points:
            break
        tables = [ROWS[kind] for kind, of_kind in remaining.items() if of_kind]
        rows = await _within(reader, tables, points, circle, first, filter)
        for rank, (kind, of_kind) in enumerate(remaining.items()):
            model = ROWS[kind]
            full = {i: rows[model, i] for i in of_kind if circle == circles[-1] or len(rows[model, i]) == first}
            for i, group in full.items():
                near[i] += [(metres, rank, n) for metres, n in measure(model, of_kind[i][:2], group)]
            remaining[kind] = {i: point for i, point in of_kind.items() if i not in full}
    return [[n for _, _, n in sorted(group, key=lambda g: (g[0], g[1], g[2].item[1]))] for group in near]


def measure(model: Any, point: Point, rows: Sequence[RowAt]) -> list[tuple[float, Near]]:
    """Exact distances and bearings from a point."""
    if not rows:
        return []
    keys, latitudes, longitudes, texts = zip(*rows, strict=True)
    n = len(keys)
    bearings, _, distances = SPHERE.inv([point[1]] * n, [point[0]] * n, list(longitudes), list(latitudes))
    return [
        (distance, Near(round(distance), round(bearing) % 360, (model, key), text))
        for key, distance, bearing, text in zip(keys, distances, bearings, texts, strict=True)
    ]


def box(latitude: float, longitude: float, metres: float) -> tuple[float, float, float, float]:
    """South, north, west, east of a box that contains the circle; all longitudes where it reaches a pole or ±180°."""
    angle = min(metres / EARTH_RADIUS_METRES, math.pi)
    tall = math.degrees(angle) + 1e-9
    south, north = latitude - tall, latitude + tall
    if south <= -90 or north >= 90:
        return south, north, -180.0, 180.0
    wide = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(latitude))))) + 1e-9
    west, east = longitude - wide, longitude + wide
    return (south, north, -180.0, 180.0) if west < -180 or east > 180 else (south, north, west, east)


def distance(a: ColumnElement[Any], b: ColumnElement[Any], c: Any, d: Any, sqlite: bool) -> ColumnElement[float]:
    """Metres between two points in degrees. SQLite uses a function of models/db/sqlite_functions.py."""
    if sqlite:
        return sa.func.great_circle_metres(a, b, c, d, type_=sa.Float)
    f = sa.func
    # Literals, because PostgreSQL would have to plan parameters.
    literal: Callable[..., ColumnElement[Any]] = sa.literal_column
    two, by_half = literal("2"), literal("0.5::float8", sa.Float)
    half: ColumnElement[Any] = f.power(f.sin((f.radians(c) - f.radians(a)) * by_half), two)
    half += f.cos(f.radians(a)) * f.cos(f.radians(c)) * f.power(f.sin((f.radians(d) - f.radians(b)) * by_half), two)
    metres: ColumnElement[float] = literal(str(2 * EARTH_RADIUS_METRES)) * f.asin(f.least(literal("1.0"), f.sqrt(half)))
    return metres


async def _within(
    reader: Reader,
    tables: list[Any],
    points: dict[int, tuple[float, float, int | None]],
    metres: float,
    first: int,
    filter: Conditions,
) -> dict[tuple[Any, int], list[RowAt]]:
    """The nearest rows within the circle, for each model and point, in one statement."""
    named = [*(reader.extra_select.named if reader.extra_select else ()), *(n for c in filter for n in c.named)]
    if named:
        await require_rows(reader, named)
    parts: list[tuple[Any, tuple[Predicate, ...]]] = []
    conditions: list[Condition] = []
    for model in tables:
        limits = [
            *(filter if model is models.Enterprise else ()),
            *authorization.place_conditions(model, reader.viewer.visibility),
        ]
        parts.append((model, tuple(c.predicate for c in limits)))
        conditions += limits
    # Rounded to a ten-thousandth of a millimetre: PostgreSQL fails on the square of a far smaller number.
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
    statement = _statement(tuple(parts), first, one, reader.sqlite, reader.extra_select)
    if reader.extra_select is not None:
        values |= reader.extra_select.values
    rows: dict[tuple[Any, int], list[RowAt]] = {(model, i): [] for model in tables for i in points}
    for r in await reader.rows(statement, values):
        rows[tables[r.kind], r.i].append((r.id, r.latitude, r.longitude, r.text))
    return rows


@lru_cache(maxsize=256)
def _statement(
    tables: tuple[tuple[Any, tuple[Predicate, ...]], ...],
    first: int,
    one: bool,
    sqlite: bool,
    extra: ExtraSelect | None,
) -> sa.Select[Any]:
    """The nearest rows of each table for one point, or for each point in `boxes`."""
    parts, number = [], 0
    for kind, (model, predicates) in enumerate(tables):
        conditions = [predicate.sql(f"w{number + i}", sqlite) for i, predicate in enumerate(predicates)]
        number += len(predicates)
        parts.append(_nearest(kind, model, conditions, first, one, sqlite, extra))
    union = sa.union_all(*(sa.select(part) for part in parts)).subquery() if len(parts) > 1 else parts[0]
    return sa.select(union).order_by(union.c.kind, union.c.i, union.c.metres, union.c.id)


def _nearest(
    kind: int,
    model: Any,
    conditions: list[ColumnElement[bool]],
    first: int,
    one: bool,
    sqlite: bool,
    extra: ExtraSelect | None,
) -> sa.Subquery:
    """The nearest rows of one table within each circle."""
    table = model.__table__
    source, at = (None, POINT) if one else _boxes(sqlite)
    where = [
        table.c.latitude.between(at["south"], at["north"]),
        table.c.longitude.between(at["west"], at["east"]),
        *conditions,
    ]
    if model is models.Enterprise:
        where.append(table.c.id != at["own"])
    metres = distance(at["latitude"], at["longitude"], table.c.latitude, table.c.longitude, sqlite)
    text = sa.null() if extra is None else extra.write(model)
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
        near = each.select_from(table).where(*where, metres <= circle)
        return near.order_by(metres, table.c.id).limit(size).subquery()
    every = each.select_from(source.join(table, sa.and_(*where))).subquery()
    place = sa.func.row_number().over(partition_by=every.c.i, order_by=(every.c.metres, every.c.id)).label("place")
    ranked = sa.select(every, place).where(every.c.metres <= circle).subquery()
    return sa.select(*(ranked.c[c.key] for c in every.c)).where(ranked.c.place <= size).subquery()


def _boxes(sqlite: bool) -> tuple[Any, dict[str, ColumnElement[Any]]]:
    """The points and boxes as rows. SQLite reads a JSON array of arrays, PostgreSQL one array for each column."""
    if sqlite:
        source = sa.func.json_each(bindparam("boxes", type_=sa.String)).table_valued("value", name="points")
        return source, {name: sa.func.json_extract(source.c.value, f"$[{i}]") for i, name in enumerate(BOX)}
    arrays = [bindparam(f"box_{name}", type_=ARRAY(of)) for name, of in BOX.items()]
    columns = [sa.column(name, of) for name, of in BOX.items()]
    rows = sa.func.unnest(*arrays).table_valued(*columns, name="points").render_derived()
    return rows, dict(rows.c)
