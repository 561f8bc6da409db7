"""Handshakes of WebSockets: many that come together hold up nobody, and none overtakes a response."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.support.in_process_server import serve
from tests.support.patience import PATIENCE
from tests.support.raw_websocket import HANDSHAKE
from web.graphql.connection_limits import Connections
from web.graphql.http_protocol import HttpProtocol
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


async def test_a_handshake_waits_for_the_responses_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come in one go with two requests. Their responses come first, and none into the socket."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    upgrade = HttpProtocol.handle_websocket_upgrade

    def noted(self: HttpProtocol) -> None:
        upgrade(self)
        asked.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await accept(scope, receive, send)
            return
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    # The connection stays although nothing else is asked on it within this time.
    async with serve(app, timeout_graceful_shutdown=1, timeout_keep_alive=0) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        monkeypatch.setattr(HttpProtocol, "handle_websocket_upgrade", noted)
        writer.write((request * 2 + HANDSHAKE.format(path="/graphql")).encode())
        await asked.wait()
        go_on.set()
        for _ in range(2):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2) == b"ok"
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(bytes([0x89, 0x80, 0, 0, 0, 0]))  # a ping
        assert await reader.readexactly(2) == bytes([0x8A, 0])  # its pong
        writer.close()
