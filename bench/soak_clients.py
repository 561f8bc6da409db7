"""The subscribers and the readers of bench.soak, all of them in its own process."""

import asyncio
import base64
import itertools
import os
import re
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import orjson

NUMBER = re.compile(rb'"cursor":"[0-9a-f]{16}-([0-9]+)"')
TEXT, CLOSE, PING = 0x81, 0x88, 0x89


@dataclass
class Deliveries:
    """The events received by all subscribers. `arrived` has the time at which the last of them got each event."""

    arrived: dict[int, float] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)


class Subscriber(asyncio.Protocol):
    """One subscription over one WebSocket. `numbers` has the events in the order in which they came."""

    def __init__(self, deliveries: Deliveries, host: str, token: str, payload: dict[str, Any]) -> None:
        self._deliveries, self._host, self._token, self._payload = deliveries, host, token, payload
        self._buffer = bytearray()
        self._upgraded = self.closing = False
        self.live = asyncio.Event()
        self.numbers = array("q")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclasses of asyncio's
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self._deliveries.errors["refused"] += 1
                self._transport.abort()
                return
            self._upgraded, self._buffer = True, bytearray(rest)
            self._send({"type": "connection_init", "payload": {"authorization": f"Bearer {self._token}"}})
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame: its first byte and its payload. A server's frames have no mask (RFC 6455, 5.1)."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return None
        kind, payload = buffer[0], bytes(buffer[start : start + length])
        del buffer[: start + length]
        return kind, payload

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            self._write(0x8A, payload)
        elif kind == CLOSE:
            self._note(f"closed {int.from_bytes(payload[:2], 'big')}")
        elif kind == TEXT and b'"type":"next"' in payload[:100]:
            if b'"errors"' in payload:
                self._deliveries.errors["event with errors"] += 1
            if (cursor := NUMBER.search(payload, payload.rfind(b'"extensions"'))) is not None:
                self.numbers.append(int(cursor[1]))
                self._deliveries.arrived[int(cursor[1])] = time.time()
        elif b'"connection_ack"' in payload:
            self._send({"id": "1", "type": "subscribe", "payload": self._payload})
            # Answered after the subscription has begun: messages of one socket are handled in order.
            self._send({"type": "ping"})
        elif b'"pong"' in payload:
            self.live.set()
        elif b'"type":"ping"' in payload:
            self._send({"type": "pong"})
        else:
            self._deliveries.errors[payload[:200].decode()] += 1

    def _send(self, message: object) -> None:
        self._write(TEXT, orjson.dumps(message))

    def _write(self, kind: int, body: bytes) -> None:
        size = len(body)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._transport.write(bytes((kind,)) + length + b"\0\0\0\0" + body)  # masked with zeros

    def connection_lost(self, error: Exception | None) -> None:
        self._note("connection lost")
        self.live.set()

    def _note(self, error: str) -> None:
        if not self.closing:
            self._deliveries.errors[error] += 1

    def close(self) -> None:
        self.closing = True
        self._transport.close()


async def subscribe(
    address: str, tokens: list[str], payloads: list[dict[str, Any]], number: int, deliveries: Deliveries
) -> list[Subscriber]:
    """`number` subscribers with these tokens and payloads in turns, all of them live."""
    where = urlsplit(address)
    subscribers = []
    for one in range(number):
        token, payload = tokens[one % len(tokens)], payloads[one % len(payloads)]
        protocol = partial(Subscriber, deliveries, where.netloc, token, payload)
        _, new = await asyncio.get_running_loop().create_connection(protocol, str(where.hostname), where.port or 80)
        subscribers.append(new)
    async with asyncio.timeout(60):
        for each in subscribers:
            await each.live.wait()
    return subscribers


@dataclass
class Queries:
    """Sends queries at a steady rate. `seconds` has when each was sent and how long it took."""

    address: str
    token: str
    bodies: list[dict[str, Any]]
    rate: float
    seconds: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Send until cancelled. A late response does not delay the next query."""
        loop, headers = asyncio.get_running_loop(), {"authorization": f"Bearer {self.token}"}
        limits = httpx.Limits(max_connections=20)
        async with (
            httpx.AsyncClient(
                base_url=self.address, headers=headers, timeout=30, limits=limits, trust_env=False
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            begun = loop.time()
            for number, body in enumerate(itertools.cycle(self.bodies)):
                await asyncio.sleep(begun + number / self.rate - loop.time())
                group.create_task(self._ask(client, body))

    async def _ask(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        sent_at = time.time()
        try:
            response = await client.post("/graphql", json=body)
            self.seconds.append((sent_at, time.time() - sent_at))
            if response.status_code != 200 or b'"errors"' in response.content[:20]:
                self.errors[f"{response.status_code} {response.text[:200]}"] += 1
        except httpx.HTTPError as error:
            self.errors[type(error).__name__] += 1
