"""Converts the cells of one field: days as limits."""

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.db.database import Database
from resolvers.register.convert import CellFormat, converter
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
