"""uvicorn's WebSocket protocol with what plain ASGI lacks: write a finished frame, know how many bytes wait, close in
bounded time, abort a connection whose peer does not read, and let the kernel buffer less for it. http_protocol.py has
the one for HTTP.

tests/web/graphql/test_uvicorn_protocols.py checks every undocumented name of uvicorn that is used here.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

from web.security_headers import SECURITY_HEADERS, SECURITY_LINES

EXTENSION = "huhang.websocket"  # the key of a WebSocket's protocol in the extensions of its ASGI scope
CONNECTION = "huhang.connection"  # the key of an HTTP connection in the state of its requests' ASGI scopes
KERNEL_BUFFER = 64 << 10  # by default the kernel buffers megabytes before a stalled reader is noticed
# With more bytes than this in its buffer the transport pauses writing. That is well before too many messages wait
# (close_codes.WAITING_MESSAGES).
HIGH_WATER = 4 << 10
# The kernel gives up a peer that neither acknowledges nor makes room for this long. Keep-alive messages are sent each
# 12 seconds (close_codes.PING_SECONDS), so a dead peer is gone within 30.
UNACKNOWLEDGED_MS = 17_000
CLOSING_SECONDS = 3.0
LATE_SECONDS = 1.0  # a timer this late shows that nothing was read meanwhile: the process or its machine stood still
SLICE = 16 << 10  # bytes of a connection that are looked at before others have their turn
FRAGMENTS_MAXIMUM = 1_024  # of one message
UNREAD_MAXIMUM = 256 << 10  # bytes of pongs that may wait
REASON_MAXIMUM = 123  # bytes (RFC 6455, section 5.5)

# Every response of this process has the security headers, uvicorn's own errors included. As part of the status line
# they cost nothing; uvicorn takes a microsecond to check and copy each header of each response.
httptools_impl.STATUS_LINE = {
    status: line if line.endswith(SECURITY_LINES) else line + SECURITY_LINES
    for status, line in httptools_impl.STATUS_LINE.items()
}


def text_frame(body: bytes) -> bytes:
    """A complete, unmasked text frame (RFC 6455, section 5.2)."""
    length = len(body)
    if length < 126:
        return bytes((0x81, length)) + body
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big") + body
    return b"\x81\x7f" + length.to_bytes(8, "big") + body


def cut(transport: asyncio.Transport) -> None:
    """End a connection at once and discard what still waits."""
    raw: Any = transport.get_extra_info("socket")
    if raw is not None:
        # Without this the kernel would keep offering what the peer does not read.
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def prepare(transport: asyncio.Transport) -> None:
    """Prepare a connection for a stream. Ordinary responses are faster with the kernel's own buffer sizes."""
    raw: Any = transport.get_extra_info("socket")
    if raw is None:
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


def is_text(frames: list[bytes]) -> bool:
    """Whether the fragments of a message are UTF-8."""
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that the application may write to without ASGI."""

    # Slots, because these are read for each of thousands of subscribers, and uvicorn's protocols have too many
    # attributes for a fast instance dictionary.
    __slots__ = (
        "_ahead",
        "_due",
        "_file",
        "_incoming",
        "_refused",
        "_seen",
        "_total",
        "_waiting",
        "_written",
        "close_sent",
        "on_lost",
        "transport",
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # The lengths of the frames that the kernel has not taken completely, and their sum; and how many bytes had to
        # wait in total.
        self._waiting: deque[int] = deque()
        self._written = self._total = 0
        # How many bytes were ahead of the last ping, and how many the peer had taken at the last look.
        self._ahead = self._seen = 0
        self._due = 0.0  # when the pong is due, in the loop's time
        self._incoming = bytearray()  # what has arrived and is not looked at yet
        self._refused = False
        self.on_lost: Callable[[], None] = lambda: None

    def connection_lost(self, exc: Exception | None) -> None:
        self.on_lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Look at what has arrived, in slices: one slice may have hundreds of frames."""
        if self._refused:
            return
        if not self._incoming and (len(data) <= SLICE or not self.handshake_initiated):
            super().data_received(data)
            return
        if not self._incoming:
            self.loop.call_soon(self._next_slice)
        self._incoming += data
        self.transport.pause_reading()

    def _next_slice(self) -> None:
        data = bytes(self._incoming[:SLICE])
        del self._incoming[:SLICE]
        if not (self._refused or self.disconnected):
            super().data_received(data)
        if self._incoming:
            self.loop.call_soon(self._next_slice)
        elif not (self.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def handle_cont(self, event: Frame) -> None:
        if self._refused:
            return  # one slice has hundreds of fragments, and those after the last that was taken
        if len(self.frames) >= FRAGMENTS_MAXIMUM:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"more than {FRAGMENTS_MAXIMUM} fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not is_text(self.frames):
            # uvicorn would log an error, which any client could cause.
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA, "not UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        super().handle_ping()
        if self.transport.get_write_buffer_size() > UNREAD_MAXIMUM:
            cut(self.transport)  # it sends pings and does not read the pongs

    def handle_parser_exception(self) -> None:
        """Close a socket that broke the protocol. It may send for some time yet, so that it can read why."""
        if self._refused or self.conn.close_sent is None:
            self.transport.close()
            return
        self._refused = True
        self._incoming.clear()
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.read_paused = False
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSING_SECONDS, cut, self.transport)

    async def run_asgi(self) -> None:
        self._file: int = self.transport.get_extra_info("socket").fileno()
        prepare(self.transport)
        self.transport.set_write_buffer_limits(HIGH_WATER)
        extensions = cast(dict[str, Any], self.scope["extensions"])
        extensions[EXTENSION] = self
        try:
            await super().run_asgi()
        finally:
            del extensions[EXTENSION]  # else only the garbage collector would free what belongs to a socket

    @property
    def open(self) -> bool:
        return self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())

    def write(self, frame: bytes) -> tuple[int, int]:
        """Write a frame of `text_frame`. Returns how many frames and how many bytes still wait."""
        transport = self.transport
        if self.close_sent or transport.is_closing():
            return 0, 0
        sent = 0
        if not transport.get_write_buffer_size():
            if self._written:
                self._waiting.clear()
                self._written = 0
            # The transport would write it only in the next turn of the loop.
            try:
                sent = os.write(self._file, frame)
            except OSError:  # the kernel's buffer is full, or the peer has gone, which reading will show
                sent = 0
            if sent == len(frame):
                return 0, 0
        transport.write(frame[sent:])
        self._waiting.append(len(frame))
        self._written += len(frame)
        self._total += len(frame) - sent
        size = transport.get_write_buffer_size()
        # Drop the frames whose bytes have all gone. That is every frame when the peer has gone.
        while self._waiting and self._written - self._waiting[0] >= size:
            self._written -= self._waiting.popleft()
        return len(self._waiting), size

    def beyond(self) -> int:
        """How many bytes wait besides the largest frame. One frame may be of any size and take long."""
        if not self._waiting:
            return 0
        largest = max(self._waiting)
        # Part of the first frame has gone already.
        waiting = self._written if largest == self._waiting[0] else self.transport.get_write_buffer_size()
        return waiting - largest

    @property
    def taken(self) -> int:
        """How many of the bytes that had to wait have gone to the kernel, without uvicorn's own frames."""
        return self._total - self.transport.get_write_buffer_size()

    async def room(self, seconds: float) -> bool:
        """Wait until there is room for more. False when the peer has taken nothing for so many seconds."""
        # Checked again each time, because another waiter may have used the room.
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
        """Close after what waits. The connection is cut when the peer has not taken that in time."""
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
        self._due = self.loop.time() + (self.ping_timeout or 0)

    def keepalive_timeout(self) -> None:
        before, self._seen = self._seen, self.taken
        # Bytes were ahead of the ping. A peer that takes them is alive; a dead one takes none, since the kernel's
        # buffer was full.
        alive = before < self._ahead and before < self._seen
        # The pong may have come: it is behind messages that the application has not taken, or the loop was held up.
        unread = self.read_paused or self._incoming or self.loop.time() > self._due + LATE_SECONDS
        if alive or unread:
            self._due = self.loop.time() + (self.ping_timeout or 0)
            self.pong_timer = self.loop.call_later(self.ping_timeout or 0, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        # A peer that answers no ping does not take a close either.
        cut(self.transport)


async def refuse_handshake(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer the handshake of a WebSocket with an HTTP response."""
    await receive()  # websocket.connect
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})  # which becomes 403
        return
    headers = [*headers, *SECURITY_HEADERS]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
    if (protocol := scope["extensions"].get(EXTENSION)) is not None:
        # uvicorn would log an error, as if the application had forgotten to answer.
        protocol.handshake_complete = True
