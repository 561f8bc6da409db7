"""A process is killed in the middle of its work: nothing that it acknowledged is lost, nothing is half written."""

import asyncio
import time
from random import Random

import sqlalchemy as sa

from models.db.database import Database
from tests.conftest import Databases, close_for_copying
from tests.support.log_audit import Snapshot, audit, snapshot
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.worker_handle import WorkerProcess, settings_url

KILLS = 20 if PROVING else 3
STREAMS = 4
ENDLESS = 1_000_000
# The kill comes after this many reports and up to this many seconds, so that it hits different steps of an action.
REPORTS = (10, 60)
DELAY_SECONDS = 0.02


async def test_a_killed_process_loses_nothing_that_it_acknowledged(
    own_demo: Database, record_proof: RecordProof
) -> None:
    rng = Random(5)
    acknowledged = unacknowledged = events = 0
    began = time.monotonic()
    for kill in range(KILLS):
        before = await snapshot(own_demo)
        lines = await work_and_kill(own_demo, f"k{kill}", rng)
        # The audit reads with new connections, as a restarted process would.
        await own_demo.close()
        await wait_for_disconnect(own_demo)
        result = await audit(own_demo, before, lines)
        # Each stream may have committed one action without reporting it yet.
        assert len(result.unacknowledged) <= STREAMS
        acknowledged += result.accepted
        unacknowledged += len(result.unacknowledged)
        events += len(result.events)
    await check_further_work(own_demo)
    record_proof(
        "kill",
        "A process killed in the middle of its work: nothing acknowledged is lost, nothing is half written",
        {
            "database": "SQLite" if own_demo.sqlite else "PostgreSQL",
            "kills": KILLS,
            "acknowledged actions": f"{acknowledged:,}",
            "committed, killed before it was said": unacknowledged,
            "events": f"{events:,}",
            "seconds": f"{time.monotonic() - began:.1f}",
        },
    )


async def work_and_kill(database: Database, name: str, rng: Random) -> list[dict[str, object]]:
    """Kill a process at work; what it had reported."""
    process = WorkerProcess(database, name, ENDLESS, STREAMS)
    try:
        await process.start()
        process.go()
        async with asyncio.timeout(PATIENCE):
            await process.reported(rng.randint(*REPORTS))
        await asyncio.sleep(rng.random() * DELAY_SECONDS)
        return await process.kill()
    finally:
        process.close()


async def wait_for_disconnect(database: Database) -> None:
    """Wait until the killed process's connections end: PostgreSQL finishes a statement even if its client is gone."""
    if database.sqlite:
        return
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with asyncio.timeout(PATIENCE):
        while True:
            async with database.read() as connection:
                if not (await connection.execute(others)).scalar():
                    return


async def check_further_work(database: Database) -> None:
    """Another process can work on the database without any error."""
    before: Snapshot = await snapshot(database)
    process = WorkerProcess(database, "after", 20, STREAMS)
    try:
        await process.start()
        process.go()
        result = await audit(database, before, await process.finish())
    finally:
        process.close()
    assert result.unacknowledged == set()
    assert result.accepted


async def test_a_copy_made_after_a_kill_is_intact(databases: Databases, own_demo: Database) -> None:
    """SQLite's own integrity check passes after a kill in the middle of a transaction."""
    await work_and_kill(own_demo, "k", Random(7))
    await own_demo.close()
    await wait_for_disconnect(own_demo)
    await own_demo.close()
    await close_for_copying(own_demo)
    copy = Database(await databases.new(settings_url(own_demo)))
    assert (await snapshot(copy)).rows == (await snapshot(own_demo)).rows
    if copy.sqlite:
        async with copy.read() as connection:
            assert (await connection.exec_driver_sql("PRAGMA integrity_check")).scalar() == "ok"
            assert (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all() == []
    await copy.close()
