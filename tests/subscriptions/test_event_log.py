"""The log: appending, cursors, retention, and that a reader who follows it misses nothing."""

import asyncio
import datetime as dt
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from models import EventKind, RiskGrade, Role, Subject
from models.db.database import Database
from subscriptions import event_log
from tests.conftest import NOW
from tests.support.log_writes import append_events, wait_for_lock_waiter
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof

WRITERS = 8
APPENDS = 200 if PROVING else 12
LONGEST = 0.004  # seconds that a writer lets pass between its statements
EPOCH = "0123456789abcdef"
OTHER = "fedcba9876543210"


def event(subject_id: int = 1, **given: Any) -> dict[str, Any]:
    kind = EventKind.TEAM_STANDBY_SET
    return {"at": NOW, "kind": kind, "subject": kind.subject, "subject_id": subject_id, **given}


async def state(database: Database) -> event_log.LogState:
    async with database.read() as connection:
        return await event_log.state(connection)


async def subjects(database: Database, number: int = 0, limit: int = 1_000) -> list[int]:
    async with database.read() as connection:
        return [row.subject_id for row in await event_log.after(connection, number, limit)]


# Appending


async def test_an_empty_log_has_a_head_of_zero(database: Database) -> None:
    log_state = await state(database)
    assert log_state.head == 0
    assert log_state.number(log_state.cursor) == 0
    assert await subjects(database) == []


async def test_events_are_read_in_the_order_of_their_appending(database: Database) -> None:
    first = await append_events(database, *(event(n) for n in range(100, 0, -1)))
    second = await append_events(database, event(1_000))
    assert first == sorted(first)
    assert (await state(database)).head == second[0] > first[-1]
    assert await subjects(database) == [*range(100, 0, -1), 1_000]
    assert await subjects(database, first[-2]) == [1, 1_000]
    assert await subjects(database, first[9], 3) == [90, 89, 88]
    assert await subjects(database, second[0]) == []


async def test_dates_never_run_backwards(database: Database) -> None:
    """Though a clock jumps, and though the servers' clocks differ."""
    minutes = [0, 5, -60, 4, 6, -1]
    for minute in minutes:
        at = NOW + dt.timedelta(minutes=minute)
        await append_events(database, event(1, at=at), event(2, at=at))
    async with database.read() as connection:
        rows = await event_log.after(connection, 0, 100)
    expected = [NOW + dt.timedelta(minutes=minute) for minute in (0, 5, 5, 5, 6, 6)]
    assert [row.at for row in rows] == [at for at in expected for _ in range(2)]
    assert [row.subject_id for row in rows] == [1, 2] * len(minutes)


async def test_a_row_is_read_as_it_was_written(database: Database) -> None:
    given = {
        "at": dt.datetime(2026, 6, 15, 4, 0, 0, 123456, tzinfo=dt.UTC),
        "occurred_at": dt.datetime(2026, 6, 15, 3, 0, tzinfo=dt.UTC),
        "kind": EventKind.WARNING_ISSUED,
        "subject": Subject.WARNING,
        "subject_id": 7,
        "actor_role": Role.COMMANDER,
        "actor_name": "值班长",
        "actor": "account:7",
        "internal": True,
        "from_status": "OPEN",
        "to_status": "CLOSED",
        "changes": [{"field": "level", "from": None, "to": "RED", "personal": False}],
        "enterprise_id": None,
        "zone_id": None,
        "zones": frozenset({3, 12, 1}),
        "rings": frozenset(),
        "venues": frozenset({5}),
        "risk": RiskGrade.ORANGE,
        "major": True,
        "rows": 12,
        "source": "demo",
    }
    [number] = await append_events(database, given)
    async with database.read() as connection:
        [row] = await event_log.after(connection, 0, 10)
    assert dict(row._mapping) == {"id": number, **given}


async def test_omitted_columns_are_empty(database: Database) -> None:
    await append_events(database, event())
    async with database.read() as connection:
        [row] = await event_log.after(connection, 0, 10)
    assert (row.changes, row.zones, row.rings, row.venues, row.major) == ([], frozenset(), frozenset(), frozenset(), 0)
    assert (row.actor_role, row.from_status, row.enterprise_id, row.risk, row.rows) == (None, None, None, None, None)


async def test_a_number_is_used_once(database: Database) -> None:
    numbers = await append_events(database, event(1), event(2))
    async with database.write() as session:
        await session.execute(sa.delete(event_log.EVENT).where(event_log.EVENT.c.id == numbers[-1]))
    assert (await append_events(database, event(3)))[0] > numbers[-1]


# Cursors


@pytest.mark.parametrize("number", [0, 1, 41, 42])
def test_a_cursor_names_its_event(number: int) -> None:
    log_state = event_log.LogState(EPOCH, 42)
    assert log_state.number(log_state.cursor_of(number)) == number


@pytest.mark.parametrize(
    ("cursor", "code"),
    [
        (f"{OTHER}-1", "CURSOR_FOREIGN"),
        (f"{OTHER}-43", "CURSOR_FOREIGN"),
        (f"{EPOCH}-43", "CURSOR_AHEAD"),
        (f"{EPOCH}-2147483648", "CURSOR_AHEAD"),
        (f"{EPOCH}-9999999999", "CURSOR_AHEAD"),
        (f"{EPOCH}-99999999999", "BAD_CURSOR"),
        (f"{EPOCH}-" + "9" * 5_000, "BAD_CURSOR"),
        (f"{EPOCH}-01", "BAD_CURSOR"),
        (f"{EPOCH}-00", "BAD_CURSOR"),
        (f"{EPOCH}-+1", "BAD_CURSOR"),
        (f"{EPOCH}--1", "BAD_CURSOR"),
        (f"{EPOCH}-1_0", "BAD_CURSOR"),
        (f"{EPOCH}- 1", "BAD_CURSOR"),
        (f"{EPOCH}-1\n", "BAD_CURSOR"),
        (f"{EPOCH}-1.0", "BAD_CURSOR"),
        (f"{EPOCH}-１", "BAD_CURSOR"),
        (f"{EPOCH}-١", "BAD_CURSOR"),
        (f"{EPOCH}-", "BAD_CURSOR"),
        (f"{EPOCH}", "BAD_CURSOR"),
        (f"{EPOCH.upper()}-1", "BAD_CURSOR"),
        (f"{EPOCH}0-1", "BAD_CURSOR"),
        (f"{EPOCH[:-1]}０-1", "BAD_CURSOR"),
        (f" {EPOCH}-1", "BAD_CURSOR"),
        (f"{EPOCH}-1\0", "BAD_CURSOR"),
        ("", "BAD_CURSOR"),
        ("\ud800", "BAD_CURSOR"),
        ("RXZlbnQ6MQ==", "BAD_CURSOR"),
    ],
)
def test_a_cursor_that_cannot_be_resumed_from_is_refused(cursor: str, code: str) -> None:
    with pytest.raises(event_log.CursorRefused) as refused:
        event_log.LogState(EPOCH, 42).number(cursor)
    assert refused.value.code == code
    assert refused.value.reason


async def test_each_database_has_an_epoch_of_its_own(database: Database) -> None:
    [number] = await append_events(database, event())
    log_state = await state(database)
    assert log_state.cursor == log_state.cursor_of(number)
    with pytest.raises(event_log.CursorRefused, match="another log"):
        event_log.LogState(OTHER, number).number(log_state.cursor)


async def test_a_renewed_epoch_refuses_earlier_cursors(database: Database) -> None:
    await append_events(database, event(), event())
    before = await state(database)
    async with database.write() as session:
        await event_log.renew_epoch(session, EPOCH)
    after = await state(database)
    assert (after.epoch, after.head) == (EPOCH, before.head)
    with pytest.raises(event_log.CursorRefused) as refused:
        after.number(before.cursor)
    assert refused.value.code == "CURSOR_FOREIGN"
    assert after.number(after.cursor) == before.head
    assert len(await subjects(database)) == 2


@pytest.mark.parametrize("epoch", ["", "0123456789abcde", EPOCH + "0", EPOCH.upper(), "0123456789abcde-", "０" * 16])
async def test_an_epoch_in_a_wrong_format_is_refused(database: Database, epoch: str) -> None:
    before = await state(database)
    with pytest.raises(ValueError, match="16 hexadecimal digits"):
        async with database.write() as session:
            await event_log.renew_epoch(session, epoch)
    assert await state(database) == before


# Retention


async def test_retention_bounds_resuming_and_deletes_nothing(database: Database) -> None:
    days = [10, 5, 1]
    numbers = await append_events(database, *(event(day, at=NOW - dt.timedelta(days=day)) for day in days))

    async def refused(number: int, retention: dt.timedelta | None) -> str | None:
        async with database.read() as connection:
            try:
                await event_log.resumable(connection, number, retention, NOW)
            except event_log.CursorRefused as error:
                return error.code
            return None

    week, hour, old = dt.timedelta(days=7), dt.timedelta(hours=1), "CURSOR_TOO_OLD"
    assert [await refused(n, None) for n in (0, *numbers)] == [None] * 4
    # The event after the one of ten days ago is five days old, so a stream may resume there.
    assert [await refused(n, week) for n in (0, *numbers)] == [old, None, None, None]
    assert [await refused(n, hour) for n in (0, *numbers)] == [old, old, old, None]
    assert await refused(0, dt.timedelta(days=10)) is None
    # The log and its cursors are unchanged.
    assert await subjects(database) == days
    now = await state(database)
    assert [now.number(now.cursor_of(n)) for n in numbers] == numbers


async def test_an_empty_log_can_always_be_resumed(database: Database) -> None:
    async with database.read() as connection:
        await event_log.resumable(connection, 0, dt.timedelta(0), NOW)


# Order


class Undone(Exception):
    """Raised by a writer to roll back."""


Pause = Callable[[], Awaitable[None]]


async def write(database: Database, writer: int, pause: Pause, undone: Callable[[], bool]) -> list[int]:
    """Append again and again with random pauses. Returns what was committed, by subject."""
    committed = []
    for turn in range(APPENDS):
        names = [writer * 1_000_000 + turn * 10 + place for place in range(1 + turn % 3)]
        try:
            async with database.write() as session:
                await pause()
                await event_log.append(session, [event(name) for name in names])
                await pause()
                if undone():
                    raise Undone
        except Undone:
            continue
        committed += names
    return committed


async def follow(database: Database, number: int, done: Callable[[], bool]) -> list[tuple[int, int]]:
    """Follow the log from a number until the writers are done. Returns what was read."""
    read: list[tuple[int, int]] = []
    while True:
        last = done()
        async with database.read() as connection:
            rows = await event_log.after(connection, read[-1][0] if read else number, 7)
        read += [(row.id, row.subject_id) for row in rows]
        if last and not rows:
            return read
        await asyncio.sleep(0)


@pytest.mark.parametrize("aborting", [0.0, 0.3], ids=["all commit", "some give up"])
async def test_a_reader_that_follows_the_log_skips_no_event(
    database: Database, aborting: float, record_proof: RecordProof
) -> None:
    random_ = random.Random(17)
    [number] = await append_events(database, event(-1))

    async def pause() -> None:
        await asyncio.sleep(random_.random() * LONGEST)

    # Each takes one connection; together they need fewer than the pool has.
    writing = [
        asyncio.create_task(write(database, writer, pause, lambda: random_.random() < aborting))
        for writer in range(WRITERS)
    ]
    reading = asyncio.create_task(follow(database, number, lambda: all(task.done() for task in writing)))
    began = time.monotonic()
    committed = await asyncio.gather(*writing)
    read = await reading
    seconds = time.monotonic() - began

    numbers = [n for n, _ in read]
    assert numbers == sorted(set(numbers))
    by_writer = [[name for _, name in read if name // 1_000_000 == writer] for writer in range(WRITERS)]
    assert by_writer == committed
    assert [name for _, name in read] == await subjects(database, number, 100_000)
    assert bool(aborting) == (len(read) < WRITERS * sum(1 + turn % 3 for turn in range(APPENDS)))
    record_proof(
        "log-order",
        "Writers append while a reader follows by cursor: none skipped, none repeated, in order",
        {
            "database": ("SQLite" if database.sqlite else "PostgreSQL") + (", 30 % give up" if aborting else ""),
            "writers": WRITERS,
            "transactions": f"{WRITERS * APPENDS:,}",
            "events committed": f"{sum(map(len, committed)):,}",
            "skipped": sum(map(len, committed)) - len(read),
            "seconds": f"{seconds:.1f}",
        },
    )


async def test_an_append_waits_for_an_earlier_one(database: Database) -> None:
    """A later number is committed later, however long the first transaction takes."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> list[int]:
        async with database.write() as session:
            numbers = await event_log.append(session, [event(1)])
            begun.set()
            await go_on.wait()
            return numbers

    first = asyncio.create_task(slow())
    await begun.wait()
    second = asyncio.create_task(append_events(database, event(2)))
    await wait_for_lock_waiter(database)
    assert not second.done()
    assert await subjects(database) == []
    go_on.set()
    assert (await first)[0] < (await second)[0]
    assert await subjects(database) == [1, 2]


async def test_a_rolled_back_append_leaves_no_event(database: Database) -> None:
    async def give_up() -> None:
        async with database.write() as session:
            await event_log.append(session, [event(n) for n in range(5)])
            raise Undone

    await append_events(database, event(1))
    before = await state(database)
    with pytest.raises(Undone):
        await give_up()
    assert await state(database) == before
    [number] = await append_events(database, event(2))
    assert await subjects(database, before.head) == [2]
    assert (await state(database)).head == number
