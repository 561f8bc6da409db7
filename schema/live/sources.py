"""Sources of state streams: portraits, and positions of inspectors. They are read again and again, not logged."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.outages import is_outage
from models.db.postgres_pool import SILENT_SECONDS
from models.db.tables import table_of
from models.visibility import Role
from resolvers.disclosures import Disclosure
from resolvers.queries import portraits
from resolvers.queries.portrait_scopes import Days
from resolvers.queries.portraits import Portrait
from schema.execution.context import Context
from schema.live.renderer import Contexts, EventRenderer
from schema.subscription import OPENED, PORTRAITS, Opened, Position
from schema.types.scalars import Point
from subscriptions.event_filter import EventFilter
from subscriptions.fair_queue import FairQueue
from subscriptions.feed import Message
from subscriptions.presence import Presence
from subscriptions.state_stream import Change

T = TypeVar("T")

SOON = 0.1  # seconds in which what desks open and close is gathered
EVERY = 1.0  # seconds: a portrait, and an inspector's position, is sent no more often than this

INSPECTOR = table_of(models.Inspector)


class Wait(Protocol):
    """Waits for so many seconds or until an event is set. Tests pass one that follows their own clock."""

    async def __call__(self, seconds: float, changed: asyncio.Event | None = None) -> None: ...


async def wait(seconds: float, changed: asyncio.Event | None = None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await (changed or asyncio.Event()).wait()


@dataclass(frozen=True)
class SourceContext:
    """What every source needs: contexts to read with, the clock, the feed's events, turns, and a way to wait."""

    database: Database
    contexts: Contexts
    clock: Callable[[], dt.datetime]
    watch: Callable[[Callable[[Any], None]], Callable[[], None]]
    turns: FairQueue
    pause: Wait = wait


@dataclass(frozen=True)
class PortraitReading:
    """A portrait, and the time at which it may change without an event."""

    portrait: Portrait
    turns_at: dt.datetime


@dataclass(frozen=True)
class PortraitScope:
    """The row that a portrait is about, as type name and key, and the days that it covers."""

    name: str
    key: int
    window: Days | None

    async def visible(self, context: Context) -> bool:
        """Whether the row exists and the viewer may see its portrait. Raises RequestError for an impossible window."""
        portraits.window_days(context.reader, self.window)
        if context.viewer.role is Role.ENTERPRISE and self.name != "Enterprise":
            return False
        return await context.one(PORTRAITS[self.name][0], self.key) is not None

    async def read(self, context: Context) -> PortraitReading:
        draw = PORTRAITS[self.name][1]
        # Both come from one snapshot. Otherwise a change between them would go unnoticed.
        [portrait] = await draw(context.reader, [(self.key,)], window=self.window)
        if portrait is None:
            raise LookupError("the row of the portrait no longer exists")
        return PortraitReading(portrait, await portraits.next_change(context.reader, draw, self.key))

    def affected_by(self, event: Any) -> bool:
        """Whether an event may change the portrait. The event of an import does not say where its rows are."""
        return event.kind is models.EventKind.REGISTER_IMPORTED or self._filter().matches(event)

    def _filter(self) -> EventFilter:
        keys = frozenset({self.key})
        match self.name:
            case "Zone":
                return EventFilter(zones=keys)
            case "ControlRing":
                return EventFilter(rings=keys)
            case "Venue":
                return EventFilter(venues=keys)
            case "Enterprise":
                return EventFilter(enterprises=keys)
        return EventFilter()


@dataclass(eq=False)
class PortraitSource:
    """Gives the portrait now, and again whenever anything but its `asOf` and `cursor` has changed."""

    context: SourceContext
    renderer: EventRenderer
    scope: PortraitScope
    party: Hashable = None

    async def changes(self) -> AsyncGenerator[Sequence[Change], None]:
        changed = asyncio.Event()

        def watch(event: Any) -> None:
            if self.scope.affected_by(event):
                changed.set()

        unwatch = self.context.watch(watch)
        last: Portrait | None = None
        try:
            while True:
                changed.clear()
                reading = await retry_while_away(self._read, self.context.pause)
                portrait = reading.portrait
                if last is None or not portrait.same_indicators(last):
                    last = portrait
                    async with self.context.turns.turn(self.party):
                        message = await rendered(self.renderer, portrait, portrait.cursor)
                    yield [(self.scope, message)]
                await self.context.pause(EVERY)
                # A millisecond later, because a deadline has passed only once it lies in the past.
                seconds = (reading.turns_at - self.context.clock()).total_seconds() + 0.001
                await self.context.pause(max(0.0, seconds), changed)
        finally:
            unwatch()

    async def _read(self) -> PortraitReading:
        async with self.context.turns.turn(self.party):
            context = self.context.contexts(self.renderer.request.visibility)
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    return await self.scope.read(context)
            finally:
                await context.close()


@dataclass(eq=False)
class PositionSource:
    """Gives the latest position of each inspector on duty: first all of them, then each that has changed."""

    context: SourceContext
    renderer: EventRenderer
    zone: int | None
    party: Hashable = None

    async def changes(self) -> AsyncGenerator[Sequence[Change], None]:
        last: dict[int, Position] = {}
        while True:
            positions = await retry_while_away(self._positions, self.context.pause)
            gone: list[Change] = [(key, None) for key in last if key not in positions]
            moved = [(key, position) for key, position in positions.items() if last.get(key) != position]
            changed: list[Change] = []
            for key, position in moved:
                async with self.context.turns.turn(self.party):
                    changed.append((key, await rendered(self.renderer, position)))
            last = positions
            if gone or changed:
                yield [*gone, *changed]
            await self.context.pause(EVERY)

    async def _positions(self) -> dict[int, Position]:
        """The positions by the inspectors' keys."""
        columns = (INSPECTOR.c.id, INSPECTOR.c.latitude, INSPECTOR.c.longitude, INSPECTOR.c.position_at)
        known = (INSPECTOR.c.latitude.is_not(None), INSPECTOR.c.position_at.is_not(None))
        conditions: list[sa.ColumnElement[bool]] = [INSPECTOR.c.on_duty.is_(sa.true()), *known]
        if self.zone is not None:
            conditions.append(INSPECTOR.c.zone_id == self.zone)
        statement = sa.select(*columns).where(*conditions).order_by(INSPECTOR.c.id)
        async with (
            self.context.turns.turn(self.party),
            asyncio.timeout(SILENT_SECONDS),
            self.context.database.read() as connection,
        ):
            rows = await connection.execute(statement)
        return {
            r.id: Position((models.Inspector, r.id), Point(latitude=r.latitude, longitude=r.longitude), r.position_at)
            for r in rows
        }


@dataclass(eq=False)
class PresenceSource:
    """Gives what all desks have open, now and after each change."""

    context: SourceContext
    renderer: EventRenderer
    presence: Presence
    party: Hashable = None

    async def changes(self) -> AsyncGenerator[Sequence[Change], None]:
        changed = asyncio.Event()
        unwatch = self.presence.watch(changed.set)
        try:
            while True:
                changed.clear()
                roots = [
                    Opened(each.desk, each.name, (OPENED[each.row[0]], each.row[1]), each.since)
                    for each in self.presence.all()
                    if each.row is not None
                ]
                async with self.context.turns.turn(self.party):
                    message = await rendered(self.renderer, roots)
                yield [("presence", message)]
                await self.context.pause(SOON)
                await changed.wait()
        finally:
            unwatch()


async def rendered(renderer: EventRenderer, root: Any, cursor: str | None = None) -> Message:
    """A state as its group sees it. The message is about the personal data of enterprises that it shows."""
    disclosures: set[Disclosure] = set()
    payload = await renderer.execute(root, cursor, disclosures)
    return Message(0, payload, frozenset(disclosures))


async def retry_while_away(read: Callable[[], Awaitable[T]], pause: Wait) -> T:
    """Read, again and again while the database is away. Only the latest state counts, so nothing is lost."""
    while True:
        try:
            return await read()
        except Exception as error:
            if not is_outage(error):
                raise
        await pause(EVERY)
