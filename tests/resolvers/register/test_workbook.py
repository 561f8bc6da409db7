"""A table becomes a workbook: texts stay texts, times are times, and what is no row is refused without its values."""

import datetime as dt
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pytest

from resolvers.register import RegisterError, workbook
from resolvers.register.workbook import TableColumn, write_workbook

COLUMNS = [TableColumn("企业"), TableColumn("检查时间", times=True), TableColumn("隐患")]


def written(tmp_path: Path, *rows: Any, title: str = "企业") -> Any:
    target = tmp_path / "table.xlsx"
    assert write_workbook(title, COLUMNS, [orjson.dumps(row) + b"\n" for row in rows], target) == len(rows)
    return openpyxl.load_workbook(target).active


def test_texts_times_and_numbers_keep_their_kinds(tmp_path: Path) -> None:
    long = "长" * 40_000
    rows = [["=1+1", "2026-06-15T12:00", 3], ["a\x01b", None, None], [long, None, -1.5]]
    sheet = written(tmp_path, *rows, title="企业[1]/安全:档案")
    assert sheet.title == "企业 1  安全 档案"
    header, first, second, third = ([(cell.value, cell.data_type) for cell in row] for row in sheet.rows)
    assert [value for value, _ in header] == ["企业", "检查时间", "隐患"]
    assert first == [("=1+1", "s"), (dt.datetime(2026, 6, 15, 12, 0), "d"), (3, "n")]
    assert second[0] == ("ab", "s")
    assert (len(third[0][0]), third[2][0]) == (workbook.TEXT_MAXIMUM, -1.5)
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize(
    "row",
    [
        b"secret",
        b'["secret", null]',
        b'["secret", "secret", 1]',
        b'["secret", "2026-06-15T12:00+08:00", 1]',
        b'["secret", 5, 1]',
        b'[["secret"], null, 1]',
        b"[true, null, 1]",
        b'{"secret": 1}',
    ],
)
def test_what_is_no_row_is_refused_without_its_values(tmp_path: Path, row: bytes) -> None:
    with pytest.raises(RegisterError, match="Row 2 is not") as error:
        write_workbook("t", COLUMNS, [b'["a", null, 1]\n', row], tmp_path / "table.xlsx")
    assert "secret" not in str(error.value)


def test_a_table_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "ROWS_MAXIMUM", 2)
    with pytest.raises(RegisterError, match="at most 2 rows"):
        write_workbook("t", COLUMNS, [b'["a", null, 1]\n'] * 3, tmp_path / "table.xlsx")
