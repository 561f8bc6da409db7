"""Real clients: each subscribes, loses the server twice, resumes after its last cursor and gets each event once. Its
queries are answered as well."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport

from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.redis_server import free_port
from tests.support.server_process import Process
from tests.support.stream_clients import HURRIED, LiveDistrict, live_district, small_district

pytestmark = pytest.mark.database_independent

CLIENTS = Path(__file__).parent / "clients"
# The script and its last argument.
SCRIPTS = {
    "graphql-ws": ("graphql-ws", ""),
    "graphql-sse, distinct connections": ("graphql-sse", ""),
    "graphql-sse, single connection": ("graphql-sse", "single"),
    "Apollo Client, graphql-ws": ("apollo", ""),
    "Apollo Client, multipart": ("apollo", "multipart"),
    "urql, fetch": ("urql", ""),
    "urql, graphql-ws": ("urql", "ws"),
    "Relay": ("relay", ""),
}
GQL = "gql"
UPDATES = "subscription($after: String) { updates(after: $after) { cursor } }"


class ClientLog:
    """What one client received."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.zones: Any = None
        self.errors: list[Any] = []
        self.changed = asyncio.Event()

    def take(self, message: Any) -> None:
        match message:
            case {"event": cursor}:
                self.events.append(cursor)
            case {"zones": zones}:
                self.zones = zones
            case _:
                self.errors.append(message)
        self.changed.set()

    async def reaches(self, cursor: str) -> None:
        """Wait until the client has this event and the answer to its query, or until it fails."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not (cursor in self.events and self.zones is not None) and not self.errors:
                    self.changed.clear()
                    await self.changed.wait()


@asynccontextmanager
async def script(log: ClientLog, name: str, mode: str, *words: str) -> AsyncIterator[None]:
    node = shutil.which("node")
    assert node, "The clients need Node."
    process = await asyncio.create_subprocess_exec(
        node,
        str(CLIENTS / f"{name}.mjs"),
        *words,
        mode,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    async def read() -> None:
        assert process.stdout
        async for line in process.stdout:
            with contextlib.suppress(orjson.JSONDecodeError):
                log.take(orjson.loads(line))
                continue
            log.errors.append(line.decode())
            log.changed.set()

    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def gql_client(log: ClientLog, address: str, token: str, after: str) -> None:
    while True:
        transport = WebsocketsTransport(
            url=address.replace("http", "ws") + "/graphql",
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
            init_payload={"Authorization": f"Bearer {token}"},
        )
        # However the connection is lost. `async with` would raise when the server closes it.
        with contextlib.suppress(TransportError, OSError):
            async with Client(transport=transport) as session:
                if log.zones is None:
                    log.take(await session.execute(gql("{ zones { name } }")))
                request = gql(UPDATES)
                request.variable_values = {"after": after}
                async for answer in session.subscribe(request):
                    after = answer["updates"]["cursor"]
                    log.take({"event": after})
        await asyncio.sleep(0.1)


@asynccontextmanager
async def subscribed(live: LiveDistrict, address: str, start: str) -> AsyncIterator[dict[str, ClientLog]]:
    """All clients, following the log from a cursor."""
    logs = {name: ClientLog() for name in (*SCRIPTS, GQL)}
    async with AsyncExitStack() as stack:
        for name, (file, mode) in SCRIPTS.items():
            await stack.enter_async_context(script(logs[name], file, mode, address, live.token(), start))
        following = asyncio.create_task(gql_client(logs[GQL], address, live.token(), start))
        try:
            yield logs
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@pytest_asyncio.fixture(scope="module")
async def received(
    databases: Databases, migrated_url: str, scratch: Path
) -> AsyncIterator[tuple[list[str], dict[str, ClientLog]]]:
    """All events, and what each client received."""
    (url, world), port = await small_district(databases, migrated_url), free_port()
    arguments, address = ("--port", str(port)), f"http://127.0.0.1:{port}"
    events: list[str] = []

    async def all_reach_the_last_event(clients: dict[str, ClientLog]) -> None:
        await asyncio.gather(*(client.reaches(events[-1]) for client in clients.values()))

    async def events_without_a_server(live: LiveDistrict) -> list[str]:
        return [f"{events[0].split('-')[0]}-{number}" for number in await live.append_events(2)]

    async with AsyncExitStack() as stack:
        with live_district(scratch, url, world, *arguments, program=HURRIED) as live:
            async with live.socket() as socket:
                assert socket.cursor
                clients = await stack.enter_async_context(subscribed(live, address, socket.cursor))
            events += await live.plan_inspections(3)
            await all_reach_the_last_event(clients)
            # Until keep-alive messages were sent, which no client may take for anything else.
            async with live.socket() as socket:
                for _ in range(3):
                    await socket.receive(pings=True)
            live.process.popen.kill()
            live.process.popen.wait()
            events += await events_without_a_server(live)
        with live_district(scratch, url, world, *arguments, program=HURRIED) as live:
            events += await live.plan_inspections(2)
            await all_reach_the_last_event(clients)
            # This time the server closes its streams.
            assert await asyncio.to_thread(live.process.end) == 0
            events += await events_without_a_server(live)
        with live_district(scratch, url, world, *arguments, program=HURRIED) as live:
            events += await live.plan_inspections(2)
            await all_reach_the_last_event(clients)
    yield events, clients


@pytest.mark.parametrize("name", [*SCRIPTS, GQL])
async def test_each_event_arrives_once_over_two_restarts(
    received: tuple[list[str], dict[str, ClientLog]], name: str
) -> None:
    events, client = received[0], received[1][name]
    assert client.errors == []
    assert client.events == events
    assert [zone["name"] for zone in client.zones] == ["战区0", "战区1"]


def test_real_clients_are_told_why_an_operation_is_refused(served: Process) -> None:
    node = shutil.which("node")
    assert node, "The clients need Node."
    command = (node, str(CLIENTS / "refusals.mjs"), served.address, "", "")
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    reasons = [["DOCUMENT_INVALID"], ["LOG_CURSOR_MALFORMED"], ["VARIABLES_INVALID"]]
    for client in ("distinct", "single", "socket"):
        lines = [line for text in done.stdout.splitlines() if (line := orjson.loads(text))["client"] == client]
        received = [line["received"][0] for line in lines]
        assert [[error["extensions"]["reason"] for error in errors] for errors in received] == reasons
        # The client ends the operation, and does not try again.
        assert all(line["received"][1:] == ([] if client == "socket" else ["complete"]) for line in lines)
        assert received[1][0]["message"] == "这不是事件日志的游标。"
