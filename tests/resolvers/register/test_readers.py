"""Reads files in other encodings, spreadsheets, map data in other datums, and damaged files."""

import datetime as dt
import gzip
import json
import math
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904, to_excel

import models
from models.db.database import Database
from models.db.sqlite_functions import great_circle_metres
from models.db.tables import table_of
from resolvers.register import RegisterError
from resolvers.register.datum import to_wgs84
from resolvers.register.readers import csv, geojson, sheet, xlsx
from tests.support.register_runs import run_import

DISTRICT = '[district]\nname = "萧山"\n'
PLACES = [(30.1675 + i * 0.013, 120.2588 + i * 0.017) for i in range(20)]


async def rows_of(database: Database, model: type[models.Row]) -> list[Any]:
    table = table_of(model)
    async with database.read() as connection:
        return list((await connection.execute(sa.select(table).order_by(table.c.id))).all())


# -- encodings --


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
async def test_a_csv_file_in_each_encoding(database: Database, tmp_path: Path, encoding: str) -> None:
    # One character has four bytes in GB 18030, and some end in the byte of a backslash or a bar.
    names = ["杭州萧山化工厂", "乗誠|有限公司", "𠮷野", "Ünïcode", "誤,碼"]
    lines = ["编号,企业名称,风险等级", *(f'{i},"{name}",较大' for i, name in enumerate(names))]
    (tmp_path / "e.csv").write_bytes("\r\n".join(lines).encode(encoding))
    mapping = f"""encoding = "{encoding}"
{DISTRICT}
[enterprises]
file = "e.csv"
[enterprises.fields]
external_id = "编号"
name = "企业名称"
risk_grade = {{ column = "风险等级", values = {{ "较大" = "ORANGE" }} }}
"""
    _, report = await run_import(database, mapping, tmp_path)
    assert report == []
    rows = await rows_of(database, models.Enterprise)
    assert [(row.external_id, row.name, row.risk_grade) for row in rows] == [
        (str(i), name, models.RiskGrade.ORANGE) for i, name in enumerate(names)
    ]


async def test_a_file_in_another_encoding_than_that_of_the_mapping(database: Database, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_bytes("id,name\n1,plain\n2,萧山\n".encode("gb18030"))
    mapping = f'{DISTRICT}[enterprises]\nfile = "e.csv"\nfields = {{ external_id = "id", name = "name" }}\n'
    _, report = await run_import(database, 'encoding = "utf-8"\n' + mapping, tmp_path)
    assert [(r["line"], r["column"], r["reason"]) for r in report] == [
        ("3", "name", "not valid in the mapping's encoding")
    ]
    assert report[0]["value"] == "\\xcf\\xf4ɽ"  # the last two bytes happen to be a character of UTF-8


# -- spreadsheets --

XLSX = f"""dates = ["%Y年%m月%d日", "excel"]
no_value = ["无"]
{DISTRICT}
[enterprises]
file = "register.xlsx"
sheet = "企业"
header = 2
header_rows = 2
[enterprises.fields]
external_id = "编号"
name = "企业/名称"
legal_name = "企业/法定代表人/姓名"
legal_phone = "企业/法定代表人/电话"
point = {{ latitude = "位置/纬度", longitude = "位置/经度" }}

[inspections]
file = "register.xlsx"
sheet = "检查"
[inspections.fields]
external_id = {{ columns = ["企业", "次"], separator = "-" }}
enterprise = "企业"
kind = {{ constant = "ROUTINE" }}
status = {{ constant = "SUBMITTED" }}
submitted_at = "日期"
summary = "备注"
"""


def workbook(path: Path, epoch: Any = None) -> None:
    book = Workbook()
    if epoch is not None:
        book.epoch = epoch
    page = book.active
    assert page is not None
    page.title = "企业"
    for row in (
        ["萧山区企业台账"],
        ["编号", "企业", None, None, "位置", None],
        [None, "名称", "法定代表人/姓名", "法定代表人/电话", "经度", "纬度"],
        [1001, "甲厂", "王伟", 13800000001, 120.25, 30.17],
        [],
        [1002.0, "乙厂", "无", None, "120.26", "30.18"],
    ):
        page.append(row)
    for merged in ("A1:F1", "A2:A3", "B2:D2", "E2:F2"):
        page.merge_cells(merged)
    visits = book.create_sheet("检查")
    serial = to_excel(dt.datetime(2023, 9, 2), book.epoch)  # type: ignore[no-untyped-call]  # untyped in openpyxl's stubs
    visits.append(["企业", "次", "日期", "备注"])
    visits.append([1001, 1, dt.datetime(2023, 9, 1, 14, 30), "已定型"])
    # A date as a number without a date format, and a date as a text.
    visits.append([1001, 2, serial, dt.date(2023, 9, 2)])
    visits.append([1002, 1, "2023年9月3日", 5])
    visits.append([1002, 2, "soon", None])
    visits["C3"].number_format = "General"
    book.save(path)


@pytest.mark.parametrize("epoch", [None, CALENDAR_MAC_1904], ids=["1900", "1904"])
async def test_a_spreadsheet_with_merged_headers_and_dates_as_numbers(
    database: Database, tmp_path: Path, epoch: Any
) -> None:
    workbook(tmp_path / "register.xlsx", epoch)
    outcome, report = await run_import(database, XLSX, tmp_path)
    assert [(r["line"], r["column"], r["value"], r["reason"]) for r in report] == [
        ("5", "日期", "soon", "not a date or time in the format %Y年%m月%d日 / excel")
    ]
    assert [(c.read, c.new) for c in outcome.tables.values()] == [(2, 2), (4, 3)]
    enterprises = [
        (e.external_id, e.name, e.legal_name, e.legal_phone, e.latitude, e.longitude)
        for e in await rows_of(database, models.Enterprise)
    ]
    assert enterprises == [
        ("1001", "甲厂", "王伟", "13800000001", 30.17, 120.25),
        ("1002", "乙厂", None, None, 30.18, 120.26),
    ]
    visits = [
        (i.external_id, i.submitted_at.isoformat(), i.summary) for i in await rows_of(database, models.Inspection)
    ]
    assert visits == [
        ("1001-1", "2023-09-01T06:30:00+00:00", "已定型"),
        ("1001-2", "2023-09-01T16:00:00+00:00", "2023-09-02"),
        ("1002-1", "2023-09-02T16:00:00+00:00", "5"),
    ]
    again, _ = await run_import(database, XLSX, tmp_path)
    assert (again.total.new, again.total.changed) == (0, 0)


def test_merged_cells_are_read_however_their_xml_is_quoted(tmp_path: Path) -> None:
    workbook(tmp_path / "double.xlsx")
    with ZipFile(tmp_path / "double.xlsx") as double, ZipFile(tmp_path / "single.xlsx", "w") as single:
        for name in double.namelist():
            single.writestr(name, re.sub(rb'<mergeCell ref="([^"]*)"', rb"<mergeCell ref='\1'", double.read(name)))
    columns = ["编号", "企业/法定代表人/姓名"]
    for name in ("double.xlsx", "single.xlsx"):
        rows = sheet.read(xlsx.open_sheet, tmp_path / name, columns, sheet="企业", header=2, header_rows=2)
        assert [[str(cell) for cell in row.cells] for row in rows] == [["1001", "王伟"], ["1002", "无"]]


async def test_a_file_that_is_not_a_workbook_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "register.xlsx").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(RegisterError, match=r"register\.xlsx: not an XLSX workbook"):
        await run_import(database, XLSX, tmp_path)
    workbook(tmp_path / "register.xlsx")
    with pytest.raises(RegisterError, match="has no sheet 检察; it has 企业, 检查"):
        await run_import(database, XLSX.replace('"检查"', '"检察"'), tmp_path)
    with pytest.raises(RegisterError, match="has no column 位置/高程; it has 编号, 企业/名称"):
        await run_import(database, XLSX.replace("位置/纬度", "位置/高程"), tmp_path)


# -- datums, computed from their definitions and not with the libraries that the import uses --

KRASOVSKY, ECCENTRICITY = 6_378_245.0, 0.006_693_421_622_965_943


def gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """WGS-84 as GCJ-02."""
    x, y, pi = longitude - 105.0, latitude - 35.0, math.pi
    waves = (20 * math.sin(6 * x * pi) + 20 * math.sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * abs(x) ** 0.5 + waves
    north += (20 * math.sin(y * pi) + 40 * math.sin(y / 3 * pi)) * 2 / 3
    north += (160 * math.sin(y / 12 * pi) + 320 * math.sin(y / 30 * pi)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * abs(x) ** 0.5 + waves
    east += (20 * math.sin(x * pi) + 40 * math.sin(x / 3 * pi)) * 2 / 3
    east += (150 * math.sin(x / 12 * pi) + 300 * math.sin(x / 30 * pi)) * 2 / 3
    phi = math.radians(latitude)
    root = 1 - ECCENTRICITY * math.sin(phi) ** 2
    meridian = KRASOVSKY * (1 - ECCENTRICITY) / root**1.5
    parallel = KRASOVSKY / root**0.5 * math.cos(phi)
    return latitude + math.degrees(north / meridian), longitude + math.degrees(east / parallel)


def gauss_krueger(latitude: float, longitude: float, meridian: float) -> tuple[float, float]:
    """Easting from the central meridian and northing in metres on the ellipsoid of CGCS2000, by Krüger's series."""
    n = 1 / 298.257222101 / (2 - 1 / 298.257222101)
    radius = 6_378_137 / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    series = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16,
        13 * n**2 / 48 - 3 * n**3 / 5,
        61 * n**3 / 240,
    )
    phi, away = math.radians(latitude), math.radians(longitude - meridian)
    c = 2 * n**0.5 / (1 + n)
    t = math.sinh(math.atanh(math.sin(phi)) - c * math.atanh(c * math.sin(phi)))
    xi, eta = math.atan2(t, math.cos(away)), math.atanh(math.sin(away) / math.hypot(1, t))
    terms = list(enumerate(series, start=1))
    east = eta + sum(a * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, a in terms)
    north = xi + sum(a * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, a in terms)
    return radius * east, radius * north


async def test_gcj02_is_converted_to_within_a_metre(database: Database, tmp_path: Path) -> None:
    square = [[120.2, 30.1], [120.3, 30.1], [120.3, 30.2], [120.2, 30.2], [120.2, 30.1]]
    shifted = [list(reversed(gcj02(y, x))) for x, y in square]
    features = [feature({"id": i, "name": f"厂{i}"}, point(*gcj02(*place))) for i, place in enumerate(PLACES)]
    features.append(feature({"id": "none", "name": "无点"}, None))
    collection(tmp_path / "e.geojson", features)
    collection(tmp_path / "z.geojson", [feature({"code": "Z"}, {"type": "Polygon", "coordinates": [shifted]})])
    mapping = f"""datum = "gcj02"
{DISTRICT}
[zones]
file = "z.geojson"
[zones.fields]
code = "code"
name = "code"
focus = {{ constant = ["WATERLOGGING"] }}
plan = {{ constant = "-" }}
boundary = "$geometry"
[enterprises]
file = "e.geojson"
fields = {{ external_id = "id", name = "name", point = "$geometry" }}
"""
    outcome, _ = await run_import(database, mapping, tmp_path)
    assert outcome.total.bad == 0
    rows = await rows_of(database, models.Enterprise)
    for place, row in zip(PLACES, rows, strict=False):
        assert great_circle_metres(*place, row.latitude, row.longitude) < 1
        assert great_circle_metres(*place, *gcj02(*place)) > 300
    assert (rows[-1].latitude, rows[-1].longitude, rows[-1].zone_id) == (None, None, None)
    [zone] = await rows_of(database, models.Zone)
    for (x, y), (longitude, latitude) in zip(square, zone.boundary["coordinates"][0], strict=True):
        assert great_circle_metres(y, x, latitude, longitude) < 1
    assert sum(row.zone_id is not None for row in rows) == sum(y <= 30.2 and x <= 120.3 for y, x in PLACES)


@pytest.mark.parametrize(("code", "false_easting"), [(4549, 500_000), (4528, 40_500_000)])
async def test_projected_cgcs2000_is_converted_to_within_a_metre(
    database: Database, tmp_path: Path, code: int, false_easting: int
) -> None:
    lines = ["id,y,x"]
    for i, place in enumerate(PLACES):
        east, north = gauss_krueger(*place, 120)
        lines.append(f"{i},{east + false_easting:.3f},{north:.3f}")
    (tmp_path / "e.csv").write_text("\n".join(lines))
    mapping = f"""datum = "EPSG:{code}"
{DISTRICT}
[enterprises]
file = "e.csv"
fields = {{ external_id = "id", name = "id", point = {{ easting = "y", northing = "x" }} }}
"""
    _, report = await run_import(database, mapping, tmp_path)
    assert report == []
    for place, row in zip(PLACES, await rows_of(database, models.Enterprise), strict=True):
        assert great_circle_metres(*place, row.latitude, row.longitude) < 1


@pytest.mark.parametrize("x", [72.004, 72.0041, 137.8347, 137.83, 73.0, 136.99999, -180.0, 180.0])
@pytest.mark.parametrize("y", [0.8293, 0.83, 55.8271, 55.82, 30.0, 90.0, -90.0])
def test_gcj02_is_converted_without_a_jump_at_the_border_of_its_area(x: float, y: float) -> None:
    convert = to_wgs84("gcj02")
    assert convert is not None
    longitude, latitude = convert(x, y)
    assert abs(longitude - x) < 0.02
    assert abs(latitude - y) < 0.02


def test_an_unknown_datum_has_no_conversion() -> None:
    assert [to_wgs84(name) for name in ("bd9", "EPSG:3857", "EPSG:4490", "EPSG:0", "EPSG:999999", "")] == [None] * 6


def point(latitude: float, longitude: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def feature(properties: dict[str, Any], geometry: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(path: Path, features: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), "utf-8")


# -- streams --


def test_features_are_read_one_by_one_with_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Chunks may end anywhere, even in the middle of a character or a number.
    text = '\ufeff{"properties": {"a": [1, {}]},\n"features" : [\n' + ",\n".join(
        json.dumps(feature({"名": "名" * i, "n": i * 10**i}, None), ensure_ascii=False) for i in range(12)
    )
    (tmp_path / "f.geojson").write_text(text + '\n], "bbox": [1.5]}\n', "utf-8")
    for size in (1, 2, 3, 7, 64, 1 << 16):
        monkeypatch.setattr(geojson, "CHUNK", size)
        records = list(geojson.read(tmp_path / "f.geojson", ["名", "n"], datum="wgs84"))
        assert [(r.line, r.cells) for r in records] == [(i + 1, ["名" * i, i * 10**i]) for i in range(12)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("[]", 1),
        ("{}", 1),
        ('{"features": 5}', 1),
        ('{"features": [{"properties": {}},\n{"properties": {},,}]}', 2),
        ('{"features": [\n\n{"properties": NaN}]}', 3),
        ('{"features": [{}\n{}]}', 2),
        ('{"features": [{}', 1),
        ('{"features": [' + "[" * 100_000, 1),
    ],
)
def test_invalid_geojson_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "f.geojson").write_text(text)
    with pytest.raises(RegisterError, match=rf"f.geojson: line {line}: "):
        list(geojson.read(tmp_path / "f.geojson", ["a"], datum="wgs84"))


async def test_a_truncated_gzip_file_is_refused_before_anything_is_written(database: Database, tmp_path: Path) -> None:
    whole = gzip.compress(("id,name\n" + "".join(f"{i},n{i * 7919}\n" for i in range(20_000))).encode())
    (tmp_path / "e.csv.gz").write_bytes(whole[: len(whole) // 2])
    mapping = f'{DISTRICT}[enterprises]\nfile = "e.csv.gz"\nfields = {{ external_id = "id", name = "name" }}\n'
    with pytest.raises(RegisterError, match=r"e\.csv\.gz: the gzip data is damaged or incomplete"):
        await run_import(database, mapping, tmp_path)
    assert await rows_of(database, models.Enterprise) == await rows_of(database, models.District) == []


def cells(path: Path, text: str, wanted: list[str]) -> list[tuple[int, list[str] | None]]:
    path.write_text(text, newline="")
    records = csv.read(path, wanted, encoding="utf-8", delimiter=",", header=1, gzipped=False)
    return [(r.line, None if r.reason else list(r.cells)) for r in records]


def test_a_row_over_several_lines_has_the_number_of_its_first_line(tmp_path: Path) -> None:
    text = 'a,b\n1,"x\ny\r\nz"\n\n ,\n2,"say ""so"""\n3,5" pipe\n4,\'\n'
    assert cells(tmp_path / "f.csv", text, ["a", "b"]) == [
        (2, ["1", "x\ny\r\nz"]),
        (7, ["2", 'say "so"']),
        (8, ["3", '5" pipe']),
        (9, ["4", "'"]),
    ]


def test_an_open_quotation_mark_makes_only_its_own_line_bad(tmp_path: Path) -> None:
    text = 'a,b\n1,"open\n2,"x, y"\n3,z\n4,"again\n5,"it ""is"", so"\n"6,z\n7,"last\n'
    assert cells(tmp_path / "f.csv", text, ["a", "b"]) == [
        (2, None),
        (3, ["2", "x, y"]),
        (4, ["3", "z"]),
        (5, None),
        (6, ["5", 'it "is", so']),
        (7, None),
        (8, None),
    ]


def test_a_line_that_is_too_long_is_one_bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "LONGEST", 1_000)
    text = f"a,b\n1,x\n2,{'y' * 5_000}\n3,z\n"
    assert cells(tmp_path / "f.csv", text, ["b"]) == [(2, ["x"]), (3, None), (4, ["z"])]


async def test_a_missing_or_ambiguous_column_is_reported(database: Database, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("id,title,title\n1,a,b\n")
    mapping = f'{DISTRICT}[enterprises]\nfile = "e.csv"\nfields = {{ external_id = "id", name = "name" }}\n'
    with pytest.raises(RegisterError, match=r"e\.csv: has no column name; it has id, title, title"):
        await run_import(database, mapping, tmp_path)
    with pytest.raises(RegisterError, match=r"e\.csv: has several columns named title"):
        await run_import(database, mapping.replace('"name" }', '"title" }'), tmp_path)
    with pytest.raises(RegisterError, match=r"f\.csv: is not in"):
        await run_import(database, mapping.replace("e.csv", "f.csv"), tmp_path)
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(RegisterError, match=r"e\.csv: line 1: has no header"):
        await run_import(database, mapping, tmp_path)
