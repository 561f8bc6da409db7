"""uvicorn's HTTP protocol with bounds for slow and large clients, and with connections that can be cut.

tests/web/graphql/test_http_protocol.py checks every undocumented name of uvicorn that is used here.
"""

import asyncio
import enum
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web.graphql import connection_limits as limits
from web.graphql.connection_limits import REFUSED, Connections, Refusal
from web.graphql.uvicorn_protocols import CONNECTION, SLICE, WebSocketProtocol, cut, prepare

# The library that speaks WebSocket takes no more in a handshake, and does not answer one that has more.
HANDSHAKE_FIELDS, HANDSHAKE_LINE = 120, 8_000
BODY_FIELDS = (b"content-length", b"transfer-encoding")  # nor does it answer a handshake with a body


class Connection:
    """A connection as the application sees it. `task` is cancelled when the client goes."""

    __slots__ = ("streaming", "task", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.task: asyncio.Task[Any] | None = None
        self.streaming = False

    def cut(self) -> None:
        """End it at once, and discard what still waits."""
        cut(self.transport)

    def prepare(self) -> None:
        """Prepare it for a stream, which looks after slow readers itself."""
        self.streaming = True
        prepare(self.transport)


class Phase(enum.Enum):
    """What of a request has arrived."""

    HEADERS = enum.auto()  # nothing, or a part of its headers
    BODY = enum.auto()  # its headers
    COMPLETE = enum.auto()


class FlowControl(flow_control.FlowControl):
    """uvicorn's flow control, which does not read on while the protocol has enough to look at."""

    holding = False

    def resume_reading(self) -> None:
        if not self.holding:
            super().resume_reading()


class Refused(Exception):
    """Stops the parser, which then calls `send_400_response`."""


class HttpProtocol(HttpToolsProtocol):
    """HTTP within the bounds of `connection_limits`. `connections` are those of the process."""

    def __init__(self, *arguments: Any, connections: Connections | None = None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections = connections or Connections()
        self._phase = Phase.HEADERS
        self._since: float | None = None  # when `check` first saw this phase
        self._received = 0  # bytes since the last complete request
        self._held = bytearray()  # what has arrived and is not looked at yet
        self._refused = False
        self._upgrade: asyncio.Task[None] | None = None  # waits for the handshake's turn
        self._answered = asyncio.Event()  # for that: whether the requests before the handshake have their responses
        self._bad: Refusal = limits.BAD_HTTP
        self._excess: Refusal | None = None
        self._unread: tuple[float, int] | None = None  # when, and how many bytes the client had not taken then

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow: FlowControl = FlowControl(transport)
        self._host = self.client[0] if self.client else ""
        self.connection = Connection(transport)
        # uvicorn copies this into the `state` of each request's scope.
        self._shared_state = self.app_state
        self.app_state = {**self.app_state, CONNECTION: self.connection}
        self._connections.watch(self)
        self._excess = self._connections.add(self._host)
        if self._excess is not None:
            self.app = self._excess
            if self._connections.excessive(self._host):
                self._refuse(self._excess)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.unwatch(self)
        self._connections.remove(self._host)
        task, self.connection.task = self.connection.task, None
        super().connection_lost(exc)
        for waiting in (task, self._upgrade):
            if waiting is not None:
                waiting.cancel()

    # -- what arrives --

    def data_received(self, data: bytes) -> None:
        if self._upgrade is not None:
            self._held += data
            if len(self._held) > SLICE:
                self.flow.pause_reading()
            return
        if len(data) <= SLICE and not self._held:
            self._feed(data)
            return
        self._held += data
        self._feed_held()

    def _feed_held(self) -> None:
        """Look at what has arrived, slice by slice, until there is a request that waits for an earlier response."""
        while self._held and not (self.pipeline or self._upgrade or self.transport.is_closing()):
            data = bytes(self._held[:SLICE])
            del self._held[:SLICE]
            self._feed(data)
        if self._held:
            self.flow.pause_reading()
            self.flow.holding = True
        elif self.flow.holding:
            self.flow.holding = False
            self.flow.resume_reading()

    def _feed(self, data: bytes) -> None:
        if self._refused:
            return
        self._received += len(data)
        super().data_received(data)
        # The slice may have begun with the end of an earlier request.
        if self._phase is Phase.HEADERS and self._received > limits.HEADER_BYTES + SLICE:
            self._refuse(limits.LARGE_HEADERS)

    def on_headers_complete(self) -> None:
        if len(self.headers) > limits.HEADERS_MAXIMUM or (
            # Few requests are long enough for a closer look.
            self._received > limits.HEADER_BYTES and self._header_bytes() > limits.HEADER_BYTES
        ):
            self._bad = limits.LARGE_HEADERS
            raise Refused
        if self.parser.should_upgrade() and self._should_upgrade() and self._has_body():
            raise Refused  # as what is no request of HTTP
        self._phase, self._since = Phase.BODY, None
        super().on_headers_complete()

    def _has_body(self) -> bool:
        return any(name in BODY_FIELDS and value != b"0" for name, value in self.headers)

    def _header_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._since, self._received = None, 0
        answered = self.cycle is not None and self.cycle.response_complete
        self._phase = Phase.HEADERS if answered else Phase.COMPLETE

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._phase is Phase.COMPLETE and self.cycle.response_complete:
            self._phase, self._since = Phase.HEADERS, None
        if self._upgrade is not None:
            self._unset_keepalive_if_required()
            self._note_answered()
        elif self._held:
            self.loop.call_soon(self._feed_held)

    def _note_answered(self) -> None:
        if self.cycle is None or (self.cycle.response_complete and not self.pipeline):
            self._answered.set()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._bad)

    # -- time --

    def check(self, now: float) -> None:
        """Called each second. Ends the connection when the client takes too long."""
        if not self.connection.streaming:
            self._check_reader(now)
        if self._phase is Phase.COMPLETE or self._refused:
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._since is None or self.flow.read_paused or (self._phase is Phase.HEADERS and answering):
            self._since = now
        elif self._phase is Phase.HEADERS:
            if now - self._since > limits.HEADERS_SECONDS:
                self._time_out("slow headers")
        elif now - self._since > limits.BODY_SECONDS + self._received / limits.BODY_RATE:
            self._time_out("slow body")

    def _time_out(self, reason: str) -> None:
        # A part of a request that came together with the one before it is known by its scope only.
        begun = self._received or (self.scope is not None and "method" not in self.scope)
        if not begun or self.transport.is_closing():
            self.transport.close()
            return
        REFUSED[reason] += 1
        self._refuse(limits.SLOW_REQUEST)

    def _check_reader(self, now: float) -> None:
        """Cut a client that takes its response too slowly."""
        size = self.transport.get_write_buffer_size()
        if not size:
            self._unread = None
        elif self._unread is None or size > self._unread[1]:
            self._unread = now, size
        elif now - self._unread[0] >= limits.READER_SECONDS:
            if self._unread[1] - size < limits.READER_SECONDS * limits.READER_RATE:
                REFUSED["slow reader"] += 1
                self.connection.cut()
            self._unread = now, size

    # -- refusals --

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no request, or not one in time, and end the connection."""
        self._refused = True
        self._held.clear()
        self.flow.holding = False
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self._phase is not Phase.BODY or self.pipeline:
                cycle.keep_alive = False  # the connection ends after the response to the request before it
                return
            if cycle.response_started:
                self.connection.cut()
                return
            # The application gets a disconnection, and may send nothing.
            cycle.disconnected = True
            cycle.message_event.set()
        self._unset_keepalive_if_required()
        self.transport.write(refusal.text(httptools_impl.STATUS_LINE[refusal.status]))
        self._linger()

    def _linger(self) -> None:
        """End the connection, but let a client that still sends read the answer first: a reset would discard it."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(limits.LINGER_SECONDS, self.transport.close)

    def handle_websocket_upgrade(self) -> None:
        # A WebSocket has no use for the connection, and would hold it for as long as it is open.
        self.app_state = self._shared_state
        longest = max((len(name) + len(value) for name, value in self.headers), default=0)
        if self._excess is not None:
            self._refuse(self._excess)
        elif len(self.headers) > HANDSHAKE_FIELDS or max(longest, len(self.url)) > HANDSHAKE_LINE:
            self._refuse(limits.LARGE_HANDSHAKE)
        else:
            self._upgrade = self.loop.create_task(self._upgrade_in_turn())
            self._note_answered()

    async def _upgrade_in_turn(self) -> None:
        """A handshake takes a millisecond. One begins in each iteration of the loop, and the addresses take turns.

        It begins after the responses to the requests before it: uvicorn would let them write into the socket's frames.
        """
        await self._answered.wait()
        async with self._connections.handshakes.turn(self._host):
            if self.transport.is_closing():
                return
            self._connections.unwatch(self)
            super().handle_websocket_upgrade()
            protocol = self.transport.get_protocol()
            assert isinstance(protocol, WebSocketProtocol)
            connections, host = self._connections, self._host
            protocol.on_lost = lambda: connections.remove(host)
            if self._held:
                protocol.data_received(bytes(self._held))
            self.flow.holding = False
            self.flow.resume_reading()
            self.parser = None  # type: ignore[assignment]  # as uvicorn does; it refers to this object
            await asyncio.sleep(0)


def http_protocol(connections: Connections) -> Callable[..., HttpProtocol]:
    """Makes the protocols of a server whose connections these are."""

    def protocol(*arguments: Any, **named: Any) -> HttpProtocol:
        return HttpProtocol(*arguments, connections=connections, **named)

    return protocol
