"""Maps: points and clusters against the rows themselves, for random boxes; rights, bounds and sizes."""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import orjson
import pytest
import pytest_asyncio

import models
from models import HazardLevel, HazardStatus, RiskGrade, grid
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.queries import district_map
from resolvers.queries.district_map import CELLS_MAXIMUM, Map, MapKind, level_of
from resolvers.queries.map_statements import Box
from resolvers.retired import IS_CURRENT
from resolvers.sql.named_rows import ZONE_CODE, HasKey
from resolvers.sql.predicates import Among, Condition, Equal
from resolvers.sql.readers import OperationReader
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, NOW, SHANGHAI, Databases, StatementCounter, make_executor
from tests.support.statement_plans import plan, selects_of

RNG = Random(7)
GLOBE = Box(-180.0, -90.0, 180.0, 90.0)
GRADES: list[RiskGrade | None] = [*RiskGrade, None]
CORNERS = [(-180.0, -90.0), (180.0, 90.0), (-180.0, 90.0), (180.0, -90.0), (0.0, 0.0), (180.0, 0.0), (120.0, 30.0)]
PLACES: list[tuple[float | None, float | None]] = [
    *CORNERS,
    *((RNG.uniform(-180, 180), RNG.uniform(-90, 90)) for _ in range(60)),
    *((120.2 + RNG.gauss(0, 0.05), 30.2 + RNG.gauss(0, 0.05)) for _ in range(200)),
    *((120.2, 30.2) for _ in range(5)),
    (None, None),
]
CURRENT = Condition(IS_CURRENT)  # as every list has it whose filter does not ask for others
# Holds for every enterprise, but is not in the index.
EVERY = Condition(Among(models.Enterprise.hazardous_chemicals), [True, False])
ZONES = ["NORTH", "SOUTH"]  # the first has the enterprises 1, 4, 7 …; the second 2, 5, 8 …
OF_ZONES = (
    Condition(Among(models.Enterprise.zone_id), [2]),
    Condition(HasKey(models.Enterprise.zone_id, ZONE_CODE), ["SOUTH"]),
)
Row = tuple[int, Any, float, float]  # key, group, longitude, latitude


@pytest_asyncio.fixture(scope="module")
async def district(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    made = Database(await databases.new(migrated_url))
    async with made.write() as session:
        session.add(models.District(id=1, name=""))
        for number, code in enumerate(ZONES, start=1):
            session.add(models.Zone(id=number, district_id=1, code=code, name=code, focus=[], plan="", boundary={}))
        await session.flush()
        for i, (longitude, latitude) in enumerate(PLACES, start=1):
            place: Any = {"latitude": latitude, "longitude": longitude}
            grade = GRADES[i % 5]
            session.add(
                models.Enterprise(
                    id=i,
                    name=f"{i}",
                    risk_grade=grade,
                    hazardous_chemicals=i % 3 == 0,
                    zone_id=i % 3 or None,
                    updated_at=NOW,
                    **place,
                )
            )
            if i % 2:
                session.add(models.Team(id=i, name="T", kind=models.TeamKind.FIRE, strength=1, **place))
            else:
                session.add(models.Camera(id=i, name="C", **place))
        await session.flush()
        for i in range(1, 400):
            level = HazardLevel.MAJOR if i % 7 == 0 else HazardLevel.GENERAL
            stated: Any = {"status": HazardStatus.FOUND, "description": "", "found_at": NOW}
            session.add(models.Hazard(id=i, enterprise_id=i % len(PLACES) + 1, level=level, **stated))
    yield made
    await made.close()


def enterprises() -> list[Row]:
    rows = enumerate(PLACES, start=1)
    return [(i, GRADES[i % 5], x, y) for i, (x, y) in rows if x is not None and y is not None]


def hazards() -> list[Row]:
    rows = []
    for i in range(1, 400):
        x, y = PLACES[i % len(PLACES)]
        if x is not None and y is not None:
            rows.append((i, HazardLevel.MAJOR if i % 7 == 0 else HazardLevel.GENERAL, x, y))
    return rows


def resources() -> list[Row]:
    return [(i, MapKind.TEAM if i % 2 else MapKind.CAMERA, x, y) for i, _, x, y in enterprises()]


def expected(rows: list[Row], box: Box, zoom: int, points: int) -> Map:
    """The map made of all rows."""
    inside = [r for r in rows if box.west <= r[2] <= box.east and box.south <= r[3] <= box.north]
    if len(inside) <= points:
        groups: dict[Any, list[Row]] = defaultdict(list)
        for row in inside:
            groups[row[1]].append(row)
        lists = {
            g: ([r[0] for r in of], [round(r[2], 5) for r in of], [round(r[3], 5) for r in of])
            for g, of in groups.items()
        }
        return Map(len(inside), [district_map.PointGroup(g, *lists[g]) for g in sorted(lists, key=rank)])
    level = level_of(box, zoom)
    first, last = grid.cell_of(box.west, box.south, level), grid.cell_of(box.east, box.north, level)
    cells: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        column, line = grid.cell_of(row[2], row[3], level)
        if first.column <= column <= last.column and first.row <= line <= last.row:
            cells[line, column].append(row)
    of_cell = [cells[cell] for cell in sorted(cells)]
    edges = [grid.bounds(grid.Cell(column, line), level) for line, column in sorted(cells)]
    counts = [Counter(r[1] for r in members) for members in of_cell]
    groups_in = sorted({g for c in counts for g in c}, key=rank)
    return Map(
        sum(map(len, of_cell)),
        clusters=district_map.Clusters(
            longitudes=[round(sum(r[2] for r in members) / len(members), 5) for members in of_cell],
            latitudes=[round(sum(r[3] for r in members) / len(members), 5) for members in of_cell],
            counts=list(map(len, of_cell)),
            wests=[round(edge[0], 5) for edge in edges],
            souths=[round(edge[1], 5) for edge in edges],
            easts=[round(edge[2], 5) for edge in edges],
            norths=[round(edge[3], 5) for edge in edges],
            groups=[district_map.GroupCounts(g, [c[g] for c in counts]) for g in groups_in],
        ),
    )


def rank(group: Any) -> int:
    return [*reversed(RiskGrade), *reversed(HazardLevel), None, *MapKind].index(group)


def close(one: Map, other: Map) -> bool:
    """Equal, but for the last digit of a mean."""
    if one.clusters is None or other.clusters is None:
        return one == other
    names = ("counts", "wests", "souths", "easts", "norths", "groups")
    means = ("longitudes", "latitudes")
    return (
        one.total == other.total
        and all(getattr(one.clusters, n) == getattr(other.clusters, n) for n in names)
        and all(getattr(one.clusters, n) == pytest.approx(getattr(other.clusters, n), abs=2e-5) for n in means)
    )


def random_box(rng: Random) -> Box:
    if rng.random() < 0.5:
        west, east = sorted(rng.uniform(120, 120.4) for _ in range(2))
        south, north = sorted(rng.uniform(30, 30.4) for _ in range(2))
    else:
        west, east = sorted(rng.choice((-180.0, 180.0, 0.0, rng.uniform(-180, 180))) for _ in range(2))
        south, north = sorted(rng.choice((-90.0, 90.0, 0.0, rng.uniform(-90, 90))) for _ in range(2))
    return Box(west, south, east, north)


@pytest.mark.exhaustive
@pytest.mark.parametrize("wide", [0, 40, district_map.WIDE])
async def test_maps_show_what_the_rows_say(district: Database, monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    monkeypatch.setattr(district_map, "WIDE", wide)
    rng, kinds = Random(3), Counter[str]()
    reader = OperationReader(district, COMMANDER, NOW, SHANGHAI)
    in_south = [row for row in enterprises() if row[0] % 3 == 2]
    boxes = [GLOBE, Box(120.0, 30.0, 120.4, 30.4), Box(120.2, 30.2, 120.2, 30.2), *(random_box(rng) for _ in range(30))]
    for box in boxes:
        zoom, points = rng.choice((0, 3, 8, 11, 14, 17, 24)), rng.choice((0, 3, 40, 2_000))
        asked: dict[str, Any] = {"box": box, "zoom": zoom, "points": points}
        for name, rows, shown in (
            ("in the index", enterprises(), district_map.enterprises(reader, [()], **asked, filter=[CURRENT])),
            ("of a zone", in_south, district_map.enterprises(reader, [()], **asked, filter=[CURRENT, *OF_ZONES])),
            ("of the table", enterprises(), district_map.enterprises(reader, [()], **asked, filter=[EVERY])),
            ("hazards", hazards(), district_map.hazards(reader, [()], **asked)),
            ("resources", resources(), district_map.resources(reader, [()], **asked, kinds=list(MapKind))),
        ):
            [map] = await shown
            assert close(map, expected(rows, box, zoom, points)), (name, box, zoom, points)
            kinds[f"{name}: {'points' if map.clusters is None else 'clusters'}"] += 1
    await reader.close()
    assert len(kinds) == 10
    assert min(kinds.values()) >= 5, kinds


async def test_the_clusters_of_current_enterprises_are_counted_in_the_index(district: Database) -> None:
    reader = OperationReader(district, COMMANDER, NOW, SHANGHAI)
    grades = Condition(Among(models.Enterprise.risk_grade), [RiskGrade.RED])
    zones = ([CURRENT, each, grades] for each in OF_ZONES)
    others: list[list[Condition]] = [[], [CURRENT, EVERY], [*OF_ZONES]]
    indexed_ones = [[CURRENT], [CURRENT, grades], *zones]
    for conditions, indexed in [*((c, True) for c in indexed_ones), *((c, False) for c in others)]:
        with StatementCounter(district) as counter:
            await district_map.enterprises(reader, [()], box=GLOBE, zoom=6, points=0, filter=conditions)
        assert any("ranges" in text or "unnest" in text for text in counter.texts) is indexed
    await reader.close()


async def test_indexes_answer_conditions_on_zones_and_on_open_hazards(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(district_map, "WIDE", 0)
    box = "box: {west: 119, south: 29, east: 122, north: 31}, zoom: 8, points: 0"
    for field, filter, index in (
        ("enterpriseMap", 'zoneCodes: ["GUALI"], riskGrades: [RED]', "ix_enterprise_map"),
        ("hazardMap", "open: true", "ix_hazard_open"),
    ):
        query = f"{{ {field}({box}, filter: {{ {filter} }}) {{ total }} }}"
        [*_, (statement, parameters)] = await selects_of(graph, demo, query)
        shown = await plan(demo, statement, parameters)
        assert re.search(f"(COVERING INDEX|Index Only Scan using) {index}|USING INDEX {index}", shown), shown


async def test_grades_and_other_conditions_limit_the_clusters(district: Database) -> None:
    reader = OperationReader(district, COMMANDER, NOW, SHANGHAI)
    grades = Condition(Among(models.Enterprise.risk_grade), [RiskGrade.RED, RiskGrade.BLUE])
    chemicals = Condition(Equal(models.Enterprise.hazardous_chemicals), True)
    for conditions, keep in (
        ([grades, CURRENT], lambda row: row[1] in (RiskGrade.RED, RiskGrade.BLUE)),
        ([chemicals], lambda row: row[0] % 3 == 0),
        ([grades, chemicals], lambda row: row[1] in (RiskGrade.RED, RiskGrade.BLUE) and row[0] % 3 == 0),
    ):
        for points in (0, 2_000):
            asked: Any = {"box": GLOBE, "zoom": 6, "points": points}
            [map] = await district_map.enterprises(reader, [()], **asked, filter=conditions)
            assert close(map, expected([r for r in enterprises() if keep(r)], GLOBE, 6, points))
    await reader.close()


async def test_a_viewer_sees_only_the_rows_that_it_may(district: Database) -> None:
    asked: Any = {"box": GLOBE, "zoom": 6, "points": 0}
    for visibility, count in (
        (Visibility(Role.ENTERPRISE, enterprise=9), 1),
        (Visibility(Role.INTEGRATOR), 0),  # without the scope to read
        (Visibility(Role.WALL), len(enterprises())),
    ):
        reader = OperationReader(district, Viewer(visibility), NOW, SHANGHAI)
        [of_enterprises] = await district_map.enterprises(reader, [()], **asked)
        [of_hazards] = await district_map.hazards(reader, [()], **asked)
        [of_teams] = await district_map.resources(reader, [()], **asked, kinds=[MapKind.TEAM])
        assert of_enterprises.total == count
        own = [i for i in range(1, 400) if i % len(PLACES) + 1 == 9]
        assert of_hazards.total == {1: len(own), 0: 0}.get(count, len(hazards()))
        assert (of_teams.total == 0) is (count != len(enterprises()))
        await reader.close()


def test_a_box_has_a_bounded_number_of_cells_and_keeps_them_while_it_moves() -> None:
    assert level_of(GLOBE, 24) < level_of(Box(120.0, 30.0, 120.01, 30.01), 24) == grid.FINEST
    # A screen of 1,920 by 1,080 pixels has cells of a quarter of a tile at every zoom.
    for zoom in range(2, 16):
        degrees = 360 / 2**zoom / 256
        box = Box(120.2, 30.2, min(120.2 + 1_920 * degrees, 180), min(30.2 + 1_080 * degrees * 0.87, 90))
        assert level_of(box, zoom) == zoom + 2, zoom
        assert level_of(box._replace(west=box.west + degrees), zoom) == zoom + 2
    for zoom in range(25):
        first, last = district_map.cells_between(GLOBE, level_of(GLOBE, zoom))
        assert (last.column - first.column + 1) * (last.row - first.row + 1) <= CELLS_MAXIMUM


def test_the_keys_of_a_cell_are_those_of_its_places() -> None:
    rng = Random(1)
    for _ in range(2_000):
        longitude, latitude, level = rng.uniform(-180, 180), rng.uniform(-90, 90), rng.randint(0, grid.FINEST)
        cell, rank_of = grid.cell_of(longitude, latitude, level), rng.randint(0, 4)
        west, south, east, north = grid.bounds(cell, level)
        assert west <= longitude <= east
        assert south <= latitude <= north
        low, high = grid.key_range(rank_of, cell, level)
        key, same = grid.key_range(rank_of, grid.cell_of(longitude, latitude, grid.FINEST), grid.FINEST)
        assert key == same
        assert low <= key <= high
        assert high - low == 4 ** (grid.FINEST - level) - 1


# -- as clients ask --

FIELDS = """total points { riskGrade ids longitudes latitudes }
  clusters { longitudes latitudes counts wests souths easts norths byGrade { riskGrade counts } }"""
HERE = {"west": 120.0, "south": 30.0, "east": 120.6, "north": 30.6}


def map_of(fields: str) -> str:
    return (
        "query($box: BoxInput!, $zoom: Int!, $points: Int)"
        f" {{ enterpriseMap(box: $box, zoom: $zoom, points: $points) {{ {fields} }} }}"
    )


async def test_ids_and_values_come_in_columns(district: Database, graph: Graph) -> None:
    executor = make_executor(graph, district)
    variables = {"box": {"west": 120.19, "south": 30.19, "east": 120.21, "north": 30.21}, "zoom": 15}
    query = map_of(FIELDS)
    answer = await executor.run(Operation(query, variables), COMMANDER)
    assert answer.written is not None, "the plan answers"
    shown = orjson.loads(answer.json())["data"]["enterpriseMap"]
    assert shown["clusters"] is None
    read = await executor.run(
        Operation("{ enterprises(first: 1000) { nodes { id riskGrade location { longitude latitude } } } }"), COMMANDER
    )
    nodes = {n["id"]: n for n in orjson.loads(read.json())["data"]["enterprises"]["nodes"]}
    seen = 0
    for group in shown["points"]:
        for id_, longitude, latitude in zip(group["ids"], group["longitudes"], group["latitudes"], strict=True):
            assert nodes[id_]["riskGrade"] == group["riskGrade"]
            assert nodes[id_]["location"]["longitude"] == pytest.approx(longitude, abs=6e-6)
            assert nodes[id_]["location"]["latitude"] == pytest.approx(latitude, abs=6e-6)
            seen += 1
    assert seen == shown["total"] > 5
    assert [g["riskGrade"] for g in shown["points"]] == ["RED", "ORANGE", "YELLOW", "BLUE", None]


BAD = [
    ({"west": 121, "south": 30, "east": 120, "north": 31}, 9, 10, "A box needs"),
    ({"west": 120, "south": 31, "east": 121, "north": 30}, 9, 10, "A box needs"),
    ({"west": -181, "south": 30, "east": 120, "north": 31}, 9, 10, "A box needs"),
    ({"west": 120, "south": 30, "east": 121, "north": 90.1}, 9, 10, "A box needs"),
    (HERE, -1, 10, "`zoom`"),
    (HERE, 25, 10, "`zoom`"),
    (HERE, 9, -1, "`points`"),
    (HERE, 9, 20_001, "`points`"),
]


async def test_impossible_arguments_are_refused(district: Database, graph: Graph) -> None:
    for planned in (True, False):
        executor = make_executor(graph, district, planned=planned)
        for box, zoom, points, message in BAD:
            variables = {"box": box, "zoom": zoom, "points": points}
            answer = await executor.run(Operation(map_of("total"), variables), COMMANDER)
            [error] = answer.errors
            assert error["extensions"]["code"] == "BAD_INPUT"
            assert message in error["message"], error
        query = (
            "{ resourceMap(box: {west: 1, south: 1, east: 2, north: 2}, zoom: 3, kinds: [TEAM],"
            ' filter: {specialty: "x"}) { total } }'
        )
        [error] = (await executor.run(Operation(query), COMMANDER)).errors
        assert error["extensions"]["code"] == "BAD_INPUT"
        nowhere = query.replace('specialty: "x"', 'zoneCodes: ["NOWHERE"]')
        [error] = (await executor.run(Operation(nowhere), COMMANDER)).errors
        assert error["extensions"]["code"] == "NOT_FOUND", error


async def test_answers_are_compact(databases: Databases, migrated_url: str, graph: Graph) -> None:
    """2,000 points in at most 95 kB, 25 kB compressed; the most clusters in at most 60 kB."""
    rng = Random(5)
    database = Database(await databases.new(migrated_url))
    async with database.write() as session:
        for i in rng.sample(range(1, 50_000), 2_000):
            place: Any = {"latitude": rng.uniform(30.0, 30.6), "longitude": rng.uniform(120.0, 120.6)}
            session.add(models.Enterprise(id=i, name="", risk_grade=rng.choice(GRADES), updated_at=NOW, **place))
    executor = make_executor(graph, database)
    for points, plain, compressed in ((2_000, 95_000, 25_000), (0, 60_000, 25_000)):
        variables = {"box": HERE, "zoom": 24, "points": points}
        answer = await executor.run(Operation(map_of(FIELDS), variables), COMMANDER)
        text = answer.json()
        assert orjson.loads(text)["data"]["enterpriseMap"]["total"] == 2_000
        assert len(text) <= plain
        assert len(zlib.compress(text, 6)) <= compressed
    await database.close()
