"""The feed: each process reads the log once, in order, and hands its events to groups of subscribers who see the same.

A group has a key, a topic that selects events and renders each to bytes, and members with sinks that take them. An
event is rendered once for a group, however many members it has. The feed knows neither GraphQL nor sockets.

No member misses an event or gets one twice because of three invariants, which hold between any two awaits:

1. Every event up to `group.position` was handed to all members of the group or did not match.
2. A member whose mark is ahead of its group's position gets only events beyond the mark.
3. A member that resumes gets a private group, which reads the log itself. It merges into the shared group when it has
   caught up with `feed.head`, the last event that this process has dispatched. It never reads beyond the head.

A fourth invariant keeps events from subscribers who have lost their access:

4. The feed's checks have run after an event was read from the log and before it is handed out.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from itertools import islice
from time import monotonic
from typing import Any, Protocol

from models.byte_cache import ByteCache, CacheShares, CacheUse, deep_bytes, shares, use_of
from models.failures import FAILURES
from subscriptions.event_window import EventWindow
from subscriptions.fair_queue import FairQueue

Event = Any  # a row of the log: an object with the log's columns as attributes; its number is `id`
Check = Callable[[], Awaitable[None]]

PAGE = 500  # events per read
PENDING = 4_096  # matching events that wait for one group; with more it reads them from the log again
SHARES = shares()
MESSAGE_BYTES = 300  # of a message besides its payload
POLL = 1.0  # seconds
READ_SECONDS = 15.0  # a database that does not answer is not waited for longer
# Renderings, and pages of replays, at once: of all parties and of one. The loop serves others between them.
AT_ONCE, AT_ONCE_SHARE = 8, 4


class EventSource(Protocol):
    """The log as the feed reads it: `after` gives at most `limit` events, oldest first; `head` the last number."""

    async def head(self) -> int: ...
    async def after(self, number: int, limit: int) -> Sequence[Event]: ...


class Topic(Protocol):
    """What a group sees."""

    def matches(self, event: Event) -> bool: ...
    async def render(self, event: Event) -> "Message": ...


class Message:
    """An event as its group sees it. `about` is what its sinks should know of it besides.

    Sinks may leave in `frame` what they make of it, for each other while it is handed out.
    """

    __slots__ = ("about", "cursor", "frame", "payload")

    def __init__(self, cursor: int, payload: bytes, about: frozenset[Any] = frozenset()) -> None:
        self.cursor, self.payload, self.about = cursor, payload, about
        self.frame: Any = None


def weight(message: Message) -> int:
    """The bytes of a cached message. Its group's key is one object for all of the group's messages."""
    return MESSAGE_BYTES + deep_bytes(message.payload, message.about)


class Sink(Protocol):
    """Takes one subscriber's messages. `send` does not wait; `drained` waits until there is room for a replay."""

    def send(self, message: Message) -> None: ...
    async def drained(self) -> None: ...
    def fail(self, error: Exception) -> None: ...


class Group:
    """Subscribers with one key. A private group has a single member, which resumes; it reads the log itself.

    The group takes turns with others as work of `party`, that of its first member.
    """

    def __init__(
        self, feed: "Feed", key: Hashable, topic: Topic, position: int, party: Hashable, *, private: bool = False
    ) -> None:
        self.feed, self.key, self.topic, self.position, self.party = feed, key, topic, position, party
        self.private = self.behind = private
        self.members: dict[Sink, None] = {}
        self.marked: dict[Sink, int] = {}
        self.pending: deque[Event] = deque()
        self.changed = asyncio.Event()
        self.busy = self.closed = False

    @property
    def empty(self) -> bool:
        return not self.members and not self.marked

    def offer(self, event: Event) -> None:
        """Take an event that the process has just read."""
        if self.behind:
            return  # the group reads the log itself
        if len(self.pending) >= PENDING:
            self.behind = True
        elif self.topic.matches(event):
            self.pending.append(event)
            self.changed.set()
        elif not self.pending and not self.busy:
            self.position = event.id

    async def run(self) -> None:
        try:
            while not self.closed:
                if self.pending:
                    self.busy = True
                    await self._hand_out(self.pending.popleft())
                    self.busy = False
                elif self.behind:
                    if await self._catch_up():
                        return
                else:
                    self.position = max(self.position, self.feed.head)
                    self._unmark()
                    self.changed.clear()
                    await self.changed.wait()
        except Exception as error:  # one group's failure does not touch the others: its members may subscribe again
            FAILURES.note("group failed", error)
            self.feed.fail(self, error)

    async def _catch_up(self) -> bool:
        """Hand out the next page of the log. True when the group has merged into the shared one and is done."""
        try:
            page = await self.feed.read(self.position, self.party)
        except Exception as error:  # the database is away; it may come back
            FAILURES.note("the log cannot be read", error)
            await asyncio.sleep(POLL)
            return False
        if not page and self.position >= self.feed.head:
            self.behind = False  # no await between this and the merge
            return self.feed.merge(self)
        for event in page:
            if self.closed:
                return True
            if not self.topic.matches(event):
                self.position = event.id
                continue
            await self._hand_out(event)
            if self.private:
                for sink in list(self.members):
                    await sink.drained()  # a replay goes at its reader's pace
            else:
                await asyncio.sleep(0)  # no reader of a shared group waits for another
        await asyncio.sleep(0)
        return False

    async def _hand_out(self, event: Event) -> None:
        message = await self.feed.rendered(self.key, self.topic, event, self.party)
        # Members of this moment, not of when the rendering began. A sink that joined meanwhile has a mark.
        for sink in list(self.members):
            sink.send(message)
        for sink, mark in list(self.marked.items()):
            if event.id > mark:
                sink.send(message)
        self.position, message.frame = event.id, None  # the frame is as long as the payload, and soon made anew
        self._unmark()

    def _unmark(self) -> None:
        for sink, mark in list(self.marked.items()):
            if mark <= self.position:
                del self.marked[sink]
                self.members[sink] = None

    def add(self, sink: Sink, mark: int) -> None:
        if mark > self.position:
            self.marked[sink] = mark
        else:
            self.members[sink] = None

    def remove(self, sink: Sink) -> None:
        self.members.pop(sink, None)
        self.marked.pop(sink, None)


class Membership:
    """One subscriber's membership of the group that serves it; merging changes the group."""

    __slots__ = ("_feed", "_sink", "group")

    def __init__(self, feed: "Feed", group: Group, sink: Sink) -> None:
        self._feed, self._sink = feed, sink
        self.group: Group | None = group

    @property
    def position(self) -> int | None:
        """Every event up to this one was sent or did not match."""
        group = self.group
        return None if group is None else max(group.position, group.marked.get(self._sink, 0))

    def leave(self) -> None:
        """Send nothing from now on. May be called twice."""
        group, self.group = self.group, None
        if group is None:
            return
        group.remove(self._sink)
        self._feed.memberships.pop(self._sink, None)
        if group.empty:
            self._feed.stop(group)


class Feed:
    """Hands the events of `source` to groups.

    `checks` are awaited after each read from the source and before any of its events is handed out. An event from the
    window needs no new check: it was checked when this process read it.
    """

    def __init__(self, source: EventSource, checks: Sequence[Check] = (), memory: CacheShares = SHARES) -> None:
        self.head = 0
        self.groups: dict[Hashable, Group] = {}
        self.memberships: dict[Sink, Membership] = {}
        self.renderings = 0
        self.current_at = monotonic()  # when the end of the log was last reached
        self._source, self._checks = source, checks
        self._due = asyncio.Event()
        self._window = EventWindow(memory.events)
        self._rendering: dict[Any, asyncio.Task[Message]] = {}
        self._rendered = ByteCache[Any, Message](memory.renderings)
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._watchers: set[Callable[[Event], None]] = set()
        self.turns = FairQueue(AT_ONCE, AT_ONCE_SHARE)

    def notify(self) -> None:
        """Read the log now: it may have grown."""
        self._due.set()

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Call `watcher` with every event, after the groups had it. It must not wait. Returns what stops that."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    async def start(self) -> None:
        """Begin at the head that the log has now."""
        self.head = self._window.begin = await self._source.head()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Read the log at each notification, and once a second anyway, until cancelled."""
        while True:
            try:
                # Cleared before the read, so that a notification during the read causes another one.
                self._due.clear()
                page: Sequence[Event] | None = None
                while page is None or len(page) == PAGE:
                    page = await self._page(self.head)
                    for event in page:
                        self._dispatch(event)
                    await asyncio.sleep(0)
                self.current_at = monotonic()
            except Exception as error:  # the database is away; it may come back
                FAILURES.note("the log cannot be read", error)
                await asyncio.sleep(POLL)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._due.wait()

    async def close(self) -> None:
        """Stop reading, and stop every group. None of their tasks runs any more when this returns."""
        tasks = [*self._tasks, *self._rendering.values()]
        if self._reading is not None:
            tasks.append(self._reading)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for group in list(self.groups.values()):
            self.stop(group)

    def _dispatch(self, event: Event) -> None:
        self._window.add(event)
        self.head = event.id
        for group in list(self.groups.values()):
            try:
                group.offer(event)
            except Exception as error:  # the other groups still get the event
                FAILURES.note("group failed", error)
                self.fail(group, error)
        for watcher in list(self._watchers):
            watcher(event)

    async def _page(self, number: int) -> Sequence[Event]:
        """The next events after a number, as read from the source and checked."""
        async with asyncio.timeout(READ_SECONDS):
            page = await self._source.after(number, PAGE)
            if page:
                for check in self._checks:
                    await check()
            return page

    async def read(self, number: int, party: Hashable = None) -> Sequence[Event]:
        """The next events after a number, none beyond the head. The log is read when the party's turn has come."""
        if number >= self.head:
            return ()
        if number >= self._window.begin:
            return list(islice((event for event in self._window.events if event.id > number), PAGE))
        async with self.turns.turn(party):
            return [event for event in await self._page(number) if event.id <= self.head]

    async def rendered(self, key: Hashable, topic: Topic, event: Event, party: Hashable = None) -> Message:
        """The message of an event for a group, rendered once even when some replay what others have just seen.

        It is rendered when the party's turn has come.
        """
        name = (key, event.id)
        if (cached := self._rendered.get(name)) is not None:
            return cached
        task = self._rendering.get(name)
        if task is None:
            self.renderings += 1
            task = self._rendering[name] = asyncio.create_task(self._render(topic, event, party))
            task.add_done_callback(lambda done: self._cache(name, done))
        # Shielded, because one of several waiting groups may be cancelled.
        return await asyncio.shield(task)

    async def _render(self, topic: Topic, event: Event, party: Hashable) -> Message:
        async with self.turns.turn(party):
            return await topic.render(event)

    def _cache(self, name: Any, task: asyncio.Task[Message]) -> None:
        del self._rendering[name]
        if task.cancelled() or task.exception() is not None:
            return
        self._rendered.put(name, task.result(), weight(task.result()))

    def cache_use(self) -> dict[str, CacheUse]:
        return {"renderings": use_of(self._rendered), "events": self._window.use}

    def _begin(self, group: Group) -> None:
        task = asyncio.create_task(group.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def join(
        self, key: Hashable, topic: Topic, sink: Sink, after: int | None = None, party: Hashable = None
    ) -> Membership:
        """Subscribe from now on, or from after an event. Does not wait, so no event falls in between."""
        if after is None or after >= self.head:
            # A client of a faster server may be ahead of this one. The mark keeps it from getting an event twice.
            if (group := self.groups.get(key)) is None:
                group = self.groups[key] = Group(self, key, topic, self.head, party)
                self._begin(group)
            group.add(sink, self.head if after is None else after)
        else:
            group = Group(self, key, topic, after, party, private=True)
            group.members[sink] = None
            self._begin(group)
        membership = self.memberships[sink] = Membership(self, group, sink)
        return membership

    def merge(self, group: Group) -> bool:
        """Merge a group that has caught up into the shared one of its key, or make it that. True when it is done."""
        shared = self.groups.get(group.key)
        if shared is group:
            return False
        if group.empty:
            group.closed = True
            return True
        if shared is None:
            group.private = False
            self.groups[group.key] = group
            return False
        for sink in [*group.members, *group.marked]:
            shared.add(sink, max(group.position, group.marked.get(sink, 0)))
            self.memberships[sink].group = shared
        group.closed = True
        return True

    def stop(self, group: Group) -> None:
        """End a group without members. Its task ends by itself; cancelling it would break a running statement."""
        group.closed = True
        group.changed.set()
        if self.groups.get(group.key) is group:
            del self.groups[group.key]

    def fail(self, group: Group, error: Exception) -> None:
        """End a group that failed by this error, and fail its members."""
        sinks = [*group.members, *group.marked]
        group.members.clear()
        group.marked.clear()
        self.stop(group)
        for sink in sinks:
            if (membership := self.memberships.pop(sink, None)) is not None:
                membership.group = None
            sink.fail(error)
