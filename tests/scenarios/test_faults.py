"""Faults of the machine, each provoked for real: what clients get, and what the log, /readyz and /metrics say."""

import asyncio
import io
import json
import os
import resource
import select
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
import structlog

from models.db.database import Database
from models.failures import FAILURES
from schema.types import node_id
from subscriptions.event_log import APPEND_LOCK
from tests.conftest import Databases
from tests.support.faults import few_connections, filled, on_small_disk, read_only, small_disk
from tests.support.patience import PATIENCE
from tests.support.pictures import picture
from tests.support.server_process import SERVE, environment, listening
from tests.web.conftest import SECRET, talking
from web import readiness
from web.settings import ROOT, Settings

ZONES = {"query": "{ zones { code } }"}
GOOD = {"connection": "ok", "migrations": "ok", "write": "ok", "feed": "ok"}
AFTER_CONNECTION = {"connection": "failed", "migrations": "unknown", "write": "unknown", "feed": "ok"}
FILES = 300  # that a process may have open


@pytest_asyncio.fixture
async def url(databases: Databases, demo_url: str) -> str:
    return await databases.new(demo_url)


class Client:
    """A commander on a server."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http, self._headers = http, {"authorization": f"Bearer {token}"}
        enterprise = node_id.encode("Enterprise", 1)
        request = f'assistanceRequest(input: {{ enterprise: "{enterprise}", problem: "排水" }})'
        self._mutation = {"query": f"mutation {{ {request} {{ __typename }} }}"}

    async def change(self) -> httpx.Response:
        return await self._http.post("/graphql", json=self._mutation, headers=self._headers)

    async def change_until_refused(self) -> httpx.Response:
        """The first response of another status. A full database takes changes while its files have room inside."""
        while (response := await self.change()).status_code == 200:
            assert response.json() == {"data": {"assistanceRequest": {"__typename": "AssistanceRequested"}}}
        return response

    async def read(self) -> httpx.Response:
        return await self._http.post("/graphql", json=ZONES, headers=self._headers)

    async def upload(self, content: bytes) -> httpx.Response:
        return await self._http.post(
            "/evidence", content=content, headers={**self._headers, "content-type": "image/png"}
        )

    async def ready(self) -> tuple[int, dict[str, str]]:
        """The status of /readyz, and the outcomes of its checks."""
        response = await self._http.get("/readyz")
        return response.status_code, response.json()["checks"]

    async def metrics(self) -> str:
        return (await self._http.get("/metrics")).text


def png(width: int) -> bytes:
    file = io.BytesIO()
    picture(width).save(file, "PNG")
    return file.getvalue()


@asynccontextmanager
async def commander(url: str, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Client]:
    """A commander on a server in this process, whose every request for /readyz makes a check."""
    monkeypatch.setattr(readiness, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", PATIENCE)
    async with talking(Settings(database_url=url, demo=True, secret=SECRET, **settings)) as http:
        viewers = (await http.get("/graphiql/viewers.json")).json()["viewers"]
        client = Client(http, next(v["token"] for v in viewers if v["label"] == "Commander"))
        await client.read()  # from now on the token is known
        FAILURES.forget()
        yield client


def assert_refused(response: httpx.Response, code: str) -> None:
    """A change was refused, with nothing executed, and the client knows when to try again."""
    assert response.status_code == 503, response.text
    [error] = response.json()["errors"]
    seconds = {"UNAVAILABLE": 5, "BUSY": 2}[code]
    assert response.headers["retry-after"] == str(seconds)
    extensions = error["extensions"]
    assert (extensions["code"], extensions["retryAfter"], extensions["mutationsFinished"]) == (code, seconds, 0)


async def assert_told(client: Client, logs: list[Any], possible: list[dict[str, str]], state: str) -> None:
    """/readyz names the check; the log names the error, for requests once, and /metrics counts it."""
    status, checks = await client.ready()
    assert status == 503
    assert checks in possible
    [failed] = [name for name, outcome in checks.items() if outcome == "failed"]
    metrics = await client.metrics()
    assert f'huhang_ready{{check="{failed}"}} 0.0\n' in metrics
    assert f'huhang_failures_total{{name="{state}"}}' in metrics
    assert [entry["state"] for entry in logs if entry["event"] == "not ready"] == [state]
    assert [entry["state"] for entry in logs if entry["event"] == "a request was not served"] == [state]
    assert "排水" not in str(logs)


async def test_a_full_disk(databases: Databases, demo_url: str, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite = demo_url.startswith("sqlite")
    with small_disk(scratch / "disk", 16 if sqlite else 64) as disk:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(on_small_disk(databases, demo_url, scratch, disk))
            client = await stack.enter_async_context(commander(url, monkeypatch))
            assert await client.ready() == (200, GOOD)
            with structlog.testing.capture_logs() as logs, filled(disk):
                for _ in range(2):
                    assert_refused(await client.change_until_refused(), "UNAVAILABLE")
                assert (await client.read()).status_code == 200
                # PostgreSQL may already lack the room that a new connection needs.
                possible = [{**GOOD, "write": "failed"}, *([] if sqlite else [AFTER_CONNECTION])]
                await assert_told(client, logs, possible, "SQLITE_FULL" if sqlite else "53100")
            assert (await client.change()).status_code == 200
            assert await client.ready() == (200, GOOD)


@pytest.mark.database_independent
async def test_a_full_disk_of_evidence(url: str, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(scratch / "disk", 1) as disk:
        async with commander(url, monkeypatch, evidence_url=str(disk / "evidence")) as client:
            assert (await client.upload(png(64))).status_code == 201
            with structlog.testing.capture_logs() as logs, filled(disk):
                response = await client.upload(png(72))
                assert (response.status_code, response.headers["retry-after"]) == (503, "5")
                assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
                assert (await client.change()).status_code == 200
            assert [entry["state"] for entry in logs if entry["event"] == "a request was not served"] == ["ENOSPC"]
            assert (await client.upload(png(72))).status_code == 201


async def test_a_database_that_is_read_only(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite = url.startswith("sqlite")
    async with read_only(url) as limited, commander(limited, monkeypatch) as client:
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                assert_refused(await client.change(), "UNAVAILABLE")
            assert (await client.read()).status_code == 200
            await assert_told(client, logs, [{**GOOD, "write": "failed"}], "SQLITE_READONLY" if sqlite else "25006")


async def test_connections_that_are_all_in_use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite opens a file for each connection; those run out in another test")
    async with few_connections(url, 3) as limited, AsyncExitStack() as stack:
        client = await stack.enter_async_context(commander(limited, monkeypatch, pool_size=4))
        # The pools have some already, and go on with those; for a check there must be another one.
        others: list[Any] = []
        while (another := await connection_or_none(limited)) is not None:
            others.append(another)
        assert [(await client.read()).status_code for _ in range(3)] == [200] * 3
        assert (await client.change()).status_code == 200
        assert await client.ready() == (503, AFTER_CONNECTION)
        # The pools' connections are lost, and others have taken their places.
        owner = await asyncpg.connect(url)
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND NOT pid = ANY($2)"
        with structlog.testing.capture_logs() as logs:
            while len(others) < 3:
                await owner.fetch(end, sa.make_url(limited).username, [other.get_server_pid() for other in others])
                if (another := await connection_or_none(limited)) is not None:
                    others.append(another)
            assert_refused(await client.change(), "BUSY")
        assert await client.ready() == (503, AFTER_CONNECTION)
        assert 'huhang_failures_total{name="53300"}' in await client.metrics()
        assert "53300" in str([entry.get("state") for entry in logs])
        await asyncio.gather(owner.close(), *(other.close() for other in others))
        assert (await client.change()).status_code == 200
        assert await client.ready() == (200, GOOD)


async def connection_or_none(url: str) -> Any:
    try:
        return await asyncpg.connect(url)
    except asyncpg.TooManyConnectionsError:
        return None


async def test_a_lock_that_is_stuck(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Database(url)
    take = "UPDATE event_log SET epoch = epoch" if holder.sqlite else f"SELECT pg_advisory_xact_lock({APPEND_LOCK})"
    async with commander(url, monkeypatch, lock_timeout=0.1) as client:
        async with holder.write() as session:
            await session.execute(sa.text(take))
            with structlog.testing.capture_logs() as logs:
                for _ in range(2):
                    assert_refused(await client.change(), "BUSY")
                assert (await client.read()).status_code == 200
                state = "SQLITE_BUSY" if holder.sqlite else "55P03"
                await assert_told(client, logs, [{**GOOD, "write": "failed"}], state)
        assert (await client.change()).status_code == 200
        assert await client.ready() == (200, GOOD)
    await holder.close()


async def test_files_that_have_run_out(url: str, tmp_path: Path) -> None:
    output = tmp_path / "log"
    popen = serve_with_few_files(url, output)
    with listening(popen, output) as server, ExitStack() as stack:
        assert f"Only {FILES} files may be open, so each process takes 200 connections" in server.log
        async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE) as http:
            client = Client(http, "")
            assert (await client.ready())[0] == 200
            address = ("127.0.0.1", int(server.address.rsplit(":", 1)[1]))
            limit_files(popen.pid, len(os.listdir(f"/proc/{popen.pid}/fd")) + 1)
            # Some more than there is room for: the server may have closed a file of its own in the meantime.
            callers = [stack.enter_context(socket.create_connection(address)) for _ in range(10)]
            dropped, _, _ = await asyncio.to_thread(select.select, callers, [], [], PATIENCE)
            assert dropped
            assert dropped[0].recv(1) == b""  # it was accepted and dropped
            # The connection that was there before goes on. What needs another file fails.
            async with asyncio.timeout(PATIENCE):
                while 'huhang_failures_total{name="EMFILE"}' not in await client.metrics():
                    await asyncio.sleep(0.05)
                while (await client.ready()) != (503, AFTER_CONNECTION):
                    await asyncio.sleep(0.05)
                for caller in callers:
                    caller.close()
                limit_files(popen.pid, FILES)
                while (await client.ready()) != (200, GOOD):
                    await asyncio.sleep(0.05)
        lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
        events = {(line["event"], line.get("state")) for line in lines}
        assert ("no further file can be opened, and new connections are dropped", "EMFILE") in events
        assert "not ready" in {event for event, _ in events}
        assert "Traceback" not in server.log


def serve_with_few_files(url: str, output: Path) -> "subprocess.Popen[bytes]":
    words = ["bash", "-c", f'ulimit -n {FILES}; exec "$0" -m web "$@"', sys.executable, *SERVE]
    with output.open("wb") as file:
        return subprocess.Popen(
            words, cwd=ROOT, env=environment(url), stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )


def limit_files(pid: int, number: int) -> None:
    """Let a process open files up to this number."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, hard))
