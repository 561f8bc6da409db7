"""Streams: what clients subscribe to, joined to the feed of this process."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from graphql import get_operation_ast

from models.db.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from schema.execution.context import Context
from schema.execution.documents import InvalidDocument
from schema.execution.errors import coded_error, format_error
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.live.renderer import EventRenderer, EventTopic
from schema.live.request import InvalidVariables, SubscriptionRequest, subscription_request
from schema.live.sources import PortraitScope, PortraitSource, PositionSource, SourceContext, Wait, wait
from schema.subscription import EventStream, PortraitStream, PositionStream
from subscriptions import event_log
from subscriptions.event_filter import EventFilter
from subscriptions.feed import Feed, Sink
from subscriptions.notifier import Notifier, NotifierState
from subscriptions.state_stream import Source, StateStreams


@runtime_checkable
class StreamMembership(Protocol):
    """A subscriber's place in a stream. `position` is the event up to which they were sent all; None without a log."""

    @property
    def position(self) -> int | None: ...

    def leave(self) -> None: ...


class LiveStreams:
    """The streams of one process: one feed, one doorbell, and the channels."""

    def __init__(
        self,
        execution: Executor,
        database: Database,
        zone: Callable[[], ZoneInfo],
        clock: Callable[[], dt.datetime],
        *,
        bus_url: str,
        retention: dt.timedelta | None = None,
        pause: Wait = wait,
        recheck: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`recheck` is called before events are handed out, for whoever must not get them any more to be let go."""
        self._execution, self._database, self._zone, self._clock = execution, database, zone, clock
        self._retention, self._recheck = retention, recheck
        self._epoch = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.feed = Feed(self._after, self._head)
        self.bell = Notifier(bus_url, self.feed.wake)
        self.channels = StateStreams()
        self._around = SourceContext(database, self.context, clock, self.feed.watch, pause)

    def cursor(self, places: Iterable[StreamMembership] = ()) -> str:
        """How far a client who has these places was sent all that it asked for."""
        positions = [p for place in places if (p := place.position) is not None]
        return self.name(min(positions, default=self.feed.head))

    def name(self, number: int) -> str:
        """The cursor of an event."""
        return f"{self._epoch}-{number}"

    @property
    def state(self) -> NotifierState:
        return self.bell.state

    async def ring(self) -> None:
        self.bell.ring()

    async def start(self) -> None:
        await self.feed.start()
        self._tasks = [asyncio.create_task(self.feed.run()), asyncio.create_task(self.bell.run())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.channels.close()
        await self.feed.close()

    async def _head(self) -> int:
        async with self._database.read() as connection:
            state = await event_log.state(connection)
        self._epoch = state.epoch
        return state.head

    async def _after(self, number: int, limit: int) -> Sequence[Any]:
        async with self._database.read() as connection:
            found = await event_log.after(connection, number, limit)
        if found and self._recheck is not None:
            await self._recheck()
        return found

    # -- joining --

    async def prepare(self, operation: Operation, viewer: Viewer | None, resume: str | None = None) -> "PreparedStream":
        """Look at what is asked for. `resume` is a cursor from the transport, which counts before `after`.

        Raises Refused.
        """
        if viewer is None:
            raise RequestError(ErrorCode.UNAUTHENTICATED, "Send a bearer token.")
        visibility = viewer.visibility
        if visibility.role is Role.INTEGRATOR and Scope.READ not in visibility.scopes:
            raise RequestError(ErrorCode.FORBIDDEN, "The scope `read` is needed.")
        opening = self._opened(operation, visibility)
        match opening.stream:
            case EventStream() as updates:
                interest = updates.interest(visibility, opening.arguments)
                after = await self._admitted(resume or opening.after)
                return PreparedEventStream(self, opening, interest, after)
            case PortraitStream() as stream:
                scene = PortraitScope(*stream.scene(opening.arguments))
                await self._look(scene, visibility)
                return PreparedStateStream(self, opening, PortraitSource(self._around, self.rendering(opening), scene))
            case PositionStream() as stream:
                if visibility.role is Role.ENTERPRISE:
                    raise RequestError(ErrorCode.FORBIDDEN, "Positions are not for an enterprise.")
                zone = stream.zone(opening.arguments)
                return PreparedStateStream(self, opening, PositionSource(self._around, self.rendering(opening), zone))
        raise RequestError(ErrorCode.BAD_DOCUMENT, "Ask for one of the streams of Subscription.")

    async def _look(self, scene: PortraitScope, visibility: Visibility) -> None:
        context = self.context(visibility)
        try:
            if not await scene.seen(context):
                raise RequestError(ErrorCode.FORBIDDEN, "There is no such portrait, or it is not yours to see.")
        finally:
            await context.reader.close()

    def _opened(self, operation: Operation, visibility: Visibility) -> SubscriptionRequest:
        document = self._execution.document(operation)
        found = get_operation_ast(document, operation.name)
        assert found is not None
        graph = self._execution.graph
        return subscription_request(graph, document, found, operation.name, operation.variables, visibility)

    async def _admitted(self, cursor: str | None) -> int | None:
        """The number to go on from. Looked at against the database: a client may be ahead of this process."""
        if cursor is None:
            return None
        try:
            async with self._database.read() as connection:
                state = await event_log.state(connection)
                number = state.number(cursor)
                await event_log.resumable(connection, number, self._retention, self._clock())
        except event_log.CursorRefused as error:
            raise RequestError(ErrorCode(error.code), error.message) from None
        return number

    def rendering(self, opening: SubscriptionRequest) -> EventRenderer:
        planned = self._execution.planned(opening.document, opening.name, opening.variables, Viewer(opening.visibility))
        return EventRenderer(self._execution.graph, opening, self.context, format_error, planned)

    def topic(self, opening: SubscriptionRequest, interest: EventFilter) -> EventTopic:
        return EventTopic(self.rendering(opening), interest, self._epoch)

    def context(self, visibility: Visibility) -> Context:
        return Context(self._execution.reader(Viewer(visibility)))


def stream_errors(error: RequestError) -> list[dict[str, Any]]:
    """All that a client is told of a refused stream."""
    if isinstance(error, InvalidDocument):
        return error.errors
    if isinstance(error, InvalidVariables):
        return [{**e.formatted, "extensions": {"code": error.code.value}} for e in error.errors]
    return [coded_error(error.code, error.message)]


@dataclass(eq=False)
class PreparedStream:
    """A stream that was looked at, and can be joined without anything to wait for."""

    live: LiveStreams
    opening: SubscriptionRequest

    def join(self, sink: Sink) -> StreamMembership:
        raise NotImplementedError


@dataclass(eq=False)
class PreparedEventStream(PreparedStream):
    interest: EventFilter
    after: int | None

    def join(self, sink: Sink) -> StreamMembership:
        topic = self.live.topic(self.opening, self.interest)
        return self.live.feed.join(self.opening.key, topic, sink, self.after)


@dataclass(eq=False)
class PreparedStateStream(PreparedStream):
    source: Source

    def join(self, sink: Sink) -> StreamMembership:
        return self.live.channels.join(self.opening.key, self.source, sink)
