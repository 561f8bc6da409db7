"""Rainfall raises a warning at the published amounts, aggravates it, and lifts it after six calm hours."""

import datetime as dt
from typing import Any

import pytest

import models
from schema.types import node_id
from tests.conftest import NOW
from tests.support.actors import DUTY, HOUR, at, contents, log_after
from tests.support.district import Office

MINUTE = dt.timedelta(minutes=1)
# Level, hours, millimetres, as the China Meteorological Administration publishes them.
PUBLISHED = [("BLUE", 12, 50.0), ("YELLOW", 6, 50.0), ("ORANGE", 3, 50.0), ("RED", 3, 100.0)]


async def rows_of_zone(office: Office, model: Any) -> list[Any]:
    rows = (await contents(office.database, model))[model.__tablename__].values()
    return [row for row in rows if row.zone_id == office.world.zone]


async def rain(office: Office, millimetres: float, moment: dt.datetime | None = None) -> list[Any]:
    """Report a reading. Returns the warnings that it changed."""
    time = {} if moment is None else {"at": at(moment)}
    selection = "warnings { id level automatic liftedAt issuedAt zone { id } kind }"
    answer = await office.done(
        DUTY, "rainfallReport", selection, zone=office.world.id("zone"), millimetres=millimetres, **time
    )
    warnings: list[Any] = answer["warnings"]
    return warnings


@pytest.mark.parametrize(("level", "hours", "millimetres"), PUBLISHED)
async def test_a_threshold_is_reached_at_its_amount_and_not_below(
    office: Office, level: str, hours: int, millimetres: float
) -> None:
    # Two readings at the ends of the period; a minute earlier, the first would not count.
    start = NOW - hours * HOUR + MINUTE
    assert level not in [w["level"] for w in await rain(office, millimetres / 2, start)]
    before = [w["level"] for w in await rain(office, millimetres / 2 - 0.1)]
    assert level not in before
    [warning] = await rain(office, millimetres / 2)
    expected = {"level": level, "automatic": True, "liftedAt": None, "kind": "RAINSTORM"}
    assert {name: warning[name] for name in expected} == expected
    assert warning["zone"]["id"] == office.world.id("zone")


@pytest.mark.parametrize(("level", "hours", "millimetres"), PUBLISHED[:3])
async def test_rain_before_the_period_of_a_threshold_does_not_count(
    office: Office, level: str, hours: int, millimetres: float
) -> None:
    assert level not in [w["level"] for w in await rain(office, millimetres / 2, NOW - hours * HOUR)]
    assert level not in [w["level"] for w in await rain(office, millimetres / 2)]


async def test_the_sum_of_readings_is_exact_in_decimals(office: Office) -> None:
    """Added as binary fractions these are 49.99999999999999."""
    parts = [21.9, 0.9, 12.3, 14.9]
    assert sum(parts) < 50
    *first, last = parts
    for n, millimetres in enumerate(first):
        assert await rain(office, millimetres, NOW - (9 - n) * MINUTE) == []
    [warning] = await rain(office, last)
    assert warning["level"] == "ORANGE"


async def test_a_warning_is_aggravated_and_never_reduced(office: Office) -> None:
    levels = []
    for hour, millimetres in enumerate([24.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 26.0, 24.0, 50.0, 0.0, 0.0]):
        levels.append([w["level"] for w in await rain(office, millimetres)])
        if hour < 11:
            office.later(HOUR)
    assert levels == [[], [], [], [], [], [], [], ["BLUE"], ["ORANGE"], ["RED"], [], []]
    [warning] = await rows_of_zone(office, models.Warning)
    assert (warning.level.name, warning.version, warning.issued_at) == ("RED", 3, NOW + 7 * HOUR)
    events = [e for e in await log_after(office.database) if e.zone_id == office.world.zone]
    assert [(e.kind.name, e.actor_role, e.actor_name) for e in events] == [("WARNING_RAISED", None, None)] * 3
    assert {"field": "level", "from": "ORANGE", "to": "RED", "personal": False} in events[-1].changes


@pytest.mark.parametrize("every", [10 * MINUTE, HOUR, 6 * HOUR])
async def test_a_warning_is_lifted_after_six_calm_hours_and_not_before(office: Office, every: dt.timedelta) -> None:
    """Rain counts for twelve hours; then the six calm hours begin, however rarely readings are reported."""
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
    [second] = await rain(office, 50.0)
    assert (second["id"] != warning["id"], second["level"]) == (True, "ORANGE")


async def test_rain_restarts_the_six_calm_hours(office: Office) -> None:
    [warning] = await rain(office, 60.0)
    office.later(17 * HOUR)
    assert await rain(office, 55.0) == []
    for _ in range(17):
        office.later(HOUR)
        assert await rain(office, 0.0) == []
    office.later(HOUR)
    assert [w["id"] for w in await rain(office, 0.0)] == [warning["id"]]


async def test_a_second_report_for_one_time_replaces_the_first(office: Office) -> None:
    assert await rain(office, 40.0, NOW - HOUR) == []
    assert await rain(office, 10.0, NOW - HOUR) == []
    assert await rain(office, 39.0) == []
    readings = await rows_of_zone(office, models.RainfallReading)
    assert sorted(row.millimetres for row in readings) == [10.0, 39.0]


async def test_rain_counts_for_its_own_zone_only(office: Office) -> None:
    other = node_id.encode("Zone", office.world.other_zone)
    assert await rain(office, 40.0) == []
    answer = await office.done(DUTY, "rainfallReport", zone=other, millimetres=40.0)
    assert answer["warnings"] == []
    [warning] = await rain(office, 60.0, NOW + MINUTE)
    assert (warning["level"], warning["zone"]["id"]) == ("RED", office.world.id("zone"))


async def test_dry_readings_do_not_lift_a_warning_that_a_person_issued(office: Office) -> None:
    warning = {"kind": "RAINSTORM", "level": "BLUE", "headline": "暴雨", "zone": office.world.id("zone")}
    await office.done(DUTY, "warningIssue", **warning)
    for _ in range(3):
        assert await rain(office, 0.0) == []
        office.later(10 * HOUR)
    [row] = await rows_of_zone(office, models.Warning)
    assert row.lifted_at is None


async def test_readings_of_long_ago_are_accepted_and_raise_no_warning(office: Office) -> None:
    for moment in ("1900-01-01T00:00:00Z", "1900-01-02T12:00:00Z", "2026-06-01T00:00:00Z"):
        assert await rain(office, 10.0, dt.datetime.fromisoformat(moment)) == []
