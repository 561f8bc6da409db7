"""Channels: streams of what has no log, such as positions. All who see alike have one source.

Only the latest of each thing counts here: who joins gets what is now, at their own pace, and then what changes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import aclosing
from typing import Protocol

import structlog

from subscriptions.feed import Message, Sink

log = structlog.get_logger(__name__)

MANY = 32  # changes at once that are sent without looking whether the readers follow

# Of one thing: its latest payload, or None where there is nothing of it any more.
Change = tuple[Hashable, bytes | None]


class Source(Protocol):
    """Where a channel's messages come from: `changes` gives first all that is now, then what has changed, for ever."""

    def changes(self) -> AsyncGenerator[Sequence[Change], None]: ...


class StateStream:
    """One source and those who hear it."""

    def __init__(self, channels: "StateStreams", key: Hashable, source: Source) -> None:
        self._channels, self._key, self._source = channels, key, source
        # In the order in which they changed, each with the number of the change.
        self._latest: OrderedDict[Hashable, tuple[int, Message]] = OrderedDict()
        self._changes = 0
        self._live: dict[Sink, None] = {}
        self._behind: dict[Sink, asyncio.Task[None]] = {}
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with aclosing(self._source.changes()) as found:
                async for changes in found:
                    self._take(changes)
        except Exception as error:  # one channel's failure is its own: its members are told, and may come again
            log.error("channel failed", error=type(error).__name__)
            self._channels.drop(self._key, self)
            for sink in [*self._live, *self._behind]:
                self._forget(sink)
                sink.fail()

    def _take(self, changes: Sequence[Change]) -> None:
        before, messages = self._changes, []
        for thing, payload in changes:
            self._latest.pop(thing, None)
            if payload is not None:
                self._changes += 1
                messages.append(Message(0, payload))
                self._latest[thing] = self._changes, messages[-1]
        for sink in list(self._live):
            if len(messages) > MANY:
                del self._live[sink]
                self._follow(sink, before)
            else:
                for message in messages:
                    sink.send(message)

    def _follow(self, sink: Sink, number: int) -> None:
        """Send what came after this change as fast as it is read."""
        self._behind[sink] = asyncio.create_task(self._catch_up(sink, number))

    async def _catch_up(self, sink: Sink, number: int) -> None:
        while found := [kept for kept in self._latest.values() if kept[0] > number]:
            for _, message in found:
                sink.send(message)
                await sink.drained()
            number = found[-1][0]
        # Nothing is awaited between having found no more and being among those who hear at once.
        if self._behind.pop(sink, None) is not None:
            self._live[sink] = None

    def add(self, sink: Sink) -> None:
        self._follow(sink, 0)

    def remove(self, sink: Sink) -> None:
        self._forget(sink)
        if not self._live and not self._behind:
            self.task.cancel()
            self._channels.drop(self._key, self)

    def close(self) -> None:
        for sink in [*self._live, *self._behind]:
            self.remove(sink)

    def _forget(self, sink: Sink) -> None:
        self._live.pop(sink, None)
        if (task := self._behind.pop(sink, None)) is not None:
            task.cancel()


class StateMembership:
    """One subscriber's place in a channel."""

    def __init__(self, channel: StateStream, sink: Sink) -> None:
        self._channel, self._sink = channel, sink

    @property
    def position(self) -> None:
        """A channel has no log to be in."""
        return None

    def leave(self) -> None:
        """Nothing is sent from now on. It may be called twice."""
        self._channel.remove(self._sink)


class StateStreams:
    """The channels of this process, by what makes two subscribers see the same."""

    def __init__(self) -> None:
        self.channels: dict[Hashable, StateStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, key: Hashable, source: Source, sink: Sink) -> StateMembership:
        """Hear what is now, and then what changes; `source` counts for the first with this key."""
        channel = self.channels.get(key)
        if channel is None:
            channel = self.channels[key] = StateStream(self, key, source)
            self._tasks.add(channel.task)
            channel.task.add_done_callback(self._tasks.discard)
        channel.add(sink)
        return StateMembership(channel, sink)

    def drop(self, key: Hashable, channel: StateStream) -> None:
        if self.channels.get(key) is channel:
            del self.channels[key]

    async def close(self) -> None:
        """End them all. Nothing of theirs is at work any more when this returns."""
        for channel in list(self.channels.values()):
            channel.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
