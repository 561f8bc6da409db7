"""The notifier delivers at once, and again as soon as a lost bus is back."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import structlog
from broadcaster import Broadcast
from broadcaster._backends.memory import MemoryBackend

from subscriptions import notifier
from subscriptions.feed import Feed
from subscriptions.notifier import CHANNEL, Notifier, NotifierState
from subscriptions.presence import Opened
from tests.conftest import NOW
from tests.support.memory_feed import Log, Sink, Topic
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.redis_server import Redis, redis


@pytest.fixture(scope="module")
def server(scratch: Path) -> Iterator[Redis]:
    with redis(scratch / "notifier.log") as server:
        yield server


@pytest.fixture
def frail(scratch: Path) -> Iterator[Redis]:
    """A server of the test's own, which it may kill or stop."""
    with redis(scratch / "frail.log") as server:
        yield server


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(notifier, "ECHO_SECONDS", 0.5)
    monkeypatch.setattr(notifier, "CONNECT_TIMEOUT", 0.5)
    monkeypatch.setattr(notifier, "LEAVE_TIMEOUT", 0.2)
    monkeypatch.setattr(notifier, "BACKOFF_MAXIMUM", 0.2)


class Listener:
    """Counts its notifications."""

    def __init__(self, url: str) -> None:
        self.notifications = 0
        self._notified = asyncio.Event()
        self.notifier = Notifier(url, self._count)

    def _count(self) -> None:
        self.notifications += 1
        self._notified.set()

    async def until(self, condition: Callable[[], bool]) -> float:
        """Wait until a condition holds. Returns the seconds that took."""
        started = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._notified.clear()
                await self._notified.wait()
        return time.monotonic() - started

    async def is_(self, state: NotifierState) -> None:
        await self.until(lambda: self.notifier.state is state)


@asynccontextmanager
async def listening(*urls: str) -> AsyncIterator[list[Listener]]:
    listeners = [Listener(url) for url in urls]
    running = [asyncio.create_task(one.notifier.run()) for one in listeners]
    try:
        yield listeners
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # An unclosed resource warns when it is collected: here, and not in a later test.
        gc.collect()


async def notified_by(first: Listener, second: Listener) -> float:
    """Notify by the first. Returns the seconds until the second is notified."""
    before = second.notifications
    first.notifier.notify()
    return await second.until(lambda: second.notifications > before)


# A working bus


async def test_a_notification_arrives_at_once(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """After at most one probe each, only a call of one can notify the other."""
    async with listening(server.url, server.url) as (first, second):
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        monkeypatch.setattr(notifier, "PROBE_SECONDS", 3_600.0)
        took = sorted([await notified_by(first, second) for _ in range(20)])
        await notified_by(second, first)
        if PROVING:
            assert took[10] < 0.05


async def test_a_bus_with_a_password_is_used_by_those_who_have_it(scratch: Path, quick: None) -> None:
    with redis(scratch / "password.log", password="p@ss/wörd") as server, structlog.testing.capture_logs() as logs:
        stranger = f"redis://:wrong@127.0.0.1:{server.port}"
        async with listening(server.url, server.url, stranger) as (first, second, third):
            await first.is_(NotifierState.LISTENING)
            await second.is_(NotifierState.LISTENING)
            await notified_by(first, second)
            async with asyncio.timeout(PATIENCE):
                while not any(entry.get("error") == "AuthenticationError" for entry in logs):
                    await asyncio.sleep(0.01)
            assert third.notifier.state is NotifierState.POLLING
    assert "wrong" not in str(logs)


async def test_one_process_needs_no_bus() -> None:
    async with listening("memory://") as (one,):
        await one.is_(NotifierState.LISTENING)
        before = one.notifications
        one.notifier.notify()
        assert one.notifications == before + 1


async def test_many_notifications_at_once_are_few_messages(server: Redis) -> None:
    async with listening(server.url, server.url) as (first, second):
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        before = second.notifications
        for _ in range(1_000):
            first.notifier.notify()
        await second.until(lambda: second.notifications > before)
        assert second.notifications - before < 10


async def test_many_notifiers_that_start_together_all_listen(server: Redis) -> None:
    async with listening(*[server.url] * 20) as listeners:
        for one in listeners:
            await one.is_(NotifierState.LISTENING)
        for one in listeners[1:]:
            assert await notified_by(listeners[0], one) < PATIENCE


async def test_notifying_neither_waits_nor_fails_without_a_bus() -> None:
    one = Listener("redis://127.0.0.1:1")
    one.notifier.notify()
    assert (one.notifications, one.notifier.state) == (1, NotifierState.POLLING)


# A failing bus


async def test_a_killed_bus_is_used_again_when_it_is_back(frail: Redis, quick: None) -> None:
    async with listening(frail.url, frail.url) as (first, second):
        for _ in range(2):
            await first.is_(NotifierState.LISTENING)
            await second.is_(NotifierState.LISTENING)
            await notified_by(first, second)
            before = second.notifications
            frail.kill()
            await first.is_(NotifierState.POLLING)
            await second.is_(NotifierState.POLLING)
            assert second.notifications > before  # reads at once what it may have missed
            first.notifier.notify()
            frail.start()
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        await notified_by(first, second)


async def test_events_arrive_while_the_bus_is_gone(frail: Redis, quick: None) -> None:
    log, sink, sent = Log(), Sink(), asyncio.Event()
    feed = Feed(log)
    connection = Notifier(frail.url, feed.notify)
    await feed.start()
    connection.start()
    feed.join("key", Topic(), sink)
    sink.sent = lambda number: sent.set()
    try:
        frail.kill()
        log.commit()  # by another process, whose notification is lost
        await asyncio.wait_for(sent.wait(), PATIENCE)
    finally:
        await connection.stop()
        await feed.close()
    assert sink.got == [1]


async def test_a_hanging_bus_is_left_and_joined_again(frail: Redis, quick: None) -> None:
    async with listening(frail.url) as (one,):
        await one.is_(NotifierState.LISTENING)
        frail.hang()
        await one.is_(NotifierState.POLLING)
        frail.resume()
        await one.is_(NotifierState.LISTENING)


@pytest.mark.asyncio(loop_scope="function")  # servers of other tests have tasks on the shared loop
async def test_it_stops_while_the_bus_hangs(frail: Redis, quick: None) -> None:
    before = asyncio.all_tasks()
    async with listening(frail.url) as (one,):
        await one.is_(NotifierState.LISTENING)
        frail.hang()
        one.notifier.notify()
        started = time.monotonic()
    if PROVING:
        assert time.monotonic() - started < 3
    assert asyncio.all_tasks() == before
    frail.resume()


async def test_a_bus_that_starts_later_is_joined(frail: Redis, quick: None) -> None:
    frail.kill()
    async with listening(frail.url) as (one,):
        await asyncio.sleep(0.3)
        assert one.notifier.state is NotifierState.POLLING
        frail.start()
        await one.is_(NotifierState.LISTENING)


@pytest.mark.parametrize("channel", [CHANNEL, f"{CHANNEL}-prime"])
async def test_garbage_on_the_channel_is_survived(server: Redis, quick: None, channel: str) -> None:
    async with listening(server.url, server.url) as (first, second):
        for garbage in (b"\xff\xfe", b"", b"\x00" * 10_000):
            await first.is_(NotifierState.LISTENING)
            await second.is_(NotifierState.LISTENING)
            await server.send(b"PUBLISH", channel.encode(), garbage)
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        await notified_by(first, second)


async def test_a_client_that_the_bus_disconnects_comes_back(server: Redis, quick: None) -> None:
    async with listening(server.url) as (one,):
        await one.is_(NotifierState.LISTENING)
        for _ in range(5):
            await server.send(b"CLIENT", b"KILL", b"TYPE", b"pubsub")
            await one.is_(NotifierState.POLLING)
            await one.is_(NotifierState.LISTENING)


async def test_a_state_is_logged_once(frail: Redis, quick: None) -> None:
    with structlog.testing.capture_logs() as entries:
        async with listening(frail.url) as (one,):
            await one.is_(NotifierState.LISTENING)
            frail.kill()
            await one.is_(NotifierState.POLLING)
            await asyncio.sleep(0.5)
    assert [entry["state"] for entry in entries if entry["event"] == "notifier"] == ["listening", "polling"]


@pytest.mark.asyncio(loop_scope="function")  # servers of other tests have tasks on the shared loop
async def test_stopping_leaves_no_task_and_no_connection(server: Redis, quick: None) -> None:
    before, clients = asyncio.all_tasks(), await server.clients()
    for garbage in (None, b"\xff"):
        async with listening(server.url, "memory://") as (one, other):
            await one.is_(NotifierState.LISTENING)
            await other.is_(NotifierState.LISTENING)
            assert await server.clients() > clients
            if garbage is not None:
                await server.send(b"PUBLISH", CHANNEL.encode(), garbage)
                await one.is_(NotifierState.POLLING)
    await server.has_clients(clients)
    assert asyncio.all_tasks() == before


# The faults of broadcaster that the notifier works around. When one of these tests fails, the fault is gone, and the
# code against it may go too


async def nothing_arrives(message: Awaitable[Any], seconds: float = 0.5) -> bool:
    try:
        await asyncio.wait_for(message, seconds)
    except TimeoutError:
        return True
    return False


def listener(bus: Any) -> asyncio.Task[None]:
    task: asyncio.Task[None] = bus._backend._listener
    return task


@asynccontextmanager
async def broadcasting(url: str) -> AsyncIterator[Broadcast]:
    bus = Broadcast(url)
    await bus.connect()
    try:
        yield bus
    finally:
        await notifier._leave(bus, contextlib.AsyncExitStack())


@pytest.mark.skipif(int(redis_py.__version__.split(".")[0]) < 8, reason="the fault came with redis-py 8")
async def test_fault_a_first_subscription_delivers_nothing(server: Redis) -> None:
    async with broadcasting(server.url) as bus, bus.subscribe("only") as messages:
        await bus.publish("only", "a")
        assert await nothing_arrives(messages.get())


async def test_fault_two_first_subscribers_lose_one_of_them() -> None:
    class Slow(MemoryBackend):  # type: ignore[misc, unused-ignore]  # typed on some installations only
        async def subscribe(self, channel: str) -> None:
            await asyncio.sleep(0)
            await super().subscribe(channel)

    bus = Broadcast(backend=Slow("memory://"))
    await bus.connect()
    begun: list[None] = []

    async def lost() -> bool:
        async with bus.subscribe("two") as messages:
            begun.append(None)
            if len(begun) == 2:
                await bus.publish("two", "a")
            return await nothing_arrives(messages.get())

    losses = tuple(await asyncio.gather(lost(), lost(), return_exceptions=True))
    await notifier._leave(bus, contextlib.AsyncExitStack())
    assert losses != (False, False)


async def test_fault_subscribers_wait_for_ever_after_a_restart_of_redis(frail: Redis) -> None:
    async with broadcasting(frail.url) as bus, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(bus.subscribe("prime"))
        messages = await stack.enter_async_context(bus.subscribe("restart"))
        await bus.publish("restart", "a")
        await asyncio.wait_for(messages.get(), PATIENCE)
        frail.kill()
        frail.start()
        await asyncio.wait([listener(bus)], timeout=PATIENCE)
        with contextlib.suppress(Exception):
            await bus.publish("restart", "b")
        assert await nothing_arrives(messages.get())
        stack.push_async_exit(lambda *_: asyncio.sleep(0, True))


async def test_fault_a_message_that_is_not_utf8_kills_the_listener(server: Redis) -> None:
    async with broadcasting(server.url) as bus, bus.subscribe("prime"), bus.subscribe("bytes") as messages:
        await server.send(b"PUBLISH", b"bytes", b"\xff")
        await server.send(b"PUBLISH", b"bytes", b"good")
        assert await nothing_arrives(messages.get())


async def test_fault_disconnecting_leaves_a_task(server: Redis) -> None:
    bus = Broadcast(server.url)
    await bus.connect()
    async with bus.subscribe("prime"), bus.subscribe("left"):
        pass
    await bus.disconnect()
    assert not listener(bus).done()
    await notifier._leave(bus, contextlib.AsyncExitStack())
    assert listener(bus).done()


# Presence


async def test_what_is_open_at_one_process_is_known_at_another_until_that_one_ends(server: Redis, quick: None) -> None:
    async with listening(server.url) as (first,):
        async with listening(server.url) as (second,):
            await first.is_(NotifierState.LISTENING)
            await second.is_(NotifierState.LISTENING)
            row = Opened("account:1", "a", "周砚", ("Hazard", 1), NOW)
            changed = asyncio.Event()
            first.notifier.presence.watch(changed.set)
            second.notifier.presence.enter(row)
            await asyncio.wait_for(changed.wait(), PATIENCE)
            assert first.notifier.presence.all() == (row,)
            changed.clear()
        await asyncio.wait_for(changed.wait(), PATIENCE)
        assert first.notifier.presence.all() == ()
