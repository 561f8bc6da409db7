"""Calls, subscribers and queries at once: no error, and no event that a subscriber lacks or has twice."""

from pathlib import Path

from bench.soak import run
from tests.support.server_process import web

SECONDS, RATE, SUBSCRIBERS, QUERIES = 4, 5, 6, 4


async def test_work_at_once_has_no_errors_and_no_gaps(scratch: Path) -> None:
    url = f"sqlite:///{scratch}/soak.db"
    seeded = web("seed", "demo", "--enterprises", "150", url=url)
    assert seeded.returncode == 0, seeded.stderr
    result = await run(url, SECONDS, RATE, SUBSCRIBERS, QUERIES, period=1)
    assert (result.errors, result.gaps) == ({}, 0)
    assert result.calls > 0
    assert result.events > 0
    assert sum(len(minute.deliveries) for minute in result.minutes) == result.events
    assert sum(len(minute.queries) for minute in result.minutes) > 0
