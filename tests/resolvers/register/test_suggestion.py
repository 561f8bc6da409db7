"""A suggested mapping names what is in the files, and runs as it is for plain ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

import models
from models.credit_code import complete
from models.db.database import Database
from resolvers.register import FileError, Mapping, parse_mapping
from resolvers.register.suggestion import suggest
from resolvers.register.suggestion.dates import date_formats
from resolvers.register.suggestion.words import WORDS, codes, column_words
from resolvers.register.tables import TABLES
from tests.support.ods_files import row, save, texts
from tests.support.register_runs import FILES, digest, run_import, slice_real
from tests.support.small_register import rows_by_key

DISTRICT = ("萧山区", "330109")


def suggested(*files: Path, filled: tuple[str, ...] = ()) -> Mapping:
    return parse_mapping(suggest(files, DISTRICT, filled))


def fields_of(mapping: Mapping, table: str) -> dict[str, Any]:
    """By field, the options that the mapping gives it."""
    return {
        name: field.model_dump(exclude_defaults=True, by_alias=True)
        for name, field in mapping.files[table][0].fields.items()
    }


def test_an_open_document_is_suggested_as_any_spreadsheet(tmp_path: Path) -> None:
    rows = [texts("企业台账"), row(repeated=2), texts("编号", "企业名称", "风险等级"), texts("E1", "甲厂", "重大")]
    save(tmp_path / "企业.ods", "".join(rows))
    [file] = suggested(tmp_path / "企业.ods").files["enterprises"]
    assert (file.format, file.header) == ("ods", 4)
    assert {name: field.column for name, field in file.fields.items()} == {
        "external_id": "编号",
        "name": "企业名称",
        "risk_grade": "风险等级",
    }


@pytest.mark.exhaustive
async def test_a_real_register_can_be_imported_by_its_suggestion(database: Database, tmp_path: Path) -> None:
    """By English names: codes, a key of two columns, and values that are copied from the inspection."""
    slice_real(tmp_path, 30)
    mapping = suggested(*(tmp_path / f"{name}.csv.gz" for name in FILES))
    assert list(mapping.files) == ["enterprises", "inspections", "hazards"]
    hazards = fields_of(mapping, "hazards")
    assert hazards["external_id"] == {"columns": ("inspection_id", "seq"), "separator": "-"}
    assert hazards["enterprise"] == {"from": "inspection.enterprise"}
    assert hazards["level"]["values"] == {"MAJOR": "MAJOR", "CRITICAL": "MAJOR", "MINOR": "GENERAL"}
    outcome, report = await run_import(database, mapping, tmp_path)
    assert [row for row in report if row["severity"] == "error"] == []
    assert outcome.total.new == outcome.total.read > 500
    before = await digest(database)
    await run_import(database, mapping, tmp_path)
    assert await digest(database) == before


SHEET: list[list[Any]] = [
    ["某区企业台账"],
    [None, None, "2026年3月"],
    ["序号", "单位名称", "信用代码", "风险等级", "是否危化", "所属镇街", "经营地址", "GPS1", "GPS2"],
    *[
        [n, f"企业{n}", complete(f"91330109M{n:08}"), grade, danger, "瓜沥镇", "无", 120.2 + n / 1e4, 30.1 + n / 1e4]
        for n, (grade, danger) in enumerate([("重大", "是"), ("低", "否"), (None, "否"), ("一般风险", "是")] * 3, 1)
    ],
]


async def test_a_spreadsheet_with_titles_and_odd_names(database: Database, tmp_path: Path) -> None:
    book = Workbook()
    sheet: Any = book.active
    for line in SHEET:
        sheet.append(line)
    book.save(tmp_path / "台账.xlsx")
    mapping = suggested(tmp_path / "台账.xlsx")
    file = mapping.files["enterprises"][0]
    assert (file.header, file.no_value) == (3, ("无",))
    # The towns are left out, because there are none to refer to. The point is known by its values.
    fields = fields_of(mapping, "enterprises")
    assert "town" not in fields
    assert fields["point"] == {"latitude": "GPS2", "longitude": "GPS1"}
    assert fields["hazardous_chemicals"] == {"column": "是否危化", "values": {"是": True, "否": False}}
    assert fields_of(suggested(tmp_path / "台账.xlsx", filled=("towns",)), "enterprises")["town"] == {
        "column": "所属镇街",
        "by": ("code", "name"),
    }
    outcome, report = await run_import(database, mapping, tmp_path)
    assert (outcome.total.new, report) == (12, [])
    row = (await rows_by_key(database, models.Enterprise))["4"]
    assert (row.name, row.risk_grade, row.hazardous_chemicals, row.address) == (
        "企业4",
        models.RiskGrade.YELLOW,
        True,
        None,
    )


def test_encoding_delimiter_dates_and_numbers_are_seen(tmp_path: Path) -> None:
    lines = ["隐患描述;企业编号;检查日期;隐患级别;整改状态;整改期限"]
    lines += [
        f"第{n}处通道堵塞;E{n % 3};2026/3/{n};一般;{state};2026年4月{n}日" for n in range(1, 9) for state in ("整改中",)
    ]
    lines.append("最后;E1;2026-03-09 08:30;特级;整改中;46000")
    (tmp_path / "隐患.csv").write_bytes("\r\n".join(lines).encode("gb18030"))
    text = suggest([tmp_path / "隐患.csv"], DISTRICT)
    mapping = parse_mapping(text)
    file = mapping.files["hazards"][0]
    assert (file.encoding, file.delimiter) == ("gb18030", ";")
    assert set(file.dates or ()) == {"%Y/%m/%d", "iso", "%Y年%m月%d日", "excel"}
    assert '# Say which of GENERAL, MAJOR these are: "特级".' in text
    fields = fields_of(mapping, "hazards")
    assert fields["status"]["values"] == {"整改中": "RECTIFYING"}
    assert fields["external_id"] == {"column": "隐患描述"}  # the first that differs in every row
    (tmp_path / "案件.csv").write_text(
        "案号,检查编号,企业编号,案由,罚款金额（万元）\n" + "".join(f"A{n},J{n},E1,违法,{n}.123456\n" for n in range(9)),
        "utf-8-sig",
    )
    fields = fields_of(suggested(tmp_path / "案件.csv"), "cases")
    assert fields["fine_yuan"] == {"column": "罚款金额（万元）", "factor": 10_000, "round": "nearest"}


def test_rows_that_nothing_tells_apart_have_their_number_as_key(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("企业名称,风险等级\n甲,甲级\n甲,甲级\n", "utf-8")
    text = suggest([tmp_path / "e.csv"], None)
    assert fields_of(parse_mapping(text), "enterprises")["external_id"] == {"column": "$row"}
    assert '# risk_grade = { column = "风险等级", values = {} }' in text


def test_features_have_points_and_boundaries(tmp_path: Path) -> None:
    def collection(geometry: dict[str, Any], **properties: Any) -> str:
        features = [{"type": "Feature", "properties": properties, "geometry": geometry}]
        return json.dumps({"type": "FeatureCollection", "features": features})

    square = {"type": "Polygon", "coordinates": [[[120, 30], [121, 30], [121, 31], [120, 30]]]}
    (tmp_path / "zones.geojson").write_text(collection(square, code="Z1", name="东"), "utf-8")
    (tmp_path / "e.geojson").write_text(
        collection({"type": "Point", "coordinates": [120, 30]}, id=1, name="甲"), "utf-8"
    )
    mapping = suggested(tmp_path / "zones.geojson", tmp_path / "e.geojson")
    assert fields_of(mapping, "zones")["boundary"] == {"column": "$geometry"}
    assert fields_of(mapping, "enterprises")["point"] == {"column": "$geometry"}


def test_what_is_no_register_is_refused(tmp_path: Path) -> None:
    files = {"a.csv": b"1,2\n3,4\n", "b.csv": b"weather,moon\nfair,full\n", "c.xlsx": b"PK", "d.pdf": b"", "e.csv": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError):
            suggest([tmp_path / name], DISTRICT)
    with pytest.raises(FileError, match="No such file"):
        suggest([tmp_path / "none.csv"], DISTRICT)


def test_dates_in_several_formats() -> None:
    assert date_formats(["03/04/2026", "12/31/2026"]) == ["%m/%d/%Y"]
    assert date_formats(["31/12/2026"]) == ["%d/%m/%Y"]
    assert date_formats(["soon", "2026-01-01"]) is None
    assert date_formats([]) is None


def test_every_word_belongs_to_a_field() -> None:
    tables = {"any": {name for table in TABLES.values() for name in (*table.fields, "latitude", "longitude")}}
    tables |= {name: set(table.fields) for name, table in TABLES.items()}
    assert {(t, f) for t, fields in WORDS["columns"].items() for f in fields if f not in tables[t]} == set()
    assert set(WORDS["files"]) == set(WORDS["nouns"]) == set(TABLES)
    for table in TABLES.values():
        for field in table.fields.values():
            assert column_words(table.name, field.name)
            if field.members is not None:
                assert set(codes(table.name, field.name, list(field.members.__members__)).values()) == set(
                    field.members.__members__
                )
