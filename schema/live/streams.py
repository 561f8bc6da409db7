"""Live streams: subscriptions joined to the feed and the state streams of this process."""

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

from models.db.database import Database
from models.reason import Reason
from models.visibility import COMMAND, PERSONAL_DATA, Role, Scope, Viewer, Visibility
from resolvers.disclosures import Disclosure, is_kept
from resolvers.errors import READ_NEEDED, TOKEN_NEEDED, ErrorCode, RequestError
from resolvers.sql.readers import OperationReader
from schema.execution.context import Context
from schema.execution.errors import coded_error, request_errors, unavailable
from schema.execution.executor import Executor
from schema.execution.operation import PreparedOperation
from schema.live.renderer import EventRenderer, EventTopic
from schema.live.request import NOT_A_STREAM, SubscriptionRequest, subscription_request
from schema.live.sources import (
    PortraitScope,
    PortraitSource,
    PositionSource,
    PresenceSource,
    SourceContext,
    Wait,
    wait,
)
from schema.subscription import EventStream, PortraitStream, PositionStream, PresenceStream
from subscriptions.event_filter import EventFilter
from subscriptions.event_log import CursorRefused, DatabaseLog
from subscriptions.feed import Feed, Message, Sink
from subscriptions.presence import Opened, Presence
from subscriptions.state_stream import Source, StateStreams

T = TypeVar("T")
Arguments = dict[str, Any]  # of a subscription's root

POSITIONS_HIDDEN = Reason("POSITIONS_HIDDEN", "Enterprises may not see positions.")
PRESENCE_HIDDEN = Reason("PRESENCE_HIDDEN", "Only commanders see what desks have open.")
STREAM_FAILED = Reason("STREAM_FAILED", "The stream failed. Subscribe again after the last cursor.")
PORTRAIT_HIDDEN = Reason("PORTRAIT_HIDDEN", "The portrait does not exist, or you may not see it.")


def failed_stream(error: Exception) -> list[dict[str, Any]]:
    """The errors that a subscriber gets at the end of a stream that failed."""
    refused = unavailable(error)
    return [coded_error(ErrorCode.INTERNAL, STREAM_FAILED)] if refused is None else request_errors(refused)


@runtime_checkable
class StreamMembership(Protocol):
    """One subscriber's membership of a stream.

    `position` is the number of the event up to which everything was sent; None for a stream without a log.
    """

    @property
    def position(self) -> int | None: ...

    def leave(self) -> None: ...


class LiveStreams:
    """The streams of one process: those of events from one feed, and those of states."""

    def __init__(
        self,
        executor: Executor,
        database: Database,
        log: DatabaseLog,
        feed: Feed,
        clock: Callable[[], dt.datetime],
        *,
        retention: dt.timedelta | None = None,
        presence: Presence | None = None,
        pause: Wait = wait,
    ) -> None:
        """`feed` reads `log`. `retention` bounds how far back a client may resume; None is no bound."""
        self._executor, self._log, self.feed, self._clock = executor, log, feed, clock
        self._retention, self.access_log = retention, executor.access_log
        self.state_streams = StateStreams()
        self.presence = presence or Presence()
        self._sources = SourceContext(database, self.context, clock, feed.watch, self.state_streams.turns, pause)

    def cursor(self, memberships: Iterable[StreamMembership] = ()) -> str:
        """The cursor up to which a client with these memberships was sent everything that it subscribed to."""
        positions = [p for membership in memberships if (p := membership.position) is not None]
        return self.cursor_of(min(positions, default=self.feed.head))

    def cursor_of(self, number: int) -> str:
        """The cursor of an event."""
        return self._log.cursor_of(number)

    async def stop(self) -> None:
        """End all streams. None of their tasks runs any more when this returns."""
        await self.state_streams.close()
        await self.feed.close()

    async def prepare(
        self, operation: PreparedOperation, viewer: Viewer | None, resume: str | None = None
    ) -> "PreparedStream":
        """Check a subscription, so that it can be joined without waiting.

        `resume` is a cursor from the transport; it takes precedence over the argument `after`. Raises RequestError.
        """
        if viewer is None:
            raise RequestError(ErrorCode.UNAUTHENTICATED, TOKEN_NEEDED)
        visibility = viewer.visibility
        if visibility.role is Role.INTEGRATOR and Scope.READ not in visibility.scopes:
            raise RequestError(ErrorCode.FORBIDDEN, READ_NEEDED)
        request = subscription_request(self._executor.graph, operation, visibility)
        match request.stream:
            case EventStream() as stream:
                event_filter = await self._read(visibility, stream.filter, request.arguments)
                after = await self._start_number(resume or request.after)
                return PreparedEventStream(self, request, viewer, event_filter, after)
            case PortraitStream() as stream:
                scope = PortraitScope(*stream.scope(request.arguments))
                if not await self._read(visibility, lambda reader, _: scope.visible(Context(reader)), {}):
                    raise RequestError(ErrorCode.FORBIDDEN, PORTRAIT_HIDDEN)
                portrait = PortraitSource(self._sources, self.renderer(request), scope, viewer.identity)
                return PreparedStateStream(self, request, viewer, portrait)
            case PositionStream() as stream:
                if visibility.role is Role.ENTERPRISE:
                    raise RequestError(ErrorCode.FORBIDDEN, POSITIONS_HIDDEN)
                zone = await self._read(visibility, stream.zone, request.arguments)
                positions = PositionSource(self._sources, self.renderer(request), zone, viewer.identity)
                return PreparedStateStream(self, request, viewer, positions)
            case PresenceStream() as stream:
                if not visibility.allows(COMMAND):
                    raise RequestError(ErrorCode.FORBIDDEN, PRESENCE_HIDDEN)
                desk, row = await self._read(visibility, stream.opened, request.arguments)
                opened = Opened(viewer.identity, desk, viewer.name, row, self._clock())
                presence = PresenceSource(self._sources, self.renderer(request), self.presence, viewer.identity)
                return PreparedPresenceStream(self, request, viewer, presence, opened)
        raise RequestError(ErrorCode.BAD_DOCUMENT, NOT_A_STREAM)

    async def _read(
        self, visibility: Visibility, read: Callable[[OperationReader, Arguments], Awaitable[T]], arguments: Arguments
    ) -> T:
        """Run `read` with a reader of its own, which is closed afterwards. Raises RequestError."""
        reader = self._executor.reader(Viewer(visibility))
        try:
            return await read(reader, arguments)
        finally:
            await reader.close()

    async def _start_number(self, cursor: str | None) -> int | None:
        """The number of the event to resume after; None for what happens from now on. Raises RequestError."""
        if cursor is None:
            return None
        try:
            return await self._log.resume_at(cursor, self._retention, self._clock())
        except CursorRefused as error:
            raise RequestError(ErrorCode(error.code), error.reason) from None

    def renderer(self, request: SubscriptionRequest) -> EventRenderer:
        planned = partial(self._executor.event_data, request.operation, Viewer(request.visibility))
        return EventRenderer(self._executor.graph, request, self.context, planned)

    def topic(self, request: SubscriptionRequest, event_filter: EventFilter) -> EventTopic:
        return EventTopic(self.renderer(request), event_filter, self._log.epoch)

    def context(self, visibility: Visibility) -> Context:
        return Context(self._executor.reader(Viewer(visibility)))


@dataclass(eq=False)
class PreparedStream:
    """A checked subscription. `join` begins it without waiting."""

    streams: LiveStreams
    request: SubscriptionRequest
    viewer: Viewer

    def join(self, sink: Sink) -> StreamMembership:
        raise NotImplementedError

    def noting(self, sink: Sink) -> Sink:
        """The sink, which notes in the access log what its messages show, where that is kept."""
        visibility, access_log = self.viewer.visibility, self.streams.access_log
        if access_log is None or not visibility.allows(PERSONAL_DATA) or not is_kept(visibility):
            return sink
        return NotingSink(sink, partial(access_log.note, self.viewer, operation=self.request.operation.parsed.label))


@dataclass(eq=False)
class PreparedEventStream(PreparedStream):
    event_filter: EventFilter
    after: int | None

    def join(self, sink: Sink) -> StreamMembership:
        topic = self.streams.topic(self.request, self.event_filter)
        # The stream's work is its viewer's, who takes turns with others.
        party = self.viewer.identity
        return self.streams.feed.join(self.request.key, topic, self.noting(sink), self.after, party)


class NotingSink:
    """A sink of a viewer who may see personal data: `note` is called with what each message shows of it."""

    __slots__ = ("_note", "_sink", "drained", "fail")

    def __init__(self, sink: Sink, note: Callable[[Iterable[Disclosure]], None]) -> None:
        self._sink, self._note = sink, note
        self.drained, self.fail = sink.drained, sink.fail

    def send(self, message: Message) -> None:
        if message.about:
            self._note(message.about)
        self._sink.send(message)


@dataclass(eq=False)
class PreparedStateStream(PreparedStream):
    source: Source

    def join(self, sink: Sink) -> StreamMembership:
        return self.streams.state_streams.join(self.request.key, self.source, self.noting(sink))


@dataclass(eq=False)
class PreparedPresenceStream(PreparedStateStream):
    opened: Opened

    def join(self, sink: Sink) -> StreamMembership:
        leave = self.streams.presence.enter(self.opened)
        return PresenceMembership(super().join(sink), leave)


@dataclass(eq=False)
class PresenceMembership:
    """A membership of the stream of presence. Leaving it closes what the desk had open."""

    stream: StreamMembership
    close: Callable[[], None]

    @property
    def position(self) -> int | None:
        return self.stream.position

    def leave(self) -> None:
        self.close()
        self.stream.leave()
