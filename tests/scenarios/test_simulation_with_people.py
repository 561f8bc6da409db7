"""A simulated day goes on where people work on the same rows, the server fails, or nothing can be done."""

import contextlib
import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conftest import NOW, Databases
from tests.support.simulated_desk import Clock, desk_of, play
from web.simulation import Day, Desk
from web.simulation.calls import Call, Flow, Pause, Refusal
from web.simulation.day import MINUTES_MAXIMUM, Summary
from web.simulation.flows import World


class MeddledDesk(Desk):
    """At the first call of each mutation and every fourth after it, somebody was faster or the server fails."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.client, desk.tokens, desk.clock)
        self.seen, self.meddled = Counter[str](), Counter[str]()

    async def call(self, call: Call) -> dict[str, Any]:
        self.seen[call.mutation] += 1
        if self.seen[call.mutation] % 4 == 1:
            self.meddled[call.mutation] += 1
            match self.meddled.total() % 6:
                case 0:
                    raise httpx.ReadError("the server has gone")
                case 1:
                    raise ValueError("no JSON")
                case 2:
                    return {"__typename": "SomethingElse"}
            with contextlib.suppress(Refusal):
                await super().call(call)
        return await super().call(call)


@dataclass
class WatchedDay(Day):
    """A day that keeps its world for the test."""

    world: World | None = None

    async def _world(self) -> World:
        self.world = await super()._world()
        return self.world


@pytest.mark.database_independent
async def test_a_day_goes_on_whatever_people_do(
    databases: Databases, demo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.simulation.day.AWAY_SECONDS", 0)
    clock, summary = Clock(), Summary()
    async with desk_of(await databases.new(demo_url), clock) as desk:
        people = MeddledDesk(desk)
        day = WatchedDay(people, 1, clock, summary)
        await play(day, clock, NOW)
    # Every mutation was disturbed, and another flow still carried it out.
    for mutation in ("inspectionSubmit", "hazardAssign", "dispatchAssign", "dutyReportSubmit", "rainfallReport"):
        assert summary.calls[mutation], mutation
    assert len(summary.refusals) >= people.meddled.total() / 2
    # Nobody is busy with a visit whose flow has ended.
    assert day.world is not None
    assert [inspector.id for inspector in day.world.inspectors if inspector.visit is not None] == []


class IdleDay(Day):
    """A day in a district with nothing in it."""

    async def _world(self) -> World:
        nothing: dict[str, Any] = {"enterprises": [], "inspectors": [], "teams": [], "experts": [], "stock": []}
        return dataclasses.replace(await super()._world(), **nothing, fronts={})


@pytest.mark.database_independent
async def test_a_flow_that_waits_for_ever_is_given_up(databases: Databases, demo_url: str) -> None:
    ended = False

    def waiting() -> Flow:
        nonlocal ended
        try:
            while True:
                yield Pause(30)
        finally:
            ended = True

    clock = Clock()
    async with desk_of(await databases.new(demo_url), clock) as desk:
        day = IdleDay(desk, 1, clock)
        day.start(waiting())
        await play(day, clock, NOW)
    assert day.minute >= MINUTES_MAXIMUM
    assert ended
