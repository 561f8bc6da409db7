"""The feed when a reader, a rendering, a check or the log fails: others get every event, and nobody loses one."""

import asyncio

import pytest

from subscriptions import event_window
from subscriptions import feed as feeds
from tests.support.memory_feed import Log, Sink, Topic, feeding, notified, numbers, settle
from tests.support.patience import PATIENCE

KEY = "key"


async def test_pending_events_are_bounded_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PENDING", 5)
    log, topic, first, second = Log(), Topic(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, topic, first)
        ready = topic.hold(1)
        log.commit(30)
        await notified(feed)
        assert len(feed.groups[KEY].pending) <= 5
        feed.join(KEY, topic, second)  # while the group lags behind
        log.commit(3)
        await notified(feed)
        ready.set()
        await settle()
        assert first.got == numbers(1, 33)
        assert second.got == [31, 32, 33]
        log.commit()
        await notified(feed)
        assert (first.got[-1], second.got[-1]) == (34, 34)


async def test_a_stalled_reader_does_not_slow_a_group_that_reads_the_log_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PENDING", 2)
    log, topic, stalled, other = Log(), Topic(), Sink(), Sink()
    stalled.room.clear()
    async with feeding(log) as feed:
        feed.join(KEY, topic, stalled)
        feed.join(KEY, topic, other)
        ready = topic.hold(1)
        log.commit(10)
        await notified(feed)
        ready.set()
        await settle()
        assert other.got == numbers(1, 10)


async def test_a_failed_rendering_fails_only_the_members_of_its_group() -> None:
    log, bad, good, first, second, other = Log(), Topic(fails_at=2), Topic(), Sink(), Sink(), Sink()
    async with feeding(log) as feed:
        places = [feed.join("bad", bad, first), feed.join("bad", bad, second)]
        feed.join("good", good, other)
        log.commit(3)
        await notified(feed)
        assert (first.got, second.got, other.got) == ([1], [1], [1, 2, 3])
        assert (first.failed, second.failed, other.failed) == (True, True, False)
        assert [place.position for place in places] == [None, None]
        assert list(feed.groups) == ["good"]
        again = Sink()
        feed.join("bad", Topic(), again, after=1)  # repaired
        await settle()
        assert again.got == [2, 3]


async def test_a_failed_filter_keeps_the_event_from_no_other_group() -> None:
    class Broken(Topic):
        def matches(self, event: object) -> bool:
            raise TypeError

    log, first, other = Log(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join("bad", Broken(), first)
        feed.join("good", Topic(), other)
        log.commit(2)
        await notified(feed)
        assert (first.failed, other.got) == (True, [1, 2])


async def test_the_feed_waits_for_a_log_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "POLL", 0.01)
    monkeypatch.setattr(event_window, "WINDOW", 1)
    log, live, resumed = Log(5), Sink(), Sink()
    async with feeding(log) as feed:
        log.away = True
        feed.join(KEY, Topic(), live)
        place = feed.join(KEY, Topic(), resumed, after=0)
        log.commit(2)
        await notified(feed)
        assert (live.got, resumed.got, place.position) == ([], [], 0)
        done = asyncio.Event()
        resumed.sent = lambda number: done.set() if number == 7 else None
        log.away = False
        await asyncio.wait_for(done.wait(), PATIENCE)
        assert (live.got, resumed.got) == ([6, 7], numbers(1, 7))
        assert (live.failed, resumed.failed) == (False, False)


async def test_a_read_without_an_answer_is_given_up_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "READ_SECONDS", 0.01)
    monkeypatch.setattr(feeds, "POLL", 0.01)
    log, sink, sent = Log(), Sink(), asyncio.Event()
    sink.sent = lambda number: sent.set()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), sink)
        log.free.clear()
        log.commit()
        feed.notify()
        # Given up after a moment and tried again.
        await asyncio.wait_for(log.read_often(4), PATIENCE)
        log.free.set()
        await asyncio.wait_for(sent.wait(), PATIENCE)
        assert sink.got == [1]


# Checks


@pytest.mark.parametrize("after", [None, 0])
async def test_a_member_that_a_check_removes_gets_no_event_that_was_read_before(after: int | None) -> None:
    """A member that replays the log is removed before it gets the next page."""
    log, removed, other = Log(), Sink(), Sink()

    async def check() -> None:
        await asyncio.sleep(0)
        if log.last == 2:
            place.leave()

    async with feeding(log, check) as feed:
        place = feed.join(KEY, Topic(), removed, after)
        feed.join(KEY, Topic(), other)
        log.commit()
        await notified(feed)
        log.commit()
        await notified(feed)
        assert (removed.got, other.got) == ([1], [1, 2])


async def test_events_wait_while_a_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "POLL", 0.01)
    log, sink, sent, failures = Log(), Sink(), asyncio.Event(), iter([ConnectionError(), ConnectionError()])
    sink.sent = lambda number: sent.set()

    async def check() -> None:
        assert sink.got == []
        if (failure := next(failures, None)) is not None:
            raise failure

    async with feeding(log, check) as feed:
        feed.join(KEY, Topic(), sink)
        log.commit()
        await asyncio.wait_for(sent.wait(), PATIENCE)
        assert next(failures, None) is None
        assert sink.got == [1]


async def test_events_from_the_window_are_not_checked_again() -> None:
    log, sink, checks = Log(), Sink(), []

    async def check() -> None:
        checks.append(log.last)

    async with feeding(log, check) as feed:
        log.commit(3)
        await notified(feed)
        feed.join(KEY, Topic(), sink, after=0)
        await settle()
        assert (sink.got, checks) == ([1, 2, 3], [3])
