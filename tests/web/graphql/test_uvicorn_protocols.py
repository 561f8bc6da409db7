"""uvicorn's protocols as Huhang extends them, and the cost of clients that do not read."""

import asyncio
import socket
import struct
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tests.conftest import Databases
from tests.support.garbage import garbage
from tests.support.in_process_server import serve, serve_socket
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.raw_websocket import HANDSHAKE, PING, TEXT, Raw, connected
from tests.support.stream_clients import HURRIED, live_district, small_district
from web.graphql import close_codes
from web.graphql.http_protocol import HttpProtocol
from web.graphql.negotiation import EVENTS as EVENT_STREAM
from web.graphql.sse import SendQueue, StreamResponse
from web.graphql.uvicorn_protocols import (
    CONNECTION,
    KERNEL_BUFFER,
    UNACKNOWLEDGED_MS,
    WebSocketProtocol,
    text_frame,
)

pytestmark = pytest.mark.database_independent

CLOSE = 8
MEGABYTE = 1 << 20
READERS, BATCHES = 99, 13 if PROVING else 3
BATCH = 150  # events; fewer than may wait for one client
GROWTH = 60 * MEGABYTE  # the server's memory grows by no more, whatever a client does not read


def options(transport: Any) -> tuple[bool, int]:
    """Whether the kernel's send buffer is small, and how long the kernel waits for an acknowledgement."""
    raw = transport.get_extra_info("socket")
    # Linux doubles the size, for its own bookkeeping.
    small = raw.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) in (KERNEL_BUFFER, 2 * KERNEL_BUFFER)
    return small, raw.getsockopt(socket.IPPROTO_TCP, TIMEOUT) if TIMEOUT else 0


# Not every platform has this option.
TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", 0)
PREPARED = True, UNACKNOWLEDGED_MS if TIMEOUT else 0


# Undocumented names of uvicorn


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
        "handle_cont",
        "handle_ping",
        "handle_parser_exception",
        "send_receive_event_to_app",
    ],
)
def test_the_socket_protocol_has_the_method(name: str) -> None:
    assert callable(getattr(WebSocketsSansIOProtocol, name))


def test_the_http_protocol_has_its_method() -> None:
    assert callable(HttpToolsProtocol.connection_made)
    assert callable(HttpToolsProtocol.handle_websocket_upgrade)


async def test_the_socket_protocol_has_its_attributes() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        assert isinstance(protocol.queue, asyncio.Queue)
        assert isinstance(protocol.writable, asyncio.Event)
        assert protocol.writable.is_set()
        assert protocol.handshake_complete is True
        assert protocol.close_sent is False
        assert protocol.disconnected is False
        assert protocol.frames == []
        assert protocol.close_timer is None
        assert protocol.pong_timer is None
        assert protocol.ping_timeout == protocol.config.ws_ping_timeout
        assert protocol.loop is asyncio.get_running_loop()
        assert callable(protocol.conn.send_close)
        assert callable(protocol.conn.data_to_send)
        assert protocol.open
        assert options(protocol.transport) == PREPARED
        protocol.close_within(4000, "good")

    async with serve_socket(use) as port, connected(port) as raw:
        assert await raw.rest() == [(CLOSE, b"\x0f\xa0good")]


def test_the_server_has_its_captured_signals() -> None:
    assert uvicorn.Server(uvicorn.Config("web.app:create"))._captured_signals == []


def test_uvicorn_chooses_the_same_protocols_by_default() -> None:
    assert (AutoHTTPProtocol, AutoWebSocketsProtocol) == (HttpToolsProtocol, WebSocketsSansIOProtocol)


# Writing


async def test_frames_of_every_length_arrive_whole() -> None:
    lengths = [0, 1, 125, 126, 127, (1 << 16) - 1, 1 << 16, 200_000]

    async def use(protocol: WebSocketProtocol) -> None:
        for length in lengths:
            protocol.write(text_frame(b"a" * length))

    async with serve_socket(use) as port, connected(port) as raw:
        for length in lengths:
            assert await raw.frame() == (1, b"a" * length)


async def test_waiting_frames_are_counted_and_room_is_awaited() -> None:
    ready, frame = asyncio.Event(), text_frame(b"a" * 4_000)
    written = 0

    async def use(protocol: WebSocketProtocol) -> None:
        nonlocal written
        while protocol.write(frame)[0] < 50:
            written += 1
        count, size = protocol.write(frame)
        written += 2
        assert count == 51
        assert 50 * len(frame) < size <= 51 * len(frame)
        assert size == protocol.transport.get_write_buffer_size()
        assert not await protocol.room(0.05)
        ready.set()
        assert await protocol.room(PATIENCE)
        assert protocol.write(text_frame(b"last"))[0] <= 2

    async with serve_socket(use) as port, connected(port) as raw:
        await ready.wait()
        got = 0
        while (await raw.frame())[1] != b"last":
            got += 1
        assert got == written


async def test_writing_to_a_peer_that_has_gone_does_nothing() -> None:
    results: list[tuple[int, int]] = []
    written = asyncio.Event()
    with socket.socket() as peer:

        async def use(protocol: WebSocketProtocol) -> None:
            # A reset that the server's loop has not seen yet.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            results.extend(protocol.write(text_frame(b"a" * size)) for size in (10, 10, 100_000))
            written.set()

        async with serve_socket(use) as port:
            await asyncio.to_thread(peer.connect, ("127.0.0.1", port))
            peer.sendall(HANDSHAKE.format(path="/").encode())
            await asyncio.wait_for(written.wait(), PATIENCE)
    assert results == [(0, 0)] * 3


async def test_a_closed_socket_takes_nothing_and_is_closed_once() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        protocol.close_within(4001, "first")
        assert not protocol.open
        assert protocol.write(text_frame(b"late")) == (0, 0)
        protocol.close_within(4002, "second")

    async with serve_socket(use) as port, connected(port) as raw:
        assert await raw.rest() == [(CLOSE, b"\x0f\xa1first")]


async def test_a_reason_that_is_too_long_for_a_frame_is_shortened() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        protocol.close_within(4001, "长" * 100)

    async with serve_socket(use) as port, connected(port) as raw:
        assert await raw.rest() == [(CLOSE, b"\x0f\xa1" + "长".encode() * 41)]


async def test_a_client_that_reads_in_time_gets_what_waited_and_the_code() -> None:
    closed = asyncio.Event()

    async def use(protocol: WebSocketProtocol) -> None:
        while protocol.write(text_frame(b"a" * 4_000))[0] < 50:
            pass
        protocol.close_within(4410, "slow", PATIENCE)
        closed.set()

    async with serve_socket(use) as port, connected(port) as raw:
        await closed.wait()
        frames = [await raw.frame()]
        while frames[-1][0] != CLOSE:
            frames.append(await raw.frame())
        assert len(frames) > 51
        assert frames[-1] == (CLOSE, b"\x11\x3aslow")


async def test_a_client_that_does_not_read_is_cut() -> None:
    ended = asyncio.Event()

    async def use(protocol: WebSocketProtocol) -> None:
        while protocol.write(text_frame(b"a" * 4_000))[0] < 50:
            pass
        protocol.close_within(4410, "slow", 0.1)
        while not protocol.disconnected:  # uvicorn's, without an event
            await asyncio.sleep(0.01)
        ended.set()

    async with serve_socket(use) as port, connected(port) as raw:
        await asyncio.wait_for(ended.wait(), PATIENCE)
        assert (await raw.rest())[-1][0] != CLOSE


async def test_a_dead_peer_is_cut() -> None:
    ended = asyncio.Event()

    async def use(protocol: WebSocketProtocol) -> None:
        # Bytes wait that the peer never takes. Without the cut, closing would wait for them.
        while protocol.write(text_frame(b"a" * 4_000))[0] < 50:
            pass
        while not protocol.disconnected:  # as above
            await asyncio.sleep(0.01)
        ended.set()

    async with serve_socket(use, ws_ping_interval=0.1, ws_ping_timeout=0.1) as port, connected(port):
        await asyncio.wait_for(ended.wait(), PATIENCE)


async def test_a_stream_over_http_can_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, full = asyncio.Event(), asyncio.Event()
    pause = FlowControl.pause_writing

    def pause_writing(self: FlowControl) -> None:
        pause(self)
        full.set()

    monkeypatch.setattr(FlowControl, "pause_writing", pause_writing)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def write() -> None:
            while True:
                await send({"type": "http.response.body", "body": b"a" * 10_000, "more_body": True})

        writing = asyncio.create_task(write())
        await full.wait()
        scope["state"][CONNECTION].cut()
        assert (await receive())["type"] == "http.disconnect"
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        ended.set()

    async with serve(app, timeout_graceful_shutdown=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(ended.wait(), PATIENCE)
        with pytest.raises(ConnectionError):
            await reader.read()
        writer.close()


async def test_a_connection_is_prepared_when_a_stream_begins_on_it_and_no_sooner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    protocols: list[HttpProtocol] = []
    begin = HttpProtocol.on_message_begin
    seen = []

    def record(self: HttpProtocol) -> None:
        begin(self)
        protocols.append(self)

    monkeypatch.setattr(HttpProtocol, "on_message_begin", record)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        queue = SendQueue()
        seen.append(options(protocols[-1].transport))
        if scope["path"] == "/stream":
            response: Response = StreamResponse(queue, EVENT_STREAM, b":\n\n", bytes, None)
            queue.end()
        else:
            response = Response(b"plain")
        await response(scope, receive, send)
        seen.append(options(protocols[-1].transport))

    async with serve(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
        for path in ("/plain", "/stream"):
            await client.get(path)
    assert len({id(protocol) for protocol in protocols}) == 1
    assert seen == [(False, 0)] * 3 + [PREPARED]


# The whole server


def memory(pid: int) -> int:
    """The bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux shows the memory of a process")
async def test_one_of_a_hundred_who_does_not_read_costs_the_others_nothing(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    """One subscriber never reads and is closed. The others get every event, in order.

    Events come in batches that may wait for one client, and a batch begins when the last reader has the one before. So
    no reader is too slow, however busy the machine is.
    """
    fields = " ".join(f"a{n}: enterprise {{ name address }}" for n in range(40))
    query = f"subscription {{ updates {{ cursor {fields} }} }}"
    assert BATCH < close_codes.WAITING_MESSAGES
    async with AsyncExitStack() as stack:
        url, world = await small_district(databases, migrated_url)
        live = stack.enter_context(live_district(scratch, url, world, program=HURRIED, PING_SECONDS="12"))
        port, pid = int(live.address.rsplit(":", 1)[1]), live.process.popen.pid
        stalled = await stack.enter_async_context(connected(port))
        readers = [await stack.enter_async_context(connected(port, little=False)) for _ in range(READERS)]
        await asyncio.gather(*(client.subscribe(live.token(), query) for client in (stalled, *readers)))
        before = memory(pid)
        for _ in range(BATCHES):
            numbers = await live.append_events(BATCH)
            batches = await asyncio.gather(*(next_cursors(reader) for reader in readers))
            assert batches == [numbers] * READERS
        await asyncio.wait_for(stalled.rest(), PATIENCE)  # the server closes it while it does not read
        assert f'"code": {close_codes.TOO_SLOW.code}' in live.process.log
        assert memory(pid) - before < GROWTH


async def next_cursors(reader: Raw) -> list[int]:
    """The numbers of the next batch of events, as a reader gets them."""
    numbers: list[int] = []
    while len(numbers) < BATCH:
        message = await reader.receive()
        if message["type"] == "next":
            numbers.append(int(message["payload"]["extensions"]["cursor"].rpartition("-")[2]))
    return numbers


async def test_a_peer_that_answers_no_ping_is_gone(databases: Databases, migrated_url: str, scratch: Path) -> None:
    with live_district(
        scratch, *await small_district(databases, migrated_url), program=HURRIED, ALIVE_SECONDS="0.5"
    ) as live:
        async with connected(int(live.address.rsplit(":", 1)[1])) as raw:
            frames = await asyncio.wait_for(raw.rest(), PATIENCE)
    assert [opcode for opcode, _ in frames if opcode in (TEXT, PING)] == [PING]


def test_a_dead_peer_is_gone_within_30_seconds() -> None:
    assert 2 * close_codes.ALIVE_SECONDS <= 30
    assert close_codes.PING_SECONDS + UNACKNOWLEDGED_MS / 1_000 <= 30
    assert close_codes.WAITING_MESSAGES == 256
    assert close_codes.WAITING_BYTES == 1 << 20


async def test_a_socket_that_ends_leaves_nothing_to_the_garbage_collector() -> None:
    """A flood of sockets would otherwise make it hold up everybody."""

    async def use(protocol: WebSocketProtocol) -> None:
        ended.append(protocol.on_lost)
        protocol.close_within(4429, "enough")

    ended: list[Any] = []
    async with serve_socket(use) as port:
        with garbage() as types:
            for _ in range(3):
                async with connected(port) as raw:
                    assert await raw.frame()
            ended.clear()
            await asyncio.sleep(0)
    assert not {"WebSocketProtocol", "HttpProtocol", "HttpRequestParser"} & set(types), types
