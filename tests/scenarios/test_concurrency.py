"""Several processes act at once on one database: nothing is lost or done twice, and no client sees a lock error."""

import asyncio
import time
from typing import Any

import sqlalchemy as sa

from models.db.database import Database
from tests.support.log_audit import Line, audit, snapshot
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.worker_handle import WorkerProcess, follow

# Processes, actions in all, and streams per process.
POSTGRESQL = (8, 2_000 if PROVING else 200, 2)
SQLITE = (2, 1_000 if PROVING else 80, 2)


async def test_processes_that_act_at_once_lose_and_repeat_nothing(
    own_demo: Database, record_proof: RecordProof
) -> None:
    processes, actions, streams = SQLITE if own_demo.sqlite else POSTGRESQL
    before, deadlocks_before, began = await snapshot(own_demo), await deadlocks(own_demo), time.monotonic()
    workers = [WorkerProcess(own_demo, f"p{n}", actions // processes, streams) for n in range(processes)]
    lines, read_events = await run_all(own_demo, workers, before.state.head)

    result = await audit(own_demo, before, lines)
    assert result.unacknowledged == set()
    # The reader would miss an event whose number was assigned before, and committed after, that of another.
    assert [event.id for event in read_events] == [event.id for event in result.events]
    assert len(lines) == actions
    # The processes did compete: some actions came too late.
    assert {"IllegalTransition", "Conflict"} & set(result.refused)
    assert await deadlocks(own_demo) == deadlocks_before
    refused = sum(result.refused.values())
    record_proof(
        "concurrency",
        "Processes that act at once: no error, no deadlock, no event missed",
        {
            "database": "SQLite" if own_demo.sqlite else "PostgreSQL",
            "processes": processes,
            "actions": f"{len(lines):,}",
            "accepted": f"{result.accepted:,}",
            "refused": f"{refused:,}",
            "repeats": len(lines) - result.accepted - refused,
            "events in the log": f"{len(result.events):,}",
            "events read": f"{len(read_events):,}",
            "seconds": f"{time.monotonic() - began:.1f}",
        },
    )


async def run_all(database: Database, workers: list[WorkerProcess], head: int) -> tuple[list[Line], list[Any]]:
    """Let all workers act at once; what they reported, and what a reader saw meanwhile of the log after `head`."""
    try:
        for worker in workers:
            await worker.start()
        for worker in workers:
            worker.go()
        running = [asyncio.create_task(worker.finish()) for worker in workers]
        reader = asyncio.create_task(follow(database, head, lambda: all(task.done() for task in running)))
        lines = [line for reported in await asyncio.gather(*running) for line in reported]
        return lines, await reader
    finally:
        for worker in workers:
            worker.close()


async def deadlocks(database: Database) -> int:
    """How many deadlocks PostgreSQL has resolved. The actions are retried, so no client would notice them."""
    if database.sqlite:
        return 0
    async with database.read() as connection:
        await connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
        counted = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int((await connection.execute(counted)).scalar_one())
