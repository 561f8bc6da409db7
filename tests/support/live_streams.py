"""Live streams without a server: a clock that the test moves, and sinks that record."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import orjson

from models.db.database import Database
from models.visibility import Viewer
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.live.streams import LiveStreams, StreamMembership
from subscriptions.event_log import DatabaseLog
from subscriptions.feed import Feed, Message
from tests.support.actors import DUTY
from tests.support.district import Office
from tests.support.patience import PATIENCE


@dataclass(eq=False)
class Wait:
    """One wait. `changed` ends it early."""

    due: dt.datetime
    changed: asyncio.Event | None
    over: asyncio.Event


class Time:
    """The office's clock, and the waits for it. It stands until the test moves it."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._waits: list[Wait] = []
        self._started = asyncio.Event()

    @property
    def now(self) -> dt.datetime:
        return self._office.now

    async def pause(self, seconds: float, changed: asyncio.Event | None = None) -> None:
        wait = Wait(self.now + dt.timedelta(seconds=seconds), changed, asyncio.Event())
        self._waits.append(wait)
        self._started.set()
        ends = [asyncio.create_task(e.wait()) for e in (wait.over, changed) if e is not None]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waits.remove(wait)
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def waited(self, *, changed: bool) -> dt.datetime:
        """Wait for a wait that can, or cannot, end early. Returns when it is due."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for wait in self._waits:
                    idle = not wait.over.is_set() and not (wait.changed and wait.changed.is_set())
                    if idle and (wait.changed is not None) is changed:
                        return wait.due
                self._started.clear()
                await self._started.wait()

    def move(self, seconds: float) -> None:
        self._office.later(dt.timedelta(seconds=seconds))
        for wait in self._waits:
            if wait.due <= self.now:
                wait.over.set()


class Sink:
    """Records what it was sent."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.failed = False

    def send(self, message: Message) -> None:
        self.messages.put_nowait(orjson.loads(message.payload))

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def fail(self, error: Exception) -> None:
        self.failed = True
        self.messages.put_nowait({"errors": ["failed"]})

    async def next(self) -> Any:
        """The data of the next message, which must have no errors."""
        message = await asyncio.wait_for(self.messages.get(), PATIENCE)
        assert "errors" not in message, message
        return message["data"]

    @property
    def empty(self) -> bool:
        return self.messages.empty()


@dataclass
class Scene:
    """A district and its streams."""

    office: Office
    live: LiveStreams
    time: Time

    async def join(self, query: str, viewer: Viewer = DUTY, **variables: Any) -> tuple[Sink, StreamMembership]:
        sink = Sink()
        operation = await self.office.running.prepare(Operation(query, variables), viewer)
        prepared = await self.live.prepare(operation, viewer)
        return sink, prepared.join(sink)

    def notify(self) -> None:
        """Make the feed read the log."""
        self.live.feed.notify()

    async def calm(self) -> None:
        """Let a second pass, until every source waits for an event."""
        await self.time.waited(changed=False)
        self.time.move(1)
        await self.time.waited(changed=True)


def make_streams(
    executor: Executor, database: Database, clock: Callable[[], dt.datetime], **options: Any
) -> LiveStreams:
    """The streams of a process without a notifier. Their feed is not started."""
    log = DatabaseLog(database)
    return LiveStreams(executor, database, log, Feed(log), clock, **options)


@asynccontextmanager
async def scene(office: Office) -> AsyncIterator[Scene]:
    """A scene whose feed reads the log only when it is notified, never by itself in the middle of a test's step."""
    time = Time(office)
    with patch("subscriptions.feed.POLL", 3_600.0):
        async with _live(office, time) as made:
            yield made


@asynccontextmanager
async def _live(office: Office, time: Time) -> AsyncIterator[Scene]:

    def clock() -> dt.datetime:
        return time.now

    live = make_streams(office.running, office.database, clock, pause=time.pause)
    before = asyncio.all_tasks()
    await live.feed.start()
    try:
        yield Scene(office, live, time)
    finally:
        await live.stop()
        assert asyncio.all_tasks() - before - {asyncio.current_task()} == set()
