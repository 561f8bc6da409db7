"""A WebSocket frame by frame: sends frames that no library would send, and reports how the server closes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from tests.hostile.case import HOST, Target
from tests.hostile.raw_http import Connection, connected
from tests.support.patience import PATIENCE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: " + HOST + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
PROTOCOL = b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"


def frame(opcode: int, body: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame of RFC 6455. Its mask is zeros, so the body is written as it is."""
    return head(opcode, len(body), fin=fin, rsv=rsv, masked=masked) + body


def head(opcode: int, length: int, *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    first = bytes([0x80 * fin | rsv << 4 | opcode])
    mask = 0x80 * masked
    if length < 126:
        second = bytes([mask | length])
    elif length < 1 << 16:
        second = bytes([mask | 126]) + length.to_bytes(2, "big")
    else:
        second = bytes([mask | 127]) + length.to_bytes(8, "big")
    return first + second + bytes(4 * masked)


def message(content: Any) -> bytes:
    """A message of graphql-transport-ws as one frame."""
    return frame(TEXT, content if isinstance(content, bytes) else orjson.dumps(content))


class RawSocket:
    """An open socket. `messages` are those received so far, without pings.

    It reads and answers pings all the time, also while a case is busy with other sockets: the server cuts a peer that
    answers no ping for ten seconds, which on a busy machine is soon.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.messages: list[dict[str, Any]] = []
        self._marks = 0
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._changed.set())

    def send(self, *frames: bytes) -> None:
        self.connection.send(*frames)

    async def _read(self) -> str:
        """How the socket ended."""
        try:
            while True:
                opcode, body = await self._frame()
                if opcode == CLOSE:
                    return f"closed {int.from_bytes(body[:2], 'big')}"
                if opcode == PING:
                    self.send(frame(PONG, body))
                if opcode == TEXT:
                    self._take(orjson.loads(body))
                    self._changed.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return "dropped"

    async def _frame(self) -> tuple[int, bytes]:
        reader = self.connection.reader
        first, length = await reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await reader.readexactly(8), "big")
        return first & 0xF, await reader.readexactly(length)

    async def stop_reading(self) -> None:
        """Read nothing from now on, and answer no ping."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def outcome(self) -> str:
        """`open` once everything sent before was handled, or how the socket ended, such as `closed 4400`."""
        self._marks += 1
        mark = {"mark": self._marks}
        self.send(message({"type": "ping", "payload": mark}))
        ended = await self.until(lambda: {"type": "pong", "payload": mark} in self.messages)
        return "open" if ended == "enough" else ended

    async def until(self, enough: Callable[[], Any]) -> str:
        """Wait until `enough()` is true, or for the end. Returns `enough` or how the socket ended."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not enough():
                    if self._reading.done():
                        return self._reading.result()
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return "silent"
        return "enough"

    def _take(self, content: dict[str, Any]) -> None:
        if content["type"] != "ping":
            self.messages.append(content)

    @property
    def codes(self) -> set[str]:
        """The codes of all errors received."""
        errors: list[dict[str, Any]] = []
        for one in self.messages:
            payload = one.get("payload")
            errors += payload if isinstance(payload, list) else (payload or {}).get("errors", [])
        return {error["extensions"]["code"] for error in errors}


@asynccontextmanager
async def opened(target: Target, viewer: str, *, initialised: bool = True) -> AsyncIterator[RawSocket]:
    """A socket of this viewer, acknowledged if `initialised`."""
    async with connected(target.port) as connection:
        connection.send(target.filled(HANDSHAKE + PROTOCOL + b"\r\n", viewer))
        answer = await connection.answer()
        assert answer.status == 101, answer
        socket = RawSocket(connection)
        try:
            if initialised:
                token = target.tokens.get(viewer)
                payload = {} if token is None else {"Authorization": f"Bearer {token}"}
                socket.send(message({"type": "connection_init", "payload": payload}))
                assert await socket.until(lambda: socket.messages) == "enough"
                socket.messages.clear()
            yield socket
        finally:
            await socket.stop_reading()
