"""The watch over the event loop."""

import asyncio

import pytest
import structlog

from models.metrics import LOOP_DELAY_MAX, REGISTRY
from tests.support.patience import PATIENCE
from web.loop_delay import LOGGED_SECONDS, MAXIMUM_SECONDS, LoopDelay


def sample(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"huhang_loop_delay_{name}", labels)
    assert value is not None
    return value


def greatest(delay: LoopDelay) -> float:
    delay.sample()
    return sample("max_seconds")


def test_delays_are_counted() -> None:
    bounds = ("0.005", "0.02", "0.25", "+Inf")
    before = [sample("seconds_bucket", le=bound) for bound in bounds]
    count, total = sample("seconds_count"), sample("seconds_sum")
    delay = LoopDelay()
    for seconds in (0.001, 0.005, 0.015, 0.2, 3.0):
        delay.observe(0.0, seconds)
    after = [sample("seconds_bucket", le=bound) for bound in bounds]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 3, 4, 5]
    assert sample("seconds_count") - count == 5
    assert sample("seconds_sum") - total == pytest.approx(3.221)


def test_the_greatest_delay_of_the_last_minute_is_kept_however_often_it_is_asked_for() -> None:
    delay = LoopDelay()
    assert greatest(delay) == 0.0
    for now, seconds in ((0.0, 0.1), (10.0, 0.2), (20.0, 0.05)):
        delay.observe(now, seconds)
    assert greatest(delay) == greatest(delay) == 0.2
    delay.observe(10.0 + MAXIMUM_SECONDS, 0.01)
    assert greatest(delay) == 0.2
    delay.observe(10.1 + MAXIMUM_SECONDS, 0.01)
    assert greatest(delay) == 0.05
    LOOP_DELAY_MAX.set(0)


def test_a_long_delay_is_logged() -> None:
    with structlog.testing.capture_logs() as logs:
        LoopDelay().observe(0.0, LOGGED_SECONDS)
        LoopDelay().observe(0.0, LOGGED_SECONDS + 0.5)
    assert [(line["event"], line["seconds"]) for line in logs] == [("the event loop was held up", 0.75)]


async def test_a_held_up_loop_is_noticed() -> None:
    delay, loop = LoopDelay(), asyncio.get_running_loop()
    delay.start()
    end = loop.time() + 0.3
    while loop.time() < end:
        pass  # holds the loop
    async with asyncio.timeout(PATIENCE):
        while greatest(delay) < 0.2:
            await asyncio.sleep(0.001)
    delay.stop()
