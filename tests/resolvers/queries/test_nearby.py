"""Rows near a point: distances against an independent library, order and bounds against measuring every row."""

import base64
import math
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa
from geographiclib.geodesic import Geodesic
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import models
from models.db.database import Database
from models.db.sqlite_functions import EARTH_RADIUS_METRES, great_circle_metres
from models.visibility import Role, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries.nearby import HALF_ROUND, ROWS, Near, NearbyKind, around, measure, near_point, nearest_to
from resolvers.queries.nearby_rows import RowAt, box
from resolvers.sql.predicates import Condition, Equal
from resolvers.sql.readers import OperationReader
from tests.conftest import COMMANDER, NOW, SHANGHAI, Databases
from tests.support.proof_mode import examples

SPHERE = Geodesic(EARTH_RADIUS_METRES, 0)
CAMERA, ENTERPRISE = NearbyKind.CAMERA, NearbyKind.ENTERPRISE
quick = settings(max_examples=examples(150), deadline=None)
few_examples = settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

latitudes = st.floats(-90, 90) | st.sampled_from([-90.0, -89.9999, 0.0, 30.2, 89.9999, 90.0])
longitudes = st.floats(-180, 180) | st.sampled_from([-180.0, -179.9999, 0.0, 120.3, 179.9999, 180.0])
points = st.tuples(latitudes, longitudes)
Place = tuple[float, float]


def metres(one: Place, other: Place) -> float:
    near: float = SPHERE.Inverse(*one, *other)["s12"]
    return near


# -- distances --


@quick
@given(points, points)
@example((90.0, 0.0), (90.0, 180.0))
@example((0.0, 180.0), (0.0, -180.0))
@example((30.2, 120.3), (30.2, 120.3))
@example((0.0, 0.0), (0.0, 180.0))
def test_both_distance_formulas_agree_with_an_independent_one(one: Place, other: Place) -> None:
    expected = metres(one, other)
    # The haversine formula loses a few metres for nearly opposite points.
    near_opposite = expected > HALF_ROUND - 10_000
    assert great_circle_metres(*one, *other) == pytest.approx(expected, abs=2.0 if near_opposite else 0.001, rel=1e-9)
    [(_, near)] = measure(CAMERA, one, [RowAt(7, *other, None)])
    assert abs(near.distance_metres - expected) <= 0.51
    assert near.item == (models.Camera, 7)


@quick
@given(points, points)
@example((30.0, 120.0), (31.0, 120.0))
@example((30.0, 179.999), (30.0, -179.999))
def test_bearings_agree_with_an_independent_formula(one: Place, other: Place) -> None:
    [(_, near)] = measure(CAMERA, one, [RowAt(7, *other, None)])
    assert 0 <= near.bearing_degrees <= 359
    distance = metres(one, other)
    if 1 < distance < HALF_ROUND - 1 and abs(one[0]) < 89.9999:
        expected = SPHERE.Inverse(*one, *other)["azi1"] % 360
        assert abs((near.bearing_degrees - expected + 180) % 360 - 180) <= 0.51


@quick
@given(points, st.floats(0, HALF_ROUND), st.floats(0, 360))
@example((89.99, 0.0), 1_000.0, 90.0)
@example((89.99, 0.0), 1_200.0, 10.0)
@example((0.0, 180.0), 1.0, 90.0)
@example((30.2, 120.3), 0.0, 0.0)
@example((30.2, 120.3), HALF_ROUND, 0.0)
def test_the_box_contains_the_circle(centre: Place, radius: float, bearing: float) -> None:
    near = SPHERE.Direct(*centre, bearing, radius)
    south, north, west, east = box(*centre, radius)
    assert south <= near["lat2"] <= north
    longitude = near["lon2"]
    hair = 1e-7  # tolerance in degrees, since longitudes nearly coincide at a pole
    assert any(west - hair <= turned <= east + hair for turned in (longitude - 360, longitude, longitude + 360))
    assert -180 <= west <= east <= 180


# -- rows --

# Places all around the globe, one of them twice, and some rows without a place.
SPREAD: list[tuple[float | None, float | None]] = [
    *((math.degrees(math.asin(-1 + 2 * (i + 0.5) / 60)), (i * 222.49) % 360 - 180) for i in range(60)),
    *((30.2 + i * 0.001, 120.3 + i * 0.002) for i in range(20)),
    *((30.2, 120.3), (30.2, 120.3), (90.0, 0.0), (-90.0, 17.0), (0.0, 180.0), (0.0, -180.0), (0.0, 179.9999)),
    *((None, None), (None, None)),
]


@pytest_asyncio.fixture(scope="module")
async def globe(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    made = Database(await databases.new(migrated_url))
    async with made.write() as session:
        for i, (latitude, longitude) in enumerate(SPREAD, start=1):
            place: Any = {"latitude": latitude, "longitude": longitude}
            session.add(models.Enterprise(id=i, name=f"{i}", hazardous_chemicals=i % 3 == 0, updated_at=NOW, **place))
            session.add(models.Camera(id=i, name=f"{i}", **place))
        session.add(models.Team(id=1, name="A", kind=models.TeamKind.FIRE, strength=1, latitude=-45.0, longitude=10.0))
    yield made
    await made.close()


class Looking:
    """The three batch functions, each called with a reader of its own."""

    def __init__(self, database: Database, viewer: Viewer = COMMANDER) -> None:
        self._database, self._viewer = database, viewer

    async def _call(self, function: Any, parents: Any, **given: Any) -> list[list[Near]]:
        reader = OperationReader(self._database, self._viewer, NOW, SHANGHAI)
        try:
            near: list[list[Near]] = await function(reader, parents, **given)
            return near
        finally:
            await reader.close()

    async def around(self, *places: tuple[float | None, float | None], **given: Any) -> list[list[Near]]:
        return await self._call(around, list(places), **given)

    async def nearest(self, *keys: int, **given: Any) -> list[list[Near]]:
        return await self._call(nearest_to, [(key, *SPREAD[key - 1]) for key in keys], **given)

    async def point(self, place: Place, **given: Any) -> list[Near]:
        [near] = await self._call(near_point, [()], point=place, **given)
        return near


def nearest_by_measuring_all(
    centre: Place, within: float = math.inf, keep: Any = lambda key: True
) -> list[tuple[float, int]]:
    """Distance and key of every row within a distance, nearest first."""
    every = [(metres(centre, (a, b)), key) for key, (a, b) in enumerate(SPREAD, 1) if a is not None and b is not None]
    return sorted((distance, key) for distance, key in every if distance <= within and keep(key))


def assert_same(near: list[Near], expected: list[tuple[float, int]]) -> None:
    """The same rows in the same order, except for rows at the same distance to a millimetre."""
    assert len(near) == len(expected)
    distance = {key: d for d, key in nearest_by_measuring_all((0.0, 0.0))}
    assert distance
    for row, (away, _) in zip(near, expected, strict=True):
        assert abs(row.distance_metres - away) <= 0.52
    assert {n.item[1] for n in near[:-1]} <= {key for away, key in expected} or not expected
    assert len({n.item for n in near}) == len(near)


@few_examples
@given(centre=points, within=st.integers(0, 21_000_000), first=st.integers(1, 100))
@example(centre=(90.0, 0.0), within=9_000_000, first=100)
@example(centre=(0.0, 180.0), within=20, first=100)
@example(centre=(30.2, 120.3), within=0, first=100)
async def test_rows_within_a_distance_equal_measuring_all(
    globe: Database, centre: Place, within: int, first: int
) -> None:
    [near] = await Looking(globe).around(centre, kinds=[CAMERA], within_metres=within, first=first)
    edge = [d for d, _ in nearest_by_measuring_all(centre) if abs(d - within) < 0.01]
    if not edge:
        assert_same(near, nearest_by_measuring_all(centre, within)[:first])
    assert all(near.distance_metres <= within for near in near)


@few_examples
@given(centre=points, first=st.integers(1, 100))
@example(centre=(30.2, 120.3), first=1)
@example(centre=(-30.2, -59.7), first=87)
async def test_without_a_distance_the_nearest_rows_are_found_at_any_distance(
    globe: Database, centre: Place, first: int
) -> None:
    [near] = await Looking(globe).around(centre, kinds=[CAMERA], first=first)
    assert_same(near, nearest_by_measuring_all(centre)[:first])


@few_examples
@given(first=st.integers(1, 8), place=points)
async def test_many_places_together_equal_one_after_another(globe: Database, first: int, place: Place) -> None:
    places: list[Any] = [place, (None, None), (30.2, 120.3), place, (90.0, 5.0)]
    together = await Looking(globe).around(*places, kinds=[CAMERA, ENTERPRISE], first=first)
    assert together[1] == []
    for centre, near in zip(places, together, strict=True):
        assert near == (await Looking(globe).around(centre, kinds=[CAMERA, ENTERPRISE], first=first))[0]


async def test_the_edge_of_the_circle_is_included(globe: Database) -> None:
    [there] = await Looking(globe).around((30.2, 120.3), kinds=[CAMERA], within_metres=0)
    assert [near.item[1] for near in there] == [61, 81, 82]
    assert all(near.distance_metres == 0 for near in there)
    exact = metres((30.2, 120.3), (30.201, 120.302))
    for within, more in ((math.floor(exact), 0), (math.ceil(exact), 1)):
        [near] = await Looking(globe).around((30.2, 120.3), kinds=[CAMERA], within_metres=within)
        assert len(near) == 3 + more


async def test_the_filter_applies_to_enterprises_only(globe: Database) -> None:
    chemical = (Condition(Equal(models.Enterprise.hazardous_chemicals), True),)
    [near] = await Looking(globe).around((30.2, 120.3), kinds=[CAMERA, ENTERPRISE], first=9, filter=chemical)
    enterprises = [near.item[1] for near in near if near.item[0] is models.Enterprise]
    assert enterprises == [key for _, key in nearest_by_measuring_all((30.2, 120.3), keep=lambda key: key % 3 == 0)][:9]
    assert len([near for near in near if near.item[0] is models.Camera]) == 9


async def test_kinds_are_merged_by_distance_and_limited_separately(globe: Database) -> None:
    [near] = await Looking(globe).around((30.2, 120.3), kinds=list(NearbyKind), first=2)
    assert [near.item for near in near] == [
        (models.Enterprise, 61),
        (models.Enterprise, 81),
        (models.Camera, 61),
        (models.Camera, 81),
        (models.Team, 1),
    ]
    [twice] = await Looking(globe).around((30.2, 120.3), kinds=[CAMERA, CAMERA], first=2)
    assert len(twice) == 2
    assert await Looking(globe).around((30.2, 120.3), kinds=[]) == [[]]


async def all_pages(looking: Any, size: int, **given: Any) -> list[Near]:
    """The rows of all pages of one place, which `looking` reads."""
    rows: list[Near] = []
    while True:
        page = await looking(first=size, after=rows[-1].cursor if rows else None, **given)
        rows += page
        if len(page) < size:
            return rows


@pytest.mark.exhaustive
@pytest.mark.parametrize("size", [1, 2, 3, 50])
async def test_pages_by_distance_give_each_row_once_and_in_order(globe: Database, size: int) -> None:
    """Three cameras stand at one place: the key decides between them."""
    looking, place = Looking(globe), (30.2, 120.3)

    async def beside(first: int, after: str | None, **given: Any) -> list[Near]:
        pages = await looking.around(place, place, first=first, after=after, **given)
        assert pages[0] == pages[1]
        return pages[0]

    for within in ({}, {"within_metres": 5_000}):
        [whole] = await looking.around(place, kinds=[CAMERA], first=100, **within)
        assert [near.item[1] for near in whole[:3]] == [61, 81, 82]
        assert await all_pages(beside, size, kinds=[CAMERA], **within) == whole
        assert await all_pages(partial(looking.point, place, kinds=[CAMERA], **within), size) == whole
    [nearest] = await looking.nearest(61, kinds=[ENTERPRISE], first=100)

    async def of_enterprise(first: int, after: str | None) -> list[Near]:
        return (await looking.nearest(61, kinds=[ENTERPRISE], first=first, after=after))[0]

    assert await all_pages(of_enterprise, size) == nearest


async def test_a_cursor_is_of_one_kind(globe: Database) -> None:
    [camera] = await Looking(globe).point((30.2, 120.3), kinds=[CAMERA], first=1)
    forged = [base64.urlsafe_b64encode(orjson.dumps(v)).decode() for v in (["CAMERA", 1, 1], ["CAMERA", 1.0, 0], 5)]
    for kinds, after, code in (
        ([CAMERA, ENTERPRISE], camera.cursor, ErrorCode.BAD_PAGE),
        ([ENTERPRISE], camera.cursor, ErrorCode.BAD_CURSOR),
        *(([CAMERA], text, ErrorCode.BAD_CURSOR) for text in ("", "x", "é", *forged)),
    ):
        with pytest.raises(RequestError) as refused:
            await Looking(globe).point((30.2, 120.3), kinds=kinds, after=after)
        assert refused.value.code is code


async def test_an_enterprise_is_never_nearest_to_itself(globe: Database) -> None:
    keys = [k for k, (latitude, _) in enumerate(SPREAD, 1) if latitude is not None]
    every = await Looking(globe).nearest(*keys, kinds=[ENTERPRISE], first=3)
    for key, near in zip(keys, every, strict=True):
        assert (models.Enterprise, key) not in [near.item for near in near]
        place = SPREAD[key - 1]
        assert place[0] is not None
        assert place[1] is not None
        assert_same(near, nearest_by_measuring_all((place[0], place[1]), keep=lambda other, key=key: other != key)[:3])
    # A camera may have the same key as the enterprise.
    [[camera]] = await Looking(globe).nearest(61, kinds=[CAMERA], first=1)
    assert camera.item == (models.Camera, 61)


async def test_nothing_is_near_a_row_without_a_location(globe: Database) -> None:
    assert await Looking(globe).nearest(len(SPREAD), kinds=[ENTERPRISE]) == [[]]


@pytest.mark.parametrize(
    ("place", "given", "code"),
    [
        ((90.1, 0.0), {}, ErrorCode.BAD_INPUT),
        ((0.0, -180.5), {}, ErrorCode.BAD_INPUT),
        ((math.nan, 0.0), {}, ErrorCode.BAD_INPUT),
        ((0.0, math.inf), {}, ErrorCode.BAD_INPUT),
        ((0.0, 0.0), {"within_metres": -1}, ErrorCode.BAD_INPUT),
        ((0.0, 0.0), {"first": -1}, ErrorCode.BAD_PAGE),
        ((0.0, 0.0), {"first": 1001}, ErrorCode.BAD_PAGE),
    ],
)
async def test_invalid_points_and_arguments_are_refused(
    globe: Database, place: Place, given: Any, code: ErrorCode
) -> None:
    with pytest.raises(RequestError) as refused:
        await Looking(globe).point(place, kinds=[CAMERA], **given)
    assert refused.value.code is code


async def test_a_point_given_by_the_client(globe: Database) -> None:
    near = await Looking(globe).point((30.2, 120.3), kinds=[CAMERA], first=1000, within_metres=2**31 - 1)
    assert len(near) == len(nearest_by_measuring_all((0.0, 0.0)))


async def test_an_enterprise_finds_only_its_own_rows(globe: Database) -> None:
    viewer = Viewer(Visibility(Role.ENTERPRISE, enterprise=61))
    near = await Looking(globe, viewer).point((30.2, 120.3), kinds=list(ROWS), first=100)
    assert [near.item for near in near] == [(models.Enterprise, 61)]


async def test_the_box_is_read_through_an_index(globe: Database) -> None:
    """A search within a short distance must not scan the table."""
    texts: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        texts.append((statement, parameters))

    engine = globe.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    await Looking(globe).around((30.2, 120.3), kinds=[CAMERA], within_metres=100)
    sa.event.remove(engine, "before_cursor_execute", note)
    statement, parameters = next((s, p) for s, p in texts if s.startswith("SELECT"))
    async with globe.engine.connect() as connection:
        if not globe.sqlite:
            await connection.exec_driver_sql("SET enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if globe.sqlite else "EXPLAIN "
        plan = [str(row) for row in await connection.exec_driver_sql(explain + statement, parameters)]
    assert any("ix_camera_latitude_longitude" in line for line in plan), plan
