"""The history of the rectification rate against counting row by row, and the rain on zones."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

import models
from models import HazardStatus
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role, Viewer, Visibility
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, NOW, SHANGHAI, TODAY, Ask, make_executor

HISTORY = """
{
  district { portrait { rectificationRate } rateHistory { days { day rate } usualLow usualHigh } }
  zones { id code portrait { rectificationRate } rateHistory { days { day rate } usualLow usualHigh } }
}
"""
HAZARD, ENTERPRISE, ZONE = table_of(models.Hazard), table_of(models.Enterprise), table_of(models.Zone)
READING = table_of(models.RainfallReading)
RECTIFIED = (HazardStatus.ACCEPTED, HazardStatus.CLOSED)


def local_day(time: dt.datetime) -> dt.date:
    return time.astimezone(SHANGHAI).date()


def rate(hazards: list[Any], day: dt.date) -> float | None:
    of_window = [h for h in hazards if day - dt.timedelta(days=29) <= local_day(h.found_at) <= day]
    done = [h for h in of_window if h.status in RECTIFIED and h.accepted_at and local_day(h.accepted_at) <= day]
    return len(done) / len(of_window) if of_window else None


async def test_each_day_is_what_counting_gives(demo: Database, ask: Ask) -> None:
    async with demo.read() as connection:
        columns = HAZARD.c.found_at, HAZARD.c.accepted_at, HAZARD.c.status, ENTERPRISE.c.zone_id
        rows = (
            await connection.execute(sa.select(*columns).join(ENTERPRISE, ENTERPRISE.c.id == HAZARD.c.enterprise_id))
        ).all()
        codes = {row.code: row.id for row in await connection.execute(sa.select(ZONE.c.code, ZONE.c.id))}
    hazards = [(row, row.zone_id) for row in rows if row.status is not HazardStatus.DISMISSED]
    data = await ask(HISTORY)
    scopes = [(data["district"], [h for h, _ in hazards])]
    scopes += [(zone, [h for h, z in hazards if z == codes[zone["code"]]]) for zone in data["zones"]]
    for shown, in_scope in scopes:
        history = shown["rateHistory"]
        days = [TODAY - dt.timedelta(days=29 - i) for i in range(30)]
        assert [day["day"] for day in history["days"]] == [day.isoformat() for day in days]
        assert [day["rate"] for day in history["days"]] == [rate(in_scope, day) for day in days]
        # The last day is the portrait's own number.
        assert history["days"][-1]["rate"] == shown["portrait"]["rectificationRate"]
        known = sorted(r for r in (rate(in_scope, TODAY - dt.timedelta(days=i)) for i in range(56)) if r is not None)
        outside = len(known) // 10
        band = [known[outside], known[-1 - outside]] if len(known) >= 21 else [None, None]
        assert [history["usualLow"], history["usualHigh"]] == band


async def test_an_enterprise_sees_no_history(graph: Graph, demo: Database) -> None:
    viewer = Viewer(Visibility(Role.ENTERPRISE, enterprise=1))
    response = await make_executor(graph, demo).run(
        Operation("{ district { rateHistory { usualLow } } zones { rateHistory { usualLow } } }"), viewer
    )
    assert response.data == {"district": {"rateHistory": None}, "zones": [{"rateHistory": None}] * 4}


async def test_rain_is_summed_over_the_hours_asked_for(graph: Graph, own_demo: Database) -> None:
    hours_ago = (0, 5.9, 6, 23.9, 24, 30)  # A reading six hours old is of the time before.
    async with own_demo.write() as session:
        zones = {row.code: row.id for row in await session.execute(sa.select(ZONE.c.code, ZONE.c.id))}
        rows = [
            {"zone_id": zones["GUALI"], "at": NOW - dt.timedelta(hours=ago), "millimetres": 2.0**i}
            for i, ago in enumerate(hours_ago)
        ]
        await session.execute(sa.delete(READING))
        await session.execute(sa.insert(READING), rows)
    query = "{ zones { code six: rainfall { millimetres at } day: rainfall(hours: 24) { millimetres } } }"
    data = (await make_executor(graph, own_demo).run(Operation(query), COMMANDER)).data
    assert data is not None
    by_code = {zone["code"]: zone for zone in data["zones"]}
    assert by_code["GUALI"]["six"] == {"millimetres": 1.0 + 2.0, "at": NOW.isoformat()}
    assert by_code["GUALI"]["day"] == {"millimetres": 1.0 + 2.0 + 4.0 + 8.0}
    assert by_code["LINPU"]["six"] == {"millimetres": None, "at": None}


async def test_hours_out_of_range_are_refused(graph: Graph, demo: Database) -> None:
    for hours in (0, 73):
        operation = Operation("query($n: Int!) { zones { rainfall(hours: $n) { millimetres } } }", {"n": hours})
        response = await make_executor(graph, demo).run(operation, COMMANDER)
        assert response.errors[0]["extensions"]["code"] == "BAD_INPUT"
