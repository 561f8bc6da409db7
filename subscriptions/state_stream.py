"""State streams: streams without a log, such as positions. All subscribers who see the same share one source.

Only the latest value of each item counts. A new subscriber gets the current values at its own pace, then the changes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import aclosing
from typing import Protocol

from models.failures import FAILURES
from subscriptions.fair_queue import FairQueue
from subscriptions.feed import Message, Sink

# Readings and renderings at once: of all parties and of one. They must leave connections to the feed and to mutations.
AT_ONCE, AT_ONCE_SHARE = 2, 1
MANY = 32  # more changes than this at once are sent at each reader's pace

# An item, and its latest message; None when there is no value of it any more.
Change = tuple[Hashable, Message | None]


class Source(Protocol):
    """Where a stream's values come from: `changes` gives all current values first, then what has changed, for ever."""

    def changes(self) -> AsyncGenerator[Sequence[Change], None]: ...


class StateStream:
    """One source and its subscribers."""

    def __init__(self, streams: "StateStreams", key: Hashable, source: Source) -> None:
        self._streams, self._key, self._source = streams, key, source
        # Ordered by the last change, each with the number of that change.
        self._latest: OrderedDict[Hashable, tuple[int, Message]] = OrderedDict()
        self._changes = 0
        self._live: dict[Sink, None] = {}
        self._behind: dict[Sink, asyncio.Task[None]] = {}
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with aclosing(self._source.changes()) as batches:
                async for changes in batches:
                    self._send(changes)
        except Exception as error:  # one stream's failure does not touch the others: its members may subscribe again
            FAILURES.note("state stream failed", error)
            self._streams.drop(self._key, self)
            for sink in [*self._live, *self._behind]:
                self._forget(sink)
                sink.fail(error)

    def _send(self, changes: Sequence[Change]) -> None:
        before, messages = self._changes, []
        for item, message in changes:
            self._latest.pop(item, None)
            if message is not None:
                self._changes += 1
                messages.append(message)
                self._latest[item] = self._changes, message
        for sink in list(self._live):
            if len(messages) > MANY:
                del self._live[sink]
                self._follow(sink, before)
            else:
                for message in messages:
                    sink.send(message)

    def _follow(self, sink: Sink, number: int) -> None:
        """Send what came after this change, as fast as the sink takes it."""
        self._behind[sink] = asyncio.create_task(self._catch_up(sink, number))

    async def _catch_up(self, sink: Sink, number: int) -> None:
        while missing := [change for change in self._latest.values() if change[0] > number]:
            for _, message in missing:
                sink.send(message)
                await sink.drained()
            number = missing[-1][0]
        # No await between the last look and becoming live, so no change falls in between.
        if self._behind.pop(sink, None) is not None:
            self._live[sink] = None

    def add(self, sink: Sink) -> None:
        self._follow(sink, 0)

    def remove(self, sink: Sink) -> None:
        self._forget(sink)
        if not self._live and not self._behind:
            self.task.cancel()
            self._streams.drop(self._key, self)

    def close(self) -> None:
        for sink in [*self._live, *self._behind]:
            self.remove(sink)

    def _forget(self, sink: Sink) -> None:
        self._live.pop(sink, None)
        if (task := self._behind.pop(sink, None)) is not None:
            task.cancel()


class StateMembership:
    """One subscriber's membership of a state stream."""

    def __init__(self, stream: StateStream, sink: Sink) -> None:
        self._stream, self._sink = stream, sink

    @property
    def position(self) -> None:
        """None: a state stream has no log."""
        return None

    def leave(self) -> None:
        """Send nothing from now on. May be called twice."""
        self._stream.remove(self._sink)


class StateStreams:
    """The state streams of this process. Subscribers with equal keys share one.

    Sources take `turns` to read and render.
    """

    def __init__(self) -> None:
        self.turns = FairQueue(AT_ONCE, AT_ONCE_SHARE)
        self.streams: dict[Hashable, StateStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, key: Hashable, source: Source, sink: Sink) -> StateMembership:
        """Subscribe to the current values and their changes. `source` is used only by the first with this key."""
        stream = self.streams.get(key)
        if stream is None:
            stream = self.streams[key] = StateStream(self, key, source)
            self._tasks.add(stream.task)
            stream.task.add_done_callback(self._tasks.discard)
        stream.add(sink)
        return StateMembership(stream, sink)

    def drop(self, key: Hashable, stream: StateStream) -> None:
        if self.streams.get(key) is stream:
            del self.streams[key]

    async def close(self) -> None:
        """End all streams. None of their tasks runs any more when this returns."""
        for stream in list(self.streams.values()):
            stream.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
