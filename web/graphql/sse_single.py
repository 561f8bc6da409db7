"""graphql-sse's single connection mode: one stream that carries the results of many operations.

PUT reserves a stream and answers with its token, GET opens it, POST starts an operation on it, DELETE ends one. A
stream lives in one process: behind several, a client must come to the same one.
"""

import asyncio
import secrets
from typing import Any

import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import coded_error, format_error, request_errors
from schema.execution.executor import Executor
from schema.execution.operation import PreparedOperation
from schema.live.streams import LiveStreams, StreamMembership
from web.auth.sessions import Session
from web.graphql.close_codes import OPERATIONS_MAXIMUM
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.negotiation import EVENTS, JSON
from web.graphql.request import read_headers
from web.graphql.response import error_response, refusal
from web.graphql.sse import SendQueue, StreamResponse, StreamSink, event

TOKEN = "x-graphql-event-stream-token"
OPEN_SECONDS = 30.0  # from the reservation to the opening
RESERVED_MAXIMUM = 10_000


class ReservedStream:
    """One stream and its operations."""

    def __init__(self, holding: Session) -> None:
        self.viewer = holding.viewer
        self.outlet = SendQueue()
        self._holding = holding
        holding.on_revoked = self.leave
        self.opened = False
        # By operation: its place in the feed, the task that runs it, or what stands for it while it is looked at.
        self.operations: dict[str, Any] = {}

    def say(self, kind: str, said: dict[str, Any]) -> None:
        self.outlet.put(event(kind, orjson.dumps(said)))

    def answer(self, id: str, payload: dict[str, Any]) -> None:
        """The only, or the last, result of an operation."""
        self.say("next", {"id": id, "payload": payload})
        self.say("complete", {"id": id})
        self.operations.pop(id, None)

    def complete(self, id: str) -> None:
        match self.operations.pop(id, None):
            case asyncio.Task() as task:
                task.cancel()
            case StreamMembership() as place:
                place.leave()

    def leave(self) -> None:
        """Nothing begins on it any more, and nothing goes on."""
        self.outlet.end()
        self._holding.release()
        for id in list(self.operations):
            self.complete(id)


class ReservedEndpoint:
    """The four methods at one path."""

    def __init__(self, endpoint: GraphQLEndpoint, execution: Executor, live: LiveStreams) -> None:
        self._endpoint, self._execution, self._live = endpoint, execution, live
        self._streams: dict[str, ReservedStream] = {}

    async def respond(self, request: Request) -> ASGIApp:
        headers = read_headers(request.scope)
        try:
            viewer = await self._endpoint.viewer(headers)
            if request.method == "PUT":
                return self._reserve(await self._endpoint.hold(headers))
            token = request.headers.get(TOKEN) or request.query_params.get("token", "")
            stream = self._streams.get(token)
            if stream is None or stream.viewer != viewer:
                return no_such_stream()
            if request.method == "GET":
                return self._open(token, stream)
            if request.method == "DELETE":
                stream.complete(request.query_params.get("operationId", ""))
                return Response(status_code=200)
            return await self._start(request, stream)
        except RequestError as error:
            return refusal(error, JSON)
        except Exception as error:  # the last chance to answer as GraphQL, and to keep what went wrong to the log
            return error_response([format_error(GraphQLError("", original_error=error))], JSON, 500)

    def _reserve(self, holding: Session) -> ASGIApp:
        if len(self._streams) >= RESERVED_MAXIMUM:
            holding.release()
            return error_response([coded_error(ErrorCode.TOO_MANY, "Too many streams.")], JSON, 503)
        token = secrets.token_urlsafe(24)
        self._streams[token] = ReservedStream(holding)
        asyncio.get_running_loop().call_later(OPEN_SECONDS, self._unless_opened, token)
        return PlainTextResponse(token, 201)

    def _unless_opened(self, token: str) -> None:
        if token in self._streams and not self._streams[token].opened:
            self._streams.pop(token).leave()

    def _open(self, token: str, stream: ReservedStream) -> ASGIApp:
        if stream.opened:
            return error_response([coded_error(ErrorCode.BAD_REQUEST, "The stream is open already.")], JSON, 409)
        stream.opened = True
        seconds = self._endpoint.seconds_left(stream.viewer)

        def alive() -> bytes:
            # As in the streams of one operation; one that has no place yet may begin earlier.
            if all(isinstance(operation, StreamMembership) for operation in stream.operations.values()):
                return b"id: " + self._live.cursor(stream.operations.values()).encode() + b"\n\n"
            return b":\n\n"

        response = StreamResponse(stream.outlet, EVENTS, b":\n\n", alive, seconds)

        def left() -> None:
            self._streams.pop(token, None)
            stream.leave()

        response.left = left
        return response

    async def _start(self, request: Request, stream: ReservedStream) -> ASGIApp:
        asked = await self._endpoint.operation(request.scope, read_headers(request.scope), request.receive)
        id = asked.extensions.get("operationId")
        if not isinstance(id, str) or not id:
            raise RequestError(ErrorCode.BAD_REQUEST, "`extensions.operationId` must be there, as a string.")
        if stream.outlet.ended:
            # While the request arrived: what began now would have nobody to end it.
            return no_such_stream()
        if id in stream.operations:
            return error_response([coded_error(ErrorCode.BAD_REQUEST, "The operation exists already.")], JSON, 409)
        if len(stream.operations) >= OPERATIONS_MAXIMUM:
            return error_response([coded_error(ErrorCode.TOO_MANY, "Too many operations at once.")], JSON, 429)
        try:
            prepared = self._execution.prepare(asked)
        except RequestError as error:
            work = self._send(id, {"errors": request_errors(error)}, stream)
        else:
            if prepared.parsed.kind is OperationType.SUBSCRIPTION:
                return await self._stream(id, prepared, stream)
            work = self._run(id, prepared, stream)
        stream.operations[id] = asyncio.create_task(work)
        return Response(status_code=202)

    async def _run(self, id: str, operation: PreparedOperation, stream: ReservedStream) -> None:
        try:
            body = (await self._execution.execute(operation, stream.viewer)).body()
        except Exception as error:  # the stream is not the operation's: its client is told, and goes on
            body = {"errors": [format_error(GraphQLError("", original_error=error))]}
        await self._send(id, body, stream)

    async def _send(self, id: str, body: dict[str, Any], stream: ReservedStream) -> None:
        """Send the only result of an operation, once there is room for it."""
        await stream.outlet.drained()
        stream.answer(id, body)

    async def _stream(self, id: str, operation: PreparedOperation, stream: ReservedStream) -> ASGIApp:
        mark = stream.operations[id] = object()
        try:
            prepared = await self._live.prepare(operation, stream.viewer)
        except BaseException as error:
            if stream.operations.get(id) is mark:
                del stream.operations[id]
            if isinstance(error, RequestError):
                return error_response(request_errors(error), JSON, 400)
            raise
        if stream.operations.get(id) is not mark:
            # Ended meanwhile, or the whole stream was; what has the id now is another operation.
            return Response(status_code=202)
        prefix = b'{"id":' + orjson.dumps(id) + b',"payload":'

        def frame(payload: bytes, number: int) -> bytes:
            return event("next", prefix + payload + b"}", self._live.cursor_of(number) if number else None)

        def failed() -> None:
            stream.answer(
                id, {"errors": [coded_error(ErrorCode.INTERNAL, "The stream failed; go on after the last cursor.")]}
            )

        stream.operations[id] = prepared.join(StreamSink(stream.outlet, frame, failed))
        return Response(status_code=202)


def no_such_stream() -> ASGIApp:
    return error_response([coded_error(ErrorCode.BAD_REQUEST, "There is no such stream.")], JSON, 404)
