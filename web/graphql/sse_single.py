"""The single connection mode of graphql-sse: one stream that carries the results of many operations.

PUT reserves a stream and returns its token, GET opens it, POST starts an operation on it, and DELETE ends one. A stream
lives in one process, so a proxy must keep a client with one server.
"""

import asyncio
import secrets
from typing import Any

import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from models.reason import Language, Reason
from resolvers.errors import ErrorCode, RequestError, ThrottledError
from schema.execution.errors import InvalidOperation, coded_error, format_error, request_errors, translated
from schema.execution.operation import PreparedOperation
from schema.live.streams import LiveStreams, StreamMembership, failed_stream
from web.admission import Admission, host_of
from web.auth.credentials import credentials
from web.auth.sessions import Session
from web.graphql.close_codes import OPERATIONS_MAXIMUM, TOO_MANY_OPERATIONS
from web.graphql.negotiation import EVENTS, JSON, takes_events
from web.graphql.request import read_operation
from web.graphql.response import error_response, failure, refusal
from web.graphql.sse import SendQueue, StreamResponse, StreamSink, event
from web.graphql.trusted_documents import TrustedDocuments
from web.headers import read_headers
from web.operations import Operations, sent
from web.shares import CountedMembership, Party, Place

TOKEN = "x-graphql-event-stream-token"
OPEN_SECONDS = 30.0  # between the reservation of a stream and its opening
RESERVED_MAXIMUM = 10  # of one viewer, at once
NO_EVENTS = Reason("MEDIA_TYPE_UNACCEPTABLE", "Accept one of {types}.", types=[EVENTS])


class ReservedStream:
    """One stream and its operations."""

    def __init__(self, session: Session, place: Place, party: Party) -> None:
        self.viewer = session.viewer
        self.party, self._place = party, place
        self.queue = SendQueue()
        self._session = session
        session.on_revoked = self.leave
        self.opened = False
        # By operation id: its membership of a stream, the task that runs it, or a mark while it is being prepared.
        self.operations: dict[str, Any] = {}

    def send(self, kind: str, content: dict[str, Any]) -> None:
        self.queue.put(event(kind, orjson.dumps(content)))

    def finish(self, id: str, payload: dict[str, Any]) -> None:
        """Send the last result of an operation, and its end."""
        self.send("next", {"id": id, "payload": payload})
        self.send("complete", {"id": id})
        if isinstance(operation := self.operations.pop(id, None), CountedMembership):
            operation.leave()

    def complete(self, id: str) -> None:
        match self.operations.pop(id, None):
            case asyncio.Task() as task:
                task.cancel()
            case StreamMembership() as membership:
                membership.leave()

    def leave(self) -> None:
        """End the stream and all of its operations."""
        self.queue.end()
        self._session.release()
        self._place.leave()
        for id in list(self.operations):
            self.complete(id)


class ReservedEndpoint:
    """Handles the four methods at one path."""

    def __init__(
        self,
        operations: Operations,
        live: LiveStreams,
        admission: Admission,
        trusted: TrustedDocuments,
        *,
        body_limit: int,
    ) -> None:
        self._operations, self._live, self._admission, self._body_limit = operations, live, admission, body_limit
        self._authenticator, self._shares, self._trusted = admission.authenticator, admission.shares, trusted
        self._streams: dict[str, ReservedStream] = {}

    async def respond(self, request: Request) -> ASGIApp:
        try:
            token = request.headers.get(TOKEN) or request.query_params.get("token", "")
            if request.method == "GET":
                # The token is enough: a browser's EventSource sends no other headers.
                return self._open(token, request)
            headers = read_headers(request.scope)
            viewer, party = await self._admission.admit(headers, host_of(request.scope))
            if request.method == "PUT":
                place = self._place(party, request)
                try:
                    session = await self._authenticator.open_session(credentials(headers))
                except BaseException:
                    place.leave()
                    raise
                return self._reserve(session, place, party)
            stream = self._streams.get(token)
            if stream is None or stream.viewer != viewer:
                return no_such_stream()
            if request.method == "DELETE":
                stream.complete(operation_id(request.query_params.get("operationId")))
                return Response(status_code=200)
            return await self._start(request, stream)
        except RequestError as error:
            return refusal(error, JSON)
        except Exception as error:  # the client gets a masked error, and the log the details
            return failure(error, JSON)

    def _place(self, party: Party, request: Request) -> Place:
        """A place for a stream of this party. Raises ThrottledError."""
        reserved = sum(stream.party is party and not stream.opened for stream in self._streams.values())
        if reserved >= RESERVED_MAXIMUM:
            reason = Reason(
                "STREAMS_RESERVED", "At most {maximum} streams may be reserved and not open.", maximum=RESERVED_MAXIMUM
            )
            raise self._shares.refuse(ErrorCode.TOO_MANY, reason, OPEN_SECONDS, "reserved")
        place = self._shares.connect(host_of(request.scope))
        try:
            place.take(party)
        except BaseException:
            place.leave()
            raise
        return place

    def _reserve(self, session: Session, place: Place, party: Party) -> ASGIApp:
        token = secrets.token_urlsafe(24)
        self._streams[token] = ReservedStream(session, place, party)
        asyncio.get_running_loop().call_later(OPEN_SECONDS, self._unless_opened, token)
        return PlainTextResponse(token, 201)

    def _unless_opened(self, token: str) -> None:
        if token in self._streams and not self._streams[token].opened:
            self._streams.pop(token).leave()

    def _open(self, token: str, request: Request) -> ASGIApp:
        stream = self._streams.get(token)
        if stream is None:
            return no_such_stream()
        if not takes_events(request.headers.get("accept", "").encode("latin-1")):
            return coded_response(406, ErrorCode.BAD_REQUEST, NO_EVENTS)
        if stream.opened:
            return coded_response(409, ErrorCode.BAD_REQUEST, Reason("STREAM_OPEN", "The stream is already open."))
        stream.opened = True
        seconds = self._authenticator.seconds_left(stream.viewer)

        def keep_alive() -> bytes:
            # Without a cursor while an operation is being prepared, because that one may begin at an earlier cursor.
            if all(isinstance(operation, StreamMembership) for operation in stream.operations.values()):
                return b"id: " + self._live.cursor(stream.operations.values()).encode() + b"\n\n"
            return b":\n\n"

        response = StreamResponse(stream.queue, EVENTS, b":\n\n", keep_alive, seconds)

        def on_end() -> None:
            self._streams.pop(token, None)
            stream.leave()

        response.on_end = on_end
        return response

    async def _start(self, request: Request, stream: ReservedStream) -> ASGIApp:
        headers = read_headers(request.scope)
        requested = await read_operation(
            request.scope, headers, request.receive, self._trusted, body_limit=self._body_limit
        )
        id = operation_id(requested.extensions.get("operationId"))
        prepared: PreparedOperation | InvalidOperation
        try:
            prepared = await self._shares.prepare(stream.party, self._operations.executor, requested, stream.viewer)
        except InvalidOperation as error:
            prepared = error
        if stream.queue.ended:
            # It ended while the request arrived. Nothing would end an operation that began now.
            return no_such_stream()
        if id in stream.operations:
            return coded_response(
                409, ErrorCode.BAD_REQUEST, Reason("OPERATION_ID_RUNNING", "An operation with this id is running.")
            )
        if len(stream.operations) >= OPERATIONS_MAXIMUM:
            return coded_response(429, ErrorCode.TOO_MANY, TOO_MANY_OPERATIONS)
        if not isinstance(prepared, PreparedOperation):
            extensions = {} if prepared.extensions is None else {"extensions": prepared.extensions}
            body = refused(prepared.errors, requested.language)
            work = self._send(id, body | extensions, stream)
        elif prepared.parsed.kind is OperationType.SUBSCRIPTION:
            return await self._stream(id, prepared, stream)
        else:
            work = self._run(id, prepared, stream)
        stream.operations[id] = asyncio.create_task(work)
        return Response(status_code=202)

    async def _run(self, id: str, operation: PreparedOperation, stream: ReservedStream) -> None:
        try:
            response = await self._operations.execute(stream.party, operation, stream.viewer)
            body = response.body()
        except RequestError as error:
            body = refused(request_errors(error), operation.language)
        except Exception as error:  # it ends this operation only; the stream goes on
            body = refused([format_error(GraphQLError("", original_error=error))], operation.language)
        await self._send(id, body, stream)

    async def _send(self, id: str, body: dict[str, Any], stream: ReservedStream) -> None:
        """Send the only result of an operation, once there is room for it."""
        await stream.queue.drained()
        stream.finish(id, body)

    async def _stream(self, id: str, operation: PreparedOperation, stream: ReservedStream) -> ASGIApp:
        mark = stream.operations[id] = object()
        try:
            prepared = await self._operations.subscribe(stream.party, operation, stream.viewer)
        except BaseException as error:
            if stream.operations.get(id) is not mark:
                raise
            del stream.operations[id]
            if not isinstance(error, RequestError) or isinstance(error, ThrottledError):
                raise
            body = refused(request_errors(error), operation.language)
            stream.operations[id] = asyncio.create_task(self._send(id, body, stream))
            return Response(status_code=202)
        if stream.operations.get(id) is not mark:
            # The operation or the whole stream has ended meanwhile. Another operation may have the id now.
            return Response(status_code=202)
        prefix = b'{"id":' + orjson.dumps(id) + b',"payload":'

        def frame(payload: bytes, number: int) -> bytes:
            return event("next", prefix + payload + b"}", self._live.cursor_of(number) if number else None)

        def failed(error: Exception) -> None:
            stream.finish(id, refused(failed_stream(error), operation.language))

        sink = StreamSink(stream.queue, operation.language, frame, failed)
        try:
            stream.operations[id] = self._shares.join(stream.party, prepared, sink)
        except RequestError:
            del stream.operations[id]
            raise
        return Response(status_code=202)


def refused(errors: list[dict[str, Any]], language: Language) -> dict[str, Any]:
    """The response to an operation that was not executed."""
    return {"errors": sent(translated(errors, language))}


def operation_id(given: Any) -> str:
    """The id of an operation. Raises RequestError for anything else."""
    if isinstance(given, str) and given:
        return given
    reason = Reason("OPERATION_ID_NEEDED", "`operationId` is needed, as a string: POST takes it in `extensions`.")
    raise RequestError(ErrorCode.BAD_REQUEST, reason)


def coded_response(status: int, code: ErrorCode, reason: Reason) -> ASGIApp:
    return error_response([coded_error(code, reason)], JSON, status)


def no_such_stream() -> ASGIApp:
    return coded_response(404, ErrorCode.NOT_FOUND, Reason("STREAM_UNKNOWN", "There is no such stream."))
