"""Shares and turns: no party's work keeps another's waiting."""

import asyncio
import random
from collections.abc import Hashable

import pytest

from subscriptions.fair_queue import FairQueue, QueueFull

pytestmark = pytest.mark.database_independent


def queue(capacity: int = 4, share: int = 2, *, share_waits: int = 100, all_wait: int = 100) -> FairQueue:
    return FairQueue(capacity, share, waiting_share=share_waits, waiting_maximum=all_wait)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Works:
    """Works that begin in some order and last until they are told to end."""

    def __init__(self, fair: FairQueue) -> None:
        self.fair, self.begun = fair, list[Hashable]()
        self._ends: dict[Hashable, asyncio.Event] = {}
        self.tasks: dict[Hashable, asyncio.Task[None]] = {}

    def start(self, party: str, name: Hashable, weight: int = 1) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(party, name, weight))

    async def _run(self, party: str, name: Hashable, weight: int) -> None:
        async with self.fair.turn(party, weight):
            self.begun.append(name)
            await self._ends[name].wait()

    def end(self, name: Hashable) -> None:
        self._ends[name].set()

    async def end_all(self) -> None:
        for name in self._ends:
            self.end(name)
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_a_party_gets_no_more_than_its_share() -> None:
    works = Works(queue())
    for number in range(5):
        works.start("a", f"a{number}")
    works.start("b", "b0")
    await settle()
    assert works.begun == ["a0", "a1", "b0"]
    works.end("a1")
    await settle()
    assert works.begun == ["a0", "a1", "b0", "a2"]
    await works.end_all()
    assert works.fair.waiting == 0


async def test_parties_take_turns_however_much_one_brings() -> None:
    works = Works(queue(capacity=1, share=1))
    for number in range(20):
        works.start("a", f"a{number}")
    await settle()
    works.start("b", "b0")
    works.start("c", "c0")
    works.start("b", "b1")
    for _ in range(6):
        await settle()
        works.end(works.begun[-1])
    await settle()
    assert works.begun[:7] == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]
    await works.end_all()


async def test_a_light_work_does_not_overtake_a_heavy_one_for_ever() -> None:
    works = Works(queue(capacity=4, share=4))
    works.start("a", "light", 1)
    await settle()
    works.start("b", "heavy", 4)
    works.start("c", "late", 1)
    await settle()
    assert works.begun == ["light"]
    works.end("light")
    await settle()
    assert works.begun == ["light", "heavy"]
    await works.end_all()
    assert works.begun == ["light", "heavy", "late"]


async def test_work_that_is_cancelled_leaves_the_queue() -> None:
    works = Works(queue(capacity=1, share=1))
    for name in ("a0", "a1", "a2"):
        works.start("a", name)
    await settle()
    works.tasks["a1"].cancel()
    await settle()
    assert works.fair.waiting == 1
    works.end("a0")
    await settle()
    assert works.begun == ["a0", "a2"]
    await works.end_all()


async def test_work_that_is_cancelled_as_its_turn_comes_gives_it_back() -> None:
    works = Works(queue(capacity=1, share=1))
    for name in ("a0", "a1", "a2"):
        works.start("a", name)
    await settle()
    works.fair.leave("a", 1)  # the turn of a1, which has not run yet
    works.tasks["a1"].cancel()
    works.fair._running["a"] = works.fair._running.get("a", 0) + 1  # a0 leaves once more when it ends
    works.fair._total += 1
    works.end("a0")
    await settle()
    assert works.begun == ["a0", "a2"]
    await works.end_all()
    assert (works.fair._total, works.fair._running) == (0, {})


async def test_a_queue_is_bounded_for_each_party_and_for_all() -> None:
    works = Works(queue(capacity=1, share=1, share_waits=2, all_wait=3))
    for name in ("a0", "a1", "a2", "a3"):
        works.start("a", name)
    for name in ("b0", "b1"):
        works.start("b", name)
    await settle()
    full = {name for name, task in works.tasks.items() if task.done() and isinstance(task.exception(), QueueFull)}
    assert full == {"a3", "b1"}
    await works.end_all()


@pytest.mark.parametrize("seed", range(100))
async def test_shares_and_capacity_hold_and_nothing_is_lost(seed: int) -> None:
    choose = random.Random(seed)
    capacity = choose.randint(1, 6)
    share = choose.randint(1, capacity)
    works, names = Works(fair := queue(capacity, share)), 0
    for _ in range(30):
        step = choose.choice(["start", "start", "end", "cancel", "settle"])
        if step == "start":
            works.start(choose.choice("abc"), names, choose.randint(1, share))
            names += 1
        elif step == "end" and works.begun:
            works.end(choose.choice(works.begun))
        elif step == "cancel" and names:
            works.tasks[choose.randrange(names)].cancel()
        else:
            await settle()
        assert sum(fair._running.values()) == fair._total <= capacity
        assert all(0 < running <= share for running in fair._running.values())
        assert fair.waiting == sum(map(len, fair._waiting.values()))
    await works.end_all()
    assert (fair._total, fair._running, fair.waiting, dict(fair._waiting)) == (0, {}, 0, {})
    assert all(task.cancelled() or name in works.begun for name, task in works.tasks.items())
