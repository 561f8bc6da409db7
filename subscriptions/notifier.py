"""The doorbell: rings every process after a commit, so that they look at the log at once and not within a second.

A ring carries nothing that is not in the log. Losing the bus costs a second, never an event: whoever waits is woken
each second anyway. Health is judged by hearing one's own ring, which needs nothing but broadcaster's public interface
and catches all of its faults: a listener that died, a bus that restarted, a subscription that never took hold.
"""

import asyncio
import contextlib
import enum
import secrets
from collections.abc import Callable, Iterable

import structlog
from broadcaster import Broadcast

log = structlog.get_logger(__name__)

CHANNEL = "huhang"
PROBE = 1.0  # seconds between rings of one's own
DEAF_AFTER = 3.0  # seconds without hearing oneself
CONNECT_TIMEOUT = 3.0
LEAVE_TIMEOUT = 1.0
BACKOFF_FIRST, BACKOFF_MAXIMUM = 0.05, 2.0


class NotifierState(enum.Enum):
    """How other processes' commits are noticed."""

    LISTENING = "listening"  # at once
    POLLING = "polling"  # within a second


class Notifier:
    """One channel on one bus. `woken` is called at every ring, and whenever the bus was lost or found again."""

    def __init__(self, url: str, woken: Callable[[], None]) -> None:
        self.state = NotifierState.POLLING
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
        me = asyncio.current_task()
        assert me is not None
        backoff = BACKOFF_FIRST
        # Looked at again and again: redis-py waits in ways that lose a cancellation (asyncio.wait_for before Python
        # 3.12). Nor is there a TaskGroup here: when one fails, Python 3.11 leaves its task marked as cancelled.
        while not me.cancelling():
            started = asyncio.get_running_loop().time()
            bus = Broadcast(self._url)
            subscriptions = contextlib.AsyncExitStack()
            try:
                await self._stay(bus, subscriptions)
            except asyncio.CancelledError:
                # A listener of broadcaster that is cancelled from inside looks like this too.
                if me.cancelling():
                    raise
            except Exception as error:  # whatever a bus can fail with, the cure is the same
                log.info("bus lost", error=type(error).__name__)
            finally:
                self._became(NotifierState.POLLING)
                leaving = asyncio.create_task(_leave(bus, subscriptions))
                while not leaving.done():
                    # Whoever cancels this meanwhile waits for it too.
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait({leaving})
            if asyncio.get_running_loop().time() - started > BACKOFF_MAXIMUM:
                backoff = BACKOFF_FIRST
            if not me.cancelling():
                await asyncio.sleep(backoff)
            backoff = min(2 * backoff, BACKOFF_MAXIMUM)

    async def _stay(self, bus: Broadcast, subscriptions: contextlib.AsyncExitStack) -> None:
        """Ring, listen and watch, until one of them fails."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await bus.connect()
            # With redis-py 8 a first subscription alone delivers nothing; a second one wakes the listener.
            await subscriptions.enter_async_context(bus.subscribe(f"{CHANNEL}-prime"))
            heard = await subscriptions.enter_async_context(bus.subscribe(CHANNEL))
        self._heard = asyncio.get_running_loop().time()
        tasks = [asyncio.create_task(c) for c in (self._listen(heard), self._publish(bus), self._watch())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _end(tasks)

    async def _listen(self, heard: object) -> None:
        async for event in heard:  # type: ignore[attr-defined]  # broadcaster has no types
            if event.message == self._me:
                self._heard = asyncio.get_running_loop().time()
                self._became(NotifierState.LISTENING)
            else:
                self._woken()
        raise ConnectionError("the listener ended")

    async def _publish(self, bus: Broadcast) -> None:
        while True:
            # Not wait_for, see above.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE):
                    await self._out.wait()
            self._out.clear()
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await bus.publish(CHANNEL, self._me)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PROBE)
            if asyncio.get_running_loop().time() - self._heard > DEAF_AFTER:
                raise ConnectionError("deaf: its own ring is not heard")

    def _became(self, state: NotifierState) -> None:
        if state is not self.state:
            self.state = state
            log.info("doorbell", state=state.value)
            self._woken()


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel them, as often as it takes."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=LEAVE_TIMEOUT)
        for task in done:
            # Otherwise its failure is told once more when it is collected.
            if not task.cancelled():
                task.exception()


async def _leave(bus: Broadcast, subscriptions: contextlib.AsyncExitStack) -> None:
    """Disconnect, whatever state it is in, and leave no task and no connection of its own behind.

    Not by broadcaster's own `disconnect`: it stops half way where a listener has failed, and closes a connection while
    it is listened to; the listener then makes another, which nobody closes.
    """
    await _end(t for t in (getattr(bus, "_listener_task", None), getattr(bus._backend, "_listener", None)) if t)
    open_ = [getattr(bus._backend, name, None) for name in ("_pubsub", "_conn")]
    for leave in (subscriptions.aclose, *(found.aclose for found in open_ if found is not None)):
        try:
            # A bus that hangs would hang in this as well.
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await leave()
        except Exception as error:
            log.debug("bus left", error=type(error).__name__)
