"""The watch over the event loop."""

import asyncio

import pytest
import structlog

from tests.support.patience import PATIENCE
from web.loop_delay import LOGGED_SECONDS, LoopDelay


def values(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("# ")]
    return {name: float(value) for name, value in lines}


def test_delays_are_counted_and_the_greatest_since_the_last_look_is_told() -> None:
    delay = LoopDelay()
    for seconds in (0.001, 0.005, 0.015, 0.2, 3.0):
        delay.observe(seconds)
    first, second = values(delay.metrics()), values(delay.metrics())
    buckets = [
        first[f'huhang_loop_delay_seconds_bucket{{le="{bound}"}}'] for bound in ("0.005", "0.02", "0.25", "+Inf")
    ]
    assert buckets == [2, 3, 4, 5]
    assert first["huhang_loop_delay_seconds_count"] == 5
    assert first["huhang_loop_delay_seconds_sum"] == pytest.approx(3.221)
    assert first["huhang_loop_delay_max_seconds"] == 3.0
    assert second["huhang_loop_delay_max_seconds"] == 0.0
    assert second["huhang_loop_delay_seconds_count"] == 5


def test_a_long_delay_is_logged() -> None:
    with structlog.testing.capture_logs() as logs:
        LoopDelay().observe(LOGGED_SECONDS)
        LoopDelay().observe(LOGGED_SECONDS + 0.5)
    assert [(line["event"], line["seconds"]) for line in logs] == [("the event loop was held up", 0.75)]


async def test_a_held_up_loop_is_noticed() -> None:
    delay, loop = LoopDelay(), asyncio.get_running_loop()
    delay.start()
    end = loop.time() + 0.3
    while loop.time() < end:
        pass  # holds the loop
    async with asyncio.timeout(PATIENCE):
        while values(delay.metrics())["huhang_loop_delay_seconds_sum"] < 0.2:
            await asyncio.sleep(0.001)
    delay.stop()
