"""The rows inside a polygon, against shapely; polygons that are none are refused."""

import math
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import orjson
import pytest
import pytest_asyncio
from shapely.geometry import Point, shape

import models
from models.db.database import Database
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.polygons import POSITIONS_MAXIMUM, checked_rings
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, NOW, Databases, make_executor

SIDE = 21
PLACES = [(120 + x / 20, 30 + y / 20) for x in range(SIDE) for y in range(SIDE)]


@pytest_asyncio.fixture(scope="module")
async def district(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    made = Database(await databases.new(migrated_url))
    async with made.write() as session:
        for i, (longitude, latitude) in enumerate(PLACES, start=1):
            place: Any = {"longitude": longitude, "latitude": latitude}
            session.add(models.Enterprise(id=i, name=f"{i}", risk_grade=None, updated_at=NOW, **place))
        session.add(models.Enterprise(id=len(PLACES) + 1, name="nowhere", updated_at=NOW))
    yield made
    await made.close()


def star(rng: Random, radius: float, corners: int) -> list[list[float]]:
    """A ring around the middle whose corners are at random distances."""
    at = [(2 * math.pi * i / corners, radius * rng.uniform(0.5, 1)) for i in range(corners)]
    ring = [[120.5 + r * math.cos(angle), 30.5 + r * math.sin(angle)] for angle, r in at]
    return [*ring, ring[0]]


async def test_lists_counts_and_maps_take_a_polygon(district: Database, graph: Graph) -> None:
    rng = Random(4)
    polygons = [
        {"type": "Polygon", "coordinates": [star(rng, 0.5, n), *([star(rng, 0.15, 5)] if hole else [])]}
        for n, hole in ((3, False), (7, False), (12, True), (40, True))
    ]
    # On its border are places, which count.
    polygons.append({"type": "Polygon", "coordinates": [[[120, 30], [121, 30], [121, 31], [120, 31], [120, 30]]]})
    query = """query($within: GeoJSON!, $box: BoxInput!) {
      enterprises(first: 1000, filter: { within: $within }) { totalCount nodes { name } }
      outside: enterprises(filter: { not: { within: $within } }) { totalCount }
      enterpriseMap(box: $box, zoom: 10, points: 0, filter: { within: $within }) { total }
      enterpriseCounts(by: [RISK_GRADE], filter: { within: $within }) { count }
    }"""
    box = {"west": 119, "south": 29, "east": 122, "north": 32}
    for polygon in polygons:
        inside = [str(i) for i, p in enumerate(PLACES, start=1) if shape(polygon).intersects(Point(*p))]
        assert len(inside) > 0
        for planned in (True, False):
            executor = make_executor(graph, district, planned=planned)
            answer = await executor.run(Operation(query, {"within": polygon, "box": box}), COMMANDER)
            data = orjson.loads(answer.json())["data"]
            assert [n["name"] for n in data["enterprises"]["nodes"]] == inside
            assert data["enterprises"]["totalCount"] == data["enterpriseMap"]["total"] == len(inside)
            assert data["enterpriseCounts"][0]["count"] == len(inside)
            assert data["outside"]["totalCount"] == len(PLACES) + 1 - len(inside)


SQUARE: list[Any] = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "POLYGON",
        [],
        {},
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [7]},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": [SQUARE[:-1]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [0, 0], [0, 0], [0, 0]]]},
        {"type": "Polygon", "coordinates": [SQUARE, [[5, 5], [6, 5], [6, 6], [5, 5]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [True, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], ["1", 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [181, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [10**400, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [math.inf, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [math.nan, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [SQUARE * 200]},
    ],
)
def test_what_is_no_polygon_is_refused(value: Any) -> None:
    with pytest.raises(RequestError) as caught:
        checked_rings(value)
    assert caught.value.code is ErrorCode.BAD_INPUT


def test_the_number_of_positions_is_bounded() -> None:
    ring = star(Random(1), 0.5, POSITIONS_MAXIMUM - 1)
    assert len(checked_rings({"type": "Polygon", "coordinates": [ring]})[0]) == POSITIONS_MAXIMUM
    # A height is left out.
    assert checked_rings({"type": "Polygon", "coordinates": [[[*p, 5.0] for p in ring]]})[0][0] == tuple(ring[0])
