"""The doorbell: rings every process after a commit, so that they look at the log at once and not within a second.

A ring carries nothing that is not in the log. Losing the bus costs a second, never an event: whoever waits is woken
each second anyway. Health is judged by hearing one's own ring, which needs nothing but broadcaster's public interface
and catches all of its faults: a listener that died, a bus that restarted, a subscription that never took hold.
"""

import asyncio
import contextlib
import enum
import secrets
from collections.abc import Callable

import structlog
from broadcaster import Broadcast

log = structlog.get_logger(__name__)

CHANNEL = "huhang"
PROBE = 1.0  # seconds between rings of one's own
DEAF_AFTER = 3.0  # seconds without hearing oneself
CONNECT_TIMEOUT = 3.0
BACKOFF_FIRST, BACKOFF_MAXIMUM = 0.05, 2.0


class Bell(enum.Enum):
    """How other processes' commits are noticed."""

    LISTENING = "listening"  # at once
    POLLING = "polling"  # within a second


class Doorbell:
    """One channel on one bus. `woken` is called at every ring, and whenever the bus was lost or found again."""

    def __init__(self, url: str, woken: Callable[[], None]) -> None:
        self.state = Bell.POLLING
        self._url, self._woken = url, woken
        self._me = secrets.token_hex(8)
        self._out = asyncio.Event()
        self._heard = 0.0

    def ring(self) -> None:
        """Tell everybody. It neither waits nor fails, and many at once are one."""
        self._woken()
        self._out.set()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        backoff = BACKOFF_FIRST
        while True:
            started = asyncio.get_running_loop().time()
            bus = Broadcast(self._url)
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await bus.connect()
                await self._stay(bus)
            except asyncio.CancelledError:
                # A listener of broadcaster that is cancelled from inside looks like this too.
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
            except Exception as error:  # whatever a bus can fail with, the cure is the same
                log.info("bus lost", error=type(error).__name__)
            finally:
                self._became(Bell.POLLING)
                await _leave(bus)
            if asyncio.get_running_loop().time() - started > BACKOFF_MAXIMUM:
                backoff = BACKOFF_FIRST
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, BACKOFF_MAXIMUM)

    async def _stay(self, bus: Broadcast) -> None:
        """Ring, listen and watch, until one of them fails."""
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                # With redis-py 8 a first subscription alone delivers nothing; a second one wakes the listener.
                await stack.enter_async_context(bus.subscribe(f"{CHANNEL}-prime"))
                heard = await stack.enter_async_context(bus.subscribe(CHANNEL))
            self._heard = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(heard))
                tasks.create_task(self._publish(bus))
                tasks.create_task(self._watch())

    async def _listen(self, heard: object) -> None:
        async for event in heard:  # type: ignore[attr-defined]  # broadcaster has no types
            if event.message == self._me:
                self._heard = asyncio.get_running_loop().time()
                self._became(Bell.LISTENING)
            else:
                self._woken()
        raise ConnectionError("the listener ended")

    async def _publish(self, bus: Broadcast) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._out.wait(), PROBE)
            self._out.clear()
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await bus.publish(CHANNEL, self._me)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PROBE)
            if asyncio.get_running_loop().time() - self._heard > DEAF_AFTER:
                raise ConnectionError("deaf: its own ring is not heard")

    def _became(self, state: Bell) -> None:
        if state is not self.state:
            self.state = state
            log.info("doorbell", state=state.value)
            self._woken()


async def _leave(bus: Broadcast) -> None:
    """Disconnect, whatever state it is in, and leave no task of its own behind."""
    tasks = [getattr(bus, "_listener_task", None), getattr(bus._backend, "_listener", None)]
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1):
            await bus.disconnect()
    for task in tasks:
        if task is not None:
            task.cancel()
            # Otherwise its failure is told once more when it is collected.
            await asyncio.wait([task], timeout=1)
            if task.done() and not task.cancelled():
                task.exception()
