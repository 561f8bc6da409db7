"""What a live message costs: one event to many subscribers of one document, on one process, beside peers.

`python -m bench.fanout [--subscribers 1000 5000] [--events 100]`. Every server hands the same event of about 465 bytes
over in process, without a database and without compression. The client counts bytes, in a process of its own.
"""

import argparse
import asyncio
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from bench import machine

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "fanout.md"
FILLER = "x" * 246
ALIASES = " ".join(f"k{i}: kind" for i in range(6))
# Two documents whose answers are of one length: Huhang's events have no field of free text.
DOCUMENTS = {
    "huhang": f"subscription {{ updates {{ kind at from to {ALIASES} }} }}",
    "other": "subscription { updates { kind at from to text } }",
}
NAMES = {
    "huhang": "Huhang",
    "strawberry": "plain Strawberry",
    "graphql-ws": "Node, graphql-ws",
    "uvicorn": "raw uvicorn, the same bytes",
}


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


class Client(asyncio.Protocol):
    """One subscriber, who counts bytes and knows when as many have come as were sent."""

    def __init__(self, document: str, told: "Told") -> None:
        self._document, self._told = document, told
        self._state = "http"
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self._state == "live":
            self._told.got(len(data))
            return
        self._buffer += data
        if self._state == "http" and b"\r\n\r\n" in self._buffer:
            self._buffer = self._buffer.split(b"\r\n\r\n", 1)[1]
            self._state = "init"
            self._say({"type": "connection_init"})
        if self._state == "init" and b"connection_ack" in self._buffer:
            self._state = "live"
            self._say({"id": "1", "type": "subscribe", "payload": {"query": self._document}})

    def _say(self, message: object) -> None:
        body = json.dumps(message).encode()
        length = bytes((0x80 | len(body),)) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
        self._transport.write(b"\x81" + length + b"\0\0\0\0" + body)  # masked with zeros

    def connection_lost(self, error: Exception | None) -> None:
        self._told.lost += 1


class Told:
    """What all subscribers were told."""

    def __init__(self) -> None:
        self.bytes = self.lost = 0
        self.wanted: int | None = None
        self.done = asyncio.Event()

    def got(self, count: int) -> None:
        self.bytes += count
        if self.wanted is not None and self.bytes >= self.wanted:
            self.done.set()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def command(name: str, port: int) -> list[str]:
    if name == "graphql-ws":
        return ["node", str(HERE / "peers" / "graphql-ws" / "server.mjs"), str(port)]
    return [sys.executable, "-m", "bench.peers.fanout", name, str(port)]


def publish(port: int, number: int | None = None) -> int:
    event = {
        "kind": "INSPECTION_SUBMITTED",
        "at": "2026-06-15T04:00:00.000000+00:00",
        "from": "ON_SITE",
        "to": "SUBMITTED",
    }
    query = "" if number is None else "?event=" + urllib.parse.quote(json.dumps({**event, "text": FILLER}))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/publish{query}", timeout=60) as answer:
        return int(answer.read())


async def measure(name: str, subscribers: int, events: int) -> Result:
    port = free_port()
    process = await asyncio.create_subprocess_exec(*command(name, port))
    try:
        return await _measure(psutil.Process(process.pid), name, port, subscribers, events)
    finally:
        process.terminate()
        await process.wait()


async def _measure(process: psutil.Process, name: str, port: int, subscribers: int, events: int) -> Result:
    for _ in range(200):
        try:
            publish(port)
            break
        except OSError:
            await asyncio.sleep(0.1)
    before = process.memory_info().rss
    told, loop = Told(), asyncio.get_running_loop()
    document = DOCUMENTS.get(name, DOCUMENTS["other"])
    for start in range(0, subscribers, 200):
        await asyncio.gather(
            *(
                loop.create_connection(lambda: Client(document, told), "127.0.0.1", port)
                for _ in range(min(200, subscribers - start))
            )
        )
    async with asyncio.timeout(60):
        while await asyncio.to_thread(publish, port) < subscribers:  # the server cannot tell us
            await asyncio.sleep(0.05)
    memory = (process.memory_info().rss - before) / subscribers
    # The first message tells how long one is, and warms up.
    told.bytes = 0
    await asyncio.to_thread(publish, port, 0)
    last = -1
    while told.bytes != last or told.bytes == 0:
        last = told.bytes
        await asyncio.sleep(0.5)
    size = told.bytes // subscribers
    spent = process.cpu_times()
    begun, latencies = time.perf_counter(), []
    for number in range(1, events + 1):
        told.bytes, told.wanted = 0, size * subscribers
        told.done.clear()
        at = time.perf_counter()
        await asyncio.to_thread(publish, port, number)
        async with asyncio.timeout(60):
            await told.done.wait()
        latencies.append(time.perf_counter() - at)
    elapsed, after = time.perf_counter() - begun, process.cpu_times()
    cpu = after.user + after.system - spent.user - spent.system
    deliveries = events * subscribers
    assert told.lost == 0
    cuts = statistics.quantiles(latencies, n=100)
    return Result(
        name,
        subscribers,
        size,
        1e6 * cpu / deliveries,
        deliveries / cpu,
        deliveries / elapsed,
        1e3 * statistics.median(latencies),
        1e3 * cuts[98],
        memory / 1024,
    )


def table(results: list[Result]) -> list[str]:
    lines = [
        "| server | subscribers | bytes | CPU µs a delivery | deliveries a CPU second | deliveries a second"
        " | last subscriber, p50 ms | p99 ms | KiB a connection |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        lines.append(
            f"| {NAMES[r.name]} | {r.subscribers:,} | {r.size} | {r.cpu_microseconds:.1f} | {r.per_cpu_second:,.0f}"
            f" | {r.per_second:,.0f} | {r.last_p50:.0f} | {r.last_p99:.0f} | {r.kibibytes:.1f} |"
        )
    return lines


async def run(subscribers: list[int], events: int) -> list[Result]:
    found = []
    for count in subscribers:
        for name in NAMES:
            result = await measure(name, count, events if name != "strawberry" else max(10, events // 5))
            print(result, flush=True)
            found.append(result)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--events", type=int, default=100)
    arguments = parser.parse_args()
    subprocess.run(["npm", "ci", "--silent"], cwd=HERE / "peers" / "graphql-ws", check=True)
    results = uvloop.run(run(arguments.subscribers, arguments.events))
    text = [
        "# One event to many subscribers",
        "",
        "Made by `python -m bench.fanout`, run once. Every server hands the same event over in process, without a",
        "database and without compression; CPU and memory are of the server's process alone, read from the system.",
        "",
        *machine.described(),
        "",
        *table(results),
        "",
    ]
    RESULTS.write_text("\n".join(text))


if __name__ == "__main__":
    main()
