"""Reads the rows within circles around points, nearest first, in one statement.

The statement reads a box that contains the circle through the index on latitude and longitude, and then keeps what lies
within the circle.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

import models
from models.db.sqlite_functions import EARTH_RADIUS_METRES
from resolvers.availability import HAS_RECENT_POSITION
from resolvers.sql import authorization, selects
from resolvers.sql.named_rows import require_rows
from resolvers.sql.predicates import Condition, Conditions, Predicate
from resolvers.sql.prepared import cached_select
from resolvers.sql.readers import Reader
from resolvers.sql.selects import ExtraSelect

Filters = Mapping[Any, Conditions]  # by model, the conditions on its rows

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


class RowAt(NamedTuple):
    """A row's key, its point, the text of the extra select, and its distance as the database measures it."""

    key: int
    latitude: float
    longitude: float
    text: str | None
    metres: float = 0.0


class Place(NamedTuple):
    """A row's place in the list of one kind by distance: metres, and the key, which decides among equal distances."""

    metres: float
    key: int


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


async def rows_within(
    reader: Reader,
    tables: list[Any],
    points: dict[int, tuple[float, float, int | None]],
    metres: float,
    filters: Filters,
    first: int,
    after: Place | None,
) -> dict[tuple[Any, int], list[RowAt]]:
    """The nearest rows within the circle, for each model and point, in one statement."""
    named = list(reader.extra_select.named) if reader.extra_select else []
    parts: list[tuple[Any, tuple[Predicate, ...]]] = []
    conditions: list[Condition] = []
    for model in tables:
        limits = [*filters.get(model, ()), *authorization.place_conditions(model, reader.viewer.visibility)]
        limits += [Condition(HAS_RECENT_POSITION)] if model is models.Inspector else []
        named += [each for condition in limits for each in condition.named]
        parts.append((model, tuple(c.predicate for c in limits)))
        conditions += limits
    await require_rows(reader, named)
    values = {**_box_parameters(points, metres, reader.sqlite), **selects.parameters(conditions, reader)}
    if after is not None:
        values |= {"after_metres": after.metres, "after_key": after.key}
    page = first, after is not None
    statement = _statement(tuple(parts), page, len(points) == 1, reader.sqlite, reader.extra_select)
    if reader.extra_select is not None:
        values |= reader.extra_select.values
    rows: dict[tuple[Any, int], list[RowAt]] = {(model, i): [] for model in tables for i in points}
    for r in await reader.rows(statement, values):
        rows[tables[r.kind], r.i].append(RowAt(r.id, r.latitude, r.longitude, r.text, r.metres))
    return rows


def _box_parameters(points: dict[int, tuple[float, float, int | None]], metres: float, sqlite: bool) -> dict[str, Any]:
    """The parameters of one box, or of many."""
    # Rounded to a ten-thousandth of a millimetre: PostgreSQL fails on the square of a far smaller number.
    boxes = [
        [i, round(lat, 12), round(lon, 12), own or 0, *box(lat, lon, metres)] for i, (lat, lon, own) in points.items()
    ]
    values: dict[str, Any] = {"metres": metres}
    if len(boxes) == 1:
        return values | {f"box_{name}": value for name, value in zip(BOX, boxes[0], strict=True)}
    if sqlite:
        return values | {"boxes": orjson.dumps(boxes).decode()}
    return values | {f"box_{name}": [b[i] for b in boxes] for i, name in enumerate(BOX)}


@cached_select
def _statement(
    tables: tuple[tuple[Any, tuple[Predicate, ...]], ...],
    page: tuple[int, bool],
    one: bool,
    sqlite: bool,
    extra: ExtraSelect | None,
) -> sa.Select[Any]:
    """The nearest rows of each table for one point, or for each point in `boxes`.

    `page` is the number of rows, and whether they are those beyond a place.
    """
    parts, number = [], 0
    for kind, (model, predicates) in enumerate(tables):
        conditions = [predicate.sql(f"w{number + i}", sqlite) for i, predicate in enumerate(predicates)]
        number += len(predicates)
        parts.append(_nearest(kind, model, conditions, page, one, sqlite, extra))
    union = sa.union_all(*(sa.select(part) for part in parts)).subquery() if len(parts) > 1 else parts[0]
    return sa.select(union).order_by(union.c.kind, union.c.i, union.c.metres, union.c.id)


def _nearest(
    kind: int,
    model: Any,
    conditions: list[ColumnElement[bool]],
    page: tuple[int, bool],
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
    circle, size = bindparam("metres", type_=sa.Float), sa.literal_column(str(page[0]), sa.Integer)
    if source is None:
        near = each.select_from(table).where(*where, metres <= circle, *_beyond(metres, table.c.id, page[1]))
        return near.order_by(metres, table.c.id).limit(size).subquery()
    every = each.select_from(source.join(table, sa.and_(*where))).subquery()
    place = sa.func.row_number().over(partition_by=every.c.i, order_by=(every.c.metres, every.c.id)).label("place")
    beyond = _beyond(every.c.metres, every.c.id, page[1])
    ranked = sa.select(every, place).where(every.c.metres <= circle, *beyond).subquery()
    return sa.select(*(ranked.c[c.key] for c in every.c)).where(ranked.c.place <= size).subquery()


def _beyond(metres: ColumnElement[float], key: ColumnElement[int], after: bool) -> list[ColumnElement[bool]]:
    """The rows beyond the place in the parameters, if there is one."""
    if not after:
        return []
    at, last = bindparam("after_metres", type_=sa.Float), bindparam("after_key", type_=sa.Integer)
    return [sa.or_(metres > at, sa.and_(metres == at, key > last))]


def _boxes(sqlite: bool) -> tuple[Any, dict[str, ColumnElement[Any]]]:
    """The points and boxes as rows. SQLite reads a JSON array of arrays, PostgreSQL one array for each column."""
    if sqlite:
        source = sa.func.json_each(bindparam("boxes", type_=sa.String)).table_valued("value", name="points")
        return source, {name: sa.func.json_extract(source.c.value, f"$[{i}]") for i, name in enumerate(BOX)}
    arrays = [bindparam(f"box_{name}", type_=ARRAY(of)) for name, of in BOX.items()]
    columns = [sa.column(name, of) for name, of in BOX.items()]
    rows = sa.func.unnest(*arrays).table_valued(*columns, name="points").render_derived()
    return rows, dict(rows.c)
