"""Streams over plain HTTP: server-sent events, as graphql-sse has them, and multipart responses, as Apollo has them.

A stream ends without `complete` when the server ends: clients come back by themselves, and go on after what they had.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schema.execution.operation import GraphQLResponse
from schema.live.streams import LiveStreams, PreparedStream, StreamMembership
from subscriptions.feed import Message
from web.auth.sessions import Session
from web.graphql.close_codes import DRAIN_SECONDS, PING_SECONDS, WAITING_BYTES, WAITING_MESSAGES
from web.graphql.negotiation import EVENTS
from web.graphql.response import HttpResponse
from web.graphql.uvicorn_protocols import CUT, STEADY

BOUNDARY = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
PART_LINE = b"\r\n--graphql\r\n"
SLICE = 16 << 10  # bytes written at once, so that a reader is seen to take them

# Every stream of this process, to be ended with it.
OPEN: set["SendQueue"] = set()


def end_all() -> None:
    """The server ends: let every client go, to come back elsewhere."""
    for outlet in list(OPEN):
        outlet.end()


class SendQueue:
    """What waits to be sent on one response. `end` lets what waits go out first; `cut` does not."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = self._slices = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
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
        self._news.set()

    def _beyond(self) -> int:
        """How many bytes wait, the largest chunk aside: one may be of any size."""
        return self._bytes - max(map(len, self._waiting))

    async def drained(self) -> None:
        """Wait for room, as long as the reader takes anything."""
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
        """A slice of what was taken out has gone."""
        self._slices += 1

    def end(self) -> None:
        self.ended = True
        self._news.set()

    def cut(self) -> None:
        self.overfull.set()
        self._waiting.clear()
        self.end()

    async def take(self, seconds: float) -> bytes | None:
        """All that waits; nothing after so many seconds of quiet; None at the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._room.set()
        if self.ended:
            self._news.set()
            return chunk or None
        return chunk


class StreamSink:
    """A subscription on an outlet.

    `frame` makes of a payload and its cursor what goes out; `failed` is called when nothing more will come.
    """

    def __init__(self, outlet: SendQueue, frame: Callable[[bytes, int], bytes], failed: Callable[[], None]) -> None:
        self._outlet, self._frame, self._failed = outlet, frame, failed

    def send(self, message: Message) -> None:
        self._outlet.put(self._frame(message.payload, message.cursor))

    async def drained(self) -> None:
        await self._outlet.drained()

    def fail(self) -> None:
        self._failed()


class StreamResponse(Response):
    """A response that goes on: what an outlet is given, and a sign of life in quiet times.

    It ends after so many seconds, when the client's token does.
    """

    def __init__(
        self, outlet: SendQueue, media_type: str, opening: bytes, alive: Callable[[], bytes], seconds: float | None
    ) -> None:
        super().__init__(media_type=media_type)
        self._outlet, self._opening, self._alive, self._seconds = outlet, opening, alive, seconds
        self.left: Callable[[], None] = lambda: None
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-cache, no-transform"
        self.headers["x-accel-buffering"] = "no"  # a proxy that waits for more would hold an event back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        OPEN.add(self._outlet)
        extensions = scope.get("extensions", {})
        cut = extensions.get(CUT)
        if STEADY in extensions:
            extensions[STEADY]()
        writing = asyncio.create_task(self._write(send))
        gone = asyncio.create_task(self._gone(receive))
        watching = asyncio.create_task(self._stalled(cut))
        timer = self._seconds and asyncio.get_running_loop().call_later(self._seconds, self._outlet.end)
        try:
            await asyncio.wait({writing, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            OPEN.discard(self._outlet)
            self.left()
            if timer:
                timer.cancel()
            for task in (writing, gone, watching):
                task.cancel()
            await asyncio.gather(writing, gone, watching, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._opening, "more_body": True})
        while (chunk := await self._outlet.take(PING_SECONDS)) is not None:
            body = chunk or self._alive()
            for start in range(0, len(body), SLICE):
                await send({"type": "http.response.body", "body": body[start : start + SLICE], "more_body": True})
                self._outlet.wrote()
        await send({"type": "http.response.body", "body": b""})

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _stalled(self, cut: Callable[[], None] | None) -> None:
        """A client that does not read is not waited for."""
        await self._outlet.overfull.wait()
        if cut is not None:
            cut()


def event(kind: str, data: bytes, cursor: str | None = None) -> bytes:
    """One server-sent event. Lines end with LF alone: some clients split on nothing else."""
    line = b"" if cursor is None else b"id: " + cursor.encode() + b"\n"
    return b"event: " + kind.encode() + b"\n" + line + b"data: " + data + b"\n\n"


def part(data: bytes) -> bytes:
    """A part and the line after it: clients take a part for whole when they see that."""
    return b"content-type: application/json\r\n\r\n" + data + PART_LINE


def streamed(
    live: LiveStreams, prepared: PreparedStream, media: str, holding: Session, seconds: float | None
) -> StreamResponse:
    """The response that streams a subscription: as long as its viewer may, and for so many seconds at the most."""
    outlet = SendQueue()
    places: list[StreamMembership] = []

    def event_of(payload: bytes, number: int) -> bytes:
        return event("next", payload, live.cursor_of(number) if number else None)

    def part_of(payload: bytes, number: int) -> bytes:
        return part(b'{"payload":' + payload + b"}")

    def alive() -> bytes:
        # An id without data moves the place that a client resumes from, and tells it nothing else.
        return b"id: " + live.cursor(places).encode() + b"\n\n"

    if media == EVENTS:
        response = StreamResponse(outlet, EVENTS, b":\n\n", alive, seconds)
        sink = StreamSink(outlet, event_of, outlet.end)
    else:
        response = StreamResponse(outlet, BOUNDARY, PART_LINE, lambda: part(b"{}"), seconds)
        sink = StreamSink(outlet, part_of, outlet.end)
    place = prepared.join(sink)
    places.append(place)

    def left() -> None:
        place.leave()
        holding.release()

    def gone() -> None:
        place.leave()
        outlet.end()

    response.left, holding.on_revoked = left, gone
    return response


def once(response: GraphQLResponse, media: str) -> HttpResponse:
    """A single response as a stream, for a client that takes nothing else."""
    body = orjson.dumps(response.body())
    headers = {"cache-control": "no-store"}
    if media == EVENTS:
        stream = event("next", body) + event("complete", b"")
        return HttpResponse(200, stream, b"text/event-stream; charset=utf-8", headers)
    return HttpResponse(200, PART_LINE + part(body)[: -len(b"\r\n")] + b"--\r\n", BOUNDARY.encode(), headers)
