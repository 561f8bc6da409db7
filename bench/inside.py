"""What happens inside: where the time of a request goes, and how memory stands after a million of them.

`python -m bench.inside [--requests 1000000] [--documents 1000] [--folder PLACE]`. The application is
called as its server calls it, in this process and without a network, on PostgreSQL.
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
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
from pydantic import SecretStr

from bench import machine
from bench.speed_data import ENTERPRISES, postgresql
from bench.speed_queries import QUERIES
from models.visibility import Role
from web.app import create
from web.auth.tokens import Claims, Tokens
from web.settings import Settings

SECRET = "of the bench alone, and of no other use"
RESULTS = Path(__file__).parent / "results"
ASKED = {"headline": 200, "small": 3_000, "nearby": 500}
AT_ONCE = 16
REPORTS = 10

# By a part of a file's name or of a function's, where time is spent. The first that fits counts.
PLACES = {
    "the driver, and waiting for the database": ("asyncpg", "selectors", "_socket", "poll", "uvloop", "run_forever"),
    "writing JSON": ("orjson",),
    "plans": ("schema/plans", "<plan>", "schema/ids", "resolvers/raw", "resolvers/reading", "resolvers/paging"),
    "batches and rights": ("resolvers/", "models/"),
    "web": ("web/", "starlette"),
    "arguments, by the libraries": ("graphql", "strawberry"),
    "the event loop": ("asyncio",),
    "functions built into Python, wherever called": ("~",),
}

Once = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def application(url: str) -> Any:
    """What answers the body of a request, as a commander's; and Fails where that is refused."""
    app = create(Settings(database_url=url, secret=SecretStr(SECRET)))
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)
    token = Tokens(SECRET).make(Claims(Role.COMMANDER, until, subject="bench"))
    headers = [
        (b"host", b"localhost"),
        (b"authorization", b"Bearer " + token.encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
    ]

    async def once(body: bytes) -> bytes:
        sent: list[dict[str, Any]] = []

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
        answer: bytes = sent[-1]["body"]
        if b'"errors"' in answer[:20]:
            raise RuntimeError(answer)
        return answer

    async with app.router.lifespan_context(app):
        yield once


async def many(once: Once, bodies: list[bytes]) -> None:
    """All of them, so many at once."""
    waiting = iter(bodies)

    async def client() -> None:
        for body in waiting:
            await once(body)

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


async def ids(once: Once) -> list[str]:
    found = orjson.loads(await once(orjson.dumps({"query": "{ enterprises(first: 1000) { nodes { id } } }"})))
    return [node["id"] for node in found["data"]["enterprises"]["nodes"]]


async def shares(once: Once, name: str, number: int) -> list[str]:
    """The lines of a table: of the CPU that a request takes, what goes where."""
    query = QUERIES[name].texts["huhang"]
    variables: dict[str, Any] = {"nearby": {"point": {"latitude": 30.2, "longitude": 120.3}}}.get(name, {})
    keys = await ids(once)
    bodies = [orjson.dumps({"query": query, "variables": variables or {"id": keys[i % 100]}}) for i in range(number)]
    await many(once, bodies[: number // 10])
    started = time.process_time()
    await many(once, bodies)
    each = (time.process_time() - started) / number * 1e6
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    await many(once, bodies)
    profile.disable()
    spent: Counter[str] = Counter()
    stats: Any = pstats.Stats(profile)
    for (file, _, function), (_, _, own, _, _) in stats.stats.items():
        text = f"{file} {function}"
        spent[next((place for place, parts in PLACES.items() if any(p in text for p in parts)), "else")] += own
    whole = spent.total()
    lines = [f"### {name}: {each:,.0f} µs of CPU a request, {AT_ONCE} at once", "", "| where | share |", "|---|---|"]
    return [*lines, *(f"| {place} | {own / whole:.0%} |" for place, own in spent.most_common()), ""]


async def steady(once: Once, requests: int, documents: int) -> list[str]:
    """The lines of a table: memory after each tenth of so many requests of so many documents."""
    keys = await ids(once)
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
                await many(
                    once,
                    [
                        orjson.dumps({"query": texts[n % documents], "variables": {"id": keys[n % len(keys)]}})
                        for n in numbers
                    ],
                )
    return lines


async def measured(url: str, requests: int, documents: int) -> list[str]:
    async with application(url) as once:
        lines = []
        for name, number in ASKED.items():
            lines += await shares(once, name, number)
        return [
            *lines,
            f"## Memory, over {requests:,} requests of {documents:,} documents",
            "",
            *await steady(once, requests, documents),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="where the database is kept; without it it is not")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as scratch:
        folder = given.folder or Path(scratch)
        folder.chmod(0o755)
        with postgresql(folder / "pg") as server:
            url = server.url(server.demo(ENTERPRISES))
            load = os.getloadavg()[0]
            lines = asyncio.run(measured(url, given.requests, given.documents))
    head = [
        "# Where the time goes, and memory",
        "",
        "The application called as its server calls it, without a network. The shares are cProfile's, and they make",
        "small functions seem larger than they are; the CPU is measured without it. Made by `python -m bench.inside`.",
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
