"""Brings the metrics of models/metrics.py that are not counted where they arise up to date."""

import asyncio
import contextlib
import os
import resource
import subprocess
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import prometheus_client
import structlog

from models import metrics
from models.failures import FAILURES
from subscriptions import event_log
from subscriptions.notifier import NotifierState
from web.graphql import close_codes, sse
from web.graphql.connection_limits import REFUSED
from web.operations import Operations
from web.readiness import ReadinessState
from web.settings import ROOT
from web.state import AppState

log = structlog.get_logger(__name__)

MEDIA = prometheus_client.exposition.CONTENT_TYPE_PLAIN_0_0_4
# Each process of a server does it this often, since any of them may be asked for the metrics of all.
SAMPLE_SECONDS = 5.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Carried:
    """Carries what is counted elsewhere over to a counter of Prometheus."""

    def __init__(self, counter: prometheus_client.Counter) -> None:
        self._counter = counter
        self._seen: dict[str, float] = {}

    def carry(self, counts: Mapping[str, int]) -> None:
        """Bring the counter up to these counts, by its only label."""
        for label, count in counts.items():
            if (more := count - self._seen.get(label, 0)) > 0:
                self._counter.labels(label).inc(more)
                self._seen[label] = count

    def carry_one(self, count: float) -> None:
        """As `carry`, for a counter without a label."""
        if (more := count - self._seen.get("", 0)) > 0:
            self._counter.inc(more)
            self._seen[""] = count


# One for all applications of the process, like what it carries.
CONNECTIONS_REFUSED, FAILED, CPU = (Carried(each) for each in (metrics.REFUSED, metrics.FAILURES, metrics.CPU))


class Sampler:
    """Samples one application. `sockets` gives the number of its open WebSockets."""

    def __init__(self, state: AppState, operations: Operations, sockets: Callable[[], int]) -> None:
        self._state, self._operations, self._sockets = state, operations, sockets
        self._refused, self._left = Carried(metrics.REFUSED), Carried(metrics.PLANS_LEFT)
        self._served = Carried(metrics.PLANS_SERVED)
        self._written, self._dropped = Carried(metrics.ACCESSES_WRITTEN), Carried(metrics.ACCESSES_DROPPED)
        self._evictions = Carried(metrics.CACHE_EVICTIONS)
        self._task: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Sample from now on."""
        metrics.BUILD.labels(version(), build(self._state.settings.build)).set(1)
        metrics.PROCESSES.set(1)
        for close in vars(close_codes).values():  # an increase from nothing would be none for Prometheus
            if isinstance(close, close_codes.Close):
                metrics.SOCKETS_CLOSED.labels(close.code)
        await self._read_last_event()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._unwatch()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _read_last_event(self) -> None:
        """Set the time of the last event now, and at each event from now on."""
        self._unwatch, head = self._state.feed.watch(set_last_event), self._state.feed.head
        if head:
            async with self._state.database.read() as connection:
                events = await event_log.after(connection, head - 1, 1)
            if self._state.feed.head == head:
                set_last_event(events[0])

    async def sample(self, ready: ReadinessState | None = None) -> None:
        """Set what can only be seen from time to time, and carry over what others count. `ready` is as of now."""
        # With thousands of open files, counting them takes milliseconds.
        files = await asyncio.to_thread(open_files)
        metrics.OPEN_FILES.set(files)
        metrics.OPEN_FILES_LIMIT.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        metrics.MEMORY.set(resident_bytes())
        CPU.carry_one(time.process_time())
        self._state.loop_delay.sample()
        self._sample_operations()
        self._sample_live()
        if ready is not None:
            for check in ready.checks:
                metrics.READY.labels(check).set(check not in ready.failed)
        caches = self._state.cache_use()
        for cache, kept in caches.items():
            metrics.CACHE_BYTES.labels(cache).set(kept.bytes)
            metrics.CACHE_ENTRIES.labels(cache).set(kept.entries)
        self._evictions.carry({cache: kept.evictions for cache, kept in caches.items()})
        for pool, use in self._state.database.pool_use().items():
            metrics.POOL_SIZE.labels(pool).set(use.size)
            metrics.POOL_IN_USE.labels(pool).set(use.in_use)
            metrics.POOL_WAITING.labels(pool).set(use.waiting)

    def _sample_operations(self) -> None:
        state = self._state
        self._operations.carry()
        metrics.WAITING.set(state.shares.waiting)
        self._refused.carry(state.shares.refused)
        CONNECTIONS_REFUSED.carry(REFUSED)
        FAILED.carry(FAILURES.counts)
        if (plans := state.execution.plans) is not None:
            self._served.carry_one(plans.served)
            self._left.carry(plans.left)
        self._written.carry_one(state.access_log.written)
        self._dropped.carry_one(state.access_log.dropped)
        metrics.ACCESSES_PENDING.set(state.access_log.pending)

    def _sample_live(self) -> None:
        state, feed = self._state, self._state.feed
        metrics.SOCKETS.set(self._sockets())
        metrics.STREAMS.set(len(sse.OPEN))
        metrics.SUBSCRIPTIONS.set(state.shares.subscriptions)
        metrics.GROUPS.labels("events").set(len(feed.groups))
        metrics.GROUPS.labels("states").set(len(state.live.state_streams.streams))
        metrics.FEED_LAG.set(time.monotonic() - feed.current_at)
        metrics.LISTENING.set(state.notifier.state is NotifierState.LISTENING)


def set_last_event(event: Any) -> None:
    metrics.LAST_EVENT.set(event.at.timestamp())


def open_files() -> int:
    """The number of this process's open files; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/fd"))
    return 0


def resident_bytes() -> int:
    """This process's memory; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    return 0


def version() -> str:
    """The version of Huhang that runs; `unknown` where its files are not complete."""
    with contextlib.suppress(OSError):
        project: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        return project["version"]
    return "unknown"


def build(named: str | None) -> str:
    """The name of the build; in a checkout without one, its commit; otherwise `unknown`."""
    if named:
        return named
    command = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2, check=True)
        return done.stdout.strip()
    return "unknown"
