"""Many handshakes of WebSockets that come together hold up nobody."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.support.in_process_server import serve
from tests.support.patience import PATIENCE
from tests.support.raw_websocket import HANDSHAKE
from web.graphql.connection_limits import Connections
from web.graphql.uvicorn_protocols import WebSocketProtocol

pytestmark = pytest.mark.database_independent

HOSTS = ["127.0.0.1"] * 20 + ["127.0.0.2"]


async def accept(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


class Iterations:
    """Counts the iterations of the event loop, and keeps in which one each handshake began."""

    def __init__(self) -> None:
        self.number, self.begun = 0, list[tuple[int, str]]()
        self._count()

    def _count(self) -> None:
        self.number += 1
        self._next = asyncio.get_running_loop().call_soon(self._count)

    def note(self, transport: Any) -> None:
        self.begun.append((self.number, transport.get_extra_info("peername")[0]))

    def stop(self) -> None:
        self._next.cancel()


async def waiting(connections: Connections, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while connections.handshakes.waiting != number:
            await asyncio.sleep(0.001)


async def test_handshakes_that_come_together_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One begins in each iteration of the loop, and an address waits for one handshake of each other at most."""
    made, connections = WebSocketProtocol.connection_made, Connections()
    async with serve(accept, connections=connections, timeout_graceful_shutdown=1) as port, AsyncExitStack() as stack:
        clients = []
        async with connections.handshakes.turn("another"):
            for host in HOSTS:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
                stack.callback(writer.close)
                writer.write(HANDSHAKE.format(path="/graphql").encode())
                clients.append((reader, writer))
            await waiting(connections, len(HOSTS))
            clients.pop(0)[1].transport.abort()  # it leaves the queue
            await waiting(connections, len(HOSTS) - 1)
            iterations = Iterations()

            def connection_made(self: WebSocketProtocol, transport: Any) -> None:
                iterations.note(transport)
                made(self, transport)

            monkeypatch.setattr(WebSocketProtocol, "connection_made", connection_made)
        async with asyncio.timeout(PATIENCE):
            for reader, _ in clients:
                assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        iterations.stop()
    assert len({iteration for iteration, _ in iterations.begun}) == len(clients)
    assert "127.0.0.2" in [host for _, host in iterations.begun[:2]]
