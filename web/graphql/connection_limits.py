"""Bounds of the connections of one process: how many there are, and how long they may take.

A slow or large client is answered with a status where HTTP allows it. One that does not even take the answer is cut.
"""

import asyncio
from collections import Counter
from typing import Protocol

from starlette.types import Receive, Scope, Send

from models.reason import Reason
from resolvers.errors import ErrorCode
from schema.execution.errors import coded_error
from subscriptions.fair_queue import FairQueue
from web.allowed_connections import ConnectionLimits
from web.graphql.negotiation import JSON
from web.graphql.response import HttpResponse, error_response

HEADERS_SECONDS = 10.0  # for the request line and all headers
BODY_SECONDS = 30.0  # for a body, and more for a large one:
BODY_RATE = 16 << 10  # bytes a second
READER_SECONDS = 10.0  # in each span of this length, a response must go at this rate:
READER_RATE = 4 << 10  # bytes a second
HEADER_BYTES, HEADERS_MAXIMUM = 64 << 10, 200  # of one request, the request line included
LINGER_SECONDS = 2.0  # a refused client may read the answer for this long before the connection ends
SWEEP_SECONDS = 1.0
RETRY_SECONDS = 5

# Connections that were refused or cut, by reason; of this process.
REFUSED: Counter[str] = Counter()


class Timed(Protocol):
    """A connection that is looked at each second."""

    def check(self, now: float) -> None: ...


class Connections:
    """The connections of one process."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self._limits = limits or ConnectionLimits()
        self._hosts: Counter[str] = Counter()
        self._number = 0
        self._timed: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None
        # Connections wait here, so no more of them than there may be.
        self.handshakes = FairQueue(1, 1)

    def add(self, host: str) -> "Refusal | None":
        """Count a connection. Returns what answers its requests if there are too many."""
        self._number += 1
        self._hosts[host] += 1
        if self._number > self._limits.maximum:
            REFUSED["connections"] += 1
            return TOO_MANY_CONNECTIONS
        if self._hosts[host] > self._limits.per_address and not self._limits.trusted(host):
            REFUSED["connections of an address"] += 1
            return TOO_MANY_OF_ADDRESS
        return None

    def excessive(self, host: str) -> bool:
        """Whether there are so many that a connection is not even waited for."""
        if self._number > 2 * self._limits.maximum:
            return True
        return self._hosts[host] > 2 * self._limits.per_address and not self._limits.trusted(host)

    def remove(self, host: str) -> None:
        self._number -= 1
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def watch(self, connection: Timed) -> None:
        """Look at a connection each second until `unwatch`."""
        self._timed.add(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def unwatch(self, connection: Timed) -> None:
        self._timed.discard(connection)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._timed):
            connection.check(now)
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep) if self._timed else None


class Refusal:
    """Answers a request with an error, and ends the connection. As bytes, for a connection without a request."""

    def __init__(self, status: int, code: ErrorCode, message: Reason, retry_after: int | None = None) -> None:
        self.status = status
        error = coded_error(code, message)
        headers = {"connection": "close", "x-content-type-options": "nosniff"}
        if retry_after is not None:
            error["extensions"]["retryAfter"] = retry_after
            headers["retry-after"] = str(retry_after)
        self._response: HttpResponse = error_response([error], JSON, status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._response(scope, receive, send)

    def text(self, status_line: bytes) -> bytes:
        """The whole response of HTTP/1.1."""
        headers = b"".join(name + b": " + value + b"\r\n" for name, value in self._response.headers)
        return status_line + headers + b"\r\n" + self._response.body


TOO_MANY_CONNECTIONS = Refusal(
    503, ErrorCode.BUSY, Reason("CONNECTIONS_OF_SERVER", "Too many connections to this server."), RETRY_SECONDS
)
TOO_MANY_OF_ADDRESS = Refusal(
    429, ErrorCode.TOO_MANY, Reason("CONNECTIONS_OF_ADDRESS", "Too many connections from this address."), RETRY_SECONDS
)
BAD_HTTP = Refusal(400, ErrorCode.BAD_REQUEST, Reason("NOT_HTTP", "This is not a request of HTTP."))
SLOW_REQUEST = Refusal(408, ErrorCode.BAD_REQUEST, Reason("REQUEST_SLOW", "The request did not arrive in time."))
LARGE_HEADERS = Refusal(
    431,
    ErrorCode.BAD_REQUEST,
    Reason(
        "HEADERS_SIZE",
        "The request line and headers have more than {bytes:,} bytes or {fields} fields.",
        bytes=HEADER_BYTES,
        fields=HEADERS_MAXIMUM,
    ),
)
LARGE_HANDSHAKE = Refusal(
    431,
    ErrorCode.BAD_REQUEST,
    Reason("HANDSHAKE_SIZE", "The handshake of a WebSocket has more than 128 fields, or one of over 8,000 bytes."),
)
