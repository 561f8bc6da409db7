"""Clients as people use them: each subscribes, loses the server twice, comes back after its last cursor, and has been
told of each event once; its ordinary queries are answered as ever."""

import asyncio
import contextlib
import shutil
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
from tests.support.stream_clients import HURRIED, Town, settled, town

pytestmark = pytest.mark.database_independent

CLIENTS = Path(__file__).parent / "clients"
# What is run, and its last argument.
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


class Told:
    """What one client was told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.zones: Any = None
        self.otherwise: list[Any] = []
        self.news = asyncio.Event()

    def take(self, said: Any) -> None:
        match said:
            case {"event": cursor}:
                self.events.append(cursor)
            case {"zones": zones}:
                self.zones = zones
            case _:
                self.otherwise.append(said)
        self.news.set()

    async def reaches(self, cursor: str) -> None:
        """Until it has been told of this event and its query is answered; or it fails, which the test will see."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not (cursor in self.events and self.zones is not None) and not self.otherwise:
                    self.news.clear()
                    await self.news.wait()


@asynccontextmanager
async def script(told: Told, name: str, mode: str, *words: str) -> AsyncIterator[None]:
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
                told.take(orjson.loads(line))
                continue
            told.otherwise.append(line.decode())
            told.news.set()

    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def gql_client(told: Told, address: str, token: str, after: str) -> None:
    while True:
        transport = WebsocketsTransport(
            url=address.replace("http", "ws") + "/graphql",
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
            init_payload={"Authorization": f"Bearer {token}"},
        )
        # However it is lost; `async with` would raise at an end that the server has made.
        with contextlib.suppress(TransportError, OSError):
            async with Client(transport=transport) as session:
                if told.zones is None:
                    told.take(await session.execute(gql("{ zones { name } }")))
                request = gql(UPDATES)
                request.variable_values = {"after": after}
                async for answer in session.subscribe(request):
                    after = answer["updates"]["cursor"]
                    told.take({"event": after})
        await asyncio.sleep(0.1)


@asynccontextmanager
async def subscribed(live: Town, address: str, start: str) -> AsyncIterator[dict[str, Told]]:
    """All clients, which follow the log from a cursor."""
    found = {name: Told() for name in (*SCRIPTS, GQL)}
    async with AsyncExitStack() as stack:
        for name, (file, mode) in SCRIPTS.items():
            await stack.enter_async_context(script(found[name], file, mode, address, live.token(), start))
        following = asyncio.create_task(gql_client(found[GQL], address, live.token(), start))
        try:
            yield found
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@pytest_asyncio.fixture(scope="module")
async def told(
    databases: Databases, migrated_url: str, scratch: Path
) -> AsyncIterator[tuple[list[str], dict[str, Told]]]:
    """All events that there were, and what each client was told."""
    (url, world), port = await settled(databases, migrated_url), free_port()
    arguments, address = ("--port", str(port)), f"http://127.0.0.1:{port}"
    events: list[str] = []

    async def all_are_told(clients: dict[str, Told]) -> None:
        await asyncio.gather(*(client.reaches(events[-1]) for client in clients.values()))

    async def while_nobody_serves(live: Town) -> list[str]:
        return [f"{events[0].split('-')[0]}-{number}" for number in await live.append(2)]

    async with AsyncExitStack() as stack:
        with town(scratch, url, world, *arguments, program=HURRIED) as live:
            async with live.socket() as socket:
                assert socket.cursor
                clients = await stack.enter_async_context(subscribed(live, address, socket.cursor))
            events += await live.plan(3)
            await all_are_told(clients)
            # Until keep-alive messages were sent, which no client may take for anything else.
            async with live.socket() as socket:
                for _ in range(3):
                    await socket.hear(pings=True)
            live.process.popen.kill()
            live.process.popen.wait()
            events += await while_nobody_serves(live)
        with town(scratch, url, world, *arguments, program=HURRIED) as live:
            events += await live.plan(2)
            await all_are_told(clients)
            # This time with a word of farewell.
            assert await asyncio.to_thread(live.process.end) == 0
            events += await while_nobody_serves(live)
        with town(scratch, url, world, *arguments, program=HURRIED) as live:
            events += await live.plan(2)
            await all_are_told(clients)
    yield events, clients


@pytest.mark.parametrize("name", [*SCRIPTS, GQL])
async def test_each_event_comes_once_though_the_server_goes_twice(
    told: tuple[list[str], dict[str, Told]], name: str
) -> None:
    events, client = told[0], told[1][name]
    assert client.otherwise == []
    assert client.events == events
    assert [zone["name"] for zone in client.zones] == ["战区0", "战区1"]
