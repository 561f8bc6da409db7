"""uvicorn's protocols, lending the application what plain ASGI cannot do: write a finished frame, know how much of it
waits, close in bounded time, cut a connection whose peer does not read, and have the kernel hold less for it.

Every name of uvicorn that is used here and not documented is held by tests/web/test_wire.py.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "huhang.wire"
CUT, STEADY = "huhang.cut", "huhang.steady"
KERNEL_BUFFER = 64 << 10  # else the kernel takes megabytes for a reader who has stalled, before anybody notices
# Beyond this the application is told to wait: sooner than too many messages wait (web/closing.py).
HIGH_WATER = 4 << 10
# So long the kernel waits for a peer to acknowledge what it was sent, or to have room for more. Signs of life are sent
# each 12 seconds (web/closing.py), so a dead one is gone within 30.
UNACKNOWLEDGED_MS = 17_000
CLOSING_SECONDS = 3.0
REASON_MAXIMUM = 123  # bytes (RFC 6455, section 5.5)


def text_frame(body: bytes) -> bytes:
    """A whole, unmasked text frame (RFC 6455, section 5.2)."""
    length = len(body)
    if length < 126:
        return bytes((0x81, length)) + body
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + body
    return b"\x81\x7f" + length.to_bytes(8, "big") + body


def cut(transport: asyncio.Transport) -> None:
    """End a connection at once; what still waits is thrown away."""
    raw: Any = transport.get_extra_info("socket")
    if raw is not None:
        # Without this the kernel would keep what the peer does not read, and offer it on.
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def steady(transport: asyncio.Transport) -> None:
    """Prepare a connection for a stream. An ordinary answer is better off with the buffers that the kernel chooses."""
    raw: Any = transport.get_extra_info("socket")
    if raw is None:
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that the application may write to past ASGI."""

    # Looked at for each of thousands of subscribers: in the object itself. uvicorn's protocols have too many attributes
    # for their dictionaries to be quick.
    __slots__ = ("_ahead", "_file", "_seen", "_total", "_waiting", "_written", "close_sent", "transport")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # The lengths of frames that the peer has not taken whole, and their sum; how many bytes had to wait so far.
        self._waiting: deque[int] = deque()
        self._written = self._total = 0
        # What the peer had to take before it got the last ping, and what it had taken when that was looked at last.
        self._ahead = self._seen = 0

    async def run_asgi(self) -> None:
        self._file: int = self.transport.get_extra_info("socket").fileno()
        steady(self.transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)
        cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self
        await super().run_asgi()

    @property
    def open(self) -> bool:
        return self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())

    def write(self, frame: bytes) -> tuple[int, int]:
        """Write a frame of `text_frame`. How many frames, and how many bytes, the peer has not taken yet."""
        transport = self.transport
        if self.close_sent or transport.is_closing():
            return 0, 0
        sent = 0
        if not transport.get_write_buffer_size():
            if self._written:
                self._waiting.clear()
                self._written = 0
            # The transport would keep it until the loop comes round, and then do the same.
            try:
                sent = os.write(self._file, frame)
            except OSError:  # the kernel's buffer is full; or the peer has gone, as will be read
                sent = 0
            if sent == len(frame):
                return 0, 0
        transport.write(frame[sent:])
        self._waiting.append(len(frame))
        self._written += len(frame)
        self._total += len(frame) - sent
        size = transport.get_write_buffer_size()
        # Those whose bytes have all gone are not waiting any more: none does where the peer has gone.
        while self._waiting and self._written - self._waiting[0] >= size:
            self._written -= self._waiting.popleft()
        return len(self._waiting), size

    def beyond(self) -> int:
        """How many bytes wait, the largest frame aside: one may be of any size, and is long under way."""
        if not self._waiting:
            return 0
        largest = max(self._waiting)
        # A part of the first has gone.
        waiting = self._written if largest == self._waiting[0] else self.transport.get_write_buffer_size()
        return waiting - largest

    @property
    def taken(self) -> int:
        """How many bytes have gone to the kernel of those that had to wait, uvicorn's own frames aside."""
        return self._total - self.transport.get_write_buffer_size()

    async def room(self, seconds: float) -> bool:
        """Wait until the peer has taken enough for more; False where it has taken nothing for so long."""
        # Looked at again each time: of many who waited, another may have filled it.
        while not self.writable.is_set():
            before = self.taken
            try:
                async with asyncio.timeout(seconds):
                    await self.writable.wait()
            except TimeoutError:
                if self.taken <= before:
                    return False
        return True

    def close_within(self, code: int, reason: str, seconds: float = CLOSING_SECONDS) -> None:
        """Close, behind what waits; the connection is cut when the peer has not taken it in time."""
        if not self.open:
            return
        reason = reason.encode()[:REASON_MAXIMUM].decode(errors="ignore")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.close_timer = self.loop.call_later(seconds, cut, self.transport)

    def send_keepalive_ping(self) -> None:
        super().send_keepalive_ping()
        self._ahead, self._seen = self._total, self.taken

    def keepalive_timeout(self) -> None:
        before, self._seen = self._seen, self.taken
        # Where the ping stood behind other bytes, a peer that takes those is there. One that is not takes none: the
        # kernel was full.
        if before < self._ahead and before < self._seen:
            self.pong_timer = self.loop.call_later(self.ping_timeout or 0, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        # A peer that answers no ping takes no close either.
        cut(self.transport)


class HttpProtocol(HttpToolsProtocol):
    """HTTP whose streams can be cut, and say when they begin."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions = cast(dict[str, Any], self.scope.setdefault("extensions", {}))
        extensions[CUT] = lambda: cut(self.transport)
        extensions[STEADY] = lambda: steady(self.transport)
