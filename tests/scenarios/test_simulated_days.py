"""Simulated days at full speed: they walk every life cycle, no call is refused unexpectedly, and the data is
consistent.

The clock follows the simulated day. The rows, the log and the portraits must agree.
"""

import datetime as dt
import math
from collections import defaultdict
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models import EventKind, HazardStatus, Subject, lifecycle
from models.db.database import Database
from models.db.tables import table_of
from schema.build import Graph
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER, NOW, SHANGHAI, TODAY, Databases, make_executor
from tests.support.portrait_reference import PORTRAIT, World
from tests.support.simulated_desk import Clock, desk_of, play
from web.simulation import Day
from web.simulation.day import Summary

# Mutations that an ordinary day does not need. It needs every step of the life cycles.
NOT_PLAYED = {"enterpriseUpsert", "inspectorSetDuty", "teamSetStandby", "expertSetStandby"} | {
    "enterprisesUpsert",
    "positionsReport",
    "readingsReport",
    "handoverSign",
    "handoverTake",
}
CYCLES: dict[Subject, Any] = {
    Subject.HAZARD: models.Hazard,
    Subject.INSPECTION: models.Inspection,
    Subject.CASE: models.Case,
    Subject.DISPATCH: models.Dispatch,
    Subject.ASSISTANCE: models.AssistanceRequest,
}
SEEDS = (0, 2)  # some branches are taken once in twenty times; these days take all
DAYS = len(SEEDS)
DAY = dt.timedelta(days=1)
ZONES_WITH_RAIN = 2
# More than the simulation's greatest front brings, and less than two fronts.
PLAUSIBLE_MILLIMETRES = 150


async def whole_days(url: str, clock: Clock) -> Summary:
    summary = Summary()
    async with desk_of(url, clock) as desk:
        for number, seed in enumerate(SEEDS):
            await play(Day(desk, seed, clock, summary), clock, max(NOW + number * DAY, clock.now))
    return summary


@pytest.mark.database_independent
async def test_simulated_days_walk_every_life_cycle_without_a_refusal(
    graph: Graph, databases: Databases, demo_url: str
) -> None:
    url = await databases.new(demo_url)
    clock = Clock()
    summary = await whole_days(url, clock)
    assert summary.refusals == []
    assert set(lifecycle.PERMITTED) - set(summary.calls) <= NOT_PLAYED
    database = Database(url)
    try:
        async with database.read() as connection:
            event = table_of(models.Event)
            events = list(await connection.execute(sa.select(event).order_by(event.c.id)))
        await check_states(database, events)
        await check_portraits(graph, database, events, clock.now)
        await check_rain(database, events)
    finally:
        await database.close()


async def check_states(database: Database, events: list[Any]) -> None:
    """The last status in the log is the status of the row."""
    async with database.read() as connection:
        for subject, model in CYCLES.items():
            table = model.__table__
            last = {one.subject_id: one.to_status for one in events if one.subject is subject and one.at >= NOW}
            states = {r.id: r.status.name for r in await connection.execute(sa.select(table.c.id, table.c.status))}
            assert last
            assert {key: states[key] for key in last} == last


async def check_rain(database: Database, events: list[Any]) -> None:
    """Each day's fronts raise a warning and lift it by readings, and no zone gets more rain than in nature."""
    automatic = [e for e in events if e.at >= NOW and e.subject is Subject.WARNING and e.actor_role is None]
    for kind in (EventKind.WARNING_RAISED, EventKind.WARNING_LIFTED):
        assert len({e.subject_id for e in automatic if e.kind is kind}) == DAYS * ZONES_WITH_RAIN
    reading = table_of(models.RainfallReading)
    fell: dict[int, list[tuple[dt.datetime, float]]] = defaultdict(list)
    async with database.read() as connection:
        for row in await connection.execute(sa.select(reading)):
            fell[row.zone_id].append((row.at, row.millimetres))
    assert len(fell) == ZONES_WITH_RAIN
    for readings in fell.values():
        assert max(at for at, _ in readings) <= NOW + DAYS * DAY
        sums = [math.fsum(f for at, f in readings if end - DAY / 2 < at <= end) for end, _ in readings]
        assert 50 <= max(sums) <= PLAUSIBLE_MILLIMETRES


async def check_portraits(graph: Graph, database: Database, events: list[Any], now: dt.datetime) -> None:
    """The portraits of the district and its zones equal counts of the rows and of the log."""
    days = (TODAY, now.astimezone(SHANGHAI).date())
    window = f'(window: {{ from: "{days[0]}", to: "{days[1]}" }})'
    query = f"{{ district {{ id portrait{window} {{ ...P }} }} zones {{ id portrait{window} {{ ...P }} }} }} {PORTRAIT}"
    answer = await make_executor(graph, database, now).run(Operation(query), COMMANDER)
    assert answer.errors == []
    assert answer.data is not None
    district, zones = answer.data["district"], answer.data["zones"]
    world = await World.read(database)
    for kind, one in (("district", district), *(("zone", zone) for zone in zones)):
        portrait = {**one["portrait"], "asOf": now.isoformat()}
        del portrait["cursor"]
        assert portrait == world.portrait(kind, node_id.decode(one["id"])[1], days, now, SHANGHAI)
    due = [
        h.deadline
        for h in world.hazards
        if h.deadline and h.status not in (HazardStatus.CLOSED, HazardStatus.DISMISSED)
    ]
    assert [deadline for deadline in due if NOW < deadline < now]  # some became overdue during the simulation
    assert sum(e.open_hazards for e in world.enterprises) == district["portrait"]["hazardsOpen"]

    def of_days(*kinds: EventKind) -> set[int]:
        return {
            o.subject_id for o in events if o.kind in kinds and days[0] <= o.at.astimezone(SHANGHAI).date() <= days[1]
        }

    reported = of_days(EventKind.HAZARD_FOUND, EventKind.HAZARD_REPORTED)
    dismissed = of_days(EventKind.HAZARD_DISMISSED)
    assert district["portrait"]["hazardsFound"] == len(reported - dismissed)
    assert district["portrait"]["inspections"] == len(of_days(EventKind.INSPECTION_SUBMITTED))
    assert district["portrait"]["casesFiled"] == len(of_days(EventKind.CASE_FILED))
