"""Slow readers: how much may wait for them, and that they have time as long as they take anything."""

import asyncio
from typing import Any, Literal, cast

import pytest

from models.reason import Language
from subscriptions.feed import Message
from tests.support.in_process_server import serve_socket
from tests.support.raw_websocket import connected
from web.graphql import close_codes
from web.graphql.close_codes import WAITING_BYTES, WAITING_MESSAGES
from web.graphql.negotiation import EVENTS
from web.graphql.sse import SLICE, SendQueue, StreamResponse
from web.graphql.uvicorn_protocols import WebSocketProtocol, text_frame
from web.graphql.websocket import Socket, SocketSink

LARGE, SMALL = text_frame(b"a" * (2 * WAITING_BYTES)), text_frame(b"b" * 1_000)
MOMENT = 0.01  # seconds; the scripts below decide what happens, not the time


class ClosableSocket:
    """The part of a socket that a sink needs."""

    closed: close_codes.Close | None = None
    language = Language.ENGLISH

    def close(self, close: close_codes.Close) -> None:
        self.closed = close


class ScriptedTransport:
    """A transport whose peer takes what a test says: each look at the buffer gives the next size."""

    def __init__(self, protocol: WebSocketProtocol, sizes: list[int]) -> None:
        self._real, self._protocol, self._sizes = protocol.transport, protocol, iter(sizes)
        self.cut = False

    def get_write_buffer_size(self) -> int:
        size = next(self._sizes)
        if size == 0:
            self._protocol.writable.set()
        return size

    def write(self, frame: bytes) -> None:
        pass

    def is_closing(self) -> bool:
        return self.cut

    def close(self) -> None:
        pass

    def get_extra_info(self, name: str) -> None:
        pass

    def abort(self) -> None:
        self.cut = True
        self._real.abort()


def script_transport(protocol: WebSocketProtocol, *sizes: int) -> ScriptedTransport:
    transport = ScriptedTransport(protocol, list(sizes))
    protocol.transport = cast(asyncio.Transport, transport)
    return transport


async def with_protocol(use: Any, **settings: Any) -> None:
    """Call `use` with the protocol of a socket whose peer reads nothing. Raises what it raises."""
    result: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(protocol: WebSocketProtocol) -> None:
        try:
            await use(protocol)
        except BaseException as error:
            result.set_exception(error)
        else:
            result.set_result(None)
        protocol.transport.abort()

    async with serve_socket(run, **settings) as port, connected(port):
        await result


# How much may wait


async def test_the_largest_frame_does_not_count() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        assert protocol.beyond() == 0
        while protocol.write(SMALL)[0] < 2:
            pass
        before = protocol.transport.get_write_buffer_size()
        protocol.write(LARGE)
        assert protocol.beyond() == before
        for number in range(1, 10):
            protocol.write(SMALL)
            assert protocol.beyond() == before + number * len(SMALL)

    await with_protocol(use)


async def test_the_largest_frame_does_not_count_while_it_is_being_sent() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        _, size = protocol.write(LARGE)
        assert size < len(LARGE)  # part of it has gone
        for number in range(1, 10):
            protocol.write(SMALL)
            assert protocol.beyond() == number * len(SMALL)

    await with_protocol(use)


@pytest.mark.parametrize("body", [b"b" * 100, b"b" * 60_000])
async def test_a_socket_is_closed_when_too_much_waits_beyond_a_large_message(body: bytes) -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        socket = ClosableSocket()
        sink = SocketSink(cast(Socket, socket), protocol, "1")
        sink.send(Message(1, LARGE))
        sent = size = 0
        while socket.closed is None:
            sink.send(Message(2, body))
            sent, size = sent + 1, size + len(body)
        assert socket.closed is close_codes.TOO_SLOW
        assert sent == WAITING_MESSAGES or WAITING_BYTES - 30_000 < size <= WAITING_BYTES + 60_000

    await with_protocol(use)


@pytest.mark.parametrize("body", [b"b" * 100, b"b" * 60_000])
@pytest.mark.parametrize("first", [b"", b"b"])
def test_a_queue_is_cut_when_too_much_waits_beyond_a_large_chunk(body: bytes, first: bytes) -> None:
    queue = SendQueue()
    if first:
        queue.put(first)
    queue.put(LARGE)
    sent = size = 0
    while not queue.overfull.is_set():
        queue.put(body)
        sent, size = sent + 1, size + len(body)
    assert sent == WAITING_MESSAGES - len(first) or WAITING_BYTES < size <= WAITING_BYTES + 60_000


# How long they have


async def test_a_socket_waits_for_room_while_the_peer_takes_anything() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        protocol.writable.clear()
        # The size before and after each wait.
        script_transport(protocol, 100, 90, 90, 80, 80, 0)
        assert await protocol.room(MOMENT)

    await with_protocol(use)


async def test_a_socket_does_not_wait_when_the_peer_takes_nothing() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        protocol.writable.clear()
        script_transport(protocol, 100, 90, 90, 90)
        assert not await protocol.room(MOMENT)

    await with_protocol(use)


@pytest.mark.parametrize(
    ("sizes", "cut"),
    [
        # How much waits after the ping, and each time that its pong is due.
        ([2_000, 1_000], [False]),
        ([2_000, 1_000, 0, 0], [False, False, True]),
        ([2_000, 1_000, 1_000], [False, True]),
        ([2_000, 2_000], [True]),
        ([0, 0], [True]),
    ],
)
async def test_a_peer_that_takes_bytes_ahead_of_a_ping_is_alive(sizes: list[int], cut: list[bool]) -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        protocol._total = 2_000
        transport = script_transport(protocol, *sizes)
        protocol.send_keepalive_ping()
        for expected in cut:
            assert protocol.pong_timer is not None
            protocol.pong_timer.cancel()
            protocol.keepalive_timeout()
            assert transport.cut == protocol.close_sent == expected
        if protocol.pong_timer is not None:
            protocol.pong_timer.cancel()

    await with_protocol(use, ws_ping_interval=1_000, ws_ping_timeout=1_000)


async def test_a_peer_whose_pong_may_not_be_read_yet_is_alive() -> None:
    async def use(protocol: WebSocketProtocol) -> None:
        def is_cut() -> bool:
            assert protocol.pong_timer is not None
            protocol.pong_timer.cancel()
            protocol.keepalive_timeout()
            return transport.cut

        transport = script_transport(protocol, *[0] * 9)
        protocol.send_keepalive_ping()
        # The application has not taken what came before it: a subscription waits for its turn.
        protocol.read_paused = True
        assert not is_cut()
        protocol.read_paused = False
        protocol._incoming += b"a"
        assert not is_cut()
        protocol._incoming.clear()
        # The process stood still for longer than the peer had for its answer.
        protocol._due -= 1_010
        assert not is_cut()
        assert is_cut()

    await with_protocol(use, ws_ping_interval=1_000, ws_ping_timeout=1_000)


class ScriptedRoom(asyncio.Event):
    """Room in a queue, for which nobody waits long. In each wait the reader takes so many slices; None makes room."""

    def __init__(self, queue: SendQueue, *slices: int | None) -> None:
        super().__init__()
        self._queue, self._slices = queue, iter(slices)

    async def wait(self) -> Literal[True]:
        slices = next(self._slices)
        if slices is None:
            self.set()
            return True
        for _ in range(slices):
            self._queue.wrote()
        raise TimeoutError


@pytest.mark.parametrize(("slices", "cut"), [([1, 3, 1, None], False), ([0], True), ([1, 1, 0], True)])
async def test_a_queue_waits_for_room_while_the_reader_takes_anything(slices: list[int | None], cut: bool) -> None:
    queue = SendQueue()
    queue._room = ScriptedRoom(queue, *slices)
    await queue.drained()
    assert queue.overfull.is_set() == queue.ended == cut


async def test_a_response_is_written_in_slices_that_count_as_progress() -> None:
    queue = SendQueue()
    sent: list[tuple[int, int]] = []

    async def send(message: Any) -> None:
        sent.append((len(message.get("body", b"")), queue._slices))

    queue.put(b"a" * (2 * SLICE + 1))
    queue.end()
    await StreamResponse(queue, EVENTS, b"", bytes, None)._write(send)
    # Its head, the first and the last chunk are empty.
    assert sent == [(0, 0), (0, 0), (SLICE, 0), (SLICE, 1), (1, 2), (0, 3)]
