"""What was opened with a token or a login closes on every process within seconds of its end, and nothing else does."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from websockets.asyncio.client import connect

import models
from models.db.database import Database, driver_url
from models.db.tables import table_of
from models.visibility import Role
from resolvers.accounts.logins import Client, start_login
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.server_process import Process, web
from tests.support.stream_clients import ALL, PROTOCOL, SECRET, Socket, live_district, small_district
from tests.support.tokens import issue
from web.auth.tokens import Tokens
from web.graphql import close_codes

PROCESSES = 3
SECONDS = 5.0  # between the end of a token and that of everything that was opened with it
STREAM_TOKEN = "x-graphql-event-stream-token"
TOKEN = table_of(models.Token)


@dataclass
class Servers:
    """Several processes on one database."""

    processes: list[Process]
    url: str

    def run(self, *words: str) -> None:
        done = web(*words, url=self.url, HUHANG_SECRET=SECRET)
        assert done.returncode == 0, done.stderr


@pytest_asyncio.fixture(scope="module")
async def servers(databases: Databases, migrated_url: str, scratch: Path) -> AsyncIterator[Servers]:
    url, world = await small_district(databases, migrated_url)
    with ExitStack() as stack:
        yield Servers([stack.enter_context(live_district(scratch, url, world)).process for _ in range(PROCESSES)], url)


class Streams:
    """One stream of each kind on each process, opened with the same headers."""

    def __init__(self, stack: AsyncExitStack, headers: dict[str, str]) -> None:
        self._stack, self._headers = stack, headers
        self.sockets: list[Socket] = []
        self.lines: list[AsyncIterator[str]] = []

    async def open(self, process: Process) -> None:
        headers = {**self._headers, "origin": process.address}
        options: dict[str, Any] = {"subprotocols": [PROTOCOL], "open_timeout": PATIENCE, "ping_interval": None}
        address = process.address.replace("http", "ws", 1) + "/graphql"
        connection = connect(address, additional_headers=headers, **options)
        socket = await Socket(await self._stack.enter_async_context(connection)).init()
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
        self.sockets.append(socket)
        client = httpx.AsyncClient(base_url=process.address, headers=headers, timeout=PATIENCE)
        await self._stack.enter_async_context(client)
        for accept in ("text/event-stream", 'multipart/mixed;subscriptionSpec="1.0"'):
            stream = client.stream("POST", "/graphql", json={"query": ALL}, headers={"accept": accept})
            await self._follow(await self._stack.enter_async_context(stream))
        reserved = {STREAM_TOKEN: (await client.put("/graphql/stream")).text}
        accept_events = {**reserved, "accept": "text/event-stream"}
        stream = client.stream("GET", "/graphql/stream", headers=accept_events)
        await self._follow(await self._stack.enter_async_context(stream))
        named = {"query": ALL, "extensions": {"operationId": "1"}}
        assert (await client.post("/graphql/stream", json=named, headers=reserved)).status_code == 202

    async def _follow(self, response: httpx.Response) -> None:
        assert response.status_code == 200
        lines = response.aiter_lines()
        await anext(lines)
        self.lines.append(lines)

    async def ends(self) -> list[int]:
        """The close codes of the sockets, once everything has ended."""

        async def end(lines: AsyncIterator[str]) -> None:
            async for _ in lines:
                pass

        async with asyncio.timeout(PATIENCE):
            closed = await asyncio.gather(*(socket.closed() for socket in self.sockets))
            await asyncio.gather(*(end(lines) for lines in self.lines))
        return [each.code for each in closed]


@dataclass
class Case:
    """What a person or program proves themselves with, and how that ends."""

    headers: dict[str, str]
    end: Any


async def account(database: Database, name: str) -> tuple[int, str]:
    """A new commander's account. Returns its key and the secret of a login."""
    now = dt.datetime.now(dt.UTC)
    async with database.write() as session:
        row = models.Account(name=name, full_name="李伟", role=Role.COMMANDER)
        session.add(row)
        await session.flush()
        return row.id, await start_login(session, row.id, Client(), now)


async def revoked_token(servers: Servers, database: Database) -> Case:
    now = dt.datetime.now(dt.UTC)
    token = await issue(database, Tokens(SECRET), now, role=Role.COMMANDER, name="revoked")
    async with database.read() as connection:
        key = await connection.scalar(sa.select(TOKEN.c.id).where(TOKEN.c.name == "revoked"))
    return Case({"authorization": f"Bearer {token}"}, lambda: servers.run("token", "revoke", str(key)))


async def token_of_a_disabled_account(servers: Servers, database: Database) -> Case:
    await account(database, "disabled")
    token = await issue(database, Tokens(SECRET), dt.datetime.now(dt.UTC), account="disabled")
    return Case({"authorization": f"Bearer {token}"}, lambda: servers.run("account", "disable", "disabled"))


async def login_of_a_disabled_account(servers: Servers, database: Database) -> Case:
    _, secret = await account(database, "locked-out")
    return Case({"cookie": f"huhang={secret}"}, lambda: servers.run("account", "disable", "locked-out"))


async def ended_login(servers: Servers, database: Database) -> Case:
    _, secret = await account(database, "signed-out")
    headers = {"cookie": f"huhang={secret}", "origin": servers.processes[0].address}

    def sign_out() -> None:
        address = f"{servers.processes[0].address}/auth/sign-out"
        assert httpx.post(address, headers=headers, timeout=PATIENCE).status_code == 204

    return Case({"cookie": f"huhang={secret}"}, sign_out)


@pytest.mark.parametrize(
    "case",
    [revoked_token, token_of_a_disabled_account, login_of_a_disabled_account, ended_login],
    ids=lambda case: case.__name__,
)
async def test_everything_closes_on_every_process(servers: Servers, case: Any, record_proof: RecordProof) -> None:
    database = Database(servers.url)
    ending, staying = await case(servers, database), f"staying-{case.__name__}"
    other = await issue(database, Tokens(SECRET), dt.datetime.now(dt.UTC), role=Role.WALL, name=staying)
    await database.close()
    async with AsyncExitStack() as stack:
        closing, open_ones = Streams(stack, ending.headers), Streams(stack, {"authorization": f"Bearer {other}"})
        for process in servers.processes:
            await closing.open(process)
            await open_ones.open(process)
        await asyncio.to_thread(ending.end)
        began = time.monotonic()
        assert await closing.ends() == [close_codes.FORBIDDEN.code] * PROCESSES
        seconds = time.monotonic() - began
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            for process in servers.processes:
                headers = {**ending.headers, "origin": process.address}
                refused = await client.post(f"{process.address}/graphql", json={"query": "{ cursor }"}, headers=headers)
                assert refused.status_code == 401
        for socket in open_ones.sockets:
            await socket.expect_quiet()
    if PROVING:
        assert seconds < SECONDS
    name = f"{case.__name__.replace('_', ' ')}, {driver_url(servers.url).get_backend_name()}"
    record_proof(
        "revocation",
        "How long everything that was opened takes to close, on three processes",
        {"what ended": name, "seconds": f"{seconds:.1f}"},
    )
