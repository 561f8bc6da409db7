"""Work on the event loop takes turns."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from schema.execution import pace as pace_module
from schema.execution.pace import Pace


@pytest.fixture(autouse=True)
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice is used up at once, so that every step waits for a turn."""
    monkeypatch.setattr(pace_module, "SLICE_SECONDS", -1.0)


class Operation:
    """Something that takes turns."""


async def work(pace: Pace, operation: object, steps: int, done: list[Any]) -> None:
    for _ in range(steps):
        if pace.over():
            await pace.turn(operation)
        done.append(operation)


async def test_operations_take_turns_however_many_parts_they_have() -> None:
    pace = Pace()
    done: list[Any] = []
    large, small = Operation(), Operation()
    tasks = [asyncio.create_task(work(pace, large, 10, done)) for _ in range(300)]
    tasks.append(asyncio.create_task(work(pace, small, 10, done)))
    await asyncio.gather(*tasks)
    assert Counter(done) == {large: 3_000, small: 10}
    # The small operation had its ten steps among the large one's first ones.
    last = max(place for place, operation in enumerate(done) if operation is small)
    assert last < 700


async def test_others_run_between_two_turns() -> None:
    pace = Pace()
    done: list[Any] = []
    operation, other = Operation(), 0

    async def others() -> None:
        nonlocal other
        while True:
            other += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    await asyncio.gather(*(work(pace, operation, 5, done) for _ in range(200)))
    assert other > 300  # a turn is a step or two
    running.cancel()


async def test_cancelled_parts_hold_up_nobody() -> None:
    pace = Pace()
    done: list[Any] = []
    operation = Operation()
    parts = [asyncio.create_task(work(pace, operation, 5, done)) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for part in parts[:99]:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)
    assert not parts[99].cancelled()
    assert pace._waiting == {}


async def test_a_call_waits_until_every_part_had_its_turn() -> None:
    pace = Pace()
    done: list[Any] = []
    called: list[int] = []
    operation = Operation()
    parts = [asyncio.create_task(work(pace, operation, 3, done)) for _ in range(50)]
    await asyncio.sleep(0)
    pace.when_quiet(operation, lambda: called.append(len(done)))
    pace.when_quiet(Operation(), lambda: called.append(-1))  # another operation's is not put off
    await asyncio.gather(*parts)
    while len(called) < 2:
        await asyncio.sleep(0)
    assert called == [-1, 150]
