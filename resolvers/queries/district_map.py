"""Reads the map of the district: the rows in a box as points, or as clusters where there are too many.

A cluster is a cell of the grid (models/grid.py). Cells lie still while the box moves, so that a client may ask for the
part of the map that has come into view. Enterprises with conditions on nothing but their grade and zone, which is what
a map of the whole district asks for, are counted in an index, one range for each cell and grade.
"""

import enum
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

import models
from models import RiskGrade, grid
from models.grid import Cell
from resolvers.errors import ErrorCode, RequestError, argument_range
from resolvers.queries import map_statements
from resolvers.queries.map_statements import Box, Layer
from resolvers.retired import IS_CURRENT
from resolvers.sql import authorization, selects
from resolvers.sql.named_rows import HasKey, require_rows
from resolvers.sql.predicates import Among, Conditions
from resolvers.sql.readers import Reader

POINTS_DEFAULT = 2_000
POINTS_MAXIMUM = 20_000
CELLS_MAXIMUM = 600
ZOOM_MAXIMUM = 24
CELLS_IN_TILE = 2  # by its logarithm: a tile of 256 pixels is four cells wide
DECIMALS = 5  # of a degree: a metre
WIDE = 10_000  # enterprises in a box, above which other conditions are looked at first
EDGE = 1e-6  # degrees by which more than whole cells are read, because the grid decides about rows on their edges


class MapKind(enum.Enum):
    """Kinds of resources on a map."""

    TEAM = "team"
    WAREHOUSE = "warehouse"
    EXPERT = "expert"
    CAMERA = "camera"


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


def _map_of(layer: Layer) -> Callable[..., Awaitable[list[Map]]]:
    async def rows(
        reader: Reader,
        parents: Sequence[tuple[()]],
        *,
        box: Box,
        zoom: int,
        filter: Conditions = (),
        points: int = POINTS_DEFAULT,
    ) -> list[Map]:
        """The rows in a box; a hazard is at its enterprise. Raises RequestError."""
        return [await _read(reader, [(layer, filter)], box, zoom, points)] * len(parents)

    return rows


enterprises = _map_of(ENTERPRISES)
hazards = _map_of(HAZARDS)


async def resources(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    box: Box,
    zoom: int,
    kinds: list[MapKind],
    filter: Callable[[MapKind], Conditions] = lambda kind: (),
    points: int = POINTS_DEFAULT,
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
    wide = await _is_wide(reader, layers, box)
    if await _count(reader, layers, box, wide, points + 1) <= points:
        rows = [point for layer, conditions in layers for point in await _points(reader, layer, conditions, box, wide)]
        return Map(len(rows), points=_point_groups(rows))
    level = level_of(box, zoom)
    tallies: Tallies = defaultdict(dict)
    for layer, conditions in layers:
        for cell, group, tally in await _tallies(reader, layer, conditions, box, wide, level):
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


async def _is_wide(reader: Reader, layers: LayerConditions, box: Box) -> bool:
    """Whether the box has so many enterprises that other conditions are looked at first. Resources are always few."""
    if all(layer.model is not models.Enterprise and layer.at is None for layer, _ in layers):
        return False
    [row] = await reader.rows(map_statements.wide_statement(WIDE + 1), box._asdict())
    return bool(row.n > WIDE)


async def _count(reader: Reader, layers: LayerConditions, box: Box, wide: bool, limit: int) -> int:
    """How many rows are in the box, but no more than `limit`: rows that will not be shown are not read."""
    total = 0
    for layer, conditions in layers:
        predicates = tuple(c.predicate for c in conditions)
        statement = map_statements.count_statement(layer, predicates, limit - total, wide, reader.sqlite)
        [row] = await reader.rows(statement, {**selects.parameters(conditions, reader), **box._asdict()})
        total += row.n
        if total == limit:
            break
    return total


async def _points(
    reader: Reader, layer: Layer, conditions: Conditions, box: Box, wide: bool
) -> list[tuple[Any, int, float, float]]:
    """The rows as (group, key, longitude, latitude)."""
    statement = map_statements.point_statement(layer, tuple(c.predicate for c in conditions), wide, reader.sqlite)
    rows = await reader.rows(statement, {**selects.parameters(conditions, reader), **box._asdict()})
    return [(layer.name if layer.group is None else r.group, r.id, r.longitude, r.latitude) for r in rows]


async def _tallies(
    reader: Reader, layer: Layer, conditions: Conditions, box: Box, wide: bool, level: int
) -> Iterable[tuple[Cell, Any, Tally]]:
    """The number of rows of each group in each cell that the box touches."""
    indexed = _indexed(layer, conditions)
    if indexed is not None:
        return await _indexed_tallies(reader, *indexed, box, level)
    first, last = cells_between(box, level)
    west, south, east, north = *grid.bounds(first, level)[:2], *grid.bounds(last, level)[2:]
    whole = Box(west - EDGE, south - EDGE, east + EDGE, north + EDGE)
    statement = map_statements.tally_statement(
        layer, tuple(c.predicate for c in conditions), grid.FINEST - level, wide, reader.sqlite
    )
    rows = await reader.rows(statement, {**selects.parameters(conditions, reader), **whole._asdict()})
    return [
        (Cell(r.column, r.row), layer.name if layer.group is None else r.group, Tally(r.n, r.longitude, r.latitude))
        for r in rows
        if first.column <= r.column <= last.column and first.row <= r.row <= last.row
    ]


def _indexed(layer: Layer, conditions: Conditions) -> tuple[list[int], Conditions] | None:
    """The grades to search the map's index for, 0 for none, and the conditions on the zone.

    None if there are conditions on anything else, or not on current enterprises alone, which are all that it has.
    """
    if layer is not ENTERPRISES or all(condition.predicate is not IS_CURRENT for condition in conditions):
        return None
    ranks, of_zones = set(range(len(RiskGrade) + 1)), []
    for condition in conditions:
        predicate = condition.predicate
        column = predicate.column if isinstance(predicate, Among | HasKey) else None
        if column is models.Enterprise.zone_id:
            of_zones.append(condition)
        elif type(predicate) is Among and column is models.Enterprise.risk_grade:
            ranks &= {grade.value for grade in condition.value}
        elif predicate is not IS_CURRENT:
            return None
    return sorted(ranks), of_zones


async def _indexed_tallies(
    reader: Reader, ranks: list[int], of_zones: Conditions, box: Box, level: int
) -> list[tuple[Cell, Any, Tally]]:
    first, last = cells_between(box, level)
    cells = [
        (rank, Cell(column, row))
        for rank in ranks
        for row in range(first.row, last.row + 1)
        for column in range(first.column, last.column + 1)
    ]
    lows = [grid.key_range(rank, cell, level)[0] for rank, cell in cells]
    predicates = tuple(c.predicate for c in of_zones)
    # As a text: asyncpg looks at each item of an array several times.
    values = {"lows": ",".join(map(str, lows)), "span": grid.keys_in_cell(level) - 1}
    values |= selects.parameters(of_zones, reader)
    if reader.sqlite:
        rows = await reader.rows(map_statements.sqlite_ranges(predicates), {**values, "lows": f"[{values['lows']}]"})
        tallies = [(r.i, Tally(*orjson.loads(r.tally))) for r in rows]
    else:
        rows = await reader.rows(map_statements.postgres_ranges(predicates), values)
        tallies = [(r.i - 1, Tally(r.n, r.longitude, r.latitude)) for r in rows]
    return [(cells[i][1], RiskGrade(cells[i][0]) if cells[i][0] else None, tally) for i, tally in tallies if tally.rows]


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
