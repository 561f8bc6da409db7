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
from schema.context import Context
from schema.execution import BadDocument, Execution, Operation, error_of, told
from schema.moving import MovingInspectors, MovingPortrait, Pause, Scene, Surroundings, pause
from schema.streaming import EventTopic, Opening, Rendering, Unsound, opened
from schema.subscription import LivePortrait, Positions, Updates
from subscriptions import event_log
from subscriptions.event_filter import EventFilter
from subscriptions.feed import Feed, Sink
from subscriptions.notifier import Notifier, NotifierState
from subscriptions.state_stream import Source, StateStreams


@runtime_checkable
class Place(Protocol):
    """A subscriber's place in a stream. `position` is the event up to which they were sent all; None without a log."""

    @property
    def position(self) -> int | None: ...

    def leave(self) -> None: ...


class Live:
    """The streams of one process: one feed, one doorbell, and the channels."""

    def __init__(
        self,
        execution: Execution,
        database: Database,
        zone: Callable[[], ZoneInfo],
        clock: Callable[[], dt.datetime],
        *,
        bus_url: str,
        retention: dt.timedelta | None = None,
        pause: Pause = pause,
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
        self._around = Surroundings(database, self.context, clock, self.feed.watch, pause)

    def cursor(self, places: Iterable[Place] = ()) -> str:
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

    async def prepare(self, operation: Operation, viewer: Viewer | None, resume: str | None = None) -> "Prepared":
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
            case Updates() as updates:
                interest = updates.interest(visibility, opening.arguments)
                after = await self._admitted(resume or opening.after)
                return PreparedEvents(self, opening, interest, after)
            case LivePortrait() as stream:
                scene = Scene(*stream.scene(opening.arguments))
                await self._look(scene, visibility)
                return PreparedChannel(self, opening, MovingPortrait(self._around, self.rendering(opening), scene))
            case Positions() as stream:
                if visibility.role is Role.ENTERPRISE:
                    raise RequestError(ErrorCode.FORBIDDEN, "Positions are not for an enterprise.")
                zone = stream.zone(opening.arguments)
                return PreparedChannel(self, opening, MovingInspectors(self._around, self.rendering(opening), zone))
        raise RequestError(ErrorCode.BAD_DOCUMENT, "Ask for one of the streams of Subscription.")

    async def _look(self, scene: Scene, visibility: Visibility) -> None:
        context = self.context(visibility)
        try:
            if not await scene.seen(context):
                raise RequestError(ErrorCode.FORBIDDEN, "There is no such portrait, or it is not yours to see.")
        finally:
            await context.reader.close()

    def _opened(self, operation: Operation, visibility: Visibility) -> Opening:
        document = self._execution.document(operation)
        found = get_operation_ast(document, operation.name)
        assert found is not None
        graph = self._execution.graph
        return opened(graph, document, found, operation.name, operation.variables, visibility)

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

    def rendering(self, opening: Opening) -> Rendering:
        planned = self._execution.planned(opening.document, opening.name, opening.variables, Viewer(opening.visibility))
        return Rendering(self._execution.graph, opening, self.context, told, planned)

    def topic(self, opening: Opening, interest: EventFilter) -> EventTopic:
        return EventTopic(self.rendering(opening), interest, self._epoch)

    def context(self, visibility: Visibility) -> Context:
        return Context(self._execution.reader(Viewer(visibility)))


def refusals(error: RequestError) -> list[dict[str, Any]]:
    """All that a client is told of a refused stream."""
    if isinstance(error, BadDocument):
        return error.errors
    if isinstance(error, Unsound):
        return [{**e.formatted, "extensions": {"code": error.code.value}} for e in error.errors]
    return [error_of(error.code, error.message)]


@dataclass(eq=False)
class Prepared:
    """A stream that was looked at, and can be joined without anything to wait for."""

    live: Live
    opening: Opening

    def join(self, sink: Sink) -> Place:
        raise NotImplementedError


@dataclass(eq=False)
class PreparedEvents(Prepared):
    interest: EventFilter
    after: int | None

    def join(self, sink: Sink) -> Place:
        topic = self.live.topic(self.opening, self.interest)
        return self.live.feed.join(self.opening.key, topic, sink, self.after)


@dataclass(eq=False)
class PreparedChannel(Prepared):
    source: Source

    def join(self, sink: Sink) -> Place:
        return self.live.channels.join(self.opening.key, self.source, sink)
