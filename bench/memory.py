"""Memory of a server while the log grows and 300 subscribers follow it.

`python -m bench.memory [--subscribers 300] [--events 7000]`. The events are copies of those of the demo, appended to
the log of a SQLite file, a hundred in each transaction; they are rendered for three documents.
"""

import argparse
import asyncio
import secrets
import sqlite3
import tempfile
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop

from bench import machine
from bench.own_server import own_server
from bench.soak import RESULTS, SUBSCRIPTIONS, cursor_of, tokens
from bench.soak_clients import Deliveries, subscribe
from bench.speed_data import ENTERPRISES, sqlite

AT_ONCE = 100
STEP = 1_000


def append(file: str, number: int) -> int:
    """Append copies of this many events. Returns the number of the last one."""
    connection = sqlite3.connect(file, timeout=60)
    with connection:
        names = ", ".join(row[1] for row in connection.execute("PRAGMA table_info(event)") if row[1] != "id")
        connection.execute(f"INSERT INTO event ({names}) SELECT {names} FROM event ORDER BY id LIMIT {number}")
        last: int = connection.execute("SELECT max(id) FROM event").fetchone()[0]
    connection.close()
    return last


async def resident(url: str, subscribers: int, events: int, step: int, **settings: str) -> AsyncIterator[int]:
    """The server's memory in bytes: with all subscribers, and after each `step` events that all of them received.

    `settings` are environment variables of the server.
    """
    secret, deliveries = secrets.token_urlsafe(32), Deliveries()
    people = tokens(secret)
    async with own_server(url, secret, **settings) as (address, process):
        cursor = await cursor_of(address, people[0])
        payloads = [{**one, "variables": {"after": cursor}} for one in SUBSCRIPTIONS]
        connected = await subscribe(address, people, payloads, subscribers, deliveries)
        yield process.memory_info().rss
        for done in range(AT_ONCE, events + 1, AT_ONCE):
            last = await asyncio.to_thread(append, url.removeprefix("sqlite:///"), AT_ONCE)
            while any(each.numbers[-1:] != array("q", [last]) for each in connected):
                assert not deliveries.errors, deliveries.errors
                await asyncio.sleep(0.02)
            if done % step == 0:
                yield process.memory_info().rss
        for each in connected:
            each.close()


async def measure(url: str, subscribers: int, events: int) -> list[str]:
    """A table, as lines of Markdown."""
    lines, done = ["| events | memory, MB |", "|---|---|"], 0
    async for memory in resident(url, subscribers, events, STEP):
        lines.append(f"| {done:,} | {memory / 1e6:.0f} |")
        print(lines[-1], flush=True)
        done += STEP
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=300)
    parser.add_argument("--events", type=int, default=7_000)
    parser.add_argument("--results", type=Path, default=RESULTS / "memory.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as folder:
        url = sqlite(Path(folder) / "demo.db", ENTERPRISES)
        lines = uvloop.run(measure(url, arguments.subscribers, arguments.events))
    head = [
        "# Memory of a server while the log grows",
        "",
        f"Written by `python -m bench.memory`: {arguments.subscribers} subscribers to three documents.",
        "",
        *machine.described(),
        machine.this_run(),
        "",
    ]
    arguments.results.write_text("\n".join([*head, *lines, ""]), "utf-8")


if __name__ == "__main__":
    main()
