"""Several processes act at once on one database: nothing is lost, nothing twice, and no client hears of a lock."""

import asyncio
import time

import sqlalchemy as sa

from models.db.database import Database
from tests.support.log_audit import audit, snapshot
from tests.support.proof_mode import PROVING
from tests.support.proofs import record
from tests.support.worker_handle import WorkerProcess, follow

# By database: processes, actions in all, and streams of each process.
POSTGRESQL = (8, 2_000 if PROVING else 200, 2)
SQLITE = (2, 1_000 if PROVING else 80, 2)


async def test_processes_that_act_at_once(own_demo: Database) -> None:
    processes, actions, streams = SQLITE if own_demo.sqlite else POSTGRESQL
    before = await snapshot(own_demo)
    locked = await deadlocks(own_demo)
    acting = [WorkerProcess(own_demo, f"p{n}", actions // processes, streams) for n in range(processes)]
    try:
        for process in acting:
            await process.ready()
        began = time.monotonic()
        for process in acting:
            process.go()
        working = [asyncio.create_task(process.ends()) for process in acting]
        reading = asyncio.create_task(follow(own_demo, before.state.head, lambda: all(t.done() for t in working)))
        lines = [line for said in await asyncio.gather(*working) for line in said]
        seconds = time.monotonic() - began
        read = await reading
    finally:
        for process in acting:
            process.stop()

    found = await audit(own_demo, before, lines)
    assert found.unsaid == set()
    # Events whose numbers were taken before and that were committed after would be missing here.
    assert [event.id for event in read] == [event.id for event in found.events]
    assert len(lines) == actions
    # They did meet: some found that others were there before.
    assert {"IllegalTransition", "Conflict"} & set(found.refused)
    assert await deadlocks(own_demo) == locked
    record(
        "concurrency",
        "Processes that act at once",
        {
            "database": "SQLite" if own_demo.sqlite else "PostgreSQL",
            "processes": processes,
            "actions": f"{len(lines):,}",
            "accepted": f"{found.accepted:,}",
            "refused": f"{sum(found.refused.values()):,}",
            "repeats": len(lines) - found.accepted - sum(found.refused.values()),
            "events in the log": f"{len(found.events):,}",
            "missed by the reader": len(found.events) - len({event.id for event in read}),
            "seen twice": len(read) - len({event.id for event in read}),
            "errors": 0,
            "deadlocks": 0,
            "seconds": f"{seconds:.1f}",
        },
    )


async def deadlocks(database: Database) -> int:
    """How many PostgreSQL has had to end; the actions would be tried again, and nobody would hear of it."""
    if database.sqlite:
        return 0
    async with database.read() as connection:
        await connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
        counted = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int((await connection.execute(counted)).scalar_one())
