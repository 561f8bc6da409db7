"""GraphQL over HTTP (graphql.github.io/graphql-over-http) at one path.

Every request takes the same steps: negotiate the media type, read the operation, authenticate, prepare, execute, write.
"""

from graphql import GraphQLError, OperationType
from starlette.types import ASGIApp, Receive, Scope, Send

from models.visibility import Viewer
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import InvalidOperation, coded_error, format_error, request_errors
from schema.execution.executor import Executor
from schema.execution.operation import GraphQLResponse, PreparedOperation
from schema.live.streams import LiveStreams
from web.auth.credentials import credentials
from web.auth.sessions import HOLDER_GONE, Authenticator
from web.graphql.negotiation import EVENTS, GRAPHQL, JSON, PARTS, Accepted, negotiate
from web.graphql.request import Headers, read_headers, read_operation
from web.graphql.response import (
    BEARER,
    HttpResponse,
    conditional,
    content_type,
    error_response,
    operation_refusal,
    refusal,
)
from web.graphql.sse import single_response, stream_response

ALLOW = {"allow": "GET, HEAD, POST, OPTIONS"}
NOTHING_ACCEPTED = [coded_error(ErrorCode.BAD_REQUEST, f"Accept {GRAPHQL} or {JSON}.")]
NEEDS_POST = [coded_error(ErrorCode.BAD_REQUEST, "A mutation is sent by POST.")]
OTHER_METHOD = [coded_error(ErrorCode.BAD_REQUEST, "GraphQL is asked by GET or POST.")]
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
        method, headers = scope["method"], read_headers(scope)
        if method not in ("GET", "HEAD", "POST"):
            return other_method(method)
        accepted = negotiate(headers.get(b"accept"))
        if accepted is None:
            return error_response(NOTHING_ACCEPTED, GRAPHQL, 406)
        media = accepted.media
        try:
            operation = await read_operation(scope, headers, receive, body_limit=self._body_limit)
            viewer = await self._authenticator.authenticate(credentials(headers))
            prepared = self._executor.prepare(operation)
            kind = prepared.parsed.kind
            if kind is OperationType.SUBSCRIPTION:
                return await self._stream(prepared, viewer, headers, accepted)
            if kind is OperationType.MUTATION and method != "POST":
                return error_response(NEEDS_POST, media, 405, {"allow": "POST"})
            response = write(await self._executor.execute(prepared, viewer), media)
        except InvalidOperation as error:
            response = operation_refusal(error.errors, media)
        except RequestError as error:
            return refusal(error, media)
        except Exception as error:  # the last chance to respond as GraphQL, and to keep the error to the log
            return error_response([format_error(GraphQLError("", original_error=error))], media, 500)
        return response if method == "POST" else conditional(response, headers.get(b"if-none-match"))

    async def _stream(
        self, operation: PreparedOperation, viewer: Viewer | None, headers: Headers, accepted: Accepted
    ) -> ASGIApp:
        if accepted.stream is None:
            return error_response(NEEDS_STREAM, accepted.media, 400)
        session = None
        try:
            cursor = headers.get(b"last-event-id", b"").decode("latin-1") or None
            session = await self._authenticator.open_session(credentials(headers))
            prepared = await self._live.prepare(operation, viewer, cursor)
            if session.revoked:
                raise RequestError(ErrorCode.UNAUTHENTICATED, HOLDER_GONE)
            # Nothing may be awaited from here until the stream has set what ends it.
            seconds = self._authenticator.seconds_left(viewer)
            return stream_response(self._live, prepared, accepted.stream, session, seconds)
        except BaseException as error:
            if session is not None:
                session.release()
            if not isinstance(error, RequestError):
                raise
            media = GRAPHQL if accepted.media == GRAPHQL else JSON
            status, challenge = (401, BEARER) if error.code is ErrorCode.UNAUTHENTICATED else (400, None)
            return error_response(request_errors(error), media, status, challenge)


def write(response: GraphQLResponse, media: str) -> HttpResponse:
    """The response to an operation that is no subscription."""
    if not response.started:
        return operation_refusal(response.errors, media)
    if media in (EVENTS, PARTS):
        return single_response(response, media)
    return HttpResponse(200, response.json(), content_type(media))


def other_method(method: str) -> HttpResponse:
    if method == "OPTIONS":
        return HttpResponse(204, headers=ALLOW)
    return error_response(OTHER_METHOD, JSON, 405, ALLOW)
