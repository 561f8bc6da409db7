"""Measures the cost of a live message: one event to many subscribers of one document, for Huhang and its peers.

`python -m bench.fanout [--subscribers 1000 5000] [--events 100] [--long 20000] [--mutations 500]`. Every server is one
process that publishes the same event of about 465 bytes in process, without a database and without compression. The
client, another process, counts bytes. Measured besides: Huhang with its log and a database, and with 50 groups; memory
over many events; and the delay from a mutation to its event.
"""

import argparse
import asyncio
import itertools
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
from bench.delays import Delay, all_delays, delay_table
from bench.fanout_client import Client, Received, publish, stay_awake
from bench.own_server import free_port
from bench.speed_data import migrate, postgresql
from models.byte_cache import shares
from subscriptions import event_window

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "fanout.md"
FILLER = "x" * 293
ALIASES = " ".join(f"k{i}: kind" for i in range(9))
# Two documents whose messages have the same length: Huhang's events have no field of free text.
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
TICK = 0.01  # seconds of CPU, the resolution of the system


@dataclass(frozen=True)
class Server:
    """A server, the documents that its subscribers use in turn, and whether it has a database."""

    title: str
    name: str
    documents: tuple[str, ...] = (DOCUMENTS["other"],)
    database: bool = False


OWN = (DOCUMENTS["huhang"],)
# Documents of one group each, whose messages have the same length.
MANY = tuple(DOCUMENTS["huhang"].replace("k0", chr(ord("a") + n // 10) + str(n % 10)) for n in range(GROUPS))
SERVERS = (
    Server("Huhang", "huhang", OWN),
    Server("plain Strawberry", "strawberry"),
    Server("Node, graphql-ws", "graphql-ws"),
    Server("raw uvicorn, the same bytes", "uvicorn"),
    Server("Huhang, with log and PostgreSQL", "huhang-log", OWN, database=True),
    Server(f"Huhang, {GROUPS} groups", "huhang", MANY),
)
LONG_RUNNING = ("Huhang", "Huhang, with log and PostgreSQL", "plain Strawberry", "Node, graphql-ws")


@dataclass
class Result:
    """The measurements of one server with so many subscribers."""

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
    arguments = [url] if server.database else []
    return [sys.executable, "-m", "bench.peers.fanout", server.name, str(port), *arguments]


@dataclass
class Running:
    """A running server and its subscribers."""

    server: Server
    port: int
    process: psutil.Process
    received: Received
    memory_before: int  # bytes, without subscribers

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
                partial(Client, documents[n % len(documents)], self.received)
                for n in range(start, min(start + 200, number))
            ]
            await asyncio.gather(*(loop.create_connection(client, "127.0.0.1", self.port) for client in clients))
        async with asyncio.timeout(120):
            while await publish(self.port) < number:  # the server cannot notify this process
                await asyncio.sleep(0.05)

    async def size(self, subscribers: int) -> int:
        """The length of a message. A ping may come with one of the three messages, but not with each."""
        sizes = []
        for _ in range(3):
            self.received.bytes = 0
            await publish(self.port, EVENT)
            last = -1
            while self.received.bytes != last or self.received.bytes == 0:
                last = self.received.bytes
                await asyncio.sleep(1)
            sizes.append(self.received.bytes // subscribers)
        return min(sizes)

    async def deliver(self, size: int) -> float:
        """Publish an event. Returns the seconds until all subscribers have received it."""
        self.received.bytes, self.received.wanted = 0, size
        self.received.done.clear()
        started_at = time.perf_counter()
        await publish(self.port, EVENT)
        async with asyncio.timeout(60):
            await self.received.done.wait()
        return time.perf_counter() - started_at


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
        measured = psutil.Process(process.pid)
        yield Running(server, port, measured, Received(), measured.memory_info().rss)
    finally:
        process.terminate()
        await process.wait()


async def measure(server: Server, subscribers: int, events: int, url: str) -> Result:
    async with started(server, url) as running:
        await running.subscribe(subscribers)
        kibibytes = (running.memory - running.memory_before) / subscribers / 1024
        size = await running.size(subscribers)
        cpu_before, started_at = running.cpu(), time.perf_counter()
        latencies = [await running.deliver(size * subscribers) for _ in range(events)]
        elapsed, cpu = time.perf_counter() - started_at, max(running.cpu() - cpu_before, TICK)
        assert running.received.lost == 0
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
class MemoryGrowth:
    """Memory of a server with one subscription, in MiB: after a tenth of the events, after half, and after all."""

    name: str
    events: int
    memory: list[float]


async def memory_growth(server: Server, events: int, url: str) -> MemoryGrowth:
    async with started(server, url) as running:
        await running.subscribe(1)
        size, memory = await running.size(1), []
        for number in range(1, events + 1):
            await running.deliver(size)
            if number in (events // 10, events // 2, events):
                memory.append(running.memory / 2**20)
        return MemoryGrowth(server.title, events, memory)


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


def memory_table(growths: list[MemoryGrowth]) -> list[str]:
    number = growths[0].events
    lines = [
        f"| server | MiB after {number // 10:,} events | after {number // 2:,} | after {number:,}"
        " | bytes more for each event of the second half |",
        "|---|---|---|---|---|",
    ]
    for growth in growths:
        bytes_an_event = (growth.memory[2] - growth.memory[1]) * 2**20 / (growth.events / 2)
        cells = " | ".join(f"{m:.1f}" for m in growth.memory)
        lines.append(f"| {growth.name} | {cells} | {bytes_an_event:,.0f} |")
    return lines


async def run(subscribers: list[int], events: int, url: str) -> list[Result]:
    stay_awake()
    results = []
    for count in subscribers:
        for server in SERVERS:
            results.append(await measure(server, count, events, url))
            print(results[-1], flush=True)
    return results


async def all_memory_growths(events: int, url: str) -> list[MemoryGrowth]:
    growths = []
    for server in SERVERS:
        if server.title in LONG_RUNNING:
            growths.append(await memory_growth(server, events, url))
            print(growths[-1], flush=True)
    return growths


def report(results: list[Result], growths: list[MemoryGrowth], delays: list[Delay], postgres: str) -> str:
    text = [
        "# One event to many subscribers",
        "",
        "Written by `python -m bench.fanout`, run once. Every server publishes as many events in process, without a",
        "database and without compression. CPU and memory are those of the server's process alone, read from the",
        "system. The subscribers' process never sleeps, so that no server pays for waking it. With log and PostgreSQL,",
        "the event is written in a transaction, and the log is read after it.",
        "",
        *machine.described(PostgreSQL=postgres),
        "",
        *table(results),
        "",
        "## Memory over many events, of a server with one subscription",
        "",
        f"Huhang keeps at most {event_window.WINDOW:,} events, and messages of {shares().renderings / 1e6:.1f} MB.",
        "",
        *memory_table(growths),
        "",
        "## From a mutation to the event at a subscriber",
        "",
        "One mutation after the other, by one client: from sending the mutation, and from receiving its response (less",
        "than zero if the event arrives before the response).",
        "",
        *delay_table(delays),
        "",
    ]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--long", type=int, default=20_000, help="events of one subscription for the growth of memory")
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    subprocess.run(["npm", "ci", "--silent"], cwd=HERE / "peers" / "graphql-ws", check=True)
    # Client and server need a file descriptor for each subscriber.
    wanted = max(arguments.subscribers) + 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    with tempfile.TemporaryDirectory(prefix="huhang-bench-") as name:
        folder = Path(name)
        # If this runs as root, PostgreSQL's own user must be able to enter.
        folder.chmod(0o755)
        with postgresql(folder / "pg") as postgres:
            postgres.value("CREATE DATABASE fanout")
            url = postgres.url("fanout")
            migrate(url)
            # From here on, all cursors have the same length.
            postgres.value("SELECT setval(pg_get_serial_sequence('event', 'id'), 1000000)", "fanout")
            results = uvloop.run(run(arguments.subscribers, arguments.events, url))
            growths = uvloop.run(all_memory_growths(arguments.long, url))
            delays = uvloop.run(all_delays(folder, postgres.url(postgres.demo(500)), arguments.mutations))
            version = str(postgres.value("SHOW server_version"))
    arguments.results.write_text(report(results, growths, delays, version))


if __name__ == "__main__":
    main()
