"""The subscribers of bench.fanout, all of them in one process, and the function that publishes events."""

import asyncio
import base64
import json
import os
import urllib.parse
from typing import cast


class Client(asyncio.Protocol):
    """One subscriber, which adds the bytes that it receives to a shared total."""

    def __init__(self, document: str, received: "Received") -> None:
        self._document, self._received = document, received
        self._state = "http"
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclasses of asyncio's
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self._state == "live":
            self._received.add(len(self._without_ping(data)))
            return
        self._buffer += data
        if self._state == "http" and b"\r\n\r\n" in self._buffer:
            self._buffer = self._buffer.split(b"\r\n\r\n", 1)[1]
            self._state = "init"
            self._send({"type": "connection_init"})
        if self._state == "init" and b"connection_ack" in self._buffer:
            self._state = "live"
            self._send({"id": "1", "type": "subscribe", "payload": {"query": self._document}})

    def _without_ping(self, data: bytes) -> bytes:
        """Remove a ping (RFC 6455, 5.5.2) from ASCII texts, and answer it. Servers disconnect silent clients."""
        at = data.find(b"\x89")
        if at < 0 or len(data) < at + 2:
            return data
        end = at + 2 + data[at + 1]
        self._transport.write(bytes((0x8A, 0x80 | data[at + 1])) + b"\0\0\0\0" + data[at + 2 : end])
        return data[:at] + data[end:]

    def _send(self, message: object) -> None:
        body = json.dumps(message).encode()
        length = bytes((0x80 | len(body),)) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
        self._transport.write(b"\x81" + length + b"\0\0\0\0" + body)  # masked with zeros

    def connection_lost(self, error: Exception | None) -> None:
        self._received.lost += 1


class Received:
    """The bytes that all subscribers have received, and how many connections were lost.

    `done` is set when `wanted` bytes have arrived.
    """

    def __init__(self) -> None:
        self.bytes = self.lost = 0
        self.wanted: int | None = None
        self.done = asyncio.Event()

    def add(self, count: int) -> None:
        self.bytes += count
        if self.wanted is not None and self.bytes >= self.wanted:
            self.done.set()


async def publish(port: int, event: dict[str, str] | None = None) -> int:
    """Have the server publish an event, or none. Returns the number of its subscribers.

    Raises OSError if the server does not accept connections.
    """
    query = "" if event is None else "?event=" + urllib.parse.quote(json.dumps(event))
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /publish{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        response = await reader.read()
        writer.close()
    return int(response.rpartition(b"\r\n\r\n")[2])


def stay_awake() -> None:
    """Make this process poll for messages without ever sleeping.

    Otherwise each message would wake it, and the kernel charges that to the sender: a third of the cost of a message,
    which no server pays for subscribers on other machines.
    """
    asyncio.get_running_loop().call_soon(stay_awake)
