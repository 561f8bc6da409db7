"""The memory of the feed: recent and rendered events within bounds, and nothing after its end."""

import asyncio

import pytest

from subscriptions import feed as feeds
from tests.support.memory_feed import Log, Sink, Topic, feeding, notified, numbers, settle

KEY = "key"


async def test_only_long_resumes_read_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "WINDOW", 10)
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
    monkeypatch.setattr(feeds, "WINDOW", 4)
    log, sink = Log(3), Sink()
    async with feeding(log) as feed:
        log.commit(15)
        await notified(feed)
        feed.join(KEY, Topic(), sink, after=after)
        await settle()
        assert sink.got == numbers(after + 1, 18)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RENDERED_BYTES", 40_000)
    monkeypatch.setattr(feeds, "WINDOW", 16)
    log, topic, sink = Log(), Topic(size=500), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, topic, sink)
        for _ in range(20):
            log.commit(25)
            await notified(feed)
            assert feed._rendered_bytes <= 40_000
        assert sink.got == numbers(1, 500)
        assert feed._rendered_bytes == sum(feeds.weight(message) for message in feed._rendered.values())
        assert 0 < len(feed._rendered) < 40
        assert feed._rendering == {}
        assert len(feed._window) == 16


async def test_a_hanging_rendering_does_not_keep_others_in_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "RENDERED_BYTES", 20_000)
    log, stuck, topic, sink = Log(), Topic(), Topic(size=500), Sink()
    stuck.hold(1)
    async with feeding(log) as feed:
        feed.join("stuck", stuck, Sink())
        feed.join(KEY, topic, sink)
        log.commit(50)
        await notified(feed)
        assert len(sink.got) == 50
        assert feed._rendered_bytes <= 20_000


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
