"""GeoJSON: features in one line, ids as keys, rings that are open, the `crs`, and coordinates at fault."""

import json
from pathlib import Path
from typing import Any

import pyproj
import pytest

import models
from models.db.database import Database
from models.db.sqlite_functions import great_circle_metres
from resolvers.register import FileError, MappingError, parse_mapping
from resolvers.register.datum import to_wgs84
from tests.support.register_runs import digest, run_import
from tests.support.small_register import rows_by_key

MAPPING = """[district]
name = "测试区"
[enterprises]
file = "e.geojson"
fields = { external_id = "$id", name = "名", point = "$geometry" }
"""
ZONES = """[district]
name = "测试区"
[zones]
file = "z.geojson"
[zones.fields]
code = "code"
name = "code"
focus = { constant = ["WATERLOGGING"] }
plan = { constant = "-" }
boundary = "$geometry"
"""
PLACE = (120.25, 30.17)
RING = [[120.2, 30.1], [120.3, 30.1], [120.3, 30.2], [120.2, 30.2], [120.2, 30.1]]


def point(x: float, y: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [x, y]}


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def write(path: Path, features: list[tuple[Any, dict[str, Any], Any]], **members: Any) -> None:
    """Write a collection in one line. `crs_after` is a crs after the features."""
    after = members.pop("crs_after", None)
    collection = {"type": "FeatureCollection", **members}
    collection["features"] = [
        {"type": "Feature", **({} if key is None else {"id": key}), "properties": properties, "geometry": geometry}
        for key, properties, geometry in features
    ]
    path.write_text(json.dumps(collection | ({"crs": after} if after else {}), ensure_ascii=False), "utf-8")


def named(name: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


async def test_features_of_one_line_are_told_apart_by_their_ids_and_numbers(database: Database, tmp_path: Path) -> None:
    features = [(7, {"名": "甲"}, point(*PLACE)), ("b", {"名": "乙"}, None), (7, {"名": "丙"}, point(*PLACE))]
    features += [(None, {"名": "丁"}, None), ("e", {"名": "戊"}, point(220.5, 30.1))]
    write(tmp_path / "e.geojson", features)
    _, report = await run_import(database, MAPPING, tmp_path)
    assert [(row["line"], row["reason"].split(";")[0], row["severity"]) for row in report] == [
        ("1", "line 3 has the same key", "warning"),
        ("4", "has no key", "error"),
        ("5", "not a point on the Earth", "error"),
    ]
    assert "220.5" in report[2]["value"]
    assert {key: row.name for key, row in (await rows_by_key(database, models.Enterprise)).items()} == {
        "7": "丙",
        "b": "乙",
    }
    before = await digest(database)
    again, same = await run_import(database, MAPPING, tmp_path)
    assert (again.total.new, again.total.changed, same) == (0, 0, report)
    assert await digest(database) == before
    with pytest.raises(MappingError, match=r"line 5: .*\$id applies only to GeoJSON files"):
        parse_mapping(MAPPING.replace("e.geojson", "e.csv").replace('point = "$geometry"', 'address = "a"'))


async def test_rings_are_closed_and_the_coordinates_at_fault_are_shown(database: Database, tmp_path: Path) -> None:
    crossed = [[120.2, 30.1], [120.3, 30.2], [120.3, 30.1], [120.2, 30.2], [120.2, 30.1]]
    far = [*RING[:2], [120.3, 95.25], *RING[3:]]
    shapes = {"A": polygon(RING[:-1]), "B": polygon(RING), "C": polygon(crossed), "D": polygon(far)}
    shapes |= {"E": polygon(RING[:2]), "F": polygon([]), "G": polygon([*RING, ["x", 1]])}  # type: ignore[list-item]  # bad on purpose
    shapes["H"] = {"type": "MultiPolygon", "coordinates": [[RING], [RING[:-1]]]}
    write(tmp_path / "z.geojson", [(None, {"code": code}, shape) for code, shape in shapes.items()])
    _, report = await run_import(database, ZONES, tmp_path)
    closed = "had a ring that was not closed, and was closed"
    assert [(row["line"], row["reason"], row["severity"]) for row in report] == [
        ("1", closed, "warning"),
        ("3", "is not a simple polygon: Self-intersection[120.25 30.15]", "warning"),
        ("4", "not a point on the Earth", "error"),
        ("5", "a ring of fewer than three points", "error"),
        ("6", "not the coordinates of a geometry", "error"),
        ("7", "not the coordinates of a geometry", "error"),
        ("8", closed, "warning"),
    ]
    assert [report[n]["value"] for n in (2, 5)] == ["[120.3, 95.25]", "['x', 1]"]
    zones = await rows_by_key(database, models.Zone)
    assert zones["A"].boundary == zones["B"].boundary == polygon(RING)
    assert zones["H"].boundary["coordinates"] == [[RING], [RING]]


async def test_the_crs_of_a_file_is_honoured_or_refused(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "e.geojson"
    metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform(*PLACE)
    belt = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4549", always_xy=True).transform(*PLACE)
    shifted = to_wgs84("gcj02")
    assert shifted is not None
    for crs, datum, place, expected in (
        ("EPSG:4326", None, PLACE, PLACE),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", None, PLACE, PLACE),
        ("urn:ogc:def:crs:EPSG::4490", None, PLACE, PLACE),
        ("urn:ogc:def:crs:EPSG::3857", None, metres, PLACE),
        ("http://www.opengis.net/def/crs/EPSG/0/3857", "cgcs2000", metres, PLACE),
        ("EPSG:4549", None, belt, PLACE),
        ("EPSG:4549", "EPSG:4549", belt, PLACE),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "gcj02", PLACE, shifted(*PLACE)),
    ):
        write(path, [(1, {"名": "甲"}, point(*place)), (2, {"名": "乙"}, None)], crs=named(crs))
        mapping = MAPPING if datum is None else f'datum = "{datum}"\n{MAPPING}'
        _, report = await run_import(database, mapping, tmp_path)
        assert report == []
        row = (await rows_by_key(database, models.Enterprise))["1"]
        assert great_circle_metres(row.latitude, row.longitude, expected[1], expected[0]) < 0.1, crs
    before = await digest(database)
    for crs_value, datum, message in (
        (named("EPSG:2000"), "wgs84", "line 1: crs is EPSG:2000, and the mapping's datum is wgs84"),
        (named("EPSG:4549"), "gcj02", "crs is EPSG:4549, and the mapping's datum is gcj02"),
        (named("EPSG:4326"), "EPSG:4549", "crs is EPSG:4326, and the mapping's datum is EPSG:4549"),
        (named("平面坐标"), "wgs84", "crs does not name a reference system"),
        ({"type": "link", "properties": {"href": "x"}}, "wgs84", "crs does not name a reference system"),
    ):
        write(path, [(1, {"名": "丙"}, point(*metres))], crs=crs_value)
        with pytest.raises(FileError, match=f"e.geojson: .*{message}"):
            await run_import(database, f'datum = "{datum}"\n{MAPPING}', tmp_path)
    write(path, [(1, {"名": "丙"}, point(*metres))], crs_after=named("EPSG:3857"))
    with pytest.raises(FileError, match="crs comes after the features"):
        await run_import(database, MAPPING, tmp_path)
    assert await digest(database) == before
    write(path, [(1, {"名": "甲"}, point(*PLACE))], crs=None, crs_after=named("EPSG:4326"))
    _, report = await run_import(database, MAPPING, tmp_path)
    assert report == []


async def test_a_boundary_of_the_district_has_a_crs_too(database: Database, tmp_path: Path) -> None:
    mapping = MAPPING.replace("[enterprises]", 'boundary = "b.geojson"\n[enterprises]')
    write(tmp_path / "e.geojson", [(1, {"名": "甲"}, point(*PLACE))])
    for ring, crs, message in (
        (RING, "EPSG:2000", "crs is EPSG:2000"),
        ([*RING[:3], [120.2, 95.5]], "EPSG:4326", r"not a point on the Earth: \[120.2, 95.5\]"),
    ):
        write(tmp_path / "b.geojson", [(None, {}, polygon(ring))], crs=named(crs))
        with pytest.raises(FileError, match=f"b.geojson: .*{message}"):
            await run_import(database, mapping, tmp_path)
    transform = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform
    write(
        tmp_path / "b.geojson", [(None, {}, polygon([list(transform(x, y)) for x, y in RING]))], crs=named("EPSG:3857")
    )
    await run_import(database, mapping, tmp_path)
    assert len(await rows_by_key(database, models.Enterprise)) == 1


async def test_a_collection_that_was_cut_off_or_goes_on_is_refused(database: Database, tmp_path: Path) -> None:
    write(tmp_path / "e.geojson", [(1, {"名": "甲"}, point(*PLACE)), (2, {"名": "乙"}, None)])
    whole = (tmp_path / "e.geojson").read_bytes()
    for content in (whole[:-1], whole[:-3], whole[: len(whole) // 2], whole[:60], whole + b"{}", b""):
        (tmp_path / "e.geojson").write_bytes(content)
        with pytest.raises(FileError, match=r"e\.geojson: line 1: "):
            await run_import(database, MAPPING, tmp_path)
    assert await rows_by_key(database, models.Enterprise) == {}
