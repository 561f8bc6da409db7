"""The doorbell: heard at once, and whatever becomes of the bus, silent for no longer than it takes to be back."""

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
from tests.support.memory_feed import Log, Sink, Topic
from tests.support.redis_server import Redis, redis

PATIENCE = 8.0  # seconds; what takes longer does not come


@pytest.fixture(scope="module")
def server(scratch: Path) -> Iterator[Redis]:
    with redis(scratch / "doorbell.log") as found:
        yield found


@pytest.fixture
def frail(scratch: Path) -> Iterator[Redis]:
    """One that the test may do anything to."""
    with redis(scratch / "frail.log") as found:
        yield found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "PROBE", 0.1)
    monkeypatch.setattr(notifier, "DEAF_AFTER", 0.5)
    monkeypatch.setattr(notifier, "CONNECT_TIMEOUT", 0.5)
    monkeypatch.setattr(notifier, "LEAVE_TIMEOUT", 0.2)
    monkeypatch.setattr(notifier, "BACKOFF_MAXIMUM", 0.2)


class Ear:
    """Counts how often it was woken."""

    def __init__(self, url: str) -> None:
        self.rings = 0
        self._news = asyncio.Event()
        self.bell = Notifier(url, self._woken)

    def _woken(self) -> None:
        self.rings += 1
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> float:
        """Wait for it; how long it took."""
        started = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._news.clear()
                await self._news.wait()
        return time.monotonic() - started

    async def is_(self, state: NotifierState) -> None:
        await self.until(lambda: self.bell.state is state)


@asynccontextmanager
async def listening(*urls: str) -> AsyncIterator[list[Ear]]:
    ears = [Ear(url) for url in urls]
    running = [asyncio.create_task(ear.bell.run()) for ear in ears]
    try:
        yield ears
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # What was left open is told of when it is collected: here, and not in whatever test runs then.
        gc.collect()


async def heard_from(first: Ear, second: Ear) -> float:
    """Ring at one; how long it takes the other to hear."""
    before = second.rings
    first.bell.ring()
    return await second.until(lambda: second.rings > before)


# In good health


async def test_it_listens_and_is_heard_at_once(server: Redis) -> None:
    async with listening(server.url, server.url) as (first, second):
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        took = sorted([await heard_from(first, second) for _ in range(20)])
        assert took[10] < 0.05
        assert await heard_from(second, first) < notifier.PROBE


async def test_in_one_process_it_needs_no_bus() -> None:
    async with listening("memory://") as (ear,):
        await ear.is_(NotifierState.LISTENING)
        before = ear.rings
        ear.bell.ring()
        assert ear.rings == before + 1


async def test_many_rings_at_once_are_few_messages(server: Redis) -> None:
    async with listening(server.url, server.url) as (first, second):
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        before = second.rings
        for _ in range(1_000):
            first.bell.ring()
        await second.until(lambda: second.rings > before)
        assert second.rings - before < 10


async def test_many_who_begin_at_the_same_time_all_hear(server: Redis) -> None:
    async with listening(*[server.url] * 20) as ears:
        for ear in ears:
            await ear.is_(NotifierState.LISTENING)
        for ear in ears[1:]:
            assert await heard_from(ears[0], ear) < PATIENCE


async def test_ringing_neither_waits_nor_fails_where_nobody_listens() -> None:
    ear = Ear("redis://127.0.0.1:1")
    ear.bell.ring()
    assert (ear.rings, ear.bell.state) == (1, NotifierState.POLLING)


# In bad health


async def test_a_bus_that_is_killed_and_comes_back(frail: Redis, quick: None) -> None:
    async with listening(frail.url, frail.url) as (first, second):
        for _ in range(2):
            await first.is_(NotifierState.LISTENING)
            await second.is_(NotifierState.LISTENING)
            await heard_from(first, second)
            before = second.rings
            frail.kill()
            await first.is_(NotifierState.POLLING)
            await second.is_(NotifierState.POLLING)
            assert second.rings > before  # to look at once at what may have been missed
            first.bell.ring()
            frail.start()
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        await heard_from(first, second)


async def test_events_come_also_while_the_bus_is_gone(frail: Redis, quick: None) -> None:
    log, sink, bell = Log(), Sink(), None
    feed = Feed(log.after, log.start_at)
    bell = Notifier(frail.url, feed.wake)
    await feed.start()
    tasks = [asyncio.create_task(feed.run()), asyncio.create_task(bell.run())]
    feed.join("key", Topic(), sink)
    told = asyncio.Event()
    sink.sent = lambda number: told.set()
    try:
        frail.kill()
        log.commit()  # by another process, whose ring is lost
        await asyncio.wait_for(told.wait(), PATIENCE)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await feed.close()
    assert sink.got == [1]


async def test_a_bus_that_hangs_is_given_up_and_found_again(frail: Redis, quick: None) -> None:
    async with listening(frail.url) as (ear,):
        await ear.is_(NotifierState.LISTENING)
        frail.hang()
        await ear.is_(NotifierState.POLLING)
        frail.wake()
        await ear.is_(NotifierState.LISTENING)


async def test_it_ends_also_while_the_bus_hangs(frail: Redis, quick: None) -> None:
    before = asyncio.all_tasks()
    async with listening(frail.url) as (ear,):
        await ear.is_(NotifierState.LISTENING)
        frail.hang()
        ear.bell.ring()
        started = time.monotonic()
    assert time.monotonic() - started < 3
    assert asyncio.all_tasks() == before
    frail.wake()


async def test_a_bus_that_was_never_there_is_found_when_it_comes(frail: Redis, quick: None) -> None:
    frail.kill()
    async with listening(frail.url) as (ear,):
        await asyncio.sleep(0.3)
        assert ear.bell.state is NotifierState.POLLING
        frail.start()
        await ear.is_(NotifierState.LISTENING)


@pytest.mark.parametrize("channel", [CHANNEL, f"{CHANNEL}-prime"])
async def test_garbage_on_the_channel_is_survived(server: Redis, quick: None, channel: str) -> None:
    async with listening(server.url, server.url) as (first, second):
        for garbage in (b"\xff\xfe", b"", b"\x00" * 10_000):
            await first.is_(NotifierState.LISTENING)
            await second.is_(NotifierState.LISTENING)
            await server.say(b"PUBLISH", channel.encode(), garbage)
        await first.is_(NotifierState.LISTENING)
        await second.is_(NotifierState.LISTENING)
        await heard_from(first, second)


async def test_clients_that_the_bus_throws_out_come_back(server: Redis, quick: None) -> None:
    async with listening(server.url) as (ear,):
        await ear.is_(NotifierState.LISTENING)
        for _ in range(5):
            await server.say(b"CLIENT", b"KILL", b"TYPE", b"pubsub")
            await ear.is_(NotifierState.POLLING)
            await ear.is_(NotifierState.LISTENING)


async def test_a_state_is_told_to_the_log_once(frail: Redis, quick: None) -> None:
    with structlog.testing.capture_logs() as said:
        async with listening(frail.url) as (ear,):
            await ear.is_(NotifierState.LISTENING)
            frail.kill()
            await ear.is_(NotifierState.POLLING)
            await asyncio.sleep(0.5)
    assert [entry["state"] for entry in said if entry["event"] == "doorbell"] == ["listening", "polling"]


async def test_nothing_is_left_when_it_ends(server: Redis, quick: None) -> None:
    before, clients = asyncio.all_tasks(), await server.clients()
    for garbage in (None, b"\xff"):
        async with listening(server.url, "memory://") as (ear, other):
            await ear.is_(NotifierState.LISTENING)
            await other.is_(NotifierState.LISTENING)
            assert await server.clients() > clients
            if garbage is not None:
                await server.say(b"PUBLISH", CHANNEL.encode(), garbage)
                await ear.is_(NotifierState.POLLING)
    await server.has_clients(clients)
    assert asyncio.all_tasks() == before


# The faults of broadcaster that all this is for: where one of these tests fails, the fault is gone, and so may what is
# done about it


async def nothing_comes(found: Awaitable[Any], seconds: float = 0.5) -> bool:
    try:
        await asyncio.wait_for(found, seconds)
    except TimeoutError:
        return True
    return False


def listener(bus: Any) -> asyncio.Task[None]:
    found: asyncio.Task[None] = bus._backend._listener
    return found


@asynccontextmanager
async def broadcasting(url: str) -> AsyncIterator[Broadcast]:
    bus = Broadcast(url)
    await bus.connect()
    try:
        yield bus
    finally:
        await notifier._leave(bus, contextlib.AsyncExitStack())


@pytest.mark.skipif(int(redis_py.__version__.split(".")[0]) < 8, reason="the fault came with redis-py 8")
async def test_fault_a_first_subscription_hears_nothing(server: Redis) -> None:
    async with broadcasting(server.url) as bus, bus.subscribe("only") as heard:
        await bus.publish("only", "a")
        assert await nothing_comes(heard.get())


async def test_fault_two_first_subscribers_lose_one_of_them() -> None:
    class Slow(MemoryBackend):  # type: ignore[misc, unused-ignore]  # it is typed in some places and not in others
        async def subscribe(self, channel: str) -> None:
            await asyncio.sleep(0)
            await super().subscribe(channel)

    bus = Broadcast(backend=Slow("memory://"))
    await bus.connect()
    begun: list[None] = []

    async def lost() -> bool:
        async with bus.subscribe("two") as heard:
            begun.append(None)
            if len(begun) == 2:
                await bus.publish("two", "a")
            return await nothing_comes(heard.get())

    found = tuple(await asyncio.gather(lost(), lost(), return_exceptions=True))
    await notifier._leave(bus, contextlib.AsyncExitStack())
    assert found != (False, False)


async def test_fault_a_restart_of_redis_leaves_subscribers_waiting(frail: Redis) -> None:
    async with broadcasting(frail.url) as bus, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(bus.subscribe("prime"))
        heard = await stack.enter_async_context(bus.subscribe("restart"))
        await bus.publish("restart", "a")
        await asyncio.wait_for(heard.get(), PATIENCE)
        frail.kill()
        frail.start()
        await asyncio.wait([listener(bus)], timeout=PATIENCE)
        with contextlib.suppress(Exception):
            await bus.publish("restart", "b")
        assert await nothing_comes(heard.get())
        stack.push_async_exit(lambda *_: asyncio.sleep(0, True))


async def test_fault_text_that_is_not_utf8_kills_the_listener(server: Redis) -> None:
    async with broadcasting(server.url) as bus, bus.subscribe("prime"), bus.subscribe("bytes") as heard:
        await server.say(b"PUBLISH", b"bytes", b"\xff")
        await server.say(b"PUBLISH", b"bytes", b"good")
        assert await nothing_comes(heard.get())


async def test_fault_disconnecting_leaves_a_task(server: Redis) -> None:
    bus = Broadcast(server.url)
    await bus.connect()
    async with bus.subscribe("prime"), bus.subscribe("left"):
        pass
    await bus.disconnect()
    assert not listener(bus).done()
    await notifier._leave(bus, contextlib.AsyncExitStack())
    assert listener(bus).done()
