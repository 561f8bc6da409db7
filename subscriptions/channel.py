"""Channels: streams of what has no log, such as positions. All who see alike have one source.

Only the latest counts here: who joins gets what is now, and then what changes.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import Protocol

import structlog

from subscriptions.feed import Message, Sink

log = structlog.get_logger(__name__)


class Source(Protocol):
    """Where a channel's messages come from."""

    def changes(self) -> AsyncIterator[Sequence[bytes]]:
        """First all that is now, and then what has changed, for ever."""
        ...

    def current(self) -> Sequence[bytes]:
        """All that is now, for who joins later; nothing before the first of `changes`."""
        ...


class Channel:
    """One source and those who hear it."""

    def __init__(self, channels: "Channels", key: Hashable, source: Source) -> None:
        self._channels, self._key, self._source = channels, key, source
        self.sinks: dict[Sink, None] = {}
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async for payloads in self._source.changes():
                for payload in payloads:
                    self._tell(payload, list(self.sinks))
        except Exception as error:  # one channel's failure is its own: its members are told, and may come again
            log.error("channel failed", error=type(error).__name__)
            for sink in list(self.sinks):
                sink.fail()
            self._channels.drop(self._key, self)

    def add(self, sink: Sink) -> None:
        for payload in self._source.current():
            self._tell(payload, [sink])
        self.sinks[sink] = None

    def _tell(self, payload: bytes, sinks: Sequence[Sink]) -> None:
        message = Message(0, payload)
        for sink in sinks:
            sink.send(message)

    def remove(self, sink: Sink) -> None:
        self.sinks.pop(sink, None)
        if not self.sinks:
            self.task.cancel()
            self._channels.drop(self._key, self)


class Listening:
    """One subscriber's place in a channel."""

    def __init__(self, channel: Channel, sink: Sink) -> None:
        self._channel, self._sink = channel, sink

    @property
    def position(self) -> None:
        """A channel has no log to be in."""
        return None

    def leave(self) -> None:
        """Nothing is sent from now on. It may be called twice."""
        self._channel.remove(self._sink)


class Channels:
    """The channels of this process, by what makes two subscribers see the same."""

    def __init__(self) -> None:
        self._channels: dict[Hashable, Channel] = {}

    def join(self, key: Hashable, source: Source, sink: Sink) -> Listening:
        """Hear what is now, and then what changes; `source` counts for the first with this key."""
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(self, key, source)
        channel.add(sink)
        return Listening(channel, sink)

    def drop(self, key: Hashable, channel: Channel) -> None:
        if self._channels.get(key) is channel:
            del self._channels[key]
