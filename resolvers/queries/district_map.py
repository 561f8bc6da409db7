"""What a map of the district shows: the rows in a box as points, or as clusters where there are too many.

A cluster is a cell of the grid (models/grid.py). Cells lie still while the box moves, so that a client may ask for the
part of the map that has come into view. Enterprises without conditions but on their grade, which is what a map of the
whole district asks for, are counted in an index, one range for each cell and grade.
"""

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

import models
from models import RiskGrade, grid
from models.db.tables import table_of
from models.grid import Cell
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError, argument_range
from resolvers.retired import IS_CURRENT
from resolvers.sql import authorization, selects
from resolvers.sql.named_rows import require_rows
from resolvers.sql.predicates import Among, Conditions, Predicate, table_column
from resolvers.sql.readers import Reader

POINTS_MAXIMUM = 2_000
CELLS_MAXIMUM = 600
ZOOM_MAXIMUM = 24
CELLS_IN_TILE = 2  # by its logarithm: a tile of 256 pixels is four cells wide
DECIMALS = 5  # of a degree: a metre
EDGE = 1e-6  # degrees by which more than whole cells are read, because the grid decides about rows on their edges


class MapKind(enum.Enum):
    """Kinds of resources on a map."""

    TEAM = "team"
    WAREHOUSE = "warehouse"
    EXPERT = "expert"
    CAMERA = "camera"


class Box(NamedTuple):
    """A part of the globe in degrees. Raises RequestError where `checked`."""

    west: float
    south: float
    east: float
    north: float

    def checked(self) -> "Box":
        # A comparison with a number that is not finite is false.
        if not (-180 <= self.west <= self.east <= 180 and -90 <= self.south <= self.north <= 90):
            reason = Reason(
                "BOX",
                "A box needs -180 ≤ west ≤ east ≤ 180 and -90 ≤ south ≤ north ≤ 90. Ask twice for one across ±180°.",
            )
            raise RequestError(ErrorCode.BAD_INPUT, reason)
        return self


@dataclass(eq=False, frozen=True)
class Layer:
    """Rows of one table. They are counted by `group`, a column, or else all belong to the group `name`.

    `at` is the column that names the enterprise at which a row without a place of its own is.
    """

    model: Any
    group: Any = None
    name: Any = None
    at: Any = None


ENTERPRISES = Layer(models.Enterprise, models.Enterprise.risk_grade)
HAZARDS = Layer(models.Hazard, models.Hazard.level, at=models.Hazard.enterprise_id)
RESOURCES = {
    MapKind.TEAM: Layer(models.Team, name=MapKind.TEAM),
    MapKind.WAREHOUSE: Layer(models.Warehouse, name=MapKind.WAREHOUSE),
    MapKind.EXPERT: Layer(models.Expert, name=MapKind.EXPERT),
    MapKind.CAMERA: Layer(models.Camera, name=MapKind.CAMERA),
}


@dataclass(frozen=True, slots=True)
class PointGroup:
    """The points of one group, in the order of their keys. The lists are of equal length."""

    group: Any
    keys: list[int]
    longitudes: list[float]
    latitudes: list[float]


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """How many rows of one group each cluster has, in the order of the clusters."""

    group: Any
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters from south to north and west to east. The lists are of equal length."""

    longitudes: list[float]
    latitudes: list[float]
    counts: list[int]
    wests: list[float]
    souths: list[float]
    easts: list[float]
    norths: list[float]
    groups: list[GroupCounts]


@dataclass(frozen=True, slots=True)
class Map:
    """Either the points or the clusters, and how many rows they stand for."""

    total: int
    points: list[PointGroup] | None = None
    clusters: Clusters | None = None


class Tally(NamedTuple):
    """The rows of a group in a cell: their number, and the sums of their longitudes and latitudes."""

    rows: int
    longitude: float
    latitude: float


Tallies = dict[Cell, dict[Any, Tally]]  # by cell and group
LayerConditions = list[tuple[Layer, Conditions]]


async def enterprises(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    box: Box,
    zoom: int,
    filter: Conditions = (),
    points: int = POINTS_MAXIMUM,
) -> list[Map]:
    """The enterprises in a box. Raises RequestError."""
    return [await _read(reader, [(ENTERPRISES, filter)], box, zoom, points)] * len(parents)


async def hazards(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    box: Box,
    zoom: int,
    filter: Conditions = (),
    points: int = POINTS_MAXIMUM,
) -> list[Map]:
    """The hazards in a box, each at its enterprise. Raises RequestError."""
    return [await _read(reader, [(HAZARDS, filter)], box, zoom, points)] * len(parents)


async def resources(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    box: Box,
    zoom: int,
    kinds: list[MapKind],
    filter: Callable[[MapKind], Conditions] = lambda kind: (),
    points: int = POINTS_MAXIMUM,
) -> list[Map]:
    """The resources in a box. Raises RequestError."""
    layers = [(RESOURCES[kind], filter(kind)) for kind in dict.fromkeys(kinds)]
    return [await _read(reader, layers, box, zoom, points)] * len(parents)


async def _read(reader: Reader, layers: LayerConditions, box: Box, zoom: int, points: int) -> Map:
    if not 0 <= points <= POINTS_MAXIMUM:
        raise RequestError(ErrorCode.BAD_INPUT, argument_range("points", 0, POINTS_MAXIMUM))
    if not 0 <= zoom <= ZOOM_MAXIMUM:
        raise RequestError(ErrorCode.BAD_INPUT, argument_range("zoom", 0, ZOOM_MAXIMUM))
    if named := [rows for _, conditions in layers for c in conditions for rows in c.named]:
        await require_rows(reader, named)
    visibility = reader.viewer.visibility
    layers = [(layer, [*c, *authorization.place_conditions(layer.model, visibility)]) for layer, c in layers]
    rows: list[tuple[Any, int, float, float]] = []
    for layer, conditions in layers:
        rows += await _points(reader, layer, conditions, box, points + 1 - len(rows))
        if len(rows) > points:
            break
    else:
        return Map(len(rows), points=_point_groups(rows))
    level = level_of(box, zoom)
    tallies: Tallies = defaultdict(dict)
    for layer, conditions in layers:
        for cell, group, tally in await _tallies(reader, layer, conditions, box, level):
            tallies[cell][group] = tally
    clusters = _clusters(tallies, level)
    return Map(sum(clusters.counts), clusters=clusters)


def level_of(box: Box, zoom: int) -> int:
    """The level of the grid for a zoom; coarser where the box would have too many cells."""
    level = min(zoom + CELLS_IN_TILE, grid.FINEST)
    while True:
        first, last = cells_between(box, level)
        if (last.column - first.column + 1) * (last.row - first.row + 1) <= CELLS_MAXIMUM:
            return level
        level -= 1


def cells_between(box: Box, level: int) -> tuple[Cell, Cell]:
    """The cells at the south-western and the north-eastern corner."""
    return grid.cell_of(box.west, box.south, level), grid.cell_of(box.east, box.north, level)


# -- reading --


async def _points(
    reader: Reader, layer: Layer, conditions: Conditions, box: Box, limit: int
) -> list[tuple[Any, int, float, float]]:
    """Up to `limit` rows as (group, key, longitude, latitude)."""
    statement = _point_statement(layer, tuple(c.predicate for c in conditions), limit, reader.sqlite)
    rows = await reader.rows(statement, {**selects.parameters(conditions, reader), **box._asdict()})
    return [(layer.name if layer.group is None else r.group, r.id, r.longitude, r.latitude) for r in rows]


async def _tallies(
    reader: Reader, layer: Layer, conditions: Conditions, box: Box, level: int
) -> Iterable[tuple[Cell, Any, Tally]]:
    """What each cell that the box touches has of each group."""
    ranks = _ranks(layer, conditions)
    if ranks is not None:
        return await _indexed_tallies(reader, ranks, box, level)
    first, last = cells_between(box, level)
    west, south, east, north = *grid.bounds(first, level)[:2], *grid.bounds(last, level)[2:]
    whole = Box(west - EDGE, south - EDGE, east + EDGE, north + EDGE)
    statement = _tally_statement(layer, tuple(c.predicate for c in conditions), grid.FINEST - level, reader.sqlite)
    rows = await reader.rows(statement, {**selects.parameters(conditions, reader), **whole._asdict()})
    return [
        (Cell(r.column, r.row), layer.name if layer.group is None else r.group, Tally(r.n, r.longitude, r.latitude))
        for r in rows
        if first.column <= r.column <= last.column and first.row <= r.row <= last.row
    ]


def _ranks(layer: Layer, conditions: Conditions) -> list[int] | None:
    """The grades, 0 for none, of the enterprises that the conditions allow.

    None if they are about anything else, or not about current enterprises alone, which are all that the index has.
    """
    if layer is not ENTERPRISES or all(condition.predicate is not IS_CURRENT for condition in conditions):
        return None
    ranks = set(range(len(RiskGrade) + 1))
    for condition in conditions:
        predicate = condition.predicate
        if predicate is IS_CURRENT:
            continue
        if type(predicate) is not Among or predicate.column is not models.Enterprise.risk_grade:
            return None
        ranks &= {grade.value for grade in condition.value}
    return sorted(ranks)


async def _indexed_tallies(reader: Reader, ranks: list[int], box: Box, level: int) -> list[tuple[Cell, Any, Tally]]:
    first, last = cells_between(box, level)
    cells = [
        (rank, Cell(column, row))
        for rank in ranks
        for row in range(first.row, last.row + 1)
        for column in range(first.column, last.column + 1)
    ]
    ranges = [grid.key_range(rank, cell, level) for rank, cell in cells]
    if reader.sqlite:
        rows = await reader.rows(_sqlite_ranges(), {"ranges": orjson.dumps(ranges).decode()})
        tallies = [(r.i, Tally(*orjson.loads(r.tally))) for r in rows]
    else:
        lows, highs = ([r[i] for r in ranges] for i in (0, 1))
        rows = await reader.rows(_postgres_ranges(), {"lows": lows, "highs": highs})
        tallies = [(r.i - 1, Tally(r.n, r.longitude, r.latitude)) for r in rows]
    return [(cells[i][1], RiskGrade(cells[i][0]) if cells[i][0] else None, tally) for i, tally in tallies if tally.rows]


# -- statements --


def _placed(layer: Layer) -> tuple[FromClause, FromClause]:
    """The tables of a layer, and the one that has the places."""
    table = table_of(layer.model)
    if layer.at is None:
        return table, table
    place = table_of(models.Enterprise).alias("place")
    return table.join(place, place.c.id == table_column(layer.at)), place


def _group(layer: Layer) -> ColumnElement[Any]:
    return (sa.null() if layer.group is None else table_column(layer.group)).label("group")


def _in_box(place: FromClause) -> list[ColumnElement[bool]]:
    west, south, east, north = (bindparam(name, type_=sa.Float) for name in Box._fields)
    return [place.c.latitude.between(south, north), place.c.longitude.between(west, east)]


@lru_cache(maxsize=256)
def _point_statement(layer: Layer, predicates: tuple[Predicate, ...], limit: int, sqlite: bool) -> sa.Select[Any]:
    source, place = _placed(layer)
    columns = table_of(layer.model).c.id, place.c.longitude, place.c.latitude, _group(layer)
    where = [*_in_box(place), *selects.where(predicates, sqlite)]
    size = sa.literal_column(str(limit), sa.Integer)
    return sa.select(*columns).select_from(source).where(*where).limit(size)


@lru_cache(maxsize=256)
def _tally_statement(layer: Layer, predicates: tuple[Predicate, ...], shift: int, sqlite: bool) -> sa.Select[Any]:
    source, place = _placed(layer)
    name = place.name  # type: ignore[attr-defined]  # tables and aliases have one
    column, row = (
        sa.literal_column(f"({text} >> {shift})", sa.BigInteger)
        for text in (grid.column_sql(f"{name}.longitude"), grid.row_sql(f"{name}.latitude"))
    )
    keys = [column, row] if layer.group is None else [column, row, table_column(layer.group)]
    statement = sa.select(column.label("column"), row.label("row"), _group(layer), *_tally(place))
    where = [*_in_box(place), *selects.where(predicates, sqlite)]
    return statement.select_from(source).where(*where).group_by(*keys)


def _tally(place: FromClause) -> list[ColumnElement[Any]]:
    sums = (sa.func.sum(place.c[name]).label(name) for name in ("longitude", "latitude"))
    return [sa.func.count().label("n"), *sums]


KEY = sa.literal_column(models.ENTERPRISE_MAP_KEY, sa.BigInteger)
PLACE = table_of(models.Enterprise)


@lru_cache
def _sqlite_ranges() -> sa.Select[Any]:
    """The tally of each range as a JSON array. A correlated subquery needs no sorting, as a GROUP BY would."""
    ranges = sa.func.json_each(bindparam("ranges", type_=sa.String)).table_valued("key", "value", name="ranges")
    low, high = (sa.func.json_extract(ranges.c.value, f"$[{i}]") for i in (0, 1))
    tally = sa.func.json_array(*_tally(PLACE))
    of_range = sa.select(tally).select_from(PLACE).where(KEY.between(low, high)).correlate(ranges)
    return sa.select(ranges.c.key.label("i"), of_range.scalar_subquery().label("tally"))


@lru_cache
def _postgres_ranges() -> sa.Select[Any]:
    """The tally of each range, the first of which has the number 1."""
    arrays = [bindparam(name, type_=ARRAY(sa.BigInteger)) for name in ("lows", "highs")]
    columns = [sa.column(name, sa.BigInteger) for name in ("low", "high")]
    ranges = sa.func.unnest(*arrays).table_valued(*columns, with_ordinality="i", name="ranges").render_derived()
    of_range = sa.select(*_tally(PLACE)).where(KEY.between(ranges.c.low, ranges.c.high)).lateral("of_range")
    return sa.select(ranges.c.i, of_range).select_from(ranges.join(of_range, sa.true())).where(of_range.c.n > 0)


# -- the answer --


def _rank(group: Any) -> int:
    """Grades and levels from the highest to the lowest, then those without; kinds in their order."""
    if isinstance(group, MapKind):
        return list(MapKind).index(group)
    return 0 if group is None else -int(group.value)


def _point_groups(rows: list[tuple[Any, int, float, float]]) -> list[PointGroup]:
    groups: dict[Any, list[tuple[int, float, float]]] = defaultdict(list)
    for group, key, longitude, latitude in rows:
        groups[group].append((key, round(longitude, DECIMALS), round(latitude, DECIMALS)))
    return [
        PointGroup(group, *(list(column) for column in zip(*sorted(groups[group]), strict=True)))
        for group in sorted(groups, key=_rank)
    ]


def _clusters(tallies: Tallies, level: int) -> Clusters:
    cells = sorted(tallies, key=lambda cell: (cell.row, cell.column))
    longitudes, latitudes, counts = [], [], []
    for cell in cells:
        of_cell = tallies[cell].values()
        count = sum(tally.rows for tally in of_cell)
        counts.append(count)
        longitudes.append(round(sum(tally.longitude for tally in of_cell) / count, DECIMALS))
        latitudes.append(round(sum(tally.latitude for tally in of_cell) / count, DECIMALS))
    boxes = [[round(edge, DECIMALS) for edge in grid.bounds(cell, level)] for cell in cells]
    wests, souths, easts, norths = ([box[i] for box in boxes] for i in range(4))
    groups = sorted({group for of_cell in tallies.values() for group in of_cell}, key=_rank)
    nothing = Tally(0, 0, 0)
    by_group = [GroupCounts(g, [tallies[cell].get(g, nothing).rows for cell in cells]) for g in groups]
    return Clusters(longitudes, latitudes, counts, wests, souths, easts, norths, by_group)
