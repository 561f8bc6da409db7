"""The feed: whoever joins, leaves or comes back when it is least convenient gets every event once, and in order.

Long, because each race has its own step-by-step telling and they are read together.
"""

import asyncio

import pytest

from subscriptions import feed as feeds
from tests.support.memory_feed import Log, Sink, Topic, feeding, notified, numbers, settle
from tests.support.patience import PATIENCE

KEY = "key"


# Who is there


async def test_who_joins_gets_what_comes_after() -> None:
    log, sink = Log(3), Sink()
    async with feeding(log) as feed:
        place = feed.join(KEY, Topic(), sink)
        log.commit(2)
        await notified(feed)
        assert sink.got == [4, 5]
        assert place.position == 5


async def test_who_leaves_gets_nothing_more_and_may_leave_twice() -> None:
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


async def test_only_what_matches_is_rendered_and_the_place_moves_on_all_the_same() -> None:
    log, sink, topic = Log(), Sink(), Topic("blue")
    async with feeding(log) as feed:
        place = feed.join(KEY, topic, sink)
        log.commit(3, "red")
        log.commit(1, "blue")
        log.commit(3, "red")
        await notified(feed)
        assert sink.got == topic.rendered == [4]
        assert place.position == 7


async def test_an_event_is_rendered_once_for_all_of_a_group() -> None:
    log, topic, sinks = Log(), Topic(), [Sink() for _ in range(50)]
    async with feeding(log) as feed:
        for sink in sinks:
            feed.join(KEY, topic, sink)
        log.commit(10)
        await notified(feed)
        assert all(sink.got == numbers(1, 10) for sink in sinks)
        assert topic.rendered == numbers(1, 10)


async def test_a_ring_during_a_read_reads_again() -> None:
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


async def test_without_any_ring_the_log_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "POLL", 0.01)
    log, sink, told = Log(), Sink(), asyncio.Event()
    sink.sent = lambda number: told.set()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), sink)
        log.commit()
        await asyncio.wait_for(told.wait(), PATIENCE)
        assert sink.got == [1]


# Joining while something is under way


async def test_who_joins_while_an_event_is_rendered_gets_only_later_ones() -> None:
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


async def test_who_resumes_while_the_very_event_is_rendered_gets_it_once() -> None:
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


async def test_a_reader_does_not_run_ahead_of_the_tail() -> None:
    """Whoever read what is committed and not yet heard of would have it once more when it is heard of."""
    log, first, second = Log(8), Sink(), Sink()
    async with feeding(log) as feed:
        log.commit(2)  # nobody rings
        feed.join(KEY, Topic(), first, after=5)
        await settle()
        assert first.got == [6, 7, 8]
        feed.join(KEY, Topic(), second, after=9)  # from a server that has heard
        await notified(feed)
        log.commit()
        await notified(feed)
        assert first.got == numbers(6, 11)
        assert second.got == [10, 11]


async def test_a_client_ahead_of_its_server_gets_nothing_again() -> None:
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


async def test_who_stops_lets_the_next_begin_anew() -> None:
    """A group that ends while it renders must not take the next one's members with it."""
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


async def test_who_leaves_from_within_a_sending_is_not_sent_to_again() -> None:
    log, first, second = Log(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), first)
        place = feed.join(KEY, Topic(), second)
        first.sent = lambda number: place.leave()
        log.commit(2)
        await notified(feed)
        assert first.got == [1, 2]
        assert second.got == [1]  # it was under way


# Coming back


async def test_a_replay_joins_the_group_without_a_gap_or_a_repeat() -> None:
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


async def test_a_replay_that_ends_while_the_group_renders_gets_that_event_once() -> None:
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
    """Merged into a group that still renders, it must not get once more what it has read by itself."""
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


async def test_a_replay_without_a_group_becomes_it() -> None:
    log, topic, first, second = Log(5), Topic(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, topic, first, after=2)
        await settle()
        feed.join(KEY, topic, second)
        log.commit()
        await notified(feed)
        assert (first.got, second.got) == ([3, 4, 5, 6], [6])


async def test_a_replay_goes_at_its_readers_pace_and_nobody_elses() -> None:
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


async def test_who_leaves_in_the_middle_of_a_replay_is_forgotten() -> None:
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


# What goes wrong


async def test_what_waits_for_a_group_is_bounded_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PENDING", 5)
    log, topic, first, second = Log(), Topic(), Sink(), Sink()
    async with feeding(log) as feed:
        feed.join(KEY, topic, first)
        ready = topic.hold(1)
        log.commit(30)
        await notified(feed)
        assert len(feed.groups[KEY].pending) <= 5
        feed.join(KEY, topic, second)  # while it lags behind
        log.commit(3)
        await notified(feed)
        ready.set()
        await settle()
        assert first.got == numbers(1, 33)
        assert second.got == [31, 32, 33]
        log.commit()
        await notified(feed)
        assert (first.got[-1], second.got[-1]) == (34, 34)


async def test_a_reader_who_stalls_does_not_slow_a_group_that_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_rendering_that_fails_is_told_to_its_members_alone() -> None:
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
        feed.join("bad", Topic(), again, after=1)  # mended
        await settle()
        assert again.got == [2, 3]


async def test_a_filter_that_fails_keeps_the_event_from_nobody_else() -> None:
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


async def test_a_log_that_cannot_be_read_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_database_that_has_gone_without_a_word_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "READ_SECONDS", 0.01)
    monkeypatch.setattr(feeds, "POLL", 0.01)
    log, sink, told = Log(), Sink(), asyncio.Event()
    sink.sent = lambda number: told.set()
    async with feeding(log) as feed:
        feed.join(KEY, Topic(), sink)
        log.free.clear()
        log.commit()
        feed.notify()
        # Given up after a moment, and tried again.
        await asyncio.wait_for(log.read_often(4), PATIENCE)
        log.free.set()
        await asyncio.wait_for(told.wait(), PATIENCE)
        assert sink.got == [1]


# What it keeps


async def test_short_resumes_read_no_database_and_long_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
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
async def test_the_window_begins_where_it_should(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "WINDOW", 4)
    log, sink = Log(3), Sink()
    async with feeding(log) as feed:
        log.commit(15)
        await notified(feed)
        feed.join(KEY, Topic(), sink, after=after)
        await settle()
        assert sink.got == numbers(after + 1, 18)


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_rendering_that_hangs_does_not_keep_others_from_being_forgotten(
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


async def test_watchers_hear_of_every_event_until_they_end() -> None:
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


async def test_closing_leaves_nothing_at_work() -> None:
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
