"""A process is killed in the middle of its work: what it acknowledged is there, and nothing is there by halves."""

import asyncio
import time
from random import Random

import sqlalchemy as sa

from models.db.database import Database
from tests.conftest import Databases, close_for_copying
from tests.support.log_audit import Snapshot, audit, snapshot
from tests.support.proof_mode import PROVING
from tests.support.proofs import record
from tests.support.worker_handle import WorkerProcess, settings_url

KILLS = 20 if PROVING else 3
STREAMS = 4
ENDLESS = 1_000_000
# After so many lines, and a moment more so that it does not always meet the same step of an action.
LINES = (10, 60)
MOMENT = 0.02


async def test_a_process_that_is_killed(own_demo: Database) -> None:
    rng = Random(5)
    acknowledged = unacknowledged = events = 0
    began = time.monotonic()
    for kill in range(KILLS):
        before = await snapshot(own_demo)
        lines = await work_and_die(own_demo, f"k{kill}", rng)
        # Who comes after finds what is there with connections of its own.
        await own_demo.close()
        await gone(own_demo)
        found = await audit(own_demo, before, lines)
        # Each stream can have been at one action that was committed and not yet said.
        assert len(found.unsaid) <= STREAMS
        acknowledged += found.accepted
        unacknowledged += len(found.unsaid)
        events += len(found.events)
    await goes_on(own_demo)
    record(
        "kill",
        "A process killed in the middle of its work",
        {
            "database": "SQLite" if own_demo.sqlite else "PostgreSQL",
            "kills": KILLS,
            "acknowledged actions": f"{acknowledged:,}",
            "lost": 0,
            "committed, killed before it was said": unacknowledged,
            "events": f"{events:,}",
            "rows without events, or events without rows": 0,
            "seconds": f"{time.monotonic() - began:.1f}",
        },
    )


async def work_and_die(database: Database, name: str, rng: Random) -> list[dict[str, object]]:
    """What a process said before it was killed."""
    process = WorkerProcess(database, name, ENDLESS, STREAMS)
    try:
        await process.ready()
        process.go()
        async with asyncio.timeout(60):
            await process.says(rng.randint(*LINES))
        await asyncio.sleep(rng.random() * MOMENT)
        return await process.killed()
    finally:
        process.stop()


async def gone(database: Database) -> None:
    """Until PostgreSQL has noticed: it carries out what it was told, also when nobody waits for the answer."""
    if database.sqlite:
        return
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with asyncio.timeout(30):
        while True:
            async with database.read() as connection:
                if not (await connection.execute(others)).scalar():
                    return


async def goes_on(database: Database) -> None:
    """The database takes further work, to its end."""
    before: Snapshot = await snapshot(database)
    process = WorkerProcess(database, "after", 20, STREAMS)
    try:
        await process.ready()
        process.go()
        found = await audit(database, before, await process.ends())
    finally:
        process.stop()
    assert found.unsaid == set()
    assert found.accepted


async def test_a_copy_of_what_was_left_is_whole(databases: Databases, own_demo: Database) -> None:
    """SQLite's own check of its file, after a kill in the middle of a transaction."""
    await work_and_die(own_demo, "k", Random(7))
    await own_demo.close()
    await gone(own_demo)
    await own_demo.close()
    await close_for_copying(own_demo)
    copy = Database(await databases.new(settings_url(own_demo)))
    assert (await snapshot(copy)).rows == (await snapshot(own_demo)).rows
    if copy.sqlite:
        async with copy.read() as connection:
            assert (await connection.exec_driver_sql("PRAGMA integrity_check")).scalar() == "ok"
            assert (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all() == []
    await copy.close()
