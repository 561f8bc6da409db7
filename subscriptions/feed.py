"""The feed: each process reads the log once, in order, and hands its events to groups of subscribers who see the same.

A group has a key, a topic that says which events it wants and renders one to bytes, and members with sinks that take
them. An event is rendered once for a group, however many members it has. The feed knows neither GraphQL nor sockets.

What keeps every member from missing an event or getting one twice, true between any two awaits:

1. `group.position`: every event up to it was handed to all members, or did not match.
2. A member with a mark ahead of its group's position gets only events beyond the mark.
3. Who resumes gets a group of their own that reads the log; it joins the shared one when it has caught up with what
   this process has handed out, `feed.head`. It never reads beyond that.
"""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from itertools import islice
from typing import Any, Protocol

import structlog

log = structlog.get_logger(__name__)

Event = Any  # a row of the log: an object with the log's columns as attributes; its number is `id`

PAGE = 500  # events read at once
WINDOW = 2_048  # events kept, so that short resumes read no database
PENDING = 4_096  # matching events that wait for one group; beyond it reads them from the log again
RENDERED_BYTES = 16 << 20
OVERHEAD = 1_000  # bytes, about, that keeping a rendering takes besides its texts
POLL = 1.0  # seconds
READ_SECONDS = 15.0  # a database that has gone without a word is not waited for longer


class Topic(Protocol):
    """What a group sees."""

    def matches(self, event: Event) -> bool: ...
    async def render(self, event: Event) -> bytes: ...


class Message:
    """An event as its group sees it. `frame` is for the sinks to keep what they make of it, for each other."""

    __slots__ = ("cursor", "frame", "payload")

    def __init__(self, cursor: int, payload: bytes) -> None:
        self.cursor, self.payload = cursor, payload
        self.frame: Any = None


def weight(message: Message) -> int:
    """About how many bytes keeping it takes: the payload, what a sink made of it, and what is around them."""
    return 2 * len(message.payload) + OVERHEAD


class Sink(Protocol):
    """Where a subscriber's messages go. `send` does not wait; `drained` waits, for replays, until there is room."""

    def send(self, message: Message) -> None: ...
    async def drained(self) -> None: ...
    def fail(self) -> None: ...


class Group:
    """Subscribers with one key. A private one has a single member, who resumes; it reads the log by itself."""

    def __init__(self, feed: "Feed", key: Hashable, topic: Topic, position: int, *, private: bool = False) -> None:
        self.feed, self.key, self.topic, self.position = feed, key, topic, position
        self.private = self.behind = private
        self.members: dict[Sink, None] = {}
        self.marked: dict[Sink, int] = {}
        self.pending: deque[Event] = deque()
        self.news = asyncio.Event()
        self.busy = self.closed = False

    @property
    def empty(self) -> bool:
        return not self.members and not self.marked

    def offer(self, event: Event) -> None:
        """An event that the process has just read."""
        if self.behind:
            return  # it reads the log by itself
        if len(self.pending) >= PENDING:
            self.behind = True
        elif self.topic.matches(event):
            self.pending.append(event)
            self.news.set()
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
                    self.news.clear()
                    await self.news.wait()
        except Exception as error:  # one group's failure is its own: its members are told, and may come again
            log.error("group failed", error=type(error).__name__)
            self.feed.give_up(self)

    async def _catch_up(self) -> bool:
        """Hand out the next page of the log. True where the group has joined the shared one, and is done."""
        try:
            page = await self.feed.read(self.position)
        except Exception as error:  # the database is away; it may come back
            log.warning("the log cannot be read", error=type(error).__name__)
            await asyncio.sleep(POLL)
            return False
        if not page and self.position >= self.feed.head:
            self.behind = False  # no await from here to the joining
            return self.feed.joined(self)
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
                await asyncio.sleep(0)  # of many readers none waits for another
        await asyncio.sleep(0)
        return False

    async def _hand_out(self, event: Event) -> None:
        message = await self.feed.rendered(self.key, self.topic, event)
        # To those who are members now, not when the rendering began; who joined meanwhile has a mark.
        for sink in list(self.members):
            sink.send(message)
        for sink, mark in list(self.marked.items()):
            if event.id > mark:
                sink.send(message)
        self.position = event.id
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
    """One subscriber's place in the feed."""

    __slots__ = ("_feed", "_sink", "group")

    def __init__(self, feed: "Feed", group: Group, sink: Sink) -> None:
        self._feed, self._sink = feed, sink
        self.group: Group | None = group

    @property
    def position(self) -> int | None:
        """Every event up to this one was sent, or did not match."""
        group = self.group
        return None if group is None else max(group.position, group.marked.get(self._sink, 0))

    def leave(self) -> None:
        """Nothing is sent from now on. It may be called twice."""
        group, self.group = self.group, None
        if group is None:
            return
        group.remove(self._sink)
        self._feed.memberships.pop(self._sink, None)
        if group.empty:
            self._feed.stop(group)


class Feed:
    """The log as this process hands it out. `after(number, limit)` reads it; `start_at()` gives its head."""

    def __init__(
        self, after: Callable[[int, int], Awaitable[Sequence[Event]]], start_at: Callable[[], Awaitable[int]]
    ) -> None:
        self.head = 0
        self.groups: dict[Hashable, Group] = {}
        self.memberships: dict[Sink, Membership] = {}
        self.renderings = 0
        self._after, self._start_at = after, start_at
        self._wake = asyncio.Event()
        self._window: deque[Event] = deque(maxlen=WINDOW)
        self._window_from = 0
        self._rendering: dict[Any, asyncio.Task[Message]] = {}
        self._rendered: OrderedDict[Any, Message] = OrderedDict()
        self._rendered_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._watchers: set[Callable[[Event], None]] = set()

    def wake(self) -> None:
        """The log may have grown."""
        self._wake.set()

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Have every event told to a function that does not wait; what is returned ends it."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    async def start(self) -> None:
        self.head = self._window_from = await self._start_at()

    async def run(self) -> None:
        """Read the log until cancelled: at each ring, and once a second anyway."""
        while True:
            try:
                # Cleared before reading: a ring during the read reads again.
                self._wake.clear()
                while page := await self._page(self.head):
                    for event in page:
                        self._take(event)
                    await asyncio.sleep(0)
            except Exception as error:  # the database is away; it may come back
                log.warning("the log cannot be read", error=type(error).__name__)
                await asyncio.sleep(POLL)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._wake.wait()

    async def close(self) -> None:
        """Let every group go. Nothing of theirs is at work any more when this returns."""
        tasks = [*self._tasks, *self._rendering.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for group in list(self.groups.values()):
            self.stop(group)

    def _take(self, event: Event) -> None:
        if len(self._window) == WINDOW:
            self._window_from = self._window[0].id
        self._window.append(event)
        self.head = event.id
        for group in list(self.groups.values()):
            try:
                group.offer(event)
            except Exception as error:  # it must not keep the event from the others
                log.error("group failed", error=type(error).__name__)
                self.give_up(group)
        for watcher in list(self._watchers):
            watcher(event)

    async def _page(self, number: int) -> Sequence[Event]:
        async with asyncio.timeout(READ_SECONDS):
            return await self._after(number, PAGE)

    async def read(self, number: int) -> Sequence[Event]:
        """The next events after a number, none beyond what this process has handed out."""
        if number >= self.head:
            return ()
        if number >= self._window_from:
            return list(islice((event for event in self._window if event.id > number), PAGE))
        return [event for event in await self._page(number) if event.id <= self.head]

    async def rendered(self, key: Hashable, topic: Topic, event: Event) -> Message:
        """Once for a group and an event, also where some replay what others have just seen."""
        name = (key, event.id)
        if (kept := self._rendered.get(name)) is not None:
            return kept
        task = self._rendering.get(name)
        if task is None:
            self.renderings += 1
            task = self._rendering[name] = asyncio.create_task(self._render(topic, event))
            task.add_done_callback(lambda done: self._keep(name, done))
        # Shielded: of many who wait for it, one may leave.
        return await asyncio.shield(task)

    async def _render(self, topic: Topic, event: Event) -> Message:
        return Message(event.id, await topic.render(event))

    def _keep(self, name: Any, task: asyncio.Task[Message]) -> None:
        del self._rendering[name]
        if task.cancelled() or task.exception() is not None:
            return
        self._rendered[name] = task.result()
        self._rendered_bytes += weight(task.result())
        while self._rendered_bytes > RENDERED_BYTES and len(self._rendered) > 1:
            self._rendered_bytes -= weight(self._rendered.popitem(last=False)[1])

    def _begin(self, group: Group) -> None:
        task = asyncio.create_task(group.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def join(self, key: Hashable, topic: Topic, sink: Sink, after: int | None = None) -> Membership:
        """Become a member: from now on, or from after an event. Nothing is awaited between this and the place."""
        if after is None or after >= self.head:
            # Who comes from a faster server may be ahead of this one: the mark keeps what they have from coming again.
            group = self.groups.get(key)
            if group is None:
                group = self.groups[key] = Group(self, key, topic, self.head)
                self._begin(group)
            group.add(sink, self.head if after is None else after)
        else:
            group = Group(self, key, topic, after, private=True)
            group.members[sink] = None
            self._begin(group)
        membership = self.memberships[sink] = Membership(self, group, sink)
        return membership

    def joined(self, group: Group) -> bool:
        """A group that has caught up joins the shared one of its key, or becomes it. True where it is done."""
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
        """End a group without members. It ends by itself: cancelling it would break a statement on its way."""
        group.closed = True
        group.news.set()
        if self.groups.get(group.key) is group:
            del self.groups[group.key]

    def give_up(self, group: Group) -> None:
        sinks = [*group.members, *group.marked]
        group.members.clear()
        group.marked.clear()
        self.stop(group)
        for sink in sinks:
            membership = self.memberships.pop(sink, None)
            if membership is not None:
                membership.group = None
            sink.fail()
