"""Streams over plain HTTP: server-sent events as in graphql-sse, and multipart responses as in Apollo.

When the server stops, a stream ends without `complete`, so that clients reconnect and resume after their last cursor.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from time import monotonic

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models.reason import Language
from models.request_record import logged_request
from schema.execution.operation import GraphQLResponse
from schema.live.renderer import payload_in
from schema.live.streams import LiveStreams
from subscriptions.feed import Message, Sink
from web.auth.sessions import Session
from web.graphql.close_codes import DRAIN_SECONDS, PING_SECONDS, WAITING_BYTES, WAITING_MESSAGES
from web.graphql.http_protocol import Connection
from web.graphql.negotiation import EVENTS
from web.graphql.response import HttpResponse
from web.graphql.uvicorn_protocols import CONNECTION
from web.shares import CountedMembership, Place

log = structlog.get_logger(__name__)

BOUNDARY = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
PART_LINE = b"\r\n--graphql\r\n"
SLICE = 16 << 10  # bytes per write, so that a reader's progress can be seen

# The queues of all open streams of this process.
OPEN: set["SendQueue"] = set()


def end_all() -> None:
    """End every stream, so that its client reconnects to another server."""
    for queue in list(OPEN):
        queue.end()


class SendQueue:
    """What waits to be sent on one response. `end` sends what waits first; `cut` discards it."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = self._slices = 0
        self._changed, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self.overfull = asyncio.Event()
        self.ended = False

    def put(self, chunk: bytes) -> None:
        if self.ended:
            return
        self._waiting.append(chunk)
        self._bytes += len(chunk)
        if len(self._waiting) > WAITING_MESSAGES or (self._bytes > WAITING_BYTES and self._beyond() > WAITING_BYTES):
            self.cut()
            return
        if len(self._waiting) > WAITING_MESSAGES // 2 or self._bytes > WAITING_BYTES // 2:
            self._room.clear()
        self._changed.set()

    def _beyond(self) -> int:
        """How many bytes wait besides the largest chunk. One chunk may be of any size."""
        return self._bytes - max(map(len, self._waiting))

    async def drained(self) -> None:
        """Wait for room as long as the reader takes anything. Cuts the stream when it does not."""
        while not self._room.is_set():
            before = self._slices
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._room.wait()
            except TimeoutError:
                if self._slices == before:
                    self.cut()
                    return

    def wrote(self) -> None:
        """A slice of what was taken has been written."""
        self._slices += 1

    def end(self) -> None:
        self.ended = True
        self._changed.set()

    def cut(self) -> None:
        self.overfull.set()
        self._waiting.clear()
        self.end()

    async def take(self, seconds: float) -> bytes | None:
        """Everything that waits; empty after so many seconds without anything; None at the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._room.set()
        if self.ended:
            self._changed.set()
            return chunk or None
        return chunk


class StreamSink:
    """A subscription that writes to a queue.

    `frame` makes a chunk of a payload and its cursor. `failed` is called when nothing more will come.
    """

    def __init__(
        self,
        queue: SendQueue,
        language: Language,
        frame: Callable[[bytes, int], bytes],
        failed: Callable[[Exception], None],
    ) -> None:
        self._queue, self._language, self._frame, self._failed = queue, language, frame, failed

    def send(self, message: Message) -> None:
        self._queue.put(self._frame(payload_in(self._language, message.payload), message.cursor))

    async def drained(self) -> None:
        await self._queue.drained()

    def fail(self, error: Exception) -> None:
        self._failed(error)


class StreamResponse(Response):
    """A response that sends a queue, and `keep_alive()` when that is quiet. It ends after `seconds`, or never for None.

    `on_end` is called once it has ended, for whatever reason.
    """

    def __init__(
        self, queue: SendQueue, media_type: str, first: bytes, keep_alive: Callable[[], bytes], seconds: float | None
    ) -> None:
        super().__init__(media_type=media_type)
        self._queue, self._first, self._keep_alive, self._seconds = queue, first, keep_alive, seconds
        self.on_end: Callable[[], None] = lambda: None
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-cache, no-transform"
        self.headers["x-accel-buffering"] = "no"  # keeps proxies from holding events back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        OPEN.add(self._queue)
        opened = monotonic()
        if logged_request() is not None:
            log.info("stream opened")
        connection = scope.get("state", {}).get(CONNECTION)
        if connection is not None:
            connection.prepare()
        writing = asyncio.create_task(self._write(send))
        disconnected = asyncio.create_task(self._disconnected(receive))
        watching = asyncio.create_task(self._cut_when_overfull(connection))
        timer = self._seconds and asyncio.get_running_loop().call_later(self._seconds, self._queue.end)
        try:
            await asyncio.wait({writing, disconnected}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            OPEN.discard(self._queue)
            if logged_request() is not None:
                log.info("stream closed", why=self._why(disconnected), seconds=round(monotonic() - opened, 1))
            self.on_end()
            if timer:
                timer.cancel()
            for task in (writing, disconnected, watching):
                task.cancel()
            await asyncio.gather(writing, disconnected, watching, return_exceptions=True)

    def _why(self, disconnected: "asyncio.Task[None]") -> str:
        """Who has ended the stream, for the log."""
        if self._queue.overfull.is_set():
            return "too slow"
        return "client" if disconnected.done() else "server"

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        while (chunk := await self._queue.take(PING_SECONDS)) is not None:
            body = chunk or self._keep_alive()
            for start in range(0, len(body), SLICE):
                await send({"type": "http.response.body", "body": body[start : start + SLICE], "more_body": True})
                self._queue.wrote()
        await send({"type": "http.response.body", "body": b""})

    async def _disconnected(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _cut_when_overfull(self, connection: Connection | None) -> None:
        """Cut the connection of a client that does not read. `send` would wait for it."""
        await self._queue.overfull.wait()
        if connection is not None:
            connection.cut()


def event(kind: str, data: bytes, cursor: str | None = None) -> bytes:
    """One server-sent event. Lines end with LF only, because some clients split on nothing else."""
    line = b"" if cursor is None else b"id: " + cursor.encode() + b"\n"
    return b"event: " + kind.encode() + b"\n" + line + b"data: " + data + b"\n\n"


def part(data: bytes) -> bytes:
    """One part and the boundary line after it. Clients take a part as complete when they read that line."""
    return b"content-type: application/json\r\n\r\n" + data + PART_LINE


def payload_part(payload: bytes, number: int) -> bytes:
    return part(b'{"payload":' + payload + b"}")


def stream_response(
    live: LiveStreams,
    join: Callable[[Sink], CountedMembership],
    media: str,
    session: Session,
    place: Place,
    seconds: float | None,
    language: Language,
) -> StreamResponse:
    """Joins a subscription, and streams it until its session is revoked or so many seconds are over."""
    queue = SendQueue()

    def event_of(payload: bytes, number: int) -> bytes:
        return event("next", payload, live.cursor_of(number) if number else None)

    def keep_alive() -> bytes:
        # An id without data moves the cursor that a client resumes after, and does nothing else.
        return b"id: " + live.cursor([membership]).encode() + b"\n\n"

    if media == EVENTS:
        response = StreamResponse(queue, EVENTS, b":\n\n", keep_alive, seconds)
        sink = StreamSink(queue, language, event_of, lambda error: queue.end())
    else:
        response = StreamResponse(queue, BOUNDARY, PART_LINE, lambda: part(b"{}"), seconds)
        sink = StreamSink(queue, language, payload_part, lambda error: queue.end())
    membership = join(sink)

    def on_end() -> None:
        membership.leave()
        session.release()
        place.leave()

    def on_revoked() -> None:
        membership.leave()
        queue.end()

    response.on_end, session.on_revoked = on_end, on_revoked
    return response


def single_response(response: GraphQLResponse, media: str) -> HttpResponse:
    """A single result as a stream, for a client that accepts nothing else."""
    body = response.json()
    headers = {"cache-control": "no-store"}
    if media == EVENTS:
        stream = event("next", body) + event("complete", b"")
        return HttpResponse(200, stream, b"text/event-stream; charset=utf-8", headers)
    return HttpResponse(200, PART_LINE + part(body)[: -len(b"\r\n")] + b"--\r\n", BOUNDARY.encode(), headers)
