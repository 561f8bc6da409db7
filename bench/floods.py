"""Measures one viewer's simple query while another viewer floods the server: its delay before and during each flood.

`python -m bench.floods` writes results/floods.md.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from subprocess import PIPE

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from bench.machine import described
from bench.speed_data import ENTERPRISES, ROOT, postgresql, sqlite
from bench.speed_servers import SECRET, Running, huhang, running

RESULTS = ROOT / "bench" / "results" / "floods.md"
SIMPLE = "{ district { name } zones { code name } }"
EVERY = 0.02  # seconds between the simple queries
CONNECTIONS = 20  # of the flood
SIZES = (1_000, 500, 200, 100, 50, 20, 10, 5, 1)
KINDS = "CAMERA, ENTERPRISE, EXPERT, TEAM, WAREHOUSE"
YEAR = '{ from: "2026-01-01", to: "2026-12-31" }'
# SIZE is replaced by the largest of SIZES that is admitted.
QUERIES = {
    "nearest": f"{{ enterprises(first: SIZE) {{ nodes {{ nearest(kinds: [{KINDS}], first: 10) {{ distanceMetres }}"
    " } } }",
    "portraits": f"{{ enterprises(first: SIZE) {{ nodes {{ portrait(window: {YEAR}) {{ hazardsFound }} }} }} }}",
    "deep pages": "{ zones { enterprises(first: SIZE) { nodes { name hazards(first: 10) { nodes { level inspection"
    " { kind } } } } } } }",
    "big answers": "{ enterprises(first: SIZE) { nodes { name address hazards(first: 100) { nodes { description }"
    " } } } }",
    "fallback to graphql-core": '{ node(id: "x") { id } enterprises(first: SIZE) { nodes { name hazards(first: 20)'
    " { nodes { category } } } } }",
    "simple queries": SIMPLE,
}
PLAN = """
mutation($input: InspectionPlanInput!) { inspectionPlan(input: $input) { ... on InspectionPlanned { cursor } } }
"""

Body = Callable[[], bytes]


@dataclass
class Result:
    """The delays of the simple query in milliseconds, and what became of the flood's requests."""

    flood: str
    delays: list[float]
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass
class Target:
    """The server, the flooding viewer's token, and that of the other."""

    port: int
    flood: str
    other: str


class Client:
    """One connection of HTTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader, self._writer, self._token = reader, writer, token

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """The status and body of the response."""
        head = (
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        return int(lines[0].split()[1]), await self._reader.readexactly(length)


@asynccontextmanager
async def client(target: Target, token: str) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 26)
    try:
        yield Client(reader, writer, token)
    finally:
        writer.transport.abort()


def query_body(query: str) -> bytes:
    return orjson.dumps({"query": query})


async def measure(target: Target, seconds: float) -> list[float]:
    """Ask the simple query as the other viewer. Returns the delays in milliseconds."""
    delays, body, end = [], query_body(SIMPLE), time.monotonic() + seconds
    async with client(target, target.other) as other:
        while time.monotonic() < end:
            start = time.perf_counter()
            status, answer = await other.ask(body)
            delays.append((time.perf_counter() - start) * 1_000)
            assert (status, b"errors" in answer) == (200, False), answer[:200]
            await asyncio.sleep(EVERY)
    return delays


def outcome(status: int, answer: bytes) -> str:
    if status == 200 and not answer.startswith(b'{"errors"'):
        return "answered"
    with contextlib.suppress(orjson.JSONDecodeError, KeyError, IndexError):
        return f"{status} {orjson.loads(answer)['errors'][0]['extensions']['code']}"
    return str(status)


async def ask_again_and_again(target: Target, body: Body, outcomes: Counter[str], token: str) -> None:
    while True:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            async with client(target, token) as flooding:
                while True:
                    outcomes[outcome(*await flooding.ask(body()))] += 1
        outcomes["closed"] += 1


async def flood_by_requests(target: Target, body: Body, outcomes: Counter[str], token: str | None = None) -> None:
    token = token or target.flood
    await asyncio.gather(*(ask_again_and_again(target, body, outcomes, token) for _ in range(CONNECTIONS)))


async def flood_by_abandoned(target: Target, body: Body, outcomes: Counter[str]) -> None:
    async def abandon() -> None:
        while True:
            async with client(target, target.flood) as flooding:
                with contextlib.suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(0.1):
                        outcomes[outcome(*await flooding.ask(body()))] += 1
                        continue
                outcomes["abandoned"] += 1

    await asyncio.gather(*(abandon() for _ in range(CONNECTIONS)))


async def flood_by_unread(target: Target, body: Body, outcomes: Counter[str]) -> None:
    """Ask for large answers and read nothing of them."""

    async def ask_only() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1_024)
            head = (
                "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {target.flood}\r\nContent-Length: {len(body())}\r\n\r\n"
            )
            writer.write(head.encode() + body())
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                outcomes[(await reader.readline()).decode().strip() or "closed"] += 1
                while not writer.transport.is_closing():
                    await asyncio.sleep(0.1)

    await asyncio.gather(*(ask_only() for _ in range(CONNECTIONS)))


@asynccontextmanager
async def socket(target: Target, token: str) -> AsyncIterator[ClientConnection]:
    url, protocol = f"ws://127.0.0.1:{target.port}/graphql", Subprotocol("graphql-transport-ws")
    async with connect(url, subprotocols=[protocol], compression=None, open_timeout=60) as opened:
        payload = {"Authorization": f"Bearer {token}"}
        await opened.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
        await opened.recv()
        yield opened


async def flood_by_sockets(target: Target, outcomes: Counter[str]) -> None:
    async def open_and_wait() -> None:
        try:
            async with socket(target, target.flood) as opened:
                outcomes["opened"] += 1
                async for _ in opened:
                    pass
        except (WebSocketException, OSError):
            outcomes["refused"] += 1

    running_tasks: set[asyncio.Task[None]] = set()
    while True:
        running_tasks = {task for task in running_tasks if not task.done()}
        while len(running_tasks) < 400:
            running_tasks.add(asyncio.create_task(open_and_wait()))
        await asyncio.sleep(0.05)


async def flood_by_documents(target: Target, outcomes: Counter[str]) -> None:
    """Subscribe to as many different documents as may be, while events happen."""
    fields = "enterprise { name hazards(first: 20) { nodes { level description } } } zone { name }"

    async def subscribe(number: int) -> None:
        async with socket(target, target.flood) as opened:
            for each in range(50):
                query = f"subscription {{ updates {{ a{number}_{each}: cursor {fields} }} }}"
                message = {"id": str(each), "type": "subscribe", "payload": {"query": query}}
                await opened.send(orjson.dumps(message).decode())
            async for text in opened:
                outcomes[orjson.loads(text)["type"]] += 1

    async def act() -> None:
        async with client(target, target.other) as other:
            _, answer = await other.ask(query_body("{ enterprises(first: 1) { nodes { id } } }"))
            enterprise = orjson.loads(answer)["data"]["enterprises"]["nodes"][0]["id"]
            given = {"enterprise": enterprise, "kind": "ROUTINE", "plannedFor": "2099-01-01T00:00:00Z"}
            while True:
                await other.ask(orjson.dumps({"query": PLAN, "variables": {"input": given}}))
                outcomes["events"] += 1
                await asyncio.sleep(0.2)

    await asyncio.gather(act(), *(subscribe(number) for number in range(CONNECTIONS)))


def fragments() -> Body:
    """Documents that were never seen before, of 2^20 paths."""
    number = itertools.count()

    def body() -> bytes:
        spreads = " ".join(f"fragment F{n} on Query {{ a: __typename ...F{n + 1} ...F{n + 1} }}" for n in range(20))
        return query_body(f"{{ x{next(number)}: __typename ...F0 }} {spreads} fragment F20 on Query {{ __typename }}")

    return body


def constant(body: bytes) -> Body:
    return lambda: body


async def largest(target: Target, query: str) -> str:
    """The query with the largest size that is admitted."""
    async with client(target, target.flood) as asking:
        for size in SIZES:
            sized = query.replace("SIZE", str(size))
            _, answer = await asking.ask(query_body(sized))
            if b"TOO_COSTLY" not in answer and b"TOO_LARGE" not in answer:
                return sized
    raise AssertionError(f"no size is admitted: {query}")


async def floods(target: Target) -> list[tuple[str, Callable[[Counter[str]], Awaitable[None]]]]:
    """All floods, by title."""
    queries = {title: query_body(await largest(target, query)) for title, query in QUERIES.items()}

    def requests(body: Body) -> Callable[[Counter[str]], Awaitable[None]]:
        return lambda outcomes: flood_by_requests(target, body, outcomes)

    all_floods = [(title, requests(constant(body))) for title, body in queries.items()]
    nearest, big = queries["nearest"], queries["big answers"]
    return [
        *all_floods,
        ("nearest, abandoned after 0.1 s", lambda outcomes: flood_by_abandoned(target, lambda: nearest, outcomes)),
        ("big answers, unread", lambda outcomes: flood_by_unread(target, lambda: big, outcomes)),
        ("new documents of 2^20 paths", requests(fragments())),
        ("1,000 live documents", lambda outcomes: flood_by_documents(target, outcomes)),
        ("400 sockets at a time", lambda outcomes: flood_by_sockets(target, outcomes)),
        ("invalid tokens", lambda outcomes: flood_by_requests(target, lambda: nearest, outcomes, "x" * 100)),
    ]


async def all_results(target: Target, seconds: float, only: list[str]) -> list[Result]:
    await measure(target, 1)  # warm
    results = [Result("none", await measure(target, seconds))]
    for title in [title for title, _ in await floods(target) if not only or title in only]:
        print(title, flush=True)
        command = [sys.executable, "-m", "bench.floods", "--flood", title, *map(str, astuple(target))]
        flooding = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
        assert flooding.stdout is not None
        assert flooding.stdin is not None
        await flooding.stdout.readline()  # it has begun
        delays = await measure(target, seconds)
        flooding.stdin.close()
        outcomes = Counter(orjson.loads(await flooding.stdout.read()))
        await flooding.wait()
        results.append(Result(title, delays, outcomes))
        await asyncio.sleep(1)
    return results


async def flood_until_told(target: Target, title: str) -> None:
    """The process that floods. It prints a line when it begins, and the outcomes once its input ends."""
    flood = dict(await floods(target))[title]
    outcomes: Counter[str] = Counter()
    flooding = asyncio.ensure_future(flood(outcomes))
    await asyncio.sleep(1)
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    flooding.cancel()
    print(orjson.dumps(outcomes).decode(), flush=True)


def viewer_token(url: str, role: str) -> str:
    command = [sys.executable, "-m", "web", "token", "--role", role, "--name", f"{role} {secrets.token_hex(4)}"]
    environment = {**os.environ, "HUHANG_DATABASE_URL": url, "HUHANG_SECRET": SECRET}
    result = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return result.stdout.splitlines()[-1]


def table(results: list[Result]) -> list[str]:
    lines = ["| flood | p50 ms | p99 ms | longest ms | what became of the flood |", "|---|---|---|---|---|"]
    for result in results:
        cuts = statistics.quantiles(result.delays, n=100)
        became = ", ".join(f"{number:,} {what}" for what, number in result.outcomes.most_common(4))
        delays = f"{cuts[49]:.1f} | {cuts[98]:.1f} | {max(result.delays):.1f}"
        lines.append(f"| {result.flood} | {delays} | {became} |")
    return lines


def on(url: str, title: str, folder: Path, seconds: float, only: list[str]) -> list[str]:
    """The section about one database."""
    with running("floods", huhang(), url, folder) as server:
        target = Target(port_of(server), viewer_token(url, "wall"), viewer_token(url, "commander"))
        results = asyncio.run(all_results(target, seconds, only))
        metrics = httpx.get(f"http://127.0.0.1:{target.port}/metrics").text
    refused = [line for line in metrics.splitlines() if line.startswith("huhang_refused_total")]
    return ["", f"## {title}", "", *table(results), "", f"Refused in all: {', '.join(refused)}."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of measuring during each flood")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "huhang-floods", help="databases are kept there"
    )
    parser.add_argument("--only", nargs="+", default=[], help="these floods by title; prints what it measured")
    parser.add_argument("--database", choices=("SQLite", "PostgreSQL"), help="this one only; prints as well")
    parser.add_argument("--flood", nargs=4, help="for its own use: flood a server")
    arguments = parser.parse_args()
    if arguments.flood:
        title, port, *tokens = arguments.flood
        asyncio.run(flood_until_told(Target(int(port), *tokens), title))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "# One viewer's flood, and another's simple query",
        "",
        f"Written by `python -m bench.floods` on {time.strftime('%Y-%m-%d')}. One process; the demo of",
        f"{ENTERPRISES:,} enterprises; a wall floods over {CONNECTIONS} connections while a commander asks",
        f"`{SIMPLE}` fifty times a second for {arguments.seconds:.0f} seconds. The floods run on the same",
        "machine. Rates are not limited here, except for invalid tokens; the bounds at once are the defaults.",
        "",
        *described(),
        f"- load of the machine before: {os.getloadavg()[0]:.1f}",
        *sections(arguments.folder, arguments.seconds, arguments.only, arguments.database),
    ]
    text = "\n".join(lines) + "\n"
    if arguments.only or arguments.database:
        print(text)
    else:
        RESULTS.write_text(text)


def sections(folder: Path, seconds: float, only: list[str], database: str | None) -> list[str]:
    """The sections about the databases, or about one of them."""
    lines = []
    with tempfile.TemporaryDirectory() as logs:
        if database != "PostgreSQL":
            lines += on(sqlite(folder / "floods.db", ENTERPRISES), "SQLite", Path(logs), seconds, only)
        if database != "SQLite":
            with postgresql(folder / "postgresql") as server:
                lines += on(server.url(server.demo(ENTERPRISES)), "PostgreSQL", Path(logs), seconds, only)
    return lines


def port_of(server: Running) -> int:
    return server.port


if __name__ == "__main__":
    main()
