"""Rain raises a warning at exactly the published amounts, makes it graver, and lifts it after six calm hours."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import models
from models.db.database import Database
from schema.build import Graph
from schema.types import node_id
from tests.conftest import NOW, Databases
from tests.support.actors import DUTY, HOUR, at, contents, log_after
from tests.support.district import Office, opened

MINUTE = dt.timedelta(minutes=1)
# Level, hours, millimetres: what the China Meteorological Administration publishes.
PUBLISHED = [("BLUE", 12, 50.0), ("YELLOW", 6, 50.0), ("ORANGE", 3, 50.0), ("RED", 3, 100.0)]


@pytest_asyncio.fixture(scope="module")
async def shared(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    """One database for all tests of this file, each in a district of its own."""
    made = Database(await databases.new(migrated_url))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def office(graph: Graph, shared: Database) -> Office:
    return await opened(graph, shared)


async def of_zone(office: Office, model: Any) -> list[Any]:
    """The rows of the zone."""
    rows = (await contents(office.database, model))[model.__tablename__].values()
    return [row for row in rows if row.zone_id == office.world.zone]


async def rain(office: Office, millimetres: float, moment: dt.datetime | None = None) -> list[Any]:
    """A reading; the warnings that it changed."""
    time = {} if moment is None else {"at": at(moment)}
    shown = "warnings { id level automatic liftedAt issuedAt zone { id } kind }"
    found = await office.done(
        DUTY, "rainfallReport", shown, zone=office.world.id("zone"), millimetres=millimetres, **time
    )
    warnings: list[Any] = found["warnings"]
    return warnings


@pytest.mark.parametrize(("level", "hours", "millimetres"), PUBLISHED)
async def test_a_threshold_is_reached_at_its_amount_and_not_below(
    office: Office, level: str, hours: int, millimetres: float
) -> None:
    # Two readings at the ends of the hours: a moment longer, and they do not count together.
    start = NOW - hours * HOUR + MINUTE
    assert level not in [w["level"] for w in await rain(office, millimetres / 2, start)]
    before = [w["level"] for w in await rain(office, millimetres / 2 - 0.1)]
    assert level not in before
    [warning] = await rain(office, millimetres / 2)
    wanted = {"level": level, "automatic": True, "liftedAt": None, "kind": "RAINSTORM"}
    assert {name: warning[name] for name in wanted} == wanted
    assert warning["zone"]["id"] == office.world.id("zone")


@pytest.mark.parametrize(("level", "hours", "millimetres"), PUBLISHED[:3])
async def test_what_fell_before_its_hours_does_not_count(
    office: Office, level: str, hours: int, millimetres: float
) -> None:
    await rain(office, millimetres / 2, NOW - hours * HOUR)
    assert level not in [w["level"] for w in await rain(office, millimetres / 2)]


async def test_readings_add_up_as_they_are_written(office: Office) -> None:
    """As binary fractions, one after another, these make 49.99999999999999."""
    parts = [21.9, 0.9, 12.3, 14.9]
    assert sum(parts) < 50
    *first, last = parts
    for n, millimetres in enumerate(first):
        assert await rain(office, millimetres, NOW - (9 - n) * MINUTE) == []
    [warning] = await rain(office, last)
    assert warning["level"] == "ORANGE"


async def test_it_becomes_graver_and_never_less_grave(office: Office) -> None:
    told = []
    for hour, millimetres in enumerate([24.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 26.0, 24.0, 50.0, 0.0, 0.0]):
        told.append([w["level"] for w in await rain(office, millimetres)])
        if hour < 11:
            office.later(HOUR)
    assert told == [[], [], [], [], [], [], [], ["BLUE"], ["ORANGE"], ["RED"], [], []]
    [warning] = await of_zone(office, models.Warning)
    assert (warning.level.name, warning.version, warning.issued_at) == ("RED", 3, NOW + 7 * HOUR)
    events = [e for e in await log_after(office.database) if e.zone_id == office.world.zone]
    assert [(e.kind.name, e.actor_role, e.actor_name) for e in events] == [("WARNING_RAISED", None, None)] * 3
    assert {"field": "level", "from": "ORANGE", "to": "RED", "personal": False} in events[-1].changes


@pytest.mark.parametrize("every", [10 * MINUTE, HOUR, 6 * HOUR])
async def test_it_is_lifted_after_six_calm_hours_and_not_before(office: Office, every: dt.timedelta) -> None:
    """What fell counts for twelve hours; the six begin when it does not any more, however seldom it is read."""
    [warning] = await rain(office, 60.0)
    while office.now + every < NOW + 18 * HOUR:
        office.later(every)
        assert await rain(office, 0.0) == [], office.now - NOW
    office.later(NOW + 18 * HOUR - MINUTE - office.now)
    assert await rain(office, 0.0) == []
    office.later(MINUTE)
    [lifted] = await rain(office, 0.0)
    assert (lifted["id"], lifted["liftedAt"]) == (warning["id"], at(NOW + 18 * HOUR))
    event = (await log_after(office.database))[-1]
    assert (event.kind.name, event.actor_role, event.zones) == ("WARNING_LIFTED", None, {office.world.zone})
    office.later(HOUR)
    assert await rain(office, 0.0) == []
    [again] = await rain(office, 50.0)
    assert (again["id"] != warning["id"], again["level"]) == (True, "ORANGE")


async def test_rain_in_between_begins_the_calm_anew(office: Office) -> None:
    [warning] = await rain(office, 60.0)
    office.later(17 * HOUR)
    assert await rain(office, 55.0) == []
    for _ in range(17):
        office.later(HOUR)
        assert await rain(office, 0.0) == []
    office.later(HOUR)
    assert [w["id"] for w in await rain(office, 0.0)] == [warning["id"]]


async def test_a_second_report_of_one_time_replaces_the_first(office: Office) -> None:
    await rain(office, 40.0, NOW - HOUR)
    await rain(office, 10.0, NOW - HOUR)
    assert await rain(office, 39.0) == []
    readings = await of_zone(office, models.RainfallReading)
    assert sorted(row.millimetres for row in readings) == [10.0, 39.0]


async def test_it_rains_in_one_zone_at_a_time(office: Office) -> None:
    other = node_id.encode("Zone", office.world.other_zone)
    await rain(office, 40.0)
    found = await office.done(DUTY, "rainfallReport", zone=other, millimetres=40.0)
    assert found["warnings"] == []
    assert len(await rain(office, 60.0, NOW + MINUTE)) == 1


async def test_a_warning_of_the_duty_officer_is_not_lifted_by_the_sun(office: Office) -> None:
    issued = {"kind": "RAINSTORM", "level": "BLUE", "headline": "暴雨", "zone": office.world.id("zone")}
    await office.done(DUTY, "warningIssue", **issued)
    for _ in range(3):
        assert await rain(office, 0.0) == []
        office.later(10 * HOUR)
    [row] = await of_zone(office, models.Warning)
    assert row.lifted_at is None


async def test_readings_of_long_ago_raise_nothing_that_breaks(office: Office) -> None:
    for moment in ("1900-01-01T00:00:00Z", "1900-01-02T12:00:00Z", "2026-06-01T00:00:00Z"):
        await rain(office, 10.0, dt.datetime.fromisoformat(moment))
