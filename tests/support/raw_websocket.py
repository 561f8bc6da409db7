"""A WebSocket client byte by byte, for what no library does: not to read, not to answer, to vanish."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import orjson

from tests.support.stream_clients import PROTOCOL

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
)
TEXT, PING, PONG = 1, 9, 10
LITTLE = 4 << 10  # bytes, about, that the kernel takes for a client that does not read


class Raw:
    """A client that reads only on request. It answers pings only while `receive` waits."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, message: Any) -> None:
        await self._write(TEXT, orjson.dumps(message))

    async def _write(self, opcode: int, body: bytes) -> None:
        length = bytes((0x80 | len(body),)) if len(body) < 126 else b"\xfe" + struct.pack("!H", len(body))
        # A mask of zeros leaves the body as it is.
        self._writer.write(bytes((0x80 | opcode,)) + length + b"\0\0\0\0" + body)
        await self._writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The next frame, as opcode and body. Raises IncompleteReadError or ConnectionError at the end."""
        first, second = await self._reader.readexactly(2)
        length = second
        if second == 126:
            length = int.from_bytes(await self._reader.readexactly(2), "big")
        elif second == 127:
            length = int.from_bytes(await self._reader.readexactly(8), "big")
        return first & 0xF, await self._reader.readexactly(length)

    async def rest(self) -> list[tuple[int, bytes]]:
        """All frames until the connection ends."""
        frames = []
        try:
            while True:
                frames.append(await self.frame())
        except (asyncio.IncompleteReadError, ConnectionError):
            return frames

    async def receive(self) -> Any:
        """The next message."""
        while True:
            opcode, body = await self.frame()
            if opcode == TEXT:
                return orjson.loads(body)
            if opcode == PING:
                await self._write(PONG, body)

    async def subscribe(self, token: str, query: str, **variables: Any) -> None:
        """Initialise and subscribe. Returns when the subscription has begun."""
        await self.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        assert (await self.receive())["type"] == "connection_ack"
        await self.send({"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}})
        await self.send({"id": "2", "type": "subscribe", "payload": {"query": "{ viewer { role } }"}})
        while (await self.receive()).get("id") != "2":
            pass


@asynccontextmanager
async def connected(port: int, path: str = "/graphql", *, little: bool = True) -> AsyncIterator[Raw]:
    raw = socket.socket()
    if little:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
    raw.setblocking(False)
    with closing(raw):
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        # The stream reader stops reading from the kernel with this many bytes in its own buffer.
        reader, writer = await asyncio.open_connection(sock=raw, limit=LITTLE)
        writer.write(HANDSHAKE.format(path=path).encode())
        try:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            yield Raw(reader, writer)
        finally:
            writer.transport.abort()
