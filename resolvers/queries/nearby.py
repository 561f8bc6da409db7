"""The rows nearest to a point, by great-circle distance.

Without a given distance, the circle around a point grows until it has enough rows, so that a whole table is rarely
read.
"""

import base64
import binascii
import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

import models
from models.db.sqlite_functions import EARTH_RADIUS_METRES
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries.nearby_rows import Filters, Place, RowAt, rows_within
from resolvers.sql.pagination import INTEGER_MAXIMUM, check_size
from resolvers.sql.predicates import Conditions
from resolvers.sql.readers import Reader

if TYPE_CHECKING:
    from pyproj import Geod

HALF_ROUND = math.pi * EARTH_RADIUS_METRES
NO_FILTERS: Mapping[Any, Conditions] = MappingProxyType({})
CIRCLES = (2_000.0, 16_000.0, HALF_ROUND)  # metres; the last is the whole sphere


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

    `text` is what the reader's extra select read of the row. `cursor` is the row's place in the list by distance.
    """

    distance_metres: int
    bearing_degrees: int
    item: tuple[Any, int]
    text: str | None = None
    cursor: str = ""


JSON_ATTRIBUTES = {"item": "text"}

Point = tuple[float, float]  # latitude, longitude in degrees


async def around(
    reader: Reader,
    parents: Sequence[tuple[float | None, float | None]],
    *,
    kinds: list[NearbyKind],
    within_metres: int | None = None,
    first: int = 10,
    after: str | None = None,
    filter: Conditions = (),
    resources: Filters = NO_FILTERS,
) -> list[list[Near]]:
    """For each point the nearest rows of each kind within a distance; `filter` applies to enterprises.

    One statement with a distance, else at most one for each of three circles. Inspectors without a recent position are
    left out.
    """
    wanted = Wanted.of(kinds, within_metres, first, after, filter, resources)
    return await _around(reader, [(*p, None) for p in parents], wanted)


async def nearest_to(
    reader: Reader,
    parents: Sequence[tuple[int, float | None, float | None]],
    *,
    kinds: list[NearbyKind],
    first: int = 3,
    after: str | None = None,
    filter: Conditions = (),
    resources: Filters = NO_FILTERS,
) -> list[list[Near]]:
    """For each enterprise (key, latitude, longitude) the nearest rows of each kind, itself excluded."""
    wanted = Wanted.of(kinds, None, first, after, filter, resources)
    return await _around(reader, [(lat, lon, key) for key, lat, lon in parents], wanted)


async def near_point(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    point: Point,
    kinds: list[NearbyKind],
    within_metres: int | None = None,
    first: int = 10,
    after: str | None = None,
    filter: Conditions = (),
    resources: Filters = NO_FILTERS,
) -> list[list[Near]]:
    """Like `around`, for one point given by the client. Raises RequestError for a point that is not on the globe."""
    latitude, longitude = point
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason("POINT_RANGE", "A latitude is from -90 to 90 degrees, a longitude from -180 to 180."),
        )
    wanted = Wanted.of(kinds, within_metres, first, after, filter, resources)
    rows = await _around(reader, [(latitude, longitude, None)], wanted)
    return rows * len(parents)


@dataclass(frozen=True)
class Wanted:
    """A client's request: kinds of rows, a greatest distance, and `first` rows of each kind beyond a place."""

    kinds: Sequence[NearbyKind]
    within_metres: int | None
    first: int
    after: Place | None
    filters: Filters

    @classmethod
    def of(
        cls,
        kinds: list[NearbyKind],
        within_metres: int | None,
        first: int,
        after: str | None,
        filter: Conditions,
        resources: Filters,
    ) -> "Wanted":
        """Raises RequestError for arguments that do not fit."""
        check_size("first", first)
        if within_metres is not None and within_metres < 0:
            raise RequestError(ErrorCode.BAD_INPUT, Reason("DISTANCE_NEGATIVE", "`withinMetres` must not be negative."))
        each = list(dict.fromkeys(kinds))
        if after is not None and len(each) != 1:
            raise RequestError(
                ErrorCode.BAD_PAGE,
                Reason("AFTER_ONE_KIND", "`after` needs exactly one kind: each kind has pages of its own."),
            )
        place = None if after is None else read_cursor(after, each[0])
        return cls(each, within_metres, first, place, {**resources, models.Enterprise: filter})


def make_cursor(kind: NearbyKind, place: Place) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([kind.name, *place])).decode().rstrip("=")


def read_cursor(cursor: str, kind: NearbyKind) -> Place:
    """The place in a cursor for rows of a kind. Raises RequestError (BAD_CURSOR) for any other text."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        name, metres, key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if type(metres) is not float or type(key) is not int or not 0 < key <= INTEGER_MAXIMUM:
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise RequestError(
            ErrorCode.BAD_CURSOR, Reason("CURSOR_MALFORMED", "That is not a cursor of this graph.")
        ) from None
    if name != kind.name:
        raise RequestError(
            ErrorCode.BAD_CURSOR,
            Reason("CURSOR_OF_OTHER_LIST", "The cursor was made for another list or another order."),
        )
    return Place(metres, key)


async def _around(
    reader: Reader, places: list[tuple[float | None, float | None, int | None]], wanted: Wanted
) -> list[list[Near]]:
    known = {i: (lat, lon, own) for i, (lat, lon, own) in enumerate(places) if lat is not None and lon is not None}
    near: list[list[tuple[float, int, Near]]] = [[] for _ in places]
    remaining = dict.fromkeys(wanted.kinds, known)
    circles = CIRCLES if wanted.within_metres is None else (float(wanted.within_metres),)
    for circle in circles:
        points = {i: point for of_kind in remaining.values() for i, point in of_kind.items()}
        if not points:
            break
        tables = [ROWS[kind] for kind, of_kind in remaining.items() if of_kind]
        rows = await rows_within(reader, tables, points, circle, wanted.filters, wanted.first, wanted.after)
        for rank, (kind, of_kind) in enumerate(remaining.items()):
            model = ROWS[kind]
            last = circle == circles[-1]
            full = {i: rows[model, i] for i in of_kind if last or len(rows[model, i]) == wanted.first}
            for i, group in full.items():
                near[i] += [(row.metres, rank, n) for row, n in measure(kind, of_kind[i][:2], group)]
            remaining[kind] = {i: point for i, point in of_kind.items() if i not in full}
    # By the distance that the database sorts by, so that pages fit together.
    return [[n for _, _, n in sorted(group, key=lambda g: (g[0], g[1], g[2].item[1]))] for group in near]


@cache
def sphere() -> "Geod":
    """The sphere on which distances are measured."""
    from pyproj import Geod  # late: it takes long to import, and few requests need it

    return Geod(a=EARTH_RADIUS_METRES, b=EARTH_RADIUS_METRES)


def measure(kind: NearbyKind, point: Point, rows: Sequence[RowAt]) -> list[tuple[RowAt, Near]]:
    """Exact distances and bearings from a point."""
    if not rows:
        return []
    n = len(rows)
    longitudes, latitudes = [row.longitude for row in rows], [row.latitude for row in rows]
    bearings, _, distances = sphere().inv([point[1]] * n, [point[0]] * n, longitudes, latitudes)
    return [
        (
            row,
            Near(
                round(distance),
                round(bearing) % 360,
                (ROWS[kind], row.key),
                row.text,
                make_cursor(kind, Place(row.metres, row.key)),
            ),
        )
        for row, distance, bearing in zip(rows, distances, bearings, strict=True)
    ]
