"""The memory of the feed: recent and rendered events within bounds, and nothing after its end."""

import asyncio

import pytest

from models.byte_cache import ENTRY_BYTES
from subscriptions import event_window
from subscriptions.feed import Message, weight
from tests.support.memory_feed import Log, Sink, Topic, feeding, notified, numbers, settle

KEY = "key"


async def test_only_long_resumes_read_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_window, "WINDOW", 10)
    log, short, long = Log(3), Sink(), Sink()
    async with feeding(log) as feed:
        log.commit(20)
        await notified(feed)
        log.reads.clear()
        feed.join("short", Topic(), short, after=14)
        await settle()
        assert short.got == numbers(15, 23)
        assert log.reads == []
        feed.join("long", Topic(), long, after=1)
        await settle()
        assert long.got == numbers(2, 23)
        assert log.reads == [1]


@pytest.mark.parametrize("after", range(18))
async def test_a_resume_at_the_edge_of_the_window_is_complete(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_window, "WINDOW", 4)
    log, sink = Log(3), Sink()
    async with feeding(log) as feed:
        log.commit(15)
        await notified(feed)
        feed.join(KEY, Topic(), sink, after=after)
        await settle()
        assert sink.got == numbers(after + 1, 18)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_window, "WINDOW", 16)
    log, topic, sink = Log(), Topic(size=500), Sink()
    async with feeding(log, renderings=40_000) as feed:
        feed.join(KEY, topic, sink)
        for _ in range(20):
            log.commit(25)
            await notified(feed)
            assert feed.cache_use()["renderings"].bytes <= 40_000
        assert sink.got == numbers(1, 500)
        use = feed.cache_use()
        assert use["renderings"].bytes == sum(ENTRY_BYTES + weight(message) for _, message in feed._rendered.items())
        assert 0 < use["renderings"].entries < 40
        assert use["renderings"].entries + use["renderings"].evictions == 500
        assert feed._rendering == {}
        assert (use["events"].entries, use["events"].evictions) == (16, 484)


async def test_a_message_keeps_no_frame_after_it_was_handed_out() -> None:
    class Framing(Sink):
        def send(self, message: Message) -> None:
            super().send(message)
            message.frame = b"as long as the payload"

    log, sink = Log(), Framing()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), sink)
        log.commit(3)
        await notified(feed)
        assert [message.frame for _, message in feed._rendered.items()] == [None, None, None]


async def test_the_window_is_bounded_by_the_bytes_of_its_events() -> None:
    log, sink = Log(), Sink()
    async with feeding(log, events=20_000) as feed:
        log.commit(100, "x" * 1_000)
        await notified(feed)
        use = feed.cache_use()["events"]
        assert 15_000 < use.bytes <= 20_000
        assert 5 < use.entries < 20
        feed.join(KEY, Topic(), sink, after=50)
        await settle()
        assert sink.got == numbers(51, 100)


async def test_a_hanging_rendering_does_not_keep_others_in_the_cache() -> None:
    log, stuck, topic, sink = Log(), Topic(), Topic(size=500), Sink()
    stuck.hold(1)
    async with feeding(log, renderings=20_000) as feed:
        feed.join("stuck", stuck, Sink())
        feed.join(KEY, topic, sink)
        log.commit(50)
        await notified(feed)
        assert len(sink.got) == 50
        assert feed.cache_use()["renderings"].bytes <= 20_000


async def test_a_watcher_gets_every_event_until_it_ends() -> None:
    log = Log()
    seen: list[int] = []
    async with feeding(log) as feed:
        end = feed.watch(lambda event: seen.append(event.id))
        log.commit(2)
        await notified(feed)
        end()
        log.commit()
        await notified(feed)
        assert seen == [1, 2]


@pytest.mark.asyncio(loop_scope="function")  # servers of other tests have tasks on the shared loop
async def test_closing_leaves_no_task() -> None:
    log, topic = Log(10), Topic()
    topic.hold(11)
    before = asyncio.all_tasks()
    async with feeding(log) as feed:
        slow = Sink()
        slow.room.clear()
        feed.join(KEY, topic, Sink())
        feed.join(KEY, topic, slow, after=0)
        log.commit()
        await notified(feed)
    assert asyncio.all_tasks() == before
