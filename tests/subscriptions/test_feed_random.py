"""The feed in random interleavings: every member gets each matching event after its start, once and in order."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscriptions import event_window
from subscriptions import feed as feeds
from subscriptions.feed import Feed, Membership
from tests.support.memory_feed import Log, Sink, Topic, feeding, settle
from tests.support.proof_mode import examples

COLOURS = ("red", "blue")
TOPICS = (None, *COLOURS)
MEMBERS = 5

# A step has two numbers, which each kind of step uses in its own way.
STEPS = st.tuples(
    st.sampled_from(
        (
            "commit",
            "notify",
            "turns",
            "join",
            "resume",
            "leave",
            "stall",
            "free",
            "hold",
            "release",
            "ahead",
            "slow read",
        )
    ),
    st.integers(0, 7),
    st.integers(0, 7),
)


@dataclass
class Client:
    """A client that joins and leaves again and again. `start` is the number after which it joined last."""

    topic: int
    sink: Sink = field(default_factory=Sink)
    place: Membership | None = None
    start: int = 0

    def owed(self, log: Log) -> list[int]:
        colour = TOPICS[self.topic]
        return [e.id for e in log.events if e.id > self.start and (colour is None or e.colour == colour)]


class Play:
    def __init__(self, log: Log, feed: Feed) -> None:
        self.log, self.feed = log, feed
        self.clients = [Client(n % len(TOPICS)) for n in range(MEMBERS)]
        self.topics = [Topic(colour) for colour in TOPICS]

    async def step(self, what: str, number: int, other: int) -> None:
        client = self.clients[number % MEMBERS]
        match what:
            case "commit":
                self.log.commit(1 + number, COLOURS[other % 2])
            case "notify":
                self.feed.notify()
            case "turns":
                for _ in range(1 + number):
                    await asyncio.sleep(0)
            case "slow":
                self.log.free.clear() if other % 2 else self.log.free.set()
            case "hold":
                self.topics[number % len(TOPICS)].hold(self.feed.head + 1 + other)
            case "release":
                self.release()
            case "stall":
                client.sink.room.clear()
            case "free":
                client.sink.room.set()
            case "leave" if client.place:
                client.place.leave()
                self.check(client, whole=False)
                client.place = None
            case "join" if client.place is None:
                self.join(client, None)
            case "resume" if client.place is None:
                # After any committed event, dispatched by this feed or not.
                self.join(client, self.log.last * other // 7)
            case "ahead" if client.place is None:
                self.join(client, self.log.last)

    def join(self, client: Client, after: int | None) -> None:
        client.sink = Sink()
        client.start = self.feed.head if after is None else after
        client.place = self.feed.join(client.topic, self.topics[client.topic], client.sink, after)

    def check(self, client: Client, *, whole: bool) -> None:
        owed, got = client.owed(self.log), client.sink.got
        assert got == (owed if whole else owed[: len(got)])
        if client.place is not None and (position := client.place.position) is not None:
            # The position to resume after is never beyond what the client was sent.
            assert [n for n in owed if n <= position] == [n for n in got if n <= position]

    def release(self) -> None:
        for topic in self.topics:
            for held in topic.held.values():
                held.set()
            topic.held.clear()

    async def end(self) -> None:
        self.log.free.set()
        self.release()
        for client in self.clients:
            client.sink.room.set()
        self.feed.notify()
        await settle()
        await settle()
        for client in self.clients:
            if client.place is not None:
                self.check(client, whole=True)
                assert client.place.position == self.log.last
        assert len(self.feed.groups) == len(self.feed._tasks) <= len(TOPICS)
        assert self.feed._rendering == {}


async def played(before: int, steps: list[Any]) -> None:
    log = Log(before)
    async with feeding(log, renderings=4_000) as feed:
        play = Play(log, feed)
        for step in steps:
            await play.step(*step)
            for client in play.clients:
                if client.place is not None:
                    play.check(client, whole=False)
        await play.end()


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=st.integers(0, 12), steps=st.lists(STEPS, min_size=5, max_size=60))
def test_nothing_is_lost_and_nothing_comes_twice(before: int, steps: list[Any]) -> None:
    # Small bounds, so that they are reached often.
    with patch.multiple(feeds, PENDING=3, PAGE=4), patch.object(event_window, "WINDOW", 6):
        asyncio.run(played(before, steps))
