"""Measures where the CPU time of a request goes, and memory over a million requests.

`python -m bench.inside [--requests 1000000] [--documents 1000] [--folder FOLDER]`. The application is called as its
server calls it, in this process and without a network, on PostgreSQL. A folder keeps the database for later runs.
"""

import argparse
import asyncio
import cProfile
import datetime as dt
import os
import pstats
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
from pydantic import SecretStr
from starlette.types import ASGIApp

from bench import machine
from bench.speed_data import ENTERPRISES, postgresql
from bench.speed_queries import QUERIES
from models.visibility import Role
from web.app import create
from web.auth.tokens import Claims, Tokens
from web.server import settle_garbage
from web.settings import Settings

SECRET = "for the benchmark only, of no use elsewhere"
RESULTS = Path(__file__).parent / "results"
REQUESTS = {"headline": 200, "small": 3_000, "nearby": 500}
CONCURRENT = 16
REPORTS = 10

# Where time is spent, by parts of the names of files and functions. The first that matches counts.
PLACES = {
    "the driver, and waiting for the database": ("asyncpg", "selectors", "_socket", "poll", "uvloop", "run_forever"),
    "writing JSON": ("orjson",),
    "plans": ("schema/plan", "<plan>", "schema/types/node_id", "resolvers/sql/p", "resolvers/sql/selects"),
    "batches and rights": ("resolvers/", "models/"),
    "web": ("web/", "starlette"),
    "arguments, by the libraries": ("graphql", "strawberry"),
    "the event loop": ("asyncio",),
    "built-in functions": ("~",),
}

Send = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def application(url: str) -> AsyncIterator[Send]:
    """Run the application. Yields a function that executes the body of a request as a commander.

    It raises RuntimeError for a response with errors.
    """
    # A token of the demo need not be issued, and one viewer sends all of the load.
    app = create(Settings(database_url=url, secret=SecretStr(SECRET), demo=True, operations_per_minute=0))
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)
    token = Tokens(SECRET).make(Claims(Role.COMMANDER, expires, subject="bench"))
    headers = [
        (b"host", b"localhost"),
        (b"authorization", b"Bearer " + token.encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
    ]

    async def send(body: bytes) -> bytes:
        response = await call(app, headers, body)
        if b'"errors"' in response[:20]:
            raise RuntimeError(response)
        return response

    async with app.router.lifespan_context(app):
        settle_garbage()  # as the server does once it has started
        yield send


async def call(app: ASGIApp, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Call the application with a POST, as uvicorn does. Returns the body of the response."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    response: bytes = sent[-1]["body"]
    return response


async def send_all(send: Send, bodies: list[bytes]) -> None:
    """Send all of them, CONCURRENT at a time."""
    waiting = iter(bodies)

    async def client() -> None:
        for body in waiting:
            await send(body)

    await asyncio.gather(*(client() for _ in range(CONCURRENT)))


async def enterprise_ids(send: Send) -> list[str]:
    response = orjson.loads(await send(orjson.dumps({"query": "{ enterprises(first: 1000) { nodes { id } } }"})))
    return [node["id"] for node in response["data"]["enterprises"]["nodes"]]


async def cpu_shares(send: Send, name: str, count: int) -> list[str]:
    """A table of the shares of a request's CPU time, as lines of Markdown."""
    query = QUERIES[name].texts["huhang"]
    variables: dict[str, Any] = {"nearby": {"point": {"latitude": 30.2, "longitude": 120.3}}}.get(name, {})
    ids = await enterprise_ids(send)
    bodies = [orjson.dumps({"query": query, "variables": variables or {"id": ids[i % 100]}}) for i in range(count)]
    await send_all(send, bodies[: count // 10])
    started = time.process_time()
    await send_all(send, bodies)
    microseconds = (time.process_time() - started) / count * 1e6
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    await send_all(send, bodies)
    profile.disable()
    spent: Counter[str] = Counter()
    stats: Any = pstats.Stats(profile)
    for (file, _, function), (_, _, own, _, _) in stats.stats.items():
        text = f"{file} {function}"
        spent[next((place for place, parts in PLACES.items() if any(p in text for p in parts)), "else")] += own
    whole = spent.total()
    heading = f"### {name}: {microseconds:,.0f} µs of CPU a request, {CONCURRENT} at once"
    return [
        heading,
        "",
        "| where | share |",
        "|---|---|",
        *(f"| {place} | {own / whole:.0%} |" for place, own in spent.most_common()),
        "",
    ]


async def memory(send: Send, requests: int, documents: int) -> list[str]:
    """A table of the memory after each tenth of the requests, as lines of Markdown."""
    ids = await enterprise_ids(send)
    texts = [
        f"query A{i}($id: ID!) {{ a{i}: enterprise(by: {{ id: $id }}) {{ name riskGrade }} }}" for i in range(documents)
    ]
    process = psutil.Process()
    lines = ["| requests | memory, MB |", "|---|---|"]
    for report in range(REPORTS + 1):
        lines.append(f"| {report * requests // REPORTS:,} | {process.memory_info().rss / 1e6:,.0f} |")
        if report < REPORTS:
            wanted = range(report * requests // REPORTS, (report + 1) * requests // REPORTS)
            for start in range(wanted.start, wanted.stop, 10_000):
                numbers = range(start, min(start + 10_000, wanted.stop))
                await send_all(
                    send,
                    [
                        orjson.dumps({"query": texts[n % documents], "variables": {"id": ids[n % len(ids)]}})
                        for n in numbers
                    ],
                )
    return lines


async def measure(url: str, requests: int, documents: int) -> list[str]:
    async with application(url) as send:
        lines = []
        for name, count in REQUESTS.items():
            lines += await cpu_shares(send, name, count)
        return [
            *lines,
            f"## Memory, over {requests:,} requests of {documents:,} documents",
            "",
            *await memory(send, requests, documents),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="keeps the database for later runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as scratch:
        folder = arguments.folder or Path(scratch)
        folder.chmod(0o755)
        with postgresql(folder / "pg") as server:
            url = server.url(server.demo(ENTERPRISES))
            load = os.getloadavg()[0]
            lines = asyncio.run(measure(url, arguments.requests, arguments.documents))
    head = [
        "# Where the time goes, and memory",
        "",
        "The application is called as its server calls it, without a network. The shares are cProfile's, which makes",
        "small functions seem larger than they are; CPU is measured without it. Written by `python -m bench.inside`.",
        "",
        *machine.described(),
        f"- run on {dt.datetime.now(dt.UTC).date()}; the load of the machine before was {load:.1f}",
        "",
        "## Where the time goes",
        "",
    ]
    (RESULTS / "inside.md").write_text("\n".join([*head, *lines, ""]), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
