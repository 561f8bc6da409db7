"""WebSockets byte by byte, for clients that do what no library does: not read, not answer, vanish."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import orjson

from tests.support.stream_clients import PROTOCOL

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: huhang\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
)
TEXT, PING, PONG = 1, 9, 10
LITTLE = 4 << 10  # bytes that the kernel takes for a client who does not read, about


class Raw:
    """A client with a small buffer. It reads when it is told to, and answers a ping only while it waits in `said`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, said: Any) -> None:
        await self._write(TEXT, orjson.dumps(said))

    async def _write(self, opcode: int, body: bytes) -> None:
        length = bytes((0x80 | len(body),)) if len(body) < 126 else b"\xfe" + struct.pack("!H", len(body))
        # A mask of zeros changes nothing.
        self._writer.write(bytes((0x80 | opcode,)) + length + b"\0\0\0\0" + body)
        await self._writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and what is in it. Raises IncompleteReadError or ConnectionError at the end."""
        first, second = await self._reader.readexactly(2)
        length = second
        if second == 126:
            length = int.from_bytes(await self._reader.readexactly(2), "big")
        elif second == 127:
            length = int.from_bytes(await self._reader.readexactly(8), "big")
        return first & 0xF, await self._reader.readexactly(length)

    async def rest(self) -> list[tuple[int, bytes]]:
        """All frames up to the end of the connection."""
        found = []
        try:
            while True:
                found.append(await self.frame())
        except (asyncio.IncompleteReadError, ConnectionError):
            return found

    async def said(self) -> Any:
        """The next message."""
        while True:
            opcode, body = await self.frame()
            if opcode == TEXT:
                return orjson.loads(body)
            if opcode == PING:
                await self._write(PONG, body)

    async def subscribed(self, token: str, query: str, **variables: Any) -> None:
        """Go through the protocol up to a subscription that has its place."""
        await self.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        assert (await self.said())["type"] == "connection_ack"
        await self.send({"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}})
        await self.send({"id": "2", "type": "subscribe", "payload": {"query": "{ viewer { role } }"}})
        while (await self.said()).get("id") != "2":
            pass


@asynccontextmanager
async def connected(port: int, path: str = "/graphql", *, little: bool = True) -> AsyncIterator[Raw]:
    raw = socket.socket()
    if little:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
    raw.setblocking(False)
    with closing(raw):
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        # The reader stops reading from the kernel when this much waits for it.
        reader, writer = await asyncio.open_connection(sock=raw, limit=LITTLE)
        writer.write(HANDSHAKE.format(path=path).encode())
        try:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            yield Raw(reader, writer)
        finally:
            writer.transport.abort()
