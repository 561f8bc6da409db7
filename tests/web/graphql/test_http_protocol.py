"""Slow and large clients get a status, or are cut; others do not notice. Time passes by calling `check`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import httptools
import orjson
import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tests.support.in_process_server import serve
from tests.support.patience import PATIENCE
from web.allowed_connections import ConnectionLimits
from web.graphql import connection_limits as limits
from web.graphql.connection_limits import Connections
from web.graphql.http_protocol import HttpProtocol
from web.graphql.uvicorn_protocols import CONNECTION, SLICE

pytestmark = pytest.mark.database_independent

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
LARGE = 4 << 20


class Server:
    """An application that answers with the length of the body, at the paths /large and /wait with something else."""

    def __init__(self) -> None:
        self.port = 0
        self.protocols: list[HttpProtocol] = []
        self.now = 0.0
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self.outcome = ""
        self.connections = Connections()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        body = b"x" * LARGE if scope["path"] == "/large" else await self._length(scope, receive)
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _length(self, scope: Scope, receive: Receive) -> bytes:
        if scope["path"] == "/wait":
            scope["state"][CONNECTION].task = asyncio.current_task()
            self.begun.set()
            try:
                await self.ended.wait()
            except asyncio.CancelledError:
                self.outcome = "cancelled"
                self.ended.set()
                raise
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.outcome = "disconnected"
                self.ended.set()
                return b""
            length += len(message.get("body", b""))
            more = message.get("more_body", False)
        return b"%d" % length

    def pass_time(self, seconds: float) -> None:
        """Look at all connections now and after so long."""
        for _ in range(2):
            for protocol in list(self.protocols):
                protocol.check(self.now)
            self.now += seconds
        for protocol in list(self.protocols):
            protocol.check(self.now)


@asynccontextmanager
async def served(monkeypatch: pytest.MonkeyPatch, allowed: ConnectionLimits | None = None) -> AsyncIterator[Server]:
    """The server; nothing looks at its connections but `pass_time`."""
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 10_000.0)
    server = Server()
    made, lost = HttpProtocol.connection_made, HttpProtocol.connection_lost

    def connection_made(self: HttpProtocol, transport: asyncio.Transport) -> None:
        server.protocols.append(self)
        made(self, transport)

    def connection_lost(self: HttpProtocol, exc: Exception | None) -> None:
        server.protocols.remove(self)
        lost(self, exc)

    monkeypatch.setattr(HttpProtocol, "connection_made", connection_made)
    monkeypatch.setattr(HttpProtocol, "connection_lost", connection_lost)
    server.connections = Connections(allowed)
    async with serve(server, connections=server.connections, timeout_graceful_shutdown=1) as server.port:
        yield server


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def client(server: Server, sent: bytes = b"") -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    with closing(writer):
        writer.write(sent)
        yield reader, writer


async def settle(server: Server, until: Callable[[], bool]) -> None:
    """Let the server look at what was sent, until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not until():
            await asyncio.sleep(0.001)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """The next response: status, headers and body."""
    async with asyncio.timeout(PATIENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def refusal(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The status and code of a refusal, after which the connection ends."""
    status, headers, body = await answer(reader)
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    [error] = orjson.loads(body)["errors"]
    if "retry-after" in headers:
        assert headers["retry-after"] == str(error["extensions"]["retryAfter"])
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    return status, error["extensions"]["code"]


# Undocumented names of uvicorn


def cycle() -> RequestResponseCycle:
    nothing: Any = None
    return RequestResponseCycle(
        nothing, nothing, nothing, nothing, nothing, False, [], nothing, False, False, lambda: None
    )


def test_the_protocol_has_its_methods_and_attributes() -> None:
    for name in (
        "connection_made",
        "connection_lost",
        "data_received",
        "on_headers_complete",
        "on_message_complete",
        "on_response_complete",
        "send_400_response",
        "handle_websocket_upgrade",
        "_unset_keepalive_if_required",
        "_should_upgrade",
    ):
        assert callable(getattr(HttpToolsProtocol, name))
    assert {"disconnected", "message_event", "keep_alive"} <= set(vars(cycle()))
    assert isinstance(httptools_impl.STATUS_LINE[431], bytes)
    assert callable(FlowControl.resume_reading)
    assert issubclass(httptools.HttpParserCallbackError, httptools.HttpParserError)


# Time


@pytest.mark.parametrize("sent", [b"G", GET, GET + b"X-Slow: 1\r\n", GET + b"\r\n" + b"GET /"])
async def test_headers_that_take_too_long_get_408(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    async with served(monkeypatch) as server, client(server, sent) as (reader, _):
        await settle(server, lambda: bool(server.protocols) and server.protocols[0].scope is not None)
        if sent.startswith(GET + b"\r\n"):
            assert (await answer(reader))[0] == 200
        server.pass_time(limits.HEADERS_SECONDS + 1)
        assert await refusal(reader) == (408, "BAD_REQUEST")


async def test_a_connection_that_asks_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as server, client(server) as (reader, _):
        await settle(server, lambda: bool(server.protocols))
        server.pass_time(limits.HEADERS_SECONDS + 1)
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""


async def test_a_body_that_takes_too_long_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    async with served(monkeypatch) as server, client(server, head + b"x") as (reader, _):
        await settle(server, lambda: bool(server.protocols) and server.protocols[0].cycle is not None)
        server.pass_time(limits.BODY_SECONDS + 1)
        assert await refusal(reader) == (408, "BAD_REQUEST")
        await asyncio.wait_for(server.ended.wait(), PATIENCE)
        assert server.outcome == "disconnected"


async def test_a_large_body_may_take_as_long_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 40 * limits.BODY_RATE
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (size + 1)
    async with served(monkeypatch) as server, client(server, head + b"x" * size) as (reader, writer):
        await settle(server, lambda: bool(server.protocols) and server.protocols[0]._received > size)
        server.pass_time(limits.BODY_SECONDS + 1)
        writer.write(b"x")
        assert (await answer(reader))[2] == b"%d" % (size + 1)


async def test_a_request_that_is_executed_is_not_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with served(monkeypatch) as server, client(server, asked + GET) as (reader, writer):
        await asyncio.wait_for(server.begun.wait(), PATIENCE)
        server.pass_time(1_000)
        server.ended.set()
        assert (await answer(reader))[0] == 200
        writer.write(b"\r\n")
        assert (await answer(reader))[0] == 200


async def test_a_reader_that_takes_a_response_too_slowly_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as server, client(server, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        await settle(server, lambda: any(p.transport.get_write_buffer_size() for p in server.protocols))
        before = limits.REFUSED["slow reader"]
        server.pass_time(limits.READER_SECONDS)
        await settle(server, lambda: not server.protocols)
        assert limits.REFUSED["slow reader"] == before + 1


async def test_a_reader_that_goes_on_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with served(monkeypatch) as server, client(server, asked) as (reader, _):
        await settle(server, lambda: any(p.transport.get_write_buffer_size() for p in server.protocols))
        [protocol] = server.protocols
        await reader.readuntil(b"\r\n\r\n")
        while waits := protocol.transport.get_write_buffer_size():
            protocol.check(server.now)
            await asyncio.wait_for(reader.readexactly(64 << 10), PATIENCE)
            while protocol.transport.get_write_buffer_size() == waits:
                await asyncio.wait_for(reader.readexactly(16 << 10), PATIENCE)
            server.now += limits.READER_SECONDS
            protocol.check(server.now)
        assert server.protocols == [protocol]


# Sizes


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"x" * (limits.HEADER_BYTES + 1) + b"\r\n\r\n",
        b"X: " + b"x" * (limits.HEADER_BYTES * 4),  # without an end
        b"".join(b"X%d: 1\r\n" % number for number in range(limits.HEADERS_MAXIMUM)) + b"\r\n",
        b"".join(b"X%d: %s\r\n" % (number, b"x" * 1_000) for number in range(70)) + b"\r\n",
    ],
)
async def test_headers_that_are_too_large_get_431(monkeypatch: pytest.MonkeyPatch, headers: bytes) -> None:
    async with served(monkeypatch) as server, client(server, GET + headers) as (reader, _):
        assert await refusal(reader) == (431, "BAD_REQUEST")


async def test_large_headers_within_the_bounds_are_taken_also_after_a_large_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    large = GET + b"X: " + b"x" * (limits.HEADER_BYTES - 200) + b"\r\n\r\n"
    many = GET + b"".join(b"X%d: 1\r\n" % n for n in range(limits.HEADERS_MAXIMUM - 1)) + b"\r\n"
    async with served(monkeypatch) as server, client(server, body + large + body + many) as (reader, _):
        assert [(await answer(reader))[2] for _ in range(4)] == [b"200000", b"0", b"200000", b"0"]


async def test_a_url_that_is_too_long_gets_431(monkeypatch: pytest.MonkeyPatch) -> None:
    long = b"GET /?" + b"x" * limits.HEADER_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with served(monkeypatch) as server, client(server, long) as (reader, _):
        assert await refusal(reader) == (431, "BAD_REQUEST")


async def test_what_is_no_request_gets_400_after_the_answers_to_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as server:
        async with client(server, b"\x16\x03\x01 hello\r\n\r\n" + b"x" * 300_000) as (reader, _):
            assert await refusal(reader) == (400, "BAD_REQUEST")
        asked = b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"
        async with client(server, asked + b"nonsense\r\n\r\n") as (reader, _):
            await asyncio.wait_for(server.begun.wait(), PATIENCE)
            server.ended.set()
            status, headers, _ = await answer(reader)
            assert (status, headers["connection"]) == (200, "close")
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b""


async def test_pipelined_requests_wait_for_those_before_without_being_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"
    flood = (GET + b"\r\n") * 10_000
    async with served(monkeypatch) as server, client(server, asked + flood) as (reader, _):
        await asyncio.wait_for(server.begun.wait(), PATIENCE)
        [protocol] = server.protocols
        await settle(server, lambda: bool(protocol.pipeline))
        assert len(protocol.pipeline) <= SLICE // len(GET)
        assert len(protocol._held) <= 1 << 18
        server.ended.set()
        for _ in range(10_001):
            assert (await answer(reader))[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"", 101),
        (b"".join(b"X%d: 1\r\n" % number for number in range(130)), 431),
        (b"X: " + b"x" * 8_500 + b"\r\n", 431),
        (b"X: " + b"x" * 7_000 + b"\r\n", 101),
        (b"Content-Length: 5\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 0\r\n", 101),
    ],
)
async def test_a_handshake_is_answered(monkeypatch: pytest.MonkeyPatch, headers: bytes, status: int) -> None:
    async with served(monkeypatch) as server, client(server, UPGRADE + headers + b"\r\n") as (reader, _):
        if status != 101:
            assert await refusal(reader) == (status, "BAD_REQUEST")
        else:
            line = await asyncio.wait_for(reader.readline(), PATIENCE)
            assert line.startswith(b"HTTP/1.1 101")


# Numbers


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (ConnectionLimits(maximum=2), (503, "BUSY")),
        (ConnectionLimits(per_address=2), (429, "TOO_MANY")),
        (ConnectionLimits(per_address=2, trusted=lambda host: host == "127.0.0.1"), None),
    ],
)
@pytest.mark.parametrize("request_", [GET + b"\r\n", UPGRADE + b"\r\n"])
async def test_connections_are_bounded(
    monkeypatch: pytest.MonkeyPatch, allowed: ConnectionLimits, expected: tuple[int, str] | None, request_: bytes
) -> None:
    async with served(monkeypatch, allowed) as server, client(server, UPGRADE + b"\r\n") as (first, writer):
        await asyncio.wait_for(first.readuntil(b"\r\n\r\n"), PATIENCE)
        async with client(server, GET + b"\r\n") as (second, _):
            assert (await answer(second))[0] == 200
            async with client(server, request_) as (third, _):
                if expected is not None:
                    assert await refusal(third) == expected
            async with client(server), client(server), client(server) as (excessive, _):
                # So many are refused without waiting for a request.
                if expected is not None:
                    assert await refusal(excessive) == expected
        writer.close()
        await settle(server, lambda: server.connections._number == 0)


# Clients that go


async def test_what_a_client_has_asked_is_cancelled_when_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as server:
        async with client(server, b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            await asyncio.wait_for(server.begun.wait(), PATIENCE)
        await asyncio.wait_for(server.ended.wait(), PATIENCE)
        assert server.outcome == "cancelled"


def test_a_slice_is_smaller_than_the_headers_may_be() -> None:
    assert SLICE < limits.HEADER_BYTES
