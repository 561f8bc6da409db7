"""What a live message costs: one event to many subscribers of one document, on one process, beside peers.

`python -m bench.fanout [--subscribers 1000 5000] [--events 100] [--long 20000] [--mutations 500]`. Every server hands
the same event of about 465 bytes over in process, without a database and without compression. The client counts bytes,
in a process of its own. Besides, Huhang with its log and a database, and with 50 groups; memory over many events; and
how long it takes from a mutation to the event.
"""

import argparse
import asyncio
import itertools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import uvloop

from bench import machine
from bench.delays import Delay, all_delays, delay_table, free_port
from bench.fanout_client import Client, Told, publish, stay_awake
from bench.speed_data import ROOT, postgresql
from subscriptions import feed

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "fanout.md"
FILLER = "x" * 293
ALIASES = " ".join(f"k{i}: kind" for i in range(9))
# Two documents whose answers are of one length: Huhang's events have no field of free text.
DOCUMENTS = {
    "huhang": f"subscription {{ updates {{ kind at from to {ALIASES} }} }}",
    "other": "subscription { updates { kind at from to text } }",
}
EVENT = {
    "kind": "INSPECTION_SUBMITTED",
    "at": "2026-06-15T04:00:00.000000+00:00",
    "from": "ON_SITE",
    "to": "SUBMITTED",
    "text": FILLER,
}
GROUPS = 50
TICK = 0.01  # seconds, the least that the system counts


@dataclass(frozen=True)
class Server:
    """A process, what its subscribers ask for in turn, and whether it has a database."""

    title: str
    name: str
    documents: tuple[str, ...] = (DOCUMENTS["other"],)
    database: bool = False


OWN = (DOCUMENTS["huhang"],)
# All answers are of one length.
MANY = tuple(DOCUMENTS["huhang"].replace("k0", chr(ord("a") + n // 10) + str(n % 10)) for n in range(GROUPS))
SERVERS = (
    Server("Huhang", "huhang", OWN),
    Server("plain Strawberry", "strawberry"),
    Server("Node, graphql-ws", "graphql-ws"),
    Server("raw uvicorn, the same bytes", "uvicorn"),
    Server("Huhang, with log and PostgreSQL", "huhang-log", OWN, database=True),
    Server(f"Huhang, {GROUPS} groups", "huhang", MANY),
)
LASTING = ("Huhang", "Huhang, with log and PostgreSQL", "plain Strawberry", "Node, graphql-ws")


@dataclass
class Result:
    """What one server did with so many subscribers."""

    name: str
    subscribers: int
    size: int
    cpu_microseconds: float
    per_cpu_second: float
    per_second: float
    last_p50: float
    last_p99: float
    kibibytes: float


def command(server: Server, port: int, url: str) -> list[str]:
    if server.name == "graphql-ws":
        return ["node", str(HERE / "peers" / "graphql-ws" / "server.mjs"), str(port)]
    more = [url] if server.database else []
    return [sys.executable, "-m", "bench.peers.fanout", server.name, str(port), *more]


@dataclass
class Running:
    """A server that runs, and its subscribers."""

    server: Server
    port: int
    process: psutil.Process
    told: Told
    before: int  # bytes of memory, without subscribers

    @property
    def memory(self) -> int:
        resident: int = self.process.memory_info().rss
        return resident

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    async def subscribe(self, number: int) -> None:
        loop, documents = asyncio.get_running_loop(), self.server.documents
        for start in range(0, number, 200):
            clients = [
                partial(Client, documents[n % len(documents)], self.told)
                for n in range(start, min(start + 200, number))
            ]
            await asyncio.gather(*(loop.create_connection(client, "127.0.0.1", self.port) for client in clients))
        async with asyncio.timeout(120):
            while await publish(self.port) < number:  # the server cannot tell us
                await asyncio.sleep(0.05)

    async def size(self, subscribers: int) -> int:
        """The first messages tell how long one is, and warm up. A ping may come with one of them, but not with each."""
        sizes = []
        for _ in range(3):
            self.told.bytes = 0
            await publish(self.port, EVENT)
            last = -1
            while self.told.bytes != last or self.told.bytes == 0:
                last = self.told.bytes
                await asyncio.sleep(1)
            sizes.append(self.told.bytes // subscribers)
        return min(sizes)

    async def deliver(self, size: int) -> float:
        """One event to everybody; how long until the last had it."""
        self.told.bytes, self.told.wanted = 0, size
        self.told.done.clear()
        at = time.perf_counter()
        await publish(self.port, EVENT)
        async with asyncio.timeout(60):
            await self.told.done.wait()
        return time.perf_counter() - at


@asynccontextmanager
async def started(server: Server, url: str) -> AsyncIterator[Running]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(*command(server, port, url), stdout=asyncio.subprocess.DEVNULL)
    try:
        for attempt in itertools.count():
            try:
                await publish(port)
                break
            except OSError:
                if attempt == 300 or process.returncode is not None:
                    raise
                await asyncio.sleep(0.1)
        found = psutil.Process(process.pid)
        yield Running(server, port, found, Told(), found.memory_info().rss)
    finally:
        process.terminate()
        await process.wait()


async def measure(server: Server, subscribers: int, events: int, url: str) -> Result:
    async with started(server, url) as running:
        await running.subscribe(subscribers)
        kibibytes = (running.memory - running.before) / subscribers / 1024
        size = await running.size(subscribers)
        spent, begun = running.cpu(), time.perf_counter()
        latencies = [await running.deliver(size * subscribers) for _ in range(events)]
        elapsed, cpu = time.perf_counter() - begun, max(running.cpu() - spent, TICK)
        assert running.told.lost == 0
    deliveries = events * subscribers
    return Result(
        server.title,
        subscribers,
        size,
        1e6 * cpu / deliveries,
        deliveries / cpu,
        deliveries / elapsed,
        1e3 * statistics.median(latencies),
        1e3 * statistics.quantiles(latencies, n=100)[98],
        kibibytes,
    )


@dataclass
class Lasting:
    """Memory of a server with one subscription, in MiB: after a tenth of the events, after half, and after all."""

    name: str
    events: int
    memory: list[float]


async def last(server: Server, events: int, url: str) -> Lasting:
    async with started(server, url) as running:
        await running.subscribe(1)
        size, found = await running.size(1), []
        for number in range(1, events + 1):
            await running.deliver(size)
            if number in (events // 10, events // 2, events):
                found.append(running.memory / 2**20)
        return Lasting(server.title, events, found)


def table(results: list[Result]) -> list[str]:
    lines = [
        "| server | subscribers | bytes | CPU µs a delivery | deliveries a CPU second | deliveries a second"
        " | last subscriber, p50 ms | p99 ms | KiB a connection |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        lines.append(
            f"| {r.name} | {r.subscribers:,} | {r.size} | {r.cpu_microseconds:.1f} | {r.per_cpu_second:,.0f}"
            f" | {r.per_second:,.0f} | {r.last_p50:.0f} | {r.last_p99:.0f} | {r.kibibytes:.1f} |"
        )
    return lines


def lasting_table(found: list[Lasting]) -> list[str]:
    number = found[0].events
    lines = [
        f"| server | MiB after {number // 10:,} events | after {number // 2:,} | after {number:,}"
        " | bytes more for each event of the second half |",
        "|---|---|---|---|---|",
    ]
    for r in found:
        more = (r.memory[2] - r.memory[1]) * 2**20 / (r.events / 2)
        lines.append(f"| {r.name} | " + " | ".join(f"{m:.1f}" for m in r.memory) + f" | {more:,.0f} |")
    return lines


async def run(subscribers: list[int], events: int, url: str) -> list[Result]:
    stay_awake()
    found = []
    for count in subscribers:
        for server in SERVERS:
            found.append(await measure(server, count, events, url))
            print(found[-1], flush=True)
    return found


async def lasting(events: int, url: str) -> list[Lasting]:
    found = []
    for server in SERVERS:
        if server.title in LASTING:
            found.append(await last(server, events, url))
            print(found[-1], flush=True)
    return found


def report(found: list[Result], kept: list[Lasting], delays: list[Delay], postgres: str) -> str:
    text = [
        "# One event to many subscribers",
        "",
        "Made by `python -m bench.fanout`, run once. Every server hands as many events over in process, without a",
        "database and without compression; CPU and memory are of the server's process alone, read from the system. The",
        "subscribers' process never sleeps, so that no server pays for waking it.",
        "With log and PostgreSQL, the event is written in a transaction, and the log read after it.",
        "",
        *machine.described(PostgreSQL=postgres),
        "",
        *table(found),
        "",
        "## Memory over many events, of a server with one subscription",
        "",
        f"Huhang keeps the last {feed.WINDOW:,} events, and of what it has rendered {feed.RENDERED_BYTES >> 20} MiB.",
        "",
        *lasting_table(kept),
        "",
        "## From a mutation to the event at a subscriber",
        "",
        "One after the other, by a client who has both: from when the mutation was sent, and from when it was answered",
        "(less than nothing where the event comes before the answer).",
        "",
        *delay_table(delays),
        "",
    ]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--long", type=int, default=20_000, help="events through one subscription")
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    subprocess.run(["npm", "ci", "--silent"], cwd=HERE / "peers" / "graphql-ws", check=True)
    # A client and a server each have a file for each subscriber.
    wanted = max(arguments.subscribers) + 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with tempfile.TemporaryDirectory(prefix="huhang-bench-") as name:
        folder = Path(name)
        # PostgreSQL's own user must be able to pass, where this runs as root.
        folder.chmod(0o755)
        with postgresql(folder / "pg") as postgres:
            postgres.say("CREATE DATABASE fanout")
            url = postgres.url("fanout")
            migrated(url)
            # So that all cursors are of one length.
            postgres.say("SELECT setval(pg_get_serial_sequence('event', 'id'), 1000000)", "fanout")
            found = uvloop.run(run(arguments.subscribers, arguments.events, url))
            kept = uvloop.run(lasting(arguments.long, url))
            delays = uvloop.run(all_delays(folder, postgres.url(postgres.demo(500)), arguments.mutations))
            version = str(postgres.say("SHOW server_version"))
    arguments.results.write_text(report(found, kept, delays, version))


def migrated(url: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "web", "migrate"], cwd=ROOT, env={**os.environ, "HUHANG_DATABASE_URL": url}, check=True
    )


if __name__ == "__main__":
    main()
