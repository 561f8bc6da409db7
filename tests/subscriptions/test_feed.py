"""The feed: every member gets every event once and in order, whenever it joins, leaves or resumes."""

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


@pytest.mark.exhaustive
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
