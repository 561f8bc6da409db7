"""Streams: what clients subscribe to, joined to the feed of this process."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from graphql import get_operation_ast

import models
from models.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers import portraits
from resolvers.reader import OperationReader
from resolvers.refusals import Code, Refused
from schema.context import Context
from schema.execution import BadDocument, Execution, Operation, error_of, told
from schema.streaming import EventTopic, Opening, Rendering, Unsound, opened
from schema.subscription import PORTRAITS, LivePortrait, Position, Positions, Updates
from schema.values import Point
from subscriptions import log
from subscriptions.channel import Channels
from subscriptions.doorbell import Bell, Doorbell
from subscriptions.feed import Feed, Sink
from subscriptions.interest import Interest

EVERY = 1.0  # seconds: a portrait, and an inspector's position, are told no oftener
INSPECTOR: sa.Table = models.Inspector.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables


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
    ) -> None:
        self._execution, self._database, self._zone, self._clock = execution, database, zone, clock
        self._retention = retention
        self._epoch = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.feed = Feed(self._after, self._head)
        self.bell = Doorbell(bus_url, self.feed.wake)
        self.channels = Channels()

    def cursor(self, places: Iterable[Place] = ()) -> str:
        """How far a client who has these places was sent all that it asked for."""
        positions = [p for place in places if (p := place.position) is not None]
        return self.name(min(positions, default=self.feed.head))

    def name(self, number: int) -> str:
        """The cursor of an event."""
        return f"{self._epoch}-{number}"

    @property
    def state(self) -> Bell:
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

    async def _head(self) -> int:
        async with self._database.read() as connection:
            state = await log.state(connection)
        self._epoch = state.epoch
        return state.head

    async def _after(self, number: int, limit: int) -> Sequence[Any]:
        async with self._database.read() as connection:
            return await log.after(connection, number, limit)

    # -- joining --

    async def prepare(self, operation: Operation, viewer: Viewer | None, resume: str | None = None) -> "Prepared":
        """Look at what is asked for. `resume` is a cursor from the transport, which counts before `after`.

        Raises Refused.
        """
        if viewer is None:
            raise Refused(Code.UNAUTHENTICATED, "Send a bearer token.")
        visibility = viewer.visibility
        if visibility.role is Role.INTEGRATOR and Scope.READ not in visibility.scopes:
            raise Refused(Code.FORBIDDEN, "The scope `read` is needed.")
        opening = self._opened(operation, visibility)
        match opening.stream:
            case Updates() as updates:
                interest = updates.interest(visibility, opening.arguments)
                after = await self._admitted(resume or opening.after)
                return PreparedEvents(self, opening, interest, after)
            case LivePortrait() as stream:
                name, key, window = stream.scene(opening.arguments)
                found = await self._portrait(visibility, name, key, window)
                if found is None:
                    raise Refused(Code.FORBIDDEN, "There is no such portrait, or it is not yours to see.")
                return PreparedPortrait(self, opening, name, key, window)
            case Positions() as stream:
                if visibility.role is Role.ENTERPRISE:
                    raise Refused(Code.FORBIDDEN, "Positions are not for an enterprise.")
                return PreparedPositions(self, opening, stream.zone(opening.arguments))
        raise Refused(Code.BAD_DOCUMENT, "Ask for one of the streams of Subscription.")

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
                state = await log.state(connection)
                number = state.number(cursor)
                await log.resumable(connection, number, self._retention, self._clock())
        except log.CursorRefused as error:
            raise Refused(Code(error.code), error.message) from None
        return number

    def rendering(self, opening: Opening) -> Rendering:
        return Rendering(self._execution.graph, opening, self.context, told)

    def topic(self, opening: Opening, interest: Interest) -> EventTopic:
        return EventTopic(self.rendering(opening), interest, self._epoch)

    def context(self, visibility: Visibility) -> Context:
        return Context(OperationReader(self._database, Viewer(visibility), self._clock(), self._zone()))

    # -- what is drawn and not logged --

    async def _portrait(
        self, visibility: Visibility, name: str, key: int, window: portraits.Days | None
    ) -> portraits.Portrait | None:
        context = self.context(visibility)
        try:
            if await context.one(PORTRAITS[name][0], key) is None:
                return None
            [found] = await PORTRAITS[name][1](context.reader, [(key,)], window=window)
            return found
        finally:
            await context.reader.close()

    async def portrait_changes(
        self, opening: Opening, name: str, key: int, window: portraits.Days | None
    ) -> AsyncIterator[bytes]:
        """The portrait now, and whenever anything but its moment has changed."""
        stirred = asyncio.Event()
        concerns = _scope(name, key)

        def watch(event: Any) -> None:
            # A batch of an import says nothing of where its rows are.
            if event.kind is models.EventKind.REGISTER_IMPORTED or concerns.matches(event):
                stirred.set()

        unwatch = self.feed.watch(watch)
        rendering = self.rendering(opening)
        last: portraits.Portrait | None = None
        try:
            while True:
                stirred.clear()
                found = await self._portrait(opening.visibility, name, key, window)
                if found is None:
                    raise LookupError("what the portrait was of is gone")
                if last is None or replace(found, as_of=last.as_of, cursor=last.cursor) != last:
                    last = found
                    yield await rendering.execute(found, found.cursor)
                await asyncio.sleep(EVERY)
                await self._until(stirred, await self._turning(name, key))
        finally:
            unwatch()

    async def _turning(self, name: str, key: int) -> float:
        """Seconds to when a portrait changes by itself: a deadline passes, or a day begins."""
        context = self.context(Visibility(Role.COMMANDER))
        try:
            at = await portraits.next_turn(context.reader, PORTRAITS[name][1], key)
        finally:
            await context.reader.close()
        # Just after it: a deadline has passed when it is in the past.
        return max(0.0, (at - self._clock()).total_seconds()) + 0.001

    async def _until(self, stirred: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stirred.wait()
        except TimeoutError:
            pass

    async def positions(self, zone: int | None) -> list[Position]:
        """The latest position of each inspector on duty, by key."""
        columns = (INSPECTOR.c.id, INSPECTOR.c.latitude, INSPECTOR.c.longitude, INSPECTOR.c.position_at)
        known = (INSPECTOR.c.latitude.is_not(None), INSPECTOR.c.position_at.is_not(None))
        wanted: list[sa.ColumnElement[bool]] = [INSPECTOR.c.on_duty.is_(sa.true()), *known]
        if zone is not None:
            wanted.append(INSPECTOR.c.zone_id == zone)
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(*columns).where(*wanted).order_by(INSPECTOR.c.id))
        return [
            Position((models.Inspector, r.id), Point(latitude=r.latitude, longitude=r.longitude), r.position_at)
            for r in rows
        ]


def _scope(name: str, key: int) -> Interest:
    """The events that can change a portrait."""
    fields = {"Zone": "zones", "ControlRing": "rings", "Venue": "venues", "Enterprise": "enterprises"}
    limits: dict[str, Any] = {fields[name]: frozenset({key})} if name in fields else {}
    return replace(Interest(), **limits)


def refusals(error: Refused) -> list[dict[str, Any]]:
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
    interest: Interest
    after: int | None

    def join(self, sink: Sink) -> Place:
        topic = self.live.topic(self.opening, self.interest)
        return self.live.feed.join(self.opening.key, topic, sink, self.after)


@dataclass(eq=False)
class PreparedPortrait(Prepared):
    name: str
    key: int
    window: portraits.Days | None
    _last: bytes | None = None

    def join(self, sink: Sink) -> Place:
        return self.live.channels.join(self.opening.key, self, sink)

    async def changes(self) -> AsyncIterator[Sequence[bytes]]:
        async for payload in self.live.portrait_changes(self.opening, self.name, self.key, self.window):
            self._last = payload
            yield [payload]

    def current(self) -> Sequence[bytes]:
        return [] if self._last is None else [self._last]


class PreparedPositions(Prepared):
    def __init__(self, live: Live, opening: Opening, zone: int | None) -> None:
        super().__init__(live, opening)
        self._zone = zone
        self._last: dict[int, tuple[Position, bytes]] = {}

    def join(self, sink: Sink) -> Place:
        return self.live.channels.join(self.opening.key, self, sink)

    async def changes(self) -> AsyncIterator[Sequence[bytes]]:
        rendering = self.live.rendering(self.opening)
        while True:
            found = {p.inspector[1]: p for p in await self.live.positions(self._zone)}
            moved = [p for key, p in found.items() if key not in self._last or self._last[key][0] != p]
            payloads = [await rendering.execute(p, None) for p in moved]
            self._last = {key: kept for key, kept in self._last.items() if key in found}
            self._last.update({p.inspector[1]: (p, b) for p, b in zip(moved, payloads, strict=True)})
            if payloads:
                yield payloads
            await asyncio.sleep(EVERY)

    def current(self) -> Sequence[bytes]:
        return [payload for _, payload in self._last.values()]
