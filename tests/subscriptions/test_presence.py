"""Presence by itself: desks of this process and of others, and processes that fall silent."""

import datetime as dt
from collections.abc import Callable

from subscriptions.presence import SILENT_SECONDS, Opened, Presence
from tests.conftest import NOW

HAZARD, CASE = ("Hazard", 1), ("Case", 2)


def opened(desk: str, row: tuple[str, int] | None, minutes: int = 0, identity: str = "account:1") -> Opened:
    return Opened(identity, desk, "周砚", row, NOW + dt.timedelta(minutes=minutes))


def watched(presence: Presence) -> Callable[[], int]:
    changes: list[None] = []
    presence.watch(lambda: changes.append(None))
    return lambda: len(changes)


def tell(one: Presence, other: Presence) -> None:
    message = one.message()
    assert message is not None
    other.receive(message)


def test_a_row_is_open_until_the_desk_leaves_or_opens_another() -> None:
    presence = Presence()
    changes = watched(presence)
    first, second = opened("a", HAZARD), opened("a", CASE, 1)
    leave_first = presence.enter(first)
    assert presence.all() == (first,)
    leave_second = presence.enter(second)
    # The page subscribes for the next row before it ends the subscription of the one before.
    leave_first()
    assert presence.all() == (second,)
    leave_second()
    assert presence.all() == ()
    assert changes() == 3


def test_a_desk_with_nothing_open_is_not_shown() -> None:
    presence = Presence()
    presence.enter(opened("a", None))
    assert presence.all() == ()


def test_nobody_takes_the_place_of_another_persons_desk() -> None:
    presence = Presence()
    mine, other = opened("a", HAZARD), opened("a", CASE, 1, identity="account:2")
    presence.enter(mine)
    presence.enter(other)
    assert presence.all() == (mine, other)


def test_another_process_is_told_what_is_open_and_that_nothing_is_any_more() -> None:
    here, there = Presence(), Presence()
    changes = watched(there)
    assert here.message() is None
    row = opened("a", HAZARD)
    leave = here.enter(row)
    tell(here, there)
    tell(here, there)  # repeated, without a change
    assert (there.all(), changes()) == ((row,), 1)
    tell(here, here)
    assert here.all() == (row,)
    leave()
    tell(here, there)
    assert (there.all(), changes()) == ((), 2)
    assert here.message() is None


def test_what_a_silent_process_had_open_is_dropped() -> None:
    now = 100.0
    here, there = Presence(), Presence(clock=lambda: now)
    here.enter(opened("a", HAZARD))
    tell(here, there)
    changes = watched(there)
    now += SILENT_SECONDS
    there.expire()
    assert len(there.all()) == 1
    now += 0.1
    there.expire()
    assert (there.all(), changes()) == ((), 1)


def test_a_desk_that_changed_its_process_counts_once() -> None:
    here, there = Presence(), Presence()
    here.enter(opened("a", HAZARD))
    tell(here, there)
    again = opened("a", CASE, 1)
    there.enter(again)
    assert there.all() == (again,)
    tell(there, here)
    assert here.all() == (again,)
