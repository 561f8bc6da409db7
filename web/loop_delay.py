"""Watches how long the event loop is held up: everybody waits meanwhile."""

import asyncio
from bisect import bisect_left
from itertools import accumulate

import structlog

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.025
LOGGED_SECONDS = 0.25
BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)


class LoopDelay:
    """Measures at each tick how much later than planned the event loop came to it.

    A delay that is longer than a tick is never missed. Delays over LOGGED_SECONDS are logged.
    """

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = self._maximum = 0.0

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
        self.observe(max(0.0, loop.time() - planned))
        self._schedule(loop)

    def observe(self, delay: float) -> None:
        self._counts[bisect_left(BUCKETS, delay)] += 1
        self._sum += delay
        self._maximum = max(self._maximum, delay)
        if delay > LOGGED_SECONDS:
            log.warning("the event loop was held up", seconds=round(delay, 3))

    def metrics(self) -> str:
        """A histogram, and the greatest delay since the last call, in Prometheus's text format."""
        maximum, self._maximum = self._maximum, 0.0
        name = "huhang_loop_delay_seconds"
        cumulative = zip([*map(str, BUCKETS), "+Inf"], accumulate(self._counts), strict=True)
        lines = [
            f"# HELP {name} How much later than planned the event loop came to a task.",
            f"# TYPE {name} histogram",
            *(f'{name}_bucket{{le="{bound}"}} {count}' for bound, count in cumulative),
            f"{name}_sum {self._sum:.6f}",
            f"{name}_count {sum(self._counts)}",
            "# HELP huhang_loop_delay_max_seconds The greatest of these delays since the last request for metrics.",
            "# TYPE huhang_loop_delay_max_seconds gauge",
            f"huhang_loop_delay_max_seconds {maximum:.6f}",
        ]
        return "\n".join(lines) + "\n"
