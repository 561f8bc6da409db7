"""What the server does with uvicorn's protocols that uvicorn does not promise; what clients who do not read cost."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tests.conftest import Databases
from tests.support.accepting_server import accepting, served
from tests.support.proof_mode import PROVING
from tests.support.raw_websocket import HANDSHAKE, connected
from tests.support.stream_clients import HURRIED, Town, settled, town
from web.graphql import close_codes
from web.graphql.negotiation import EVENTS as EVENT_STREAM
from web.graphql.sse import SendQueue, StreamResponse
from web.graphql.uvicorn_protocols import (
    CLOSING_SECONDS,
    CUT,
    KERNEL_BUFFER,
    UNACKNOWLEDGED_MS,
    HttpProtocol,
    WebSocketProtocol,
    text_frame,
)

pytestmark = pytest.mark.database_independent

CLOSE = 8
MEGABYTE = 1 << 20
READERS, EVENTS = 99, 2_000 if PROVING else 450
GROWTH = 60 * MEGABYTE  # of the server's memory, at the most, whatever a client does not read


def options(transport: Any) -> tuple[bool, int]:
    """Of a connection's socket: whether the kernel holds little, and how long it waits for an acknowledgement."""
    raw = transport.get_extra_info("socket")
    # Linux keeps as much again for its own purposes.
    little = raw.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) in (KERNEL_BUFFER, 2 * KERNEL_BUFFER)
    return little, raw.getsockopt(socket.IPPROTO_TCP, TIMEOUT) if TIMEOUT else 0


# Not every platform has it.
TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", 0)
STEADILY = True, UNACKNOWLEDGED_MS if TIMEOUT else 0


# Names that uvicorn may change


@pytest.mark.parametrize(
    "name",
    [
        "run_asgi",
        "send_keepalive_ping",
        "keepalive_timeout",
        "stop_keepalive",
        "connection_made",
        "pause_writing",
        "resume_writing",
    ],
)
def test_sockets_still_have(name: str) -> None:
    assert callable(getattr(WebSocketsSansIOProtocol, name))


def test_http_still_has() -> None:
    assert callable(HttpToolsProtocol.on_message_begin)


async def test_a_wire_still_has_what_is_used_of_it() -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        assert isinstance(wire.queue, asyncio.Queue)
        assert isinstance(wire.writable, asyncio.Event)
        assert wire.writable.is_set()
        assert wire.handshake_complete is True
        assert wire.close_sent is False
        assert wire.disconnected is False
        assert wire.close_timer is None
        assert wire.pong_timer is None
        assert wire.ping_timeout == wire.config.ws_ping_timeout
        assert wire.loop is asyncio.get_running_loop()
        assert callable(wire.conn.send_close)
        assert callable(wire.conn.data_to_send)
        assert wire.open
        assert options(wire.transport) == STEADILY
        wire.close_within(4000, "good")

    async with accepting(deed) as port, connected(port) as raw:
        assert await raw.rest() == [(CLOSE, b"\x0f\xa0good")]


def test_uvicorn_would_take_the_same_protocols() -> None:
    assert (AutoHTTPProtocol, AutoWebSocketsProtocol) == (HttpToolsProtocol, WebSocketsSansIOProtocol)


# Writing


async def test_frames_of_every_length_arrive_whole() -> None:
    lengths = [0, 1, 125, 126, 127, (1 << 16) - 1, 1 << 16, 200_000]

    async def deed(wire: WebSocketProtocol) -> None:
        for length in lengths:
            wire.write(text_frame(b"a" * length))

    async with accepting(deed) as port, connected(port) as raw:
        for length in lengths:
            assert await raw.frame() == (1, b"a" * length)


async def test_what_waits_is_counted_and_room_is_waited_for() -> None:
    ready, frame = asyncio.Event(), text_frame(b"a" * 4_000)
    written = 0

    async def deed(wire: WebSocketProtocol) -> None:
        nonlocal written
        while wire.write(frame)[0] < 50:
            written += 1
        count, size = wire.write(frame)
        written += 2
        assert count == 51
        assert 50 * len(frame) < size <= 51 * len(frame)
        assert size == wire.transport.get_write_buffer_size()
        assert not await wire.room(0.05)
        ready.set()
        assert await wire.room(10)
        assert wire.write(text_frame(b"last"))[0] <= 2

    async with accepting(deed) as port, connected(port) as raw:
        await ready.wait()
        got = 0
        while (await raw.frame())[1] != b"last":
            got += 1
        assert got == written


async def test_what_is_written_to_a_peer_that_has_gone_harms_nobody() -> None:
    found: list[tuple[int, int]] = []
    written = asyncio.Event()
    with socket.socket() as peer:

        async def deed(wire: WebSocketProtocol) -> None:
            # Reset, which the server's loop has not seen yet.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            found.extend(wire.write(text_frame(b"a" * size)) for size in (10, 10, 100_000))
            written.set()

        async with accepting(deed) as port:
            await asyncio.to_thread(peer.connect, ("127.0.0.1", port))
            peer.sendall(HANDSHAKE.format(path="/").encode())
            await asyncio.wait_for(written.wait(), 10)
    assert found == [(0, 0)] * 3


async def test_a_wire_that_is_closed_takes_nothing_and_is_closed_once() -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        wire.close_within(4001, "first")
        assert not wire.open
        assert wire.write(text_frame(b"late")) == (0, 0)
        wire.close_within(4002, "second")

    async with accepting(deed) as port, connected(port) as raw:
        assert await raw.rest() == [(CLOSE, b"\x0f\xa1first")]


async def test_a_reason_is_cut_where_it_is_too_long_for_a_frame() -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        wire.close_within(4001, "长" * 100)

    async with accepting(deed) as port, connected(port) as raw:
        assert await raw.rest() == [(CLOSE, b"\x0f\xa1" + "长".encode() * 41)]


async def test_a_client_that_reads_again_in_time_gets_all_that_waited_and_the_code() -> None:
    closed = asyncio.Event()

    async def deed(wire: WebSocketProtocol) -> None:
        while wire.write(text_frame(b"a" * 4_000))[0] < 50:
            pass
        wire.close_within(4410, "slow", 10)
        closed.set()

    async with accepting(deed) as port, connected(port) as raw:
        await closed.wait()
        *frames, last = await raw.rest()
        assert len(frames) > 50
        assert last == (CLOSE, b"\x11\x3aslow")


async def test_a_client_that_does_not_is_cut_in_bounded_time() -> None:
    ended = asyncio.Event()

    async def deed(wire: WebSocketProtocol) -> None:
        while wire.write(text_frame(b"a" * 4_000))[0] < 50:
            pass
        wire.close_within(4410, "slow", 0.1)
        async with asyncio.timeout(5):
            while not wire.disconnected:  # it is uvicorn's, and has no event
                await asyncio.sleep(0.01)
        ended.set()

    async with accepting(deed) as port, connected(port) as raw:
        await asyncio.wait_for(ended.wait(), 10)
        assert (await raw.rest())[-1][0] != CLOSE


async def test_a_dead_peer_is_cut() -> None:
    ended = asyncio.Event()

    async def deed(wire: WebSocketProtocol) -> None:
        # It has bytes to take that it never will; without cutting, closing would wait for them.
        while wire.write(text_frame(b"a" * 4_000))[0] < 50:
            pass
        started = time.monotonic()
        while not wire.disconnected:  # as above
            await asyncio.sleep(0.01)
        assert time.monotonic() - started < 5
        ended.set()

    async with accepting(deed, ws_ping_interval=0.1, ws_ping_timeout=0.1) as port, connected(port):
        await asyncio.wait_for(ended.wait(), 10)


async def test_a_stream_over_http_can_be_cut() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def write() -> None:
            while True:
                await send({"type": "http.response.body", "body": b"a" * 10_000, "more_body": True})

        writing = asyncio.create_task(write())
        await asyncio.sleep(0.1)
        scope["extensions"][CUT]()
        assert (await receive())["type"] == "http.disconnect"
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        ended.set()

    async with served(app, timeout_graceful_shutdown=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
        writer.write(b"GET / HTTP/1.1\r\nHost: huhang\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 10)
        with pytest.raises(ConnectionError):
            await reader.read()
        writer.close()


async def test_a_connection_is_made_steady_when_a_stream_begins_on_it_and_no_sooner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    protocols: list[HttpProtocol] = []
    begin = HttpProtocol.on_message_begin
    found = []

    def kept(self: HttpProtocol) -> None:
        begin(self)
        protocols.append(self)

    monkeypatch.setattr(HttpProtocol, "on_message_begin", kept)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        outlet = SendQueue()
        found.append(options(protocols[-1].transport))
        if scope["path"] == "/stream":
            response: Response = StreamResponse(outlet, EVENT_STREAM, b":\n\n", bytes, None)
            outlet.end()
        else:
            response = Response(b"plain")
        await response(scope, receive, send)
        found.append(options(protocols[-1].transport))

    async with served(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for path in ("/plain", "/stream"):
            await client.get(path)
    assert len({id(protocol) for protocol in protocols}) == 1
    assert found == [(False, 0)] * 3 + [STEADILY]


# The whole server


@pytest_asyncio.fixture(scope="module")
async def live(databases: Databases, migrated_url: str, scratch: Path) -> AsyncIterator[Town]:
    with town(scratch, *await settled(databases, migrated_url), program=HURRIED) as found:
        yield found


def memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells how much memory a process has")
async def test_one_of_a_hundred_who_does_not_read_costs_the_others_nothing(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    fields = " ".join(f"a{n}: enterprise {{ name address }}" for n in range(40))
    query = f"subscription {{ updates {{ cursor {fields} }} }}"
    ready = asyncio.Semaphore(0)
    with town(scratch, *await settled(databases, migrated_url)) as live:
        port = int(live.address.rsplit(":", 1)[1])

        async def reader() -> int:
            async with connected(port, little=False) as raw:
                await raw.subscribed(live.token(), query)
                ready.release()
                got = 0
                while got < EVENTS:
                    got += (await raw.said())["type"] == "next"
                return got

        async with connected(port) as stalled, asyncio.TaskGroup() as readers:
            await stalled.subscribed(live.token(), query)
            tasks = [readers.create_task(reader()) for _ in range(READERS)]
            for _ in tasks:
                await ready.acquire()
            before = memory(live.process.popen.pid)
            await live.append(EVENTS)
            assert [await task for task in tasks] == [EVENTS] * READERS
            # It was closed while it did not read.
            await asyncio.wait_for(stalled.rest(), CLOSING_SECONDS + 10)
        assert f'"code": {close_codes.TOO_SLOW.code}' in live.process.said
        assert memory(live.process.popen.pid) - before < GROWTH


async def test_a_peer_that_answers_no_ping_is_gone(live: Town) -> None:
    port = int(live.address.rsplit(":", 1)[1])
    async with connected(port) as raw:
        await raw.subscribed(live.token(), "subscription { updates { kind } }")
        started = time.monotonic()
        await asyncio.wait_for(raw.rest(), 10)
        assert time.monotonic() - started < 8  # the hurried server pings each second, and waits one for the answer


def test_a_dead_peer_is_gone_within_30_seconds() -> None:
    assert 2 * close_codes.ALIVE_SECONDS <= 30
    assert close_codes.PING_SECONDS + UNACKNOWLEDGED_MS / 1_000 <= 30
    assert close_codes.WAITING_MESSAGES == 256
    assert close_codes.WAITING_BYTES == 1 << 20
