"""Watches how long the event loop is held up: everybody waits meanwhile."""

import asyncio
from collections import deque

import structlog

from models.metrics import LOOP_DELAY, LOOP_DELAY_MAX

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.025
LOGGED_SECONDS = 0.25
MAXIMUM_SECONDS = 60.0  # how long the greatest delay is remembered


class LoopDelay:
    """Measures at each tick how much later than planned the event loop came to it.

    A delay that is longer than a tick is never missed. Delays over LOGGED_SECONDS are logged.
    """

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        # When and how long: of the last minute those that no later one exceeds, so the greatest comes first.
        self._greatest: deque[tuple[float, float]] = deque()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._schedule(loop)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        planned = loop.time() + TICK_SECONDS
        self._timer = loop.call_at(planned, self._tick, loop, planned)

    def _tick(self, loop: asyncio.AbstractEventLoop, planned: float) -> None:
        now = loop.time()
        self.observe(now, max(0.0, now - planned))
        self._schedule(loop)

    def observe(self, now: float, delay: float) -> None:
        """Count a delay that ended now, in the event loop's time."""
        LOOP_DELAY.observe(delay)
        greatest = self._greatest
        while greatest and greatest[-1][1] <= delay:
            greatest.pop()
        greatest.append((now, delay))
        while greatest[0][0] < now - MAXIMUM_SECONDS:
            greatest.popleft()
        if delay > LOGGED_SECONDS:
            log.warning("the event loop was held up", seconds=round(delay, 3))

    def sample(self) -> None:
        """Set the metric of the greatest delay."""
        LOOP_DELAY_MAX.set(self._greatest[0][1] if self._greatest else 0.0)
