"""Converts the cells of one field: numbers, dates and keys as people write them, and days as limits."""

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.db.database import Database
from resolvers.register.convert import CellFormat, converter
from resolvers.register.errors import InvalidValue
from resolvers.register.numerals import to_number
from resolvers.register.tables import TABLES
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, NOW, SHANGHAI, make_executor
from tests.support.register_runs import run_import

DAY = dt.datetime(2026, 6, 15, tzinfo=SHANGHAI)
LAST = DAY + dt.timedelta(days=1) - dt.timedelta.resolution
FORMATS = ("iso", "%Y年%m月%d日", "%Y/%m/%d %H:%M", "excel")


@pytest.mark.parametrize(
    ("cell", "limit", "moment"),
    [
        ("2026-06-15", LAST, DAY),
        ("20260615", LAST, DAY),
        ("2026年6月15日", LAST, DAY),
        ("46188", LAST, DAY),
        (dt.date(2026, 6, 15), LAST, DAY),
        (dt.datetime(2026, 6, 15), LAST, DAY),
        ("2026-06-15T00:00", DAY, DAY),
        ("2026/06/15 00:00", DAY, DAY),
        ("2026-06-15T08:30", DAY + dt.timedelta(hours=8.5), DAY + dt.timedelta(hours=8.5)),
        ("2026-06-14T16:00Z", DAY, DAY),
        (dt.datetime(2026, 6, 15, 12), DAY + dt.timedelta(hours=12), DAY + dt.timedelta(hours=12)),
    ],
)
def test_a_day_as_a_limit_ends_with_that_day(cell: Any, limit: dt.datetime, moment: dt.datetime) -> None:
    cell_format = CellFormat(formats=FORMATS, zone=ZoneInfo("Asia/Shanghai"))
    fields = TABLES["hazards"].fields
    for name, expected in (("deadline", limit), ("fix_deadline", limit), ("found_at", moment)):
        assert converter(fields[name], cell_format)(cell) == expected.astimezone(dt.UTC), name


def converted(table: str, field: str, cell: Any, **options: Any) -> Any:
    """The value of a cell, or the reason why it is bad."""
    cell_format = CellFormat(zone=ZoneInfo("Asia/Shanghai"), **options)
    try:
        return converter(TABLES[table].fields[field], cell_format)(cell_format.clean(cell))
    except InvalidValue as invalid:
        return invalid.reason


def test_numbers_are_read_as_people_write_them() -> None:
    whole, bounds = "not a whole number", "not between 0 and 2,147,483,647"
    cells: dict[Any, Any] = {
        "500": 500,
        "500.00": 500,
        "500.": 500,
        "1,234": 1234,
        "12,345.00": 12345,
        "５００": 500,
        "１，２３４．０": 1234,
    }
    cells |= {"1,23": whole, "1,2345": whole, "500.50": whole, "5e2": whole, ".0": whole, ",123": whole, "-5": bounds}
    cells |= {500.0: 500, "+7": 7, "0,123": 123, "1,234,567,890,123": bounds}
    assert {cell: converted("cases", "fine_yuan", cell) for cell in cells} == cells
    numbers = {"３０．１６７５": 30.1675, "3,338,832.8": 3338832.8, "-1.5e2": -150, "－3": -3, "\u200b30": 30}
    assert {cell: to_number(cell) for cell in numbers} == numbers
    for cell in ("1,2", "", "٣", "²", "一", "1_000", "1 000", "nan", "0x1", "1e999"):
        with pytest.raises(InvalidValue):
            to_number(cell)


def test_forms_of_dates_are_tried_in_order() -> None:
    day = dt.date(2022, 4, 20)
    cells = {"44671": day, "2022-04-20": day, "20220420": day, "２０２２－０４－２０": day}
    for formats in (("excel", "iso"), ("iso", "excel")):
        assert {cell: converted("measures", "since", cell, formats=formats) for cell in cells} == cells
    reason = "not a date or time in the format excel / iso"
    assert converted("measures", "since", "soon", formats=("excel", "iso")) == reason
    assert converted("measures", "since", "２０２２年４月２０日", formats=("%Y年%m月%d日",)) == day


def test_midnight_at_the_end_of_a_day_is_written_24() -> None:
    formats = ("iso", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日%H时", "%d %y")
    for cell in (
        "2026-06-14T24:00",
        "2026-06-14 24:00:00",
        "2026年6月14日 24:00",
        "2026年6月14日24时",
        "2026-06-14 24：00",
    ):
        for field in ("deadline", "found_at"):
            assert converted("hazards", field, cell, formats=formats) == DAY, cell
    assert converted("hazards", "found_at", "2026-12-31T24:00", formats=formats).year == 2026
    for cell in ("2026-06-14T24:01", "2026-06-14 25:00"):
        assert "not a date" in converted("hazards", "found_at", cell, formats=("iso", "%Y-%m-%d %H"))


def test_keys_do_not_depend_on_what_cannot_be_seen() -> None:
    for table, field in (("enterprises", "external_id"), ("inspections", "enterprise"), ("inspectors", "badge")):
        cells = {
            "Ａ００１ｂ": "A001b",
            "A0\u200b01\ufeff": "A001",
            "\u202aA1\u202c": "A1",
            "企（2020）１号": "企（2020）1号",
        }
        assert {cell: converted(table, field, cell) for cell in cells} == cells
        assert converted(table, field, "\u200b") == "has no visible character"
        assert converted(table, field, "Ａ１\u200b", escaped=True) == "Ａ１\u200b"
    assert converted("enterprises", "credit_code", "９１３５０１００Ｍ０００１００Ｙ４３") == "91350100M000100Y43"
    assert converted("enterprises", "name", "Ａ１\u200b") == "Ａ１\u200b"


def test_a_formula_of_one_text_is_that_text() -> None:
    cells = {'="00123"': "00123", '="a ""b"" c"': 'a "b" c', '=" x "': "x", '="a"&"b"': '="a"&"b"', '="a': '="a'}
    assert {cell: converted("enterprises", "name", cell) for cell in cells} == cells
    assert CellFormat().clean('=""') is None
    assert CellFormat(no_value=frozenset({"无"})).clean('="无"') is None
    assert converted("enterprises", "name", '="1"', escaped=True) == '="1"'


async def test_what_is_due_today_is_neither_overdue_nor_late(database: Database, graph: Graph, tmp_path: Path) -> None:
    today = NOW.astimezone(SHANGHAI).date()
    yesterday = today - dt.timedelta(days=1)
    (tmp_path / "e.csv").write_text("id,name\n1,甲\n", "utf-8")
    (tmp_path / "h.csv").write_text(
        "id,e,status,d,found,deadline,rect\n"
        f"1,1,ASSIGNED,今日到期,2026-06-01,{today},\n"
        f"2,1,ASSIGNED,昨日到期,2026-06-01,{yesterday},\n"
        f"3,1,ACCEPTED,末日交付,2026-06-01,{yesterday},{yesterday}T18:00\n",
        "utf-8",
    )
    mapping = """[district]
name = "萧山"
[enterprises]
file = "e.csv"
fields = { external_id = "id", name = "name" }
[hazards]
file = "h.csv"
[hazards.fields]
external_id = "id"
enterprise = "e"
level = { constant = "GENERAL" }
status = "status"
description = "d"
found_at = "found"
deadline = "deadline"
rectified_at = "rect"
"""
    _, report = await run_import(database, mapping, tmp_path)
    assert report == []
    query = """{ hazards(first: 9, filter: { overdue: true }) { nodes { description } }
        district { portrait { onTimeRate hazardsOverdue } } }"""
    response = await make_executor(graph, database).run(Operation(query), COMMANDER)
    assert response.errors == []
    assert response.data == {
        "hazards": {"nodes": [{"description": "昨日到期"}]},
        "district": {"portrait": {"onTimeRate": 0.5, "hazardsOverdue": 1}},
    }
