"""Readers who are slow: how much waits for them, and how long they are waited for while they take anything."""

import asyncio
from typing import Any, cast

import pytest

from subscriptions.feed import Message
from tests.support.accepting_server import accepting
from tests.support.raw_websocket import connected
from web.graphql import close_codes, sse
from web.graphql.close_codes import WAITING_BYTES, WAITING_MESSAGES
from web.graphql.negotiation import EVENTS
from web.graphql.sse import SLICE, SendQueue, StreamResponse
from web.graphql.uvicorn_protocols import WebSocketProtocol, text_frame
from web.graphql.websocket import Socket, SocketSink

LARGE, SMALL = text_frame(b"a" * (2 * WAITING_BYTES)), text_frame(b"b" * 1_000)
MOMENT = 0.01


class Listening:
    """What a sink needs of its socket."""

    closed: close_codes.Close | None = None

    def close(self, how: close_codes.Close) -> None:
        self.closed = how


class Taking:
    """A transport whose peer takes what a test says: so many bytes wait each time that somebody looks."""

    def __init__(self, wire: WebSocketProtocol, sizes: list[int]) -> None:
        self._real, self._wire, self._sizes = wire.transport, wire, iter(sizes)
        self.cut = False

    def get_write_buffer_size(self) -> int:
        size = next(self._sizes)
        if size == 0:
            self._wire.writable.set()
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


def taking(wire: WebSocketProtocol, *sizes: int) -> Taking:
    found = Taking(wire, list(sizes))
    wire.transport = cast(asyncio.Transport, found)
    return found


async def done(deed: Any, **settings: Any) -> None:
    """A deed with a wire whose peer reads nothing; what it raises is the test's."""
    result: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def told(wire: WebSocketProtocol) -> None:
        try:
            await deed(wire)
        except BaseException as error:
            result.set_exception(error)
        else:
            result.set_result(None)
        wire.transport.abort()

    async with accepting(told, **settings) as port, connected(port):
        await result


# What waits


async def test_of_one_message_of_any_size_nothing_counts_whatever_came_before_it() -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        assert wire.beyond() == 0
        while wire.write(SMALL)[0] < 2:
            pass
        before = wire.transport.get_write_buffer_size()
        wire.write(LARGE)
        assert wire.beyond() == before
        for number in range(1, 10):
            wire.write(SMALL)
            assert wire.beyond() == before + number * len(SMALL)

    await done(deed)


async def test_of_one_that_is_under_way_nothing_counts() -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        _, size = wire.write(LARGE)
        assert size < len(LARGE)  # a part has gone
        for number in range(1, 10):
            wire.write(SMALL)
            assert wire.beyond() == number * len(SMALL)

    await done(deed)


@pytest.mark.parametrize("body", [b"b" * 100, b"b" * 60_000])
async def test_a_socket_is_closed_when_too_much_waits_beyond_a_large_message(body: bytes) -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        socket = Listening()
        sink = SocketSink(cast(Socket, socket), wire, "1")
        sink.send(Message(1, LARGE))
        sent = size = 0
        while socket.closed is None:
            sink.send(Message(2, body))
            sent, size = sent + 1, size + len(body)
        assert socket.closed is close_codes.TOO_SLOW
        assert sent == WAITING_MESSAGES or WAITING_BYTES - 30_000 < size <= WAITING_BYTES + 60_000

    await done(deed)


@pytest.mark.parametrize("body", [b"b" * 100, b"b" * 60_000])
@pytest.mark.parametrize("first", [b"", b"b"])
def test_an_outlet_is_cut_when_too_much_waits_beyond_a_large_chunk(body: bytes, first: bytes) -> None:
    outlet = SendQueue()
    if first:
        outlet.put(first)
    outlet.put(LARGE)
    sent = size = 0
    while not outlet.overfull.is_set():
        outlet.put(body)
        sent, size = sent + 1, size + len(body)
    assert sent == WAITING_MESSAGES - len(first) or WAITING_BYTES < size <= WAITING_BYTES + 60_000


# How long they are waited for


async def test_room_is_waited_for_while_anything_is_taken() -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        wire.writable.clear()
        # Looked at before and after each wait.
        taking(wire, 100, 90, 90, 80, 80, 0)
        assert await wire.room(MOMENT)

    await done(deed)


async def test_room_is_not_waited_for_when_nothing_is_taken() -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        wire.writable.clear()
        taking(wire, 100, 90, 90, 90)
        assert not await wire.room(MOMENT)

    await done(deed)


@pytest.mark.parametrize(
    ("sizes", "cut"),
    [
        # How much waits after the ping, and when its answer should have come.
        ([2_000, 1_000], [False]),
        ([2_000, 1_000, 0, 0], [False, False, True]),
        ([2_000, 1_000, 1_000], [False, True]),
        ([2_000, 2_000], [True]),
        ([0, 0], [True]),
    ],
)
async def test_a_peer_that_takes_what_stands_before_a_ping_is_there(sizes: list[int], cut: list[bool]) -> None:
    async def deed(wire: WebSocketProtocol) -> None:
        wire._total = 2_000
        transport = taking(wire, *sizes)
        wire.send_keepalive_ping()
        for expected in cut:
            assert wire.pong_timer is not None
            wire.pong_timer.cancel()
            wire.keepalive_timeout()
            assert transport.cut == wire.close_sent == expected
        if wire.pong_timer is not None:
            wire.pong_timer.cancel()

    await done(deed, ws_ping_interval=1_000, ws_ping_timeout=1_000)


async def test_an_outlet_waits_while_slices_go_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "DRAIN_SECONDS", MOMENT)
    outlet, begun, stalled = SendQueue(), asyncio.Event(), asyncio.Event()
    half = b"a" * (WAITING_BYTES // 2 + SLICE)
    left = len(half) // SLICE

    async def send(message: Any) -> None:
        nonlocal left
        if len(message.get("body", b"")) == SLICE:
            begun.set()
            left -= 1
            await (asyncio.sleep(MOMENT / 2) if left >= 0 else stalled.wait())

    writing = asyncio.create_task(StreamResponse(outlet, EVENTS, b"", bytes, None)._write(send))
    outlet.put(half)
    await asyncio.wait_for(begun.wait(), 10)
    outlet.put(half)
    await outlet.drained()  # many times as long as nothing is waited for
    assert left <= 0
    assert not outlet.overfull.is_set()
    outlet.put(half)
    await outlet.drained()
    assert outlet.overfull.is_set()
    writing.cancel()
