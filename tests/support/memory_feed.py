"""A feed without a database: a log in a list, topics whose rendering can be held, and sinks that record."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from models.byte_cache import shares
from subscriptions.feed import Check, Feed, Message

SETTLED = 200  # turns of the loop, more than any step here takes


@dataclass(frozen=True)
class Event:
    id: int
    colour: str = "red"


class Log:
    """A log in a list. `commit` appends events without a notification. Reads wait while `free` is not set."""

    def __init__(self, length: int = 0) -> None:
        self.events = [Event(n) for n in range(1, length + 1)]
        self.reads: list[int] = []
        self.reading = asyncio.Condition()
        self.away = False
        self.free = asyncio.Event()
        self.free.set()

    @property
    def last(self) -> int:
        return len(self.events)

    def commit(self, number: int = 1, colour: str = "red") -> None:
        self.events += [Event(self.last + n, colour) for n in range(1, number + 1)]

    async def after(self, number: int, limit: int) -> Sequence[Event]:
        self.reads.append(number)
        async with self.reading:
            self.reading.notify_all()
        page = self.events[number : number + limit]
        await self.free.wait()
        if self.away:
            raise ConnectionError
        return page

    async def read_often(self, times: int) -> None:
        async with self.reading:
            await self.reading.wait_for(lambda: len(self.reads) >= times)

    async def head(self) -> int:
        return len(self.events)


@dataclass(eq=False)
class Topic:
    """Selects one colour, or all. The rendering of a `held` event waits for its asyncio.Event."""

    colour: str | None = None
    held: dict[int, asyncio.Event] = field(default_factory=dict)
    fails_at: int | None = None
    rendered: list[int] = field(default_factory=list)
    size: int = 0

    def matches(self, event: Any) -> bool:
        return self.colour is None or event.colour == self.colour

    async def render(self, event: Any) -> Message:
        self.rendered.append(event.id)
        if event.id in self.held:
            await self.held[event.id].wait()
        if event.id == self.fails_at:
            raise RuntimeError
        return Message(event.id, b"%d" % event.id + b" " * self.size)

    def hold(self, number: int) -> asyncio.Event:
        self.held[number] = asyncio.Event()
        return self.held[number]


class Sink:
    """Records what it was sent. Replays wait while `room` is not set."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.failed = False
        self.room = asyncio.Event()
        self.room.set()
        self.sent: Callable[[int], None] = lambda number: None

    def send(self, message: Message) -> None:
        assert message.payload.split()[0] == b"%d" % message.cursor
        self.got.append(message.cursor)
        self.sent(message.cursor)

    async def drained(self) -> None:
        await self.room.wait()

    def fail(self, error: Exception) -> None:
        self.failed = True


async def settle() -> None:
    """Let all tasks run until each of them waits for the test."""
    for _ in range(SETTLED):
        await asyncio.sleep(0)


@asynccontextmanager
async def feeding(log: Log, *checks: Check, **memory: int) -> AsyncIterator[Feed]:
    """A feed that reads the log. `memory` has the bytes of its caches, where they differ from the default."""
    feed = Feed(log, checks, replace(shares(), **memory))
    await feed.start()
    await settle()
    try:
        yield feed
    finally:
        await feed.close()


async def notified(feed: Feed) -> None:
    """Notify the feed, and let all members get what they can."""
    feed.notify()
    await settle()


def numbers(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))
