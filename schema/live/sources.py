"""What is drawn and not logged, as sources of channels: portraits, and positions of inspectors."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.outages import is_outage
from models.db.postgres_pool import SILENT_SECONDS
from models.visibility import Role
from resolvers.queries import portraits
from resolvers.queries.portraits import Days, Portrait
from schema.execution.context import Context
from schema.live.renderer import Contexts, EventRenderer
from schema.subscription import PORTRAITS, Position
from schema.types.scalars import Point
from subscriptions.event_filter import EventFilter
from subscriptions.state_stream import Change

EVERY = 1.0  # seconds: a portrait, and an inspector's position, are told no oftener

INSPECTOR: sa.Table = models.Inspector.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables


class Wait(Protocol):
    """Waits so many seconds, or until something stirs; tests have one that does not wait."""

    async def __call__(self, seconds: float, stirred: asyncio.Event | None = None) -> None: ...


async def wait(seconds: float, stirred: asyncio.Event | None = None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await (stirred or asyncio.Event()).wait()


@dataclass(frozen=True)
class SourceContext:
    """What a source stands in: contexts to read with, the clock, the feed's events, and how it waits."""

    database: Database
    contexts: Contexts
    clock: Callable[[], dt.datetime]
    watch: Callable[[Callable[[Any], None]], Callable[[], None]]
    pause: Wait = wait


@dataclass(frozen=True)
class PortraitReading:
    """A portrait as it is, and when it may be another though nothing happens."""

    portrait: Portrait
    turns_at: dt.datetime


@dataclass(frozen=True)
class PortraitScope:
    """Whose portrait, over which days."""

    name: str
    key: int
    window: Days | None

    async def seen(self, context: Context) -> bool:
        """Whether there is such a portrait for the viewer. Raises Refused for days that cannot be."""
        portraits.span(context.reader, self.window)
        if context.viewer.role is Role.ENTERPRISE and self.name != "Enterprise":
            return False
        return await context.one(PORTRAITS[self.name][0], self.key) is not None

    async def draw(self, context: Context) -> PortraitReading:
        drawer = PORTRAITS[self.name][1]
        # Both of one moment: what turned in between would never be noticed.
        [found] = await drawer(context.reader, [(self.key,)], window=self.window)
        if found is None:
            raise LookupError("what the portrait was of is gone")
        return PortraitReading(found, await portraits.next_turn(context.reader, drawer, self.key))

    def concerns(self, event: Any) -> bool:
        """Whether an event can change it. A batch of an import says nothing of where its rows are."""
        return event.kind is models.EventKind.REGISTER_IMPORTED or self._scope().matches(event)

    def _scope(self) -> EventFilter:
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
    """The portrait now, and whenever anything but its moment has changed."""

    around: SourceContext
    rendering: EventRenderer
    scene: PortraitScope

    async def changes(self) -> AsyncGenerator[Sequence[Change], None]:
        stirred = asyncio.Event()

        def watch(event: Any) -> None:
            if self.scene.concerns(event):
                stirred.set()

        unwatch = self.around.watch(watch)
        last: Portrait | None = None
        try:
            while True:
                stirred.clear()
                sight = await retry_while_away(self._draw, self.around.pause)
                found = sight.portrait
                if last is None or not found.shows(last):
                    last = found
                    yield [(self.scene, await self.rendering.execute(found, found.cursor))]
                await self.around.pause(EVERY)
                # Just after it: a deadline has passed when it is in the past.
                left = (sight.turns_at - self.around.clock()).total_seconds() + 0.001
                await self.around.pause(max(0.0, left), stirred)
        finally:
            unwatch()

    async def _draw(self) -> PortraitReading:
        context = self.around.contexts(self.rendering.opening.visibility)
        try:
            return await self.scene.draw(context)
        finally:
            await context.reader.close()


@dataclass(eq=False)
class PositionSource:
    """The latest position of each inspector on duty: all now, then each as it moves."""

    around: SourceContext
    rendering: EventRenderer
    zone: int | None

    async def changes(self) -> AsyncGenerator[Sequence[Change], None]:
        last: dict[int, Position] = {}
        while True:
            found = await retry_while_away(self._positions, self.around.pause)
            gone: list[Change] = [(key, None) for key in last if key not in found]
            moved = [(key, p) for key, p in found.items() if last.get(key) != p]
            told: list[Change] = [(key, await self.rendering.execute(p, None)) for key, p in moved]
            last = found
            if gone or told:
                yield [*gone, *told]
            await self.around.pause(EVERY)

    async def _positions(self) -> dict[int, Position]:
        """By the inspector's key."""
        columns = (INSPECTOR.c.id, INSPECTOR.c.latitude, INSPECTOR.c.longitude, INSPECTOR.c.position_at)
        known = (INSPECTOR.c.latitude.is_not(None), INSPECTOR.c.position_at.is_not(None))
        wanted: list[sa.ColumnElement[bool]] = [INSPECTOR.c.on_duty.is_(sa.true()), *known]
        if self.zone is not None:
            wanted.append(INSPECTOR.c.zone_id == self.zone)
        async with self.around.database.read() as connection:
            rows = await connection.execute(sa.select(*columns).where(*wanted).order_by(INSPECTOR.c.id))
        return {
            r.id: Position((models.Inspector, r.id), Point(latitude=r.latitude, longitude=r.longitude), r.position_at)
            for r in rows
        }


async def retry_while_away(read: Callable[[], Any], pause: Wait) -> Any:
    """What is read; a database that is away is waited for, since the next time gives all that counts."""
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                return await read()
        except Exception as error:
            if not is_outage(error):
                raise
        await pause(EVERY)
