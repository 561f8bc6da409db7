"""Half an hour of work at once: 20 calls a second, 300 subscribers over WebSockets, and queries.

`python -m bench.soak [--minutes 30] [--rate 20] [--subscribers 300] [--queries 10] [--database postgresql]`. One server
with the demo's 2,000 enterprises; the calls are those of `simulate`, a process of its own; subscribers and readers are
in the benchmark's process. At the end each subscriber's events are compared with the log.
"""

import argparse
import asyncio
import datetime as dt
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from bisect import bisect_left
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa
import uvloop

from bench import machine
from bench.own_server import own_server
from bench.soak_clients import Deliveries, Queries, Subscriber, subscribe
from bench.speed_data import ENTERPRISES, ROOT, postgresql, sqlite
from bench.speed_queries import QUERIES, points
from models.db.database import Database
from models.visibility import Role
from subscriptions.event_log import EVENT
from web.auth.tokens import Claims, Tokens

RESULTS = Path(__file__).parent / "results"
DOCUMENT = (Path(__file__).parent / "soak.graphql").read_text("utf-8")
# Every subscriber gets all events, so that its events can be compared with the whole log.
SUBSCRIPTIONS = tuple({"query": DOCUMENT, "operationName": name} for name in ("Updates", "Short", "Inspections"))
PEOPLE = 5  # commanders, whose tokens the subscribers have in turns
SETTLE_SECONDS = 30.0
OPTIONS = ("minutes", "rate", "subscribers", "queries", "database")


@dataclass
class Minute:
    """The measurements up to the end of a minute: bytes of memory, and seconds of each query and delivery."""

    ended_at: float
    resident: int
    queries: list[float] = field(default_factory=list)
    deliveries: list[float] = field(default_factory=list)


@dataclass
class Result:
    """The measurements of a run. `gaps` are events that a subscriber lacks, has twice or has out of order."""

    before: int
    minutes: list[Minute]
    seconds: float
    calls: int
    refused: list[str]
    errors: Counter[str]
    events: int
    gaps: int
    cpu: float


def tokens(secret: str) -> list[str]:
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)
    return [Tokens(secret).make(Claims(Role.COMMANDER, expires, subject=f"soak{n}")) for n in range(PEOPLE)]


async def simulate(address: str, secret: str, rate: float, seconds: float) -> tuple[int, list[str]]:
    """Play working days. Returns the number of calls, and why some were refused unexpectedly."""
    options = ("--url", address, "--rate", str(rate), "--seconds", str(seconds))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "simulate", *options),
        cwd=ROOT,
        env={**os.environ, "HUHANG_SECRET": secret},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, output = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    text = output.decode()
    counts = re.search(r"(\d+) calls, (\d+) refused", text)
    assert counts is not None, text
    return int(counts[1]), text.splitlines()[1:] if int(counts[2]) else []


async def log_after(database: Database, number: int) -> dict[int, float]:
    """The events after a number, and when each happened: a moment before its transaction was committed."""
    statement = sa.select(EVENT.c.id, EVENT.c.at).where(EVENT.c.id > number).order_by(EVENT.c.id)
    async with database.read() as connection:
        return {row.id: row.at.timestamp() for row in await connection.execute(statement)}


async def cursor_of(address: str, token: str) -> str:
    """The cursor of the last event."""
    async with httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {token}"}) as client:
        response = await client.post("/graphql", json={"query": "{ cursor }"}, timeout=30)
    cursor: str = response.json()["data"]["cursor"]
    return cursor


def number_in(cursor: str) -> int:
    return int(cursor.rpartition("-")[2])


async def bodies(address: str, token: str) -> list[dict[str, Any]]:
    """The queries that readers send in turns."""
    async with httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {token}"}) as client:
        query = "{ enterprises(first: 100) { nodes { id } } }"
        data = (await client.post("/graphql", json={"query": query}, timeout=30)).json()["data"]
    small, result = QUERIES["small"].texts["huhang"], list[dict[str, Any]]()
    for number, node in enumerate(data["enterprises"]["nodes"]):
        match number % 10:
            case 0:
                result.append({"query": QUERIES["headline"].texts["huhang"]})
            case 1:
                variables = points("huhang")[number // 10 % 4]
                result.append({"query": QUERIES["nearby"].texts["huhang"], "variables": variables})
            case 2:
                result.append({"query": DOCUMENT, "operationName": "Standing"})
            case _:
                result.append({"query": small, "variables": {"id": node["id"]}})
    return result


async def watch(process: psutil.Process, minutes: list[Minute], period: float) -> None:
    """Note the memory at the end of each minute, until cancelled."""
    while True:
        await asyncio.sleep(period)
        minutes.append(Minute(time.time(), process.memory_info().rss))


def gaps(subscribers: list[Subscriber], expected: list[int]) -> int:
    """The number of events that subscribers lack, have twice or have out of order, of all subscribers together."""
    wrong = 0
    for each in subscribers:
        got = list(each.numbers)
        if got != expected:
            wrong += max(1, len(set(expected) ^ set(got)) + len(got) - len(set(got)))
    return wrong


async def settle(last: int, subscribers: list[Subscriber]) -> None:
    """Wait until every subscriber has the last event, but not for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            while any(each.numbers[-1:] != array("q", [last]) for each in subscribers):
                await asyncio.sleep(0.05)


def by_minute(
    minutes: list[Minute], log: dict[int, float], deliveries: Deliveries, queries: list[tuple[float, float]]
) -> None:
    """Add each query and each event to the minute in which it was sent or happened, or to the last one."""
    ends = [minute.ended_at for minute in minutes]

    def minute_of(moment: float) -> Minute:
        return minutes[min(bisect_left(ends, moment), len(minutes) - 1)]

    for sent_at, seconds in queries:
        minute_of(sent_at).queries.append(seconds)
    for number, at in log.items():
        if number in deliveries.arrived:
            minute_of(at).deliveries.append(deliveries.arrived[number] - at)


async def run(url: str, seconds: float, rate: float, subscribers: int, queries: float, period: float = 60) -> Result:
    """Serve `url` under load for so many seconds, and compare what the subscribers got with the log."""
    secret, deliveries, database = secrets.token_urlsafe(32), Deliveries(), Database(url)
    people = tokens(secret)
    try:
        async with own_server(url, secret) as (address, process):
            cursor = await cursor_of(address, people[0])
            payloads = [{**one, "variables": {"after": cursor}} for one in SUBSCRIPTIONS]
            connected = await subscribe(address, people, payloads, subscribers, deliveries)
            readers = Queries(address, people[0], await bodies(address, people[0]), queries)
            before, minutes = process.memory_info().rss, list[Minute]()
            begun, cpu = time.time(), sum(process.cpu_times()[:2])
            tasks = [asyncio.create_task(readers.run()), asyncio.create_task(watch(process, minutes, period))]
            calls, refused = await simulate(address, secret, rate, seconds)
            elapsed = time.time() - begun
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            log = await log_after(database, number_in(cursor))
            await settle(max(log, default=0), connected)
            cpu = sum(process.cpu_times()[:2]) - cpu
            if not minutes or time.time() - minutes[-1].ended_at > period / 2:
                minutes.append(Minute(time.time(), process.memory_info().rss))
            for each in connected:
                each.close()
        by_minute(minutes, log, deliveries, readers.seconds)
        errors = deliveries.errors + readers.errors
        return Result(before, minutes, elapsed, calls, refused, errors, len(log), gaps(connected, list(log)), cpu)
    finally:
        await database.close()


def percentiles(seconds: list[float]) -> str:
    """The median and the 99th of 100, in milliseconds, as two cells of a table."""
    if len(seconds) < 2:
        return "– | –"
    cuts = statistics.quantiles(seconds, n=100)
    return f"{1e3 * cuts[49]:.1f} | {1e3 * cuts[98]:.0f}"


def table(result: Result) -> list[str]:
    lines = [
        "| minute | memory, MB | events | event to the last subscriber, p50 ms | p99 ms | queries | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|---|---|",
        f"| before | {result.before / 1e6:.0f} | | | | | | |",
    ]
    for number, minute in enumerate(result.minutes, 1):
        lines.append(
            f"| {number} | {minute.resident / 1e6:.0f} | {len(minute.deliveries):,} | {percentiles(minute.deliveries)}"
            f" | {len(minute.queries):,} | {percentiles(minute.queries)} |"
        )
    deliveries = [each for minute in result.minutes for each in minute.deliveries]
    queries = [each for minute in result.minutes for each in minute.queries]
    lines.append(
        f"| all | | {len(deliveries):,} | {percentiles(deliveries)} | {len(queries):,} | {percentiles(queries)} |"
    )
    return lines


def report(result: Result, arguments: argparse.Namespace, postgres: str) -> str:
    options = " ".join(f"--{name} {getattr(arguments, name)}" for name in OPTIONS)
    errors = ", ".join(f"{count} × {name}" for name, count in result.errors.items()) or "none"
    return f"""# Half an hour of work

Written by `python -m bench.soak {options}`.
One server, its database, the calls, the subscribers and the readers share the machine. An event's delay begins with its
date, which is before its transaction is committed, and ends when the last subscriber has it.

{chr(10).join(machine.described(PostgreSQL=postgres))}
{machine.this_run()}

- calls a second: {result.calls / result.seconds:.1f} of {arguments.rate:g}; refused unexpectedly: {len(result.refused)}
- events: {result.events:,}, to {arguments.subscribers} subscribers; missing, repeated or out of order: {result.gaps}
- errors: {errors}
- CPU of the server: {result.cpu / result.seconds:.0%} of one core

{chr(10).join(table(result))}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=20, help="calls a second")
    parser.add_argument("--subscribers", type=int, default=300)
    parser.add_argument("--queries", type=float, default=10, help="queries a second")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--folder", type=Path, help="keeps the database for later runs")
    parser.add_argument("--results", type=Path, default=RESULTS / "soak.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as scratch:
        folder = arguments.folder or Path(scratch)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        load = (60 * arguments.minutes, arguments.rate, arguments.subscribers, arguments.queries)
        if arguments.database == "sqlite":
            result, version = uvloop.run(run(sqlite(folder / "soak.db", ENTERPRISES), *load)), "not used"
        else:
            with postgresql(folder / "pg") as postgres:
                result = uvloop.run(run(postgres.url(postgres.demo(ENTERPRISES)), *load))
                version = str(postgres.value("SHOW server_version"))
    text = report(result, arguments, version)
    print(text, *result.refused, sep="\n")
    arguments.results.write_text(text, "utf-8")
    if result.errors or result.gaps:
        sys.exit(1)


if __name__ == "__main__":
    main()
