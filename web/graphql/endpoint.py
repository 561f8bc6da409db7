"""GraphQL over HTTP (graphql.github.io/graphql-over-http) at one path.

Every request takes the same steps: negotiate the media type, read the operation, authenticate, prepare, execute, write.
"""

from graphql import GraphQLError, OperationType
from starlette.types import ASGIApp, Receive, Scope, Send

from models.visibility import Viewer
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import coded_error, format_error, request_errors
from schema.execution.executor import Executor
from schema.execution.operation import Operation, PreparedOperation
from schema.live.streams import LiveStreams
from web.auth.sessions import HOLDER_GONE, Authenticator, Session
from web.graphql.negotiation import EVENTS, GRAPHQL, JSON, PARTS, Accepted, negotiate
from web.graphql.request import Headers, read_headers, read_operation
from web.graphql.response import (
    BEARER,
    HttpResponse,
    conditional,
    error_response,
    graphql_response,
    operation_refusal,
    refusal,
)
from web.graphql.sse import single_response, stream_response

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
ALLOW = {"allow": ", ".join(METHODS)}
NOTHING_ACCEPTED = [coded_error(ErrorCode.BAD_REQUEST, f"Accept {GRAPHQL} or {JSON}.")]
NEEDS_STREAM = [coded_error(ErrorCode.BAD_REQUEST, f"A subscription needs a stream: a WebSocket, {EVENTS} or {PARTS}.")]


class GraphQLEndpoint:
    """An ASGI application, without Starlette's routing, Request and Response: those take longer than a small query."""

    def __init__(self, executor: Executor, live: LiveStreams, authenticator: Authenticator, *, body_limit: int) -> None:
        self._executor, self._live, self._authenticator, self._body_limit = executor, live, authenticator, body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(scope, receive)
        await response(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive) -> ASGIApp:
        """The response to a request, or the stream that answers it."""
        method = scope["method"]
        if method == "OPTIONS":
            return HttpResponse(204, headers=ALLOW)
        if method not in METHODS:
            return HttpResponse(405, b"Method Not Allowed", b"text/plain; charset=utf-8", ALLOW)
        headers = read_headers(scope)
        accepted = negotiate(headers.get(b"accept"))
        if accepted is None:
            return error_response(NOTHING_ACCEPTED, GRAPHQL, 406)
        try:
            operation = await self.operation(scope, headers, receive)
            viewer = await self.viewer(headers)
            response = await self._execute(operation, viewer, headers, accepted, method)
        except RequestError as error:
            return refusal(error, accepted.media)
        except Exception as error:  # the last chance to respond as GraphQL, and to keep the error to the log
            errors = [format_error(GraphQLError("", original_error=error))]
            return error_response(errors, accepted.media, 500)
        if method == "POST" or not isinstance(response, HttpResponse):
            return response
        return conditional(response, headers.get(b"if-none-match"))

    async def _execute(
        self, operation: Operation, viewer: Viewer | None, headers: Headers, accepted: Accepted, method: str
    ) -> ASGIApp:
        media = accepted.media
        try:
            prepared = self._executor.prepare(operation)
        except RequestError as error:
            return operation_refusal(request_errors(error), media)
        kind = prepared.parsed.kind
        if kind is OperationType.SUBSCRIPTION:
            return await self._stream(prepared, viewer, headers, accepted)
        if kind is OperationType.MUTATION and method != "POST":
            errors = [coded_error(ErrorCode.BAD_REQUEST, "A mutation is sent by POST.")]
            return error_response(errors, media, 405, {"allow": "POST"})
        response = await self._executor.execute(prepared, viewer)
        if not response.started:
            return operation_refusal(response.errors, media)
        return single_response(response, media) if media in (EVENTS, PARTS) else graphql_response(response, media)

    async def _stream(
        self, operation: PreparedOperation, viewer: Viewer | None, headers: Headers, accepted: Accepted
    ) -> ASGIApp:
        if accepted.stream is None:
            return error_response(NEEDS_STREAM, accepted.media, 400)
        session = None
        try:
            cursor = headers.get(b"last-event-id", b"").decode("latin-1") or None
            session = await self.hold(headers)
            prepared = await self._live.prepare(operation, viewer, cursor)
            if session.revoked:
                raise RequestError(ErrorCode.UNAUTHENTICATED, HOLDER_GONE)
            # Nothing may be awaited from here until the stream has set what ends it.
            return stream_response(self._live, prepared, accepted.stream, session, self.seconds_left(viewer))
        except BaseException as error:
            if session is not None:
                session.release()
            if not isinstance(error, RequestError):
                raise
            media = GRAPHQL if accepted.media == GRAPHQL else JSON
            status, challenge = (401, BEARER) if error.code is ErrorCode.UNAUTHENTICATED else (400, None)
            return error_response(request_errors(error), media, status, challenge)

    async def operation(self, scope: Scope, headers: Headers, receive: Receive) -> Operation:
        """The operation of a request. Raises RequestError."""
        return await read_operation(scope, headers, receive, body_limit=self._body_limit)

    async def viewer(self, headers: Headers) -> Viewer | None:
        """The viewer of a request, None without a token. Raises RequestError for a token that is not valid."""
        return await self._authenticator.authenticate(authorization(headers))

    async def hold(self, headers: Headers) -> Session:
        """The viewer of a request, for as long as a stream lasts. Raises RequestError as `viewer` does."""
        return await self._authenticator.open_session(authorization(headers))

    def seconds_left(self, viewer: Viewer | None) -> float | None:
        """How long the viewer's token is valid; None where it does not expire."""
        return self._authenticator.seconds_left(viewer)


def authorization(headers: Headers) -> str | None:
    value = headers.get(b"authorization")
    return None if value is None else value.decode("latin-1")
