"""Streams of portraits: sent on every change, at most once a second, and rendered once for all."""

import asyncio
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models.db.tables import table_of
from models.visibility import Role, Viewer, Visibility
from resolvers.errors import RequestError
from schema.live import sources
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI
from tests.support.actors import DAY, at, enterprise, insert
from tests.support.live_streams import Scene

PORTRAIT = "subscription($of: ID!) { portrait(of: $of) { asOf cursor from to hazardsOpen hazardsOverdue } }"
POSITIONS = """
subscription($zone: ID) { positions(zone: $zone) { inspector { id fullName } position { latitude longitude } at } }
"""
INSPECTOR = table_of(models.Inspector)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The portraits that were read from now on, by type."""
    drawn: list[str] = []
    draw = sources.PortraitScope.read

    async def counted(self: sources.PortraitScope, context: Any) -> sources.PortraitReading:
        drawn.append(self.name)
        return await draw(self, context)

    monkeypatch.setattr(sources.PortraitScope, "read", counted)
    return drawn


async def hazard(town: Scene, deadline: dt.datetime, **more: Any) -> None:
    """Insert a hazard of the enterprise with a deadline."""
    row = {"enterprise_id": town.office.world.enterprise, "level": models.HazardLevel.GENERAL, "deadline": deadline}
    row |= {"status": models.HazardStatus.ASSIGNED, "description": "x", "found_at": NOW - DAY, "version": 1}
    row |= more
    await insert(town.office.database, models.Hazard, row)


# Portraits


@pytest.mark.parametrize("of", ["zone", "venue", "enterprise"])
async def test_a_portrait_is_sent_at_once_and_on_every_change(town: Scene, of: str) -> None:
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id(of))
    first = (await sink.next())["portrait"]
    assert (first["hazardsOpen"], first["asOf"]) == (0, at(NOW))
    await town.calm()
    await town.office.hazard()
    town.notify()
    second = (await sink.next())["portrait"]
    assert second["hazardsOpen"] == 1
    assert second["cursor"] != first["cursor"]


async def test_an_unchanged_portrait_is_not_sent(town: Scene, draws: list[str]) -> None:
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    await sink.next()
    await town.calm()
    await town.office.visit("PLANNED")
    town.notify()
    await town.calm()
    assert len(draws) == 2
    assert sink.empty


async def test_events_elsewhere_do_not_read_the_portrait(town: Scene, draws: list[str]) -> None:
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("other_zone"))
    other, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    await sink.next()
    await other.next()
    await town.calm()
    draws.clear()
    await town.office.hazard()
    town.notify()
    assert (await other.next())["portrait"]["hazardsOpen"] == 1
    assert len(draws) == 1
    assert sink.empty


async def test_a_portrait_is_sent_at_most_once_a_second(town: Scene, draws: list[str]) -> None:
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    await sink.next()
    for _ in range(3):
        await town.office.hazard()
        town.notify()
    assert await town.time.waited(changed=False) == town.time.now + SECOND
    assert len(draws) == 1
    town.time.move(1)
    assert (await sink.next())["portrait"]["hazardsOpen"] == 3
    assert len(draws) == 2


async def test_a_portrait_is_read_once_for_all_subscribers(town: Scene, draws: list[str]) -> None:
    sinks = [(await town.join(PORTRAIT, of=town.office.world.id("zone")))[0] for _ in range(30)]
    first = [await sink.next() for sink in sinks]
    assert first == [first[0]] * 30
    assert len(draws) == 1
    await town.calm()
    await town.office.hazard()
    town.notify()
    second = [await sink.next() for sink in sinks]
    assert second == [second[0]] * 30
    assert len(draws) == 2
    late, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    assert await late.next() == second[0]
    assert len(draws) == 2


async def test_a_portrait_is_sent_when_a_deadline_passes(town: Scene) -> None:
    await hazard(town, NOW + dt.timedelta(hours=1))
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("enterprise"))
    assert (await sink.next())["portrait"]["hazardsOverdue"] == 0
    await town.calm()
    due = await town.time.waited(changed=True)
    assert dt.timedelta() < due - NOW - dt.timedelta(hours=1) < SECOND
    town.time.move(3_598)
    assert sink.empty
    town.time.move(2)
    assert (await sink.next())["portrait"]["hazardsOverdue"] == 1


async def test_a_portrait_is_sent_when_a_met_deadline_passes(town: Scene) -> None:
    """It counts as met from then on."""
    kept = {"rectified_at": NOW - 2 * SECOND, "accepted_at": NOW - SECOND}
    await hazard(town, NOW + dt.timedelta(hours=1), status=models.HazardStatus.ACCEPTED, **kept)
    document = "subscription($of: ID!) { portrait(of: $of) { onTimeRate } }"
    sink, _ = await town.join(document, of=town.office.world.id("zone"))
    assert (await sink.next())["portrait"]["onTimeRate"] is None
    await town.calm()
    await town.time.waited(changed=True)
    town.time.move(3_600)
    assert (await sink.next())["portrait"]["onTimeRate"] == 1.0


async def test_a_portrait_is_sent_when_a_deadline_passes_within_the_second(town: Scene) -> None:
    await hazard(town, NOW + dt.timedelta(milliseconds=500))
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("enterprise"))
    assert (await sink.next())["portrait"]["hazardsOverdue"] == 0
    await town.time.waited(changed=False)
    town.time.move(1)
    await town.time.waited(changed=True)
    town.time.move(0.01)
    assert (await sink.next())["portrait"]["hazardsOverdue"] == 1


async def test_a_portrait_is_sent_at_the_districts_midnight(town: Scene) -> None:
    sink, _ = await town.join(PORTRAIT, of=node_id.encode("District", 1))
    assert (await sink.next())["portrait"]["to"] == "2026-06-15"
    await town.calm()
    midnight = dt.datetime(2026, 6, 16, tzinfo=SHANGHAI)
    due = await town.time.waited(changed=True)
    assert dt.timedelta() < due - midnight < SECOND
    town.time.move((due - town.time.now).total_seconds())
    portrait = (await sink.next())["portrait"]
    assert (portrait["from"], portrait["to"]) == ("2026-05-18", "2026-06-16")


async def test_a_portrait_is_for_its_viewers_only(town: Scene) -> None:
    world = town.office.world
    sink, _ = await town.join(PORTRAIT, enterprise(world.enterprise), of=world.id("enterprise"))
    assert (await sink.next())["portrait"]["hazardsOpen"] == 0
    for viewer, of in [
        (enterprise(world.enterprise), world.id("other_enterprise")),
        (enterprise(world.enterprise), world.id("zone")),
        (Viewer(Visibility(Role.COMMANDER)), node_id.encode("Zone", 999)),
        (Viewer(Visibility(Role.INTEGRATOR)), world.id("zone")),
    ]:
        with pytest.raises(RequestError) as refused:
            await town.join(PORTRAIT, viewer, of=of)
        assert refused.value.code.value == "FORBIDDEN"
    with pytest.raises(RequestError, match="A portrait is of"):
        await town.join(PORTRAIT, of=world.id("team"))
    with pytest.raises(RequestError, match="`from`"):
        await town.join(
            'subscription($of: ID!) { portrait(of: $of, window: {from: "2026-02-01", to: "2026-01-01"}) { asOf } }',
            of=world.id("zone"),
        )
    assert len(town.live.state_streams.streams) == 1


async def test_nothing_is_read_without_subscribers(town: Scene, draws: list[str]) -> None:
    sink, place = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    await sink.next()
    await town.calm()
    place.leave()
    place.leave()
    await town.office.hazard()
    town.notify()
    again, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    assert (await again.next())["portrait"]["hazardsOpen"] == 1
    assert len(draws) == 2
    assert sink.empty


async def test_subscribers_that_leave_release_their_connections(town: Scene) -> None:
    for _ in range(20):
        _, place = await town.join(PORTRAIT, of=town.office.world.id("zone"))
        place.leave()
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    await sink.next()
    await town.time.waited(changed=False)
    assert town.office.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # it is a QueuePool
    assert len(town.live.feed._watchers) == 1


async def test_a_stream_waits_for_a_database_that_is_away(
    town: Scene, monkeypatch: pytest.MonkeyPatch, draws: list[str]
) -> None:
    draw, failures = sources.PortraitScope.read, [ConnectionRefusedError(), sa.exc.TimeoutError()]

    async def failing(self: sources.PortraitScope, context: Any) -> sources.PortraitReading:
        if failures:
            raise failures.pop()
        return await draw(self, context)

    monkeypatch.setattr(sources.PortraitScope, "read", failing)
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    for _ in range(2):
        await town.time.waited(changed=False)
        town.time.move(1)
    assert (await sink.next())["portrait"]["hazardsOpen"] == 0
    assert not sink.failed


async def test_a_read_without_an_answer_is_tried_again(town: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, silences = sources.PortraitScope.read, [True]

    async def silent(self: sources.PortraitScope, context: Any) -> sources.PortraitReading:
        if silences:
            silences.pop()
            await asyncio.Event().wait()
        return await draw(self, context)

    monkeypatch.setattr(sources.PortraitScope, "read", silent)
    monkeypatch.setattr(sources, "SILENT_SECONDS", 0.01)
    sink, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    await town.time.waited(changed=False)
    monkeypatch.setattr(sources, "SILENT_SECONDS", 60.0)
    town.time.move(1)
    assert (await sink.next())["portrait"]["hazardsOpen"] == 0


async def test_subscribers_get_an_error_when_the_portrait_cannot_be_read(
    town: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks = [(await town.join(PORTRAIT, of=town.office.world.id("zone")))[0] for _ in range(3)]
    for sink in sinks:
        await sink.next()
    await town.calm()

    async def failing(self: sources.PortraitScope, context: Any) -> sources.PortraitReading:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(sources.PortraitScope, "read", failing)
        await town.office.hazard()
        town.notify()
        for sink in sinks:
            assert "errors" in await sink.messages.get()
    assert town.live.state_streams.streams == {}
    again, _ = await town.join(PORTRAIT, of=town.office.world.id("zone"))
    await again.next()
