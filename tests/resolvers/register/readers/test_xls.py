"""Workbooks of Excel 97 to 2003. sheet.xls, made with xlwt, has two sheets, and its header in the second row."""

import shutil
from pathlib import Path

import pytest

import models
from models.db.database import Database
from resolvers.register import FileError
from resolvers.register.readers import sheet as sheets
from tests.support.register_runs import run_import
from tests.support.small_register import rows_by_key

SOURCE = Path(__file__).parent / "sheet.xls"
MAPPING = """dates = ["iso"]
[district]
name = "测试区"
[enterprises]
file = "e.xls"
sheet = "企业"
header = 2
[enterprises.fields]
external_id = "编号"
name = "名称"
address = "地址"
major_hazard_level = "级"
hazardous_chemicals = "危化"
[measures]
file = "e.xls"
sheet = "企业"
header = 2
[measures.fields]
external_id = "编号"
enterprise = "编号"
kind = { constant = "ENGINEERING" }
description = "名称"
since = "日期"
"""


async def test_an_xls_workbook_is_read_as_an_xlsx_workbook_is(database: Database, tmp_path: Path) -> None:
    shutil.copy(SOURCE, tmp_path / "e.xls")
    _, report = await run_import(database, MAPPING, tmp_path)
    excel = "not a date or time in the format iso; for numbers that count days, the mapping's dates need excel"
    assert [(row["line"], row["column"], row["value"], row["reason"]) for row in report] == [
        ("4", "级", "#REF!", sheets.IS_ERROR),
        ("5", "编号", "3.301090000132e+19", sheets.TOO_LONG),
        ("4", "日期", "44671", excel),
        ("5", "编号", "3.301090000132e+19", sheets.TOO_LONG),
        ("5", "编号", "3.301090000132e+19", sheets.TOO_LONG),
        ("5", "日期", "1000000000.0", sheets.NO_DATE),
    ]
    rows = await rows_by_key(database, models.Enterprise)
    assert {key: (row.name, row.address, row.hazardous_chemicals) for key, row in rows.items()} == {
        "00012": ("甲厂", "一号路", True)
    }
    assert [row.since.isoformat() for row in (await rows_by_key(database, models.ControlMeasure)).values()] == [
        "2022-04-20"
    ]
    # A merged cell, in the row whose error is mended.
    mended = MAPPING.replace("[enterprises]\n", '[enterprises]\nno_value = ["#REF!"]\n')
    await run_import(database, mended, tmp_path)
    assert (await rows_by_key(database, models.Enterprise))["B"].address == "一号路"


async def test_a_damaged_or_disguised_workbook_is_refused(database: Database, tmp_path: Path) -> None:
    path, whole = tmp_path / "e.xls", SOURCE.read_bytes()
    for end in (0, 8, 600, len(whole) // 2, len(whole) - 600):
        path.write_bytes(whole[:end])
        with pytest.raises(FileError, match=r"e\.xls: "):
            await run_import(database, MAPPING, tmp_path)
    for start, hint in (
        (b"\r\n<html><table>", "perhaps it is a web page under another name"),
        (b"PK\x03\x04", 'set format = "xlsx" or "ods"'),
        (b"a,b\n", "not an XLS workbook$"),
    ):
        path.write_bytes(start)
        with pytest.raises(FileError, match=hint):
            await run_import(database, MAPPING, tmp_path)
    (tmp_path / "e.xlsx").write_bytes(whole)
    with pytest.raises(FileError, match='set format = "xls"'):
        await run_import(database, MAPPING.replace("e.xls", "e.xlsx"), tmp_path)
    assert await rows_by_key(database, models.Enterprise) == {}
