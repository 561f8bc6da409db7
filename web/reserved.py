"""graphql-sse's single connection mode: one stream that carries the results of many operations.

PUT reserves a stream and answers with its token, GET opens it, POST starts an operation on it, DELETE ends one. A
stream lives in one process: behind several, a client must come to the same one.
"""

import asyncio
import secrets
from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from models.visibility import Viewer
from resolvers.refusals import Code, Refused
from schema.execution import Execution, Operation, error_of, refused
from schema.live import Live, Place, refusals
from web.closing import OPERATIONS_MAXIMUM
from web.graphql import JSON, GraphQLEndpoint, answered, turned_away
from web.streams import EVENTS, Outlet, Streamed, StreamSink, event

TOKEN = "x-graphql-event-stream-token"
OPEN_SECONDS = 30.0  # from the reservation to the opening
RESERVED_MAXIMUM = 10_000


class Reserved:
    """One stream and its operations."""

    def __init__(self, viewer: Viewer | None) -> None:
        self.viewer = viewer
        self.outlet = Outlet()
        self.opened = False
        self.places: dict[str, Place] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def say(self, kind: str, said: dict[str, Any]) -> None:
        self.outlet.put(event(kind, orjson.dumps(said)))

    def complete(self, id: str) -> None:
        if (place := self.places.pop(id, None)) is not None:
            place.leave()
        if (task := self.tasks.pop(id, None)) is not None:
            task.cancel()

    def leave(self) -> None:
        for id in [*self.places, *self.tasks]:
            self.complete(id)


class ReservedEndpoint:
    """The four methods at one path."""

    def __init__(self, endpoint: GraphQLEndpoint, execution: Execution, live: Live) -> None:
        self._endpoint, self._execution, self._live = endpoint, execution, live
        self._streams: dict[str, Reserved] = {}

    async def respond(self, request: Request) -> Response:
        try:
            viewer = await self._endpoint.viewer(request)
            if request.method == "PUT":
                return self._reserve(viewer)
            token = request.headers.get(TOKEN) or request.query_params.get("token", "")
            stream = self._streams.get(token)
            if stream is None or stream.viewer != viewer:
                return answered(refused([error_of(Code.BAD_REQUEST, "There is no such stream.")]), JSON, 404)
            if request.method == "GET":
                return self._open(token, stream)
            if request.method == "DELETE":
                stream.complete(request.query_params.get("operationId", ""))
                return Response(status_code=200)
            return await self._start(request, stream)
        except Refused as error:
            return turned_away(error, JSON)

    def _reserve(self, viewer: Viewer | None) -> Response:
        if len(self._streams) >= RESERVED_MAXIMUM:
            return answered(refused([error_of(Code.TOO_MANY, "Too many streams.")]), JSON, 503)
        token = secrets.token_urlsafe(24)
        self._streams[token] = Reserved(viewer)
        asyncio.get_running_loop().call_later(OPEN_SECONDS, self._unless_opened, token)
        return PlainTextResponse(token, 201)

    def _unless_opened(self, token: str) -> None:
        if token in self._streams and not self._streams[token].opened:
            self._streams.pop(token).leave()

    def _open(self, token: str, stream: Reserved) -> Response:
        if stream.opened:
            return answered(refused([error_of(Code.BAD_REQUEST, "The stream is open already.")]), JSON, 409)
        stream.opened = True
        response = Streamed(stream.outlet, EVENTS, b":\n\n", lambda: b":\n\n", b"")

        def left() -> None:
            self._streams.pop(token, None)
            stream.leave()

        response.left = left
        return response

    async def _start(self, request: Request, stream: Reserved) -> Response:
        asked = await self._endpoint.operation(request)
        id = asked.extensions.get("operationId")
        if not isinstance(id, str) or not id:
            raise Refused(Code.BAD_REQUEST, "`extensions.operationId` must be there, as a string.")
        if id in stream.places or id in stream.tasks:
            return answered(refused([error_of(Code.BAD_REQUEST, "The operation exists already.")]), JSON, 409)
        if len(stream.places) + len(stream.tasks) >= OPERATIONS_MAXIMUM:
            return answered(refused([error_of(Code.TOO_MANY, "Too many operations at once.")]), JSON, 429)
        if self._execution.kind(asked) is OperationType.SUBSCRIPTION:
            return await self._stream(id, asked, stream)
        stream.tasks[id] = asyncio.create_task(self._run(id, asked, stream))
        return Response(status_code=202)

    async def _run(self, id: str, asked: Operation, stream: Reserved) -> None:
        answer = await self._execution.run(asked, stream.viewer)
        stream.say("next", {"id": id, "payload": answer.body()})
        stream.say("complete", {"id": id})
        stream.tasks.pop(id, None)

    async def _stream(self, id: str, asked: Operation, stream: Reserved) -> Response:
        try:
            prepared = await self._live.prepare(asked, stream.viewer)
        except Refused as error:
            return answered(refused(refusals(error)), JSON, 400)
        prefix = b'{"id":' + orjson.dumps(id) + b',"payload":'

        def frame(payload: bytes, number: int) -> bytes:
            return event("next", prefix + payload + b"}", self._live.name(number) if number else None)

        errors = [error_of(Code.INTERNAL, "The stream failed; go on after the last cursor.")]
        failed = event("next", prefix + orjson.dumps({"errors": errors}) + b"}") + event(
            "complete", orjson.dumps({"id": id})
        )
        stream.places[id] = prepared.join(StreamSink(stream.outlet, frame, failed))
        return Response(status_code=202)
