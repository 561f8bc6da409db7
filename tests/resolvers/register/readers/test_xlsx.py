"""Spreadsheets: what a cell does not tell is never taken for blank, and never for another value."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

import models
from models.db.database import Database
from resolvers.register import RegisterError
from resolvers.register.readers import sheet as sheets
from resolvers.register.readers import xlsx
from resolvers.register.readers.record import UnknownCell
from tests.support.register_runs import digest, run_import
from tests.support.small_register import rows_by_key

EPOCH = dt.datetime(1899, 12, 30)
MAPPING = """dates = ["%Y%m%d", "excel"]
[district]
name = "测试区"
[enterprises]
file = "e.xlsx"
[enterprises.fields]
external_id = "编号"
name = "名称"
address = "地址"
risk_grade = "等级"
hazardous_chemicals = "危化"
major_hazard_level = "级"
point = { latitude = "纬", longitude = "经" }
"""
HEADER = ["编号", "名称", "地址", "等级", "危化", "级", "纬", "经"]
FIRST = ["甲厂", "一号路", "RED", "是", 3, 30.1, 120.2]


def save(path: Path, rows: list[list[Any]], change: Callable[[Any], object] = lambda page: None) -> None:
    book = Workbook()
    page: Any = book.active
    for row in rows:
        page.append(row)
    change(page)
    book.save(path)


def edit(path: Path, part: str, *replacements: tuple[str, str]) -> None:
    """Replace texts in a part of a workbook."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for pattern, new in replacements:
        text, count = re.subn(pattern, new, parts[part].decode())
        assert count, pattern
        parts[part] = text.encode()
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def read(path: Path, wanted: list[str], **options: Any) -> list[tuple[int, list[str]]]:
    records = sheets.read(xlsx.open_sheet, path, wanted, **{"sheet": None, "header": 1, "header_rows": 1, **options})
    return [(record.line, [str(cell) for cell in record.cells]) for record in records]


def report_lines(report: list[dict[str, str]]) -> list[tuple[str, ...]]:
    return [(row["line"], row["column"], row["value"], row["reason"]) for row in report]


async def test_formulas_without_results_and_errors_are_bad_and_change_nothing(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "e.xlsx"
    save(path, [HEADER, ["A1", *FIRST], ["A2", *FIRST]])
    await run_import(database, MAPPING, tmp_path)
    before = await digest(database)
    # openpyxl writes formulas without their results, as do many programs that make reports.
    save(path, [HEADER, ["A1", "甲厂", "=1&2", "=A1", "=B1", 3, "=30+0.1", 120.2], ["A2", "#REF!", "#N/A", *FIRST[2:]]])
    outcome, report = await run_import(database, MAPPING, tmp_path)
    assert report_lines(report) == [
        ("2", "地址", "'=1&2", sheets.NO_RESULT),
        ("2", "等级", "'=A1", sheets.NO_RESULT),
        ("2", "危化", "'=B1", sheets.NO_RESULT),
        ("2", "经 + 纬", "120.2, =30+0.1", sheets.NO_RESULT),
        ("3", "名称", "#REF!", sheets.IS_ERROR),
        ("3", "地址", "#N/A", sheets.IS_ERROR),
    ]
    assert outcome.total.bad == 2
    assert await digest(database) == before
    # An empty text is a result, and so is any other in the file. A mapping can say that an error means no value.
    edit(
        path,
        "xl/worksheets/sheet1.xml",
        (r"<c ([^>]*)><f>1&amp;2</f><v ?/></c>", r'<c \1 t="str"><f>1&amp;2</f><v></v></c>'),
        (r"<c ([^>]*)><f>A1</f><v ?/></c>", r'<c \1 t="str"><f>A1</f><v>RED</v></c>'),
        (r"<c ([^>]*)><f>B1</f><v ?/></c>", r'<c \1 t="b"><f>B1</f><v>1</v></c>'),
        (r"<f>30\+0.1</f><v ?/>", r"<f>30+0.1</f><v>30.1</v>"),
        ("#REF!", "#NAME?"),
    )
    outcome, report = await run_import(database, 'no_value = ["#N/A"]\n' + MAPPING, tmp_path)
    assert report_lines(report) == [("3", "名称", "#NAME?", sheets.IS_ERROR)]
    row = (await rows_by_key(database, models.Enterprise))["A1"]
    assert (row.address, row.risk_grade, row.hazardous_chemicals, row.latitude) == (
        None,
        models.RiskGrade.RED,
        True,
        30.1,
    )


async def test_merged_cells_give_their_value_to_each_of_their_rows(database: Database, tmp_path: Path) -> None:
    def merge(page: Any) -> None:
        for cells in ("C2:C4", "D3:D4", "A6:B6", "E2:E3"):
            page.merge_cells(cells)

    rows: list[list[Any]] = [["A1", *FIRST], ["A2", "乙厂", None, "BLUE", None, 3, 30.1, 120.2]]
    rows += [["A3", "丙厂", None, None, "否", 3, 30.1, 120.2], ["A4", "丁厂", None, None, None, None, 30.1, 120.2]]
    save(tmp_path / "e.xlsx", [HEADER, *rows, ["合计", None, "四家"]], merge)
    _, report = await run_import(database, MAPPING, tmp_path)
    assert report_lines(report) == [("6", "名称", "", sheets.COVERED.reason)]
    footers = MAPPING.replace("[enterprises]\n", '[enterprises]\nskip = { "编号" = "合计*" }\n')
    outcome, report = await run_import(database, footers, tmp_path)
    assert (report, outcome.total.skipped, outcome.total.unchanged) == ([], 1, 4)
    stored = await rows_by_key(database, models.Enterprise)
    assert {
        key: (row.address, row.risk_grade and row.risk_grade.name, row.hazardous_chemicals)
        for key, row in stored.items()
    } == {
        "A1": ("一号路", "RED", True),
        "A2": ("一号路", "BLUE", True),
        "A3": ("一号路", "BLUE", False),
        "A4": (None, None, False),
    }


async def test_numbers_in_text_fields_are_taken_as_shown_or_refused(database: Database, tmp_path: Path) -> None:
    mapping = """[district]
name = "测试区"
[cameras]
file = "c.xlsx"
fields = { device_id = "设备编码", external_id = "编号", name = "名称" }
"""

    def formats(page: Any) -> None:
        page["B2"].number_format = "00000"

    rows: list[list[Any]] = [
        [None, 12, "一号路_x000D_\n二号楼"],
        [33010900001320001536.0, 2, "b"],
        ["33010900001320000001", 3, 1.25],
    ]
    save(tmp_path / "c.xlsx", [["设备编码", "编号", "名称"], *rows], formats)
    edit(tmp_path / "c.xlsx", "xl/worksheets/sheet1.xml", ("_x005[fF]_x000D_|_x000D_", "_x000D_"))
    _, report = await run_import(database, mapping, tmp_path)
    assert report_lines(report) == [("3", "设备编码", "3.301090000132e+19", sheets.TOO_LONG)]
    stored = await rows_by_key(database, models.Camera)
    assert {key: (row.device_id, row.name) for key, row in stored.items()} == {
        "00012": (None, "一号路\r\n二号楼"),
        "3": ("33010900001320000001", "1.25"),
    }


async def test_a_number_is_a_date_only_in_a_format_of_the_mapping(database: Database, tmp_path: Path) -> None:
    mapping = """dates = "iso"
[district]
name = "测试区"
[inspectors]
file = "i.xlsx"
fields = { badge = "b", full_name = "b" }
[enterprises]
file = "e.xlsx"
fields = { external_id = "b", name = "b" }
[measures]
file = "e.xlsx"
fields = { external_id = "b", enterprise = "b", kind = { constant = "ENGINEERING" }, description = "b", since = "d" }
"""
    dates: list[Any] = [20220420, 44671, 2022, dt.datetime(2022, 4, 20), "2022-04-20", 3e9]
    rows = [[f"B{n}", date] for n, date in enumerate(dates)]

    def formats(page: Any) -> None:
        page["B7"].number_format = "yyyy-mm-dd"

    for name in ("i", "e"):
        save(tmp_path / f"{name}.xlsx", [["b", "d"], *rows], formats)
    _, report = await run_import(database, mapping, tmp_path)
    reason = "not a date or time in the format iso; for numbers that count days, the mapping's dates need excel"
    assert report_lines(report) == [
        ("3", "d", "44671", reason),
        ("4", "d", "2022", reason),
        ("7", "d", "3000000000", "a date that no calendar has"),
    ]
    _, report = await run_import(database, mapping.replace('"iso"', '["excel", "iso"]'), tmp_path)
    assert [row["line"] for row in report] == ["7"]
    stored = await rows_by_key(database, models.ControlMeasure)
    moments = {key: row.since for key, row in stored.items()}
    day = dt.date(2022, 4, 20)
    assert moments == {"B0": day, "B1": day, "B2": dt.date(1905, 7, 14), "B3": day, "B4": day}


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (12, "00000", "00012"),
        (123456, "000", "123456"),
        (12, "General", "12"),
        (12.0, "0", "12"),
        (12.5, "000", "12.5"),
        (-12, "000", "-12"),
        (123456789, "000-00-0000", "123-45-6789"),
        (1234567, r"000\-0000", "123-4567"),
        (7, '"A"00', "A07"),
        (7, "[Red]00_);(00)", "07"),
        (7, "[<10]00;0", "7"),
        (1234, "#,##0", "1234"),
        (45, '"x"', "45"),
        (0.1 + 0.2, "General", "0.3"),
        (999_999_999_999_999, "General", "999999999999999"),
    ],
)
def test_a_number_is_shown_as_its_format_pads_it(number: float, code: str, text: str) -> None:
    shown = sheets.sheet_number(number, code, EPOCH)
    assert (str(shown), getattr(shown, "number", None)) == (text, number)


@pytest.mark.parametrize("number", [1e15, -1e15, 10**15, 3.3e19, float("inf"), float("nan")])
def test_a_number_with_more_digits_than_a_sheet_keeps_is_unknown(number: float) -> None:
    assert isinstance(sheets.sheet_number(number, "0", EPOCH), UnknownCell)


def test_merged_cells_that_reach_from_the_header_into_the_body_are_unknown(tmp_path: Path) -> None:
    def merge(page: Any) -> None:
        page.merge_cells("A1:A2")
        page.merge_cells("A3:A9")

    save(tmp_path / "e.xlsx", [["a", "b"], [None, 1], ["x", 2], [None, 3]], merge)
    edit(tmp_path / "e.xlsx", "xl/worksheets/sheet1.xml", ("A3:A9", "A3:A1048576"))
    assert read(tmp_path / "e.xlsx", ["a", "b"]) == [(2, ["", "1"]), (3, ["x", "2"]), (4, ["x", "3"])]
    [second, *_] = sheets.read(xlsx.open_sheet, tmp_path / "e.xlsx", ["a", "b"], sheet=None, header=1, header_rows=1)
    assert second.cells[0] is sheets.COVERED


def test_a_row_that_is_blank_or_only_covered_is_none(tmp_path: Path) -> None:
    def merge(page: Any) -> None:
        for column in "AB":
            page.merge_cells(f"{column}2:{column}3")

    save(tmp_path / "e.xlsx", [["a", "b"], [1, 2], [], [], ["", ""], [3, 4]], merge)
    assert read(tmp_path / "e.xlsx", ["a", "b"]) == [(2, ["1", "2"]), (6, ["3", "4"])]


async def test_workbooks_that_cannot_be_read_are_refused(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "e.xlsx"
    book = Workbook()
    book.create_chartsheet("图")
    book.remove(book.worksheets[0])
    book.save(path)
    with pytest.raises(RegisterError, match=r"e\.xlsx: not an XLSX workbook"):
        await run_import(database, MAPPING, tmp_path)
    save(path, [HEADER, ["A1", *FIRST]])
    whole = path.read_bytes()
    for end in (len(whole) // 2, len(whole) - 30, 10, 0):
        path.write_bytes(whole[:end])
        with pytest.raises(RegisterError, match=r"e\.xlsx: not an XLSX workbook"):
            await run_import(database, MAPPING, tmp_path)
    for old, new in (("</sheetData>", ""), ("<v>3</v>", "<v>three</v>"), ('r="A2"', 'r="2A"'), ('s="0"', 's="99"')):
        save(path, [HEADER, ["A1", *FIRST]], lambda page: setattr(page["F2"], "number_format", "000"))
        edit(path, "xl/worksheets/sheet1.xml", ('s="1"', 's="0"'), (old, new))
        with pytest.raises(RegisterError, match=r"e\.xlsx: the workbook is damaged"):
            await run_import(database, MAPPING, tmp_path)
    assert await rows_by_key(database, models.Enterprise) == {}


def test_hostile_workbooks_stay_bounded(tmp_path: Path) -> None:
    path, part = tmp_path / "e.xlsx", "xl/worksheets/sheet1.xml"
    save(path, [["a"], [1]])
    plain = path.read_bytes()
    # A bomb: a few kilobytes that expand to megabytes.
    edit(path, part, ("</worksheet>", " " * 2_000_000 + "</worksheet>"))
    assert path.stat().st_size < 100_000
    with pytest.raises(RegisterError, match=r"sheet1\.xml in it is too large: 2,"):
        read(path, ["a"])
    # Entities of XML that name each other, and one that names a file.
    (tmp_path / "secret").write_text("secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 30}">' for n in range(1, 8))
    for entities, used in ((f'<!ENTITY l0 "ha">{laughs}', "l7"), (f'<!ENTITY f SYSTEM "{tmp_path}/secret">', "f")):
        path.write_bytes(plain)
        edit(path, part, ("<worksheet", f"<!DOCTYPE x [{entities}]><worksheet"), ("<v>1</v>", f"<v>&{used};</v>"))
        with pytest.raises(RegisterError, match="the workbook is damaged"):
            read(path, ["a"])
    # Merged cells without number that all cover the same cells.
    path.write_bytes(plain)
    merged = '<mergeCell ref="A1:XFD9"/>' * 100
    edit(path, part, ("</sheetData>", f"</sheetData><mergeCells>{merged}</mergeCells>"))
    with pytest.raises(RegisterError, match="the workbook is damaged"):
        read(path, ["a"], header_rows=5)
