"""Commit notifications: after a commit every process reads the log at once instead of within a second.

The same bus carries presence, on a channel of its own.

A notification carries nothing that is not in the log. A lost bus costs a second, never an event, because every feed
polls each second anyway. A notifier is healthy while it receives its own messages. That check uses only broadcaster's
public interface and catches all of its faults: a listener that died, a bus that restarted, a subscription that never
took effect.
"""

import asyncio
import contextlib
import enum
import secrets
from collections.abc import Callable, Iterable

import structlog
from broadcaster import Broadcast

from subscriptions.presence import Presence

log = structlog.get_logger(__name__)

CHANNEL = "huhang"
PRESENCE_CHANNEL = "huhang-presence"
PROBE_SECONDS = 1.0  # at most this long between two messages of one's own
ECHO_SECONDS = 3.0  # the bus counts as lost when none of them has come back for so long
CONNECT_TIMEOUT = 3.0
LEAVE_TIMEOUT = 1.0
BACKOFF_FIRST, BACKOFF_MAXIMUM = 0.05, 2.0


class NotifierState(enum.Enum):
    """How this process notices the commits of other processes."""

    LISTENING = "listening"  # at once
    POLLING = "polling"  # within a second


class Notifier:
    """Notifies all processes on one bus. `notified` is called for each notification and each change of state."""

    def __init__(self, url: str, notified: Callable[[], None], presence: Presence | None = None) -> None:
        self.state = NotifierState.POLLING
        self.presence = presence or Presence()
        self._url, self._notified = url, notified
        self._id = secrets.token_hex(8)
        self._due = asyncio.Event()
        self._last_echo = 0.0
        self._running: asyncio.Task[None] | None = None
        self.presence.changed = self._due.set

    def notify(self) -> None:
        """Notify every process, this one at once. Neither waits nor fails; many calls at once are one message."""
        self._notified()
        self._due.set()

    def start(self) -> None:
        """Connect, and stay connected until `stop`."""
        self._running = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """Disconnect. No task and no connection is left when this returns."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        me = asyncio.current_task()
        assert me is not None
        backoff = BACKOFF_FIRST
        # The loop asks for cancellation each time: redis-py waits in ways that lose one (asyncio.wait_for before Python
        # 3.12). There is no TaskGroup here either: when one fails, Python 3.11 leaves its task marked as cancelled.
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
            except Exception as error:  # whatever a bus fails with, the remedy is to connect again
                log.info("bus lost", error=type(error).__name__)
            finally:
                self._set_state(NotifierState.POLLING)
                self.presence.expire()
                leaving = asyncio.create_task(_leave(bus, subscriptions))
                while not leaving.done():
                    # A cancellation meanwhile waits for the end of this as well.
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait({leaving})
            if asyncio.get_running_loop().time() - started > BACKOFF_MAXIMUM:
                backoff = BACKOFF_FIRST
            if not me.cancelling():
                await asyncio.sleep(backoff)
            backoff = min(2 * backoff, BACKOFF_MAXIMUM)

    async def _stay(self, bus: Broadcast, subscriptions: contextlib.AsyncExitStack) -> None:
        """Publish, listen and check the echo until one of the three fails."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await bus.connect()
            # With redis-py 8 a first subscription alone delivers nothing; a second one wakes the listener.
            await subscriptions.enter_async_context(bus.subscribe(f"{CHANNEL}-prime"))
            messages = await subscriptions.enter_async_context(bus.subscribe(CHANNEL))
            desks = await subscriptions.enter_async_context(bus.subscribe(PRESENCE_CHANNEL))
        self._last_echo = asyncio.get_running_loop().time()
        work = (self._listen(messages), self._hear_desks(desks), self._publish(bus), self._check_echo())
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _end(tasks)

    async def _listen(self, messages: object) -> None:
        async for event in messages:  # type: ignore[attr-defined]  # broadcaster has no types
            if event.message == self._id:
                self._last_echo = asyncio.get_running_loop().time()
                self._set_state(NotifierState.LISTENING)
            else:
                self._notified()
        raise ConnectionError("the listener ended")

    async def _hear_desks(self, messages: object) -> None:
        async for event in messages:  # type: ignore[attr-defined]  # broadcaster has no types
            self.presence.receive(event.message)
        raise ConnectionError("the listener ended")

    async def _publish(self, bus: Broadcast) -> None:
        while True:
            # Not wait_for, see `run`.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._due.wait()
            self._due.clear()
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await bus.publish(CHANNEL, self._id)
                if (desks := self.presence.message()) is not None:
                    await bus.publish(PRESENCE_CHANNEL, desks)

    async def _check_echo(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            self.presence.expire()
            if asyncio.get_running_loop().time() - self._last_echo > ECHO_SECONDS:
                raise ConnectionError("the bus does not deliver this process's own messages")

    def _set_state(self, state: NotifierState) -> None:
        if state is not self.state:
            self.state = state
            log.info("notifier", state=state.value)
            self._notified()


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended, however often that takes."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=LEAVE_TIMEOUT)
        for task in done:
            # Otherwise asyncio logs its failure when the task is collected.
            if not task.cancelled():
                task.exception()


async def _leave(bus: Broadcast, subscriptions: contextlib.AsyncExitStack) -> None:
    """Disconnect in whatever state the bus is, and leave no task and no connection behind.

    This does not use broadcaster's own `disconnect`. That one stops half way when a listener has failed, and it closes
    a connection while the listener reads from it; the listener then opens another one that nobody closes.
    """
    await _end(t for t in (getattr(bus, "_listener_task", None), getattr(bus._backend, "_listener", None)) if t)
    connections = [getattr(bus._backend, name, None) for name in ("_pubsub", "_conn")]
    for close in (subscriptions.aclose, *(connection.aclose for connection in connections if connection is not None)):
        try:
            # A bus that hangs hangs here as well.
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await close()
        except Exception as error:
            log.debug("bus left", error=type(error).__name__)
