"""The feed: every member gets every event once and in order, whenever it joins, leaves or resumes.

Long, because each race is told step by step, and the races are read together.
"""

import asyncio

import pytest

from subscriptions import feed as feeds
from tests.support.memory_feed import Log, Sink, Topic, feeding, notified, numbers, settle
from tests.support.patience import PATIENCE

KEY = "key"


# Members


async def test_a_new_member_gets_later_events() -> None:
    log, sink = Log(3), Sink()
    async with feeding(log) as feed:
        place = feed.join(KEY, Topic(), sink)
        log.commit(2)
        await notified(feed)
        assert sink.got == [4, 5]
        assert place.position == 5


async def test_a_member_that_left_gets_nothing_more_and_may_leave_twice() -> None:
    log, sink = Log(), Sink()
    async with feeding(log) as feed:
        place = feed.join(KEY, Topic(), sink)
        log.commit()
        await notified(feed)
        place.leave()
        place.leave()
        log.commit()
        await notified(feed)
        assert sink.got == [1]
        assert place.position is None
        assert (feed.groups, feed.memberships) == ({}, {})


async def test_only_matching_events_are_rendered_but_all_move_the_position() -> None:
    log, sink, topic = Log(), Sink(), Topic("blue")
    async with feeding(log) as feed:
        place = feed.join(KEY, topic, sink)
        log.commit(3, "red")
        log.commit(1, "blue")
        log.commit(3, "red")
        await notified(feed)
        assert sink.got == topic.rendered == [4]
        assert place.position == 7


async def test_an_event_is_rendered_once_for_a_group() -> None:
    log, topic, sinks = Log(), Topic(), [Sink() for _ in range(50)]
    async with feeding(log) as feed:
        for sink in sinks:
            feed.join(KEY, topic, sink)
        log.commit(10)
        await notified(feed)
        assert all(sink.got == numbers(1, 10) for sink in sinks)
        assert topic.rendered == numbers(1, 10)


async def test_a_notification_during_a_read_causes_another_read() -> None:
    log, sink = Log(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), sink)
        log.free.clear()
        log.commit()
        feed.notify()
        await settle()
        log.commit()  # after the read has looked
        feed.notify()
        log.free.set()
        await settle()
        assert sink.got == [1, 2]


async def test_the_log_is_read_without_a_notification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "POLL", 0.01)
    log, sink, sent = Log(), Sink(), asyncio.Event()
    sink.sent = lambda number: sent.set()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), sink)
        log.commit()
        await asyncio.wait_for(sent.wait(), PATIENCE)
        assert sink.got == [1]


# Joining during a rendering


async def test_a_member_that_joins_during_a_rendering_gets_only_later_events() -> None:
    log, topic, first, second = Log(), Topic(), Sink(), Sink()
    ready = topic.hold(1)
    async with feeding(log) as feed:
        feed.join(KEY, topic, first)
        log.commit()
        await notified(feed)
        place = feed.join(KEY, topic, second)
        assert place.position == 1
        log.commit()
        await notified(feed)
        ready.set()
        await settle()
        assert (first.got, second.got) == ([1, 2], [2])


async def test_a_member_that_resumes_during_a_rendering_gets_that_event_once() -> None:
    log, topic, first, second = Log(), Topic(), Sink(), Sink()
    ready = topic.hold(2)
    async with feeding(log) as feed:
        feed.join(KEY, topic, first)
        log.commit(3)
        await notified(feed)
        feed.join(KEY, topic, second, after=0)
        await settle()
        assert second.got == [1]
        ready.set()
        await settle()
        assert first.got == second.got == [1, 2, 3]
        assert topic.rendered == [1, 2, 3]


async def test_a_replay_does_not_read_beyond_the_head() -> None:
    """An event that is committed and not yet dispatched would otherwise be sent twice."""
    log, first, second = Log(8), Sink(), Sink()
    async with feeding(log) as feed:
        log.commit(2)  # without a notification
        feed.join(KEY, Topic(), first, after=5)
        await settle()
        assert first.got == [6, 7, 8]
        feed.join(KEY, Topic(), second, after=9)  # from a server that was notified
        await notified(feed)
        log.commit()
        await notified(feed)
        assert first.got == numbers(6, 11)
        assert second.got == [10, 11]


async def test_a_client_ahead_of_its_server_gets_no_event_twice() -> None:
    log, behind, ahead = Log(4), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), behind)
        place = feed.join(KEY, Topic(), ahead, after=6)
        log.commit(2)
        assert place.position == 6
        await notified(feed)
        assert (behind.got, ahead.got) == ([5, 6], [])
        log.commit(2)
        await notified(feed)
        assert (behind.got, ahead.got) == ([5, 6, 7, 8], [7, 8])


async def test_a_client_ahead_may_be_the_first_of_its_group() -> None:
    log, sink = Log(4), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), sink, after=5)
        log.commit(3)
        await notified(feed)
        assert sink.got == [6, 7]


async def test_a_new_group_begins_after_the_last_member_left() -> None:
    """A group that ends during a rendering must not end the next group of its key."""
    log, topic, first, second = Log(), Topic(), Sink(), Sink()
    ready = topic.hold(1)
    async with feeding(log) as feed:
        place = feed.join(KEY, topic, first)
        log.commit()
        await notified(feed)
        place.leave()
        feed.join(KEY, topic, second)
        ready.set()
        log.commit()
        await notified(feed)
        assert (first.got, second.got) == ([], [2])


async def test_a_member_that_leaves_during_a_delivery_gets_nothing_after_it() -> None:
    log, first, second = Log(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), first)
        place = feed.join(KEY, Topic(), second)
        first.sent = lambda number: place.leave()
        log.commit(2)
        await notified(feed)
        assert first.got == [1, 2]
        assert second.got == [1]  # that delivery was under way


# Resuming


async def test_a_replay_merges_into_the_group_without_a_gap_or_a_repeat() -> None:
    log, topic, live, resumed = Log(20), Topic(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, topic, live)
        place = feed.join(KEY, topic, resumed, after=3)
        log.commit(5)
        await notified(feed)
        assert live.got == numbers(21, 25)
        assert resumed.got == numbers(4, 25)
        assert place.group is feed.groups[KEY]
        assert len(feed.groups) == 1


async def test_a_replay_that_ends_during_a_rendering_gets_that_event_once() -> None:
    log, topic, live, resumed = Log(2), Topic(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, topic, live)
        ready = topic.hold(4)
        log.commit(2)
        await notified(feed)
        feed.join(KEY, topic, resumed, after=0)
        await settle()
        assert (live.got, resumed.got) == ([3], [1, 2, 3])
        log.commit()
        await notified(feed)
        ready.set()
        await settle()
        assert (live.got, resumed.got) == ([3, 4, 5], [1, 2, 3, 4, 5])


async def test_a_replay_that_is_ahead_of_its_group_waits_for_it() -> None:
    """After it merged into a group that is still rendering, it must not get again what it has read itself."""
    log, topic, live, resumed = Log(), Topic(), Sink(), Sink()
    ready = topic.hold(1)
    async with feeding(log) as feed:
        feed.join(KEY, topic, live)
        log.commit(4)
        await notified(feed)
        place = feed.join(KEY, topic, resumed, after=1)
        await settle()
        assert (live.got, resumed.got) == ([], [2, 3, 4])
        assert place.group is feed.groups[KEY]
        assert place.position == 4
        ready.set()
        log.commit()
        await notified(feed)
        assert (live.got, resumed.got) == ([1, 2, 3, 4, 5], [2, 3, 4, 5])


async def test_a_replay_without_a_group_becomes_the_group() -> None:
    log, topic, first, second = Log(5), Topic(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, topic, first, after=2)
        await settle()
        feed.join(KEY, topic, second)
        log.commit()
        await notified(feed)
        assert (first.got, second.got) == ([3, 4, 5, 6], [6])


async def test_a_replay_goes_at_its_own_readers_pace() -> None:
    log, topic, live, slow = Log(10), Topic(), Sink(), Sink()
    slow.room.clear()
    async with feeding(log) as feed:
        feed.join(KEY, topic, live)
        place = feed.join(KEY, topic, slow, after=0)
        log.commit(5)
        await notified(feed)
        assert (live.got, slow.got) == (numbers(11, 15), [1])
        assert place.position == 1
        slow.room.set()
        await settle()
        assert slow.got == numbers(1, 15)


async def test_a_member_that_leaves_during_a_replay_is_forgotten() -> None:
    log, topic, sink = Log(10), Topic(), Sink()
    sink.room.clear()
    async with feeding(log) as feed:
        place = feed.join(KEY, topic, sink, after=0)
        await settle()
        place.leave()
        sink.room.set()
        await settle()
        assert sink.got == [1]
        assert feed._tasks == set()
        assert (feed.groups, feed.memberships) == ({}, {})


async def test_a_storm_of_resumes_renders_each_event_once() -> None:
    log, topic, live = Log(300), Topic(), Sink()
    sinks = [Sink() for _ in range(1_000)]
    async with feeding(log) as feed:
        feed.join(KEY, topic, live)
        log.commit(100)
        await notified(feed)
        for number, sink in enumerate(sinks):
            feed.join(KEY, topic, sink, after=number % 400)
        log.commit(20)
        await notified(feed)
        while len(feed._tasks) > 1:
            await settle()
        assert all(sink.got == numbers(n % 400 + 1, 420) for n, sink in enumerate(sinks))
        assert len(topic.rendered) == feed.renderings == 420


# Failures


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
    monkeypatch.setattr(feeds, "WINDOW", 1)
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


# Memory


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
