"""A day carries out several calls at once, where its caller wants that, and never more."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import NOW, Databases
from tests.support.simulated_desk import Clock, desk_of
from web.simulation import Day, Desk
from web.simulation.calls import Call

CALLS = 60


@dataclass
class Counting(Desk):
    """Each call takes so many turns of the loop that others can begin. `most` is how many ran at once."""

    running: int = 0
    most: int = 0

    async def call(self, call: Call) -> dict[str, Any]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(100):
                await asyncio.sleep(0)
            return await super().call(call)
        finally:
            self.running -= 1


@pytest.mark.parametrize("at_once", [1, 4])
async def test_so_many_calls_run_at_once(databases: Databases, demo_url: str, at_once: int) -> None:
    clock, left = Clock(NOW), CALLS

    async def wait() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    async with desk_of(await databases.new(demo_url), clock) as desk:
        counting = Counting(desk.client, desk.tokens, desk.clock)
        summary = await Day(counting, clock=clock).play(wait, at_once=at_once)
    assert counting.most == at_once
    assert counting.running == 0
    assert summary.calls.total() + len(summary.refusals) == CALLS
    assert summary.calls.total() > CALLS / 2
