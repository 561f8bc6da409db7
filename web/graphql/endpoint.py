"""GraphQL over HTTP (graphql.github.io/graphql-over-http) at one path.

Every request takes the same steps: negotiate the media type, admit the sender, read the operation, prepare, execute
when it is the sender's turn, write. Nothing of a body is read before its sender is known.
"""

import asyncio
from functools import partial
from typing import Any

from graphql import OperationType
from starlette.types import ASGIApp, Receive, Scope, Send

from models.reason import Reason
from resolvers.errors import TOKEN_NEEDED, ErrorCode, RequestError, ThrottledError
from schema.execution.errors import InvalidOperation, coded_error, request_errors, translated
from schema.execution.operation import GraphQLResponse, Operation, PreparedOperation
from schema.live.streams import LiveStreams
from web.admission import Admission, Admitted, host_of
from web.auth.credentials import credentials
from web.auth.sessions import HOLDER_GONE
from web.graphql.negotiation import EVENTS, GRAPHQL, JSON, PARTS, Accepted, negotiate
from web.graphql.request import BadBody, language_of, read_operation
from web.graphql.response import (
    HttpResponse,
    conditional,
    content_type,
    error_response,
    failure,
    operation_refusal,
    other_method,
    refusal,
)
from web.graphql.sse import single_response, stream_response
from web.graphql.trusted_documents import TrustedDocuments
from web.graphql.uvicorn_protocols import CONNECTION
from web.headers import Headers, read_headers
from web.operations import Operations, sent

UNKNOWN_BODY_LIMIT = 16 << 10  # bytes of a request by nobody known, which may be about the schema only
NO_STATE: dict[str, Any] = {}
ALLOW = {"allow": "GET, HEAD, POST, OPTIONS"}


def bad_request(reason: Reason) -> list[dict[str, Any]]:
    return [coded_error(ErrorCode.BAD_REQUEST, reason)]


NOTHING_ACCEPTED = bad_request(Reason("MEDIA_TYPE_UNACCEPTABLE", "Accept one of {types}.", types=[GRAPHQL, JSON]))
NEEDS_POST = bad_request(Reason("MUTATION_NEEDS_POST", "A mutation is sent by POST."))
NEEDS_STREAM = bad_request(
    Reason("SUBSCRIPTION_NEEDS_STREAM", "A subscription needs a stream: a WebSocket, {types}.", types=[EVENTS, PARTS])
)


class GraphQLEndpoint:
    """An ASGI application, without Starlette's routing, Request and Response: those take longer than a small query."""

    def __init__(
        self,
        operations: Operations,
        live: LiveStreams,
        admission: Admission,
        trusted: TrustedDocuments,
        *,
        body_limit: int,
        introspection: bool,
    ) -> None:
        self._operations, self._live, self._admission, self._body_limit = operations, live, admission, body_limit
        self._shares, self._trusted, self._introspection = admission.shares, trusted, introspection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(scope, receive)
        await response(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive) -> ASGIApp:
        """The response to a request, or the stream that answers it."""
        method, headers = scope["method"], read_headers(scope)
        if method not in ("GET", "HEAD", "POST") or asks_for_page(method, headers):
            return no_operation(method, scope["query_string"])
        accepted = negotiate(headers.get(b"accept"))
        if accepted is None:
            return error_response(NOTHING_ACCEPTED, GRAPHQL, 406)
        media = accepted.media
        try:
            viewer, party = admitted = await self._admission.admit(headers, host_of(scope))
            if viewer is None:
                operation = await self._schema_question(scope, headers, receive)
            else:
                operation = await read_operation(scope, headers, receive, self._trusted, body_limit=self._body_limit)
            prepared = await self._shares.prepare(party, self._operations.executor, operation, viewer)
            kind = prepared.parsed.kind
            if kind is OperationType.SUBSCRIPTION:
                return await self._stream(prepared, admitted, scope, headers, accepted)
            if kind is OperationType.MUTATION and method != "POST":
                return error_response(NEEDS_POST, media, 405, {"allow": "POST"})
            connection = scope.get("state", NO_STATE).get(CONNECTION) if kind is OperationType.QUERY else None
            if connection is not None:
                # A query whose client has gone ends. A mutation goes on, since the client may have meant it.
                connection.task = asyncio.current_task()
            try:
                answer = await self._operations.execute(party, prepared, viewer)
            finally:
                if connection is not None:
                    connection.task = None
            response = write(answer, media)
            response.party = party
        except InvalidOperation as error:
            # Not when it is sent, since an ETag is computed from the bytes.
            response = refuse_operation(translated(error.errors, language_of(headers)), media, error.extensions)
        except RequestError as error:
            return refusal(error, media)
        except Exception as error:  # the last chance to respond as GraphQL, and to keep the error to the log
            return failure(error, media)
        return response if method == "POST" else conditional(response, headers.get(b"if-none-match"))

    async def _schema_question(self, scope: Scope, headers: Headers, receive: Receive) -> Operation:
        """The operation of a request without a token. Raises RequestError if it is not about the schema."""
        error = RequestError(ErrorCode.UNAUTHENTICATED, TOKEN_NEEDED)
        if not self._introspection:
            raise error
        try:
            operation = await read_operation(scope, headers, receive, self._trusted, body_limit=UNKNOWN_BODY_LIMIT)
        except BadBody as bad:
            raise error if bad.status == 413 else bad from None
        if "__" not in operation.query:  # with which the names of introspection begin
            raise error
        return operation

    async def _stream(
        self, operation: PreparedOperation, admitted: Admitted, scope: Scope, headers: Headers, accepted: Accepted
    ) -> ASGIApp:
        if accepted.stream is None:
            return error_response(NEEDS_STREAM, accepted.media, 400)
        (viewer, party), authenticator = admitted, self._admission.authenticator
        session = place = None
        try:
            place = self._shares.connect(host_of(scope))
            place.take(party)
            cursor = headers.get(b"last-event-id", b"").decode("latin-1") or None
            session = await authenticator.open_session(credentials(headers))
            prepared = await self._operations.subscribe(party, operation, viewer, cursor)
            if session.revoked:
                raise RequestError(ErrorCode.UNAUTHENTICATED, HOLDER_GONE)
            # Nothing may be awaited from here until the stream has set what ends it.
            seconds, join = authenticator.seconds_left(viewer), partial(self._shares.join, party, prepared)
            return stream_response(self._live, join, accepted.stream, session, place, seconds, operation.language)
        except BaseException as error:
            if session is not None:
                session.release()
            if place is not None:
                place.leave()
            if not isinstance(error, RequestError):
                raise
            if isinstance(error, BadBody | ThrottledError) or accepted.media != EVENTS:
                return refusal(error, accepted.media)
            return refuse_operation(translated(request_errors(error), operation.language), EVENTS)


def write(response: GraphQLResponse, media: str) -> HttpResponse:
    """The response to an operation that is no subscription."""
    if not response.started:
        return refuse_operation(response.errors, media, response.extensions)
    if media in (EVENTS, PARTS):
        return single_response(response, media)
    return HttpResponse(200, response.json(), content_type(media))


def refuse_operation(
    errors: list[dict[str, Any]], media: str, extensions: dict[str, Any] | None = None
) -> HttpResponse:
    """The response to an operation that cannot be executed.

    A client that takes nothing but events gets the errors as one, since a browser's EventSource tells its page nothing
    of another status. A missing token has one nevertheless, so that clients do not connect again with the same, and so
    has an outage, so that they do connect again later.
    """
    first = errors[0]["extensions"]
    if media != EVENTS or first["code"] == ErrorCode.UNAUTHENTICATED.value or "retryAfter" in first:
        return operation_refusal(errors, media, extensions)
    return single_response(GraphQLResponse(errors=sent(errors), started=False, extensions=extensions), EVENTS)


def asks_for_page(method: str, headers: Headers) -> bool:
    """Whether a browser opens the address as a page."""
    return method != "POST" and b"text/html" in headers.get(b"accept", b"")


def no_operation(method: str, query_string: bytes) -> HttpResponse:
    """The response to a request that is not one of GraphQL; a page's is GraphiQL with the query of the address."""
    if method == "OPTIONS":
        return HttpResponse(204, headers=ALLOW)
    if method not in ("GET", "HEAD"):
        return error_response(bad_request(other_method(ALLOW["allow"].split(", "))), JSON, 405, ALLOW)
    # Browsers send what is not ASCII percent-encoded.
    query = query_string.decode("ascii", "ignore")
    return HttpResponse(303, headers={"location": f"/graphiql/?{query}" if query else "/graphiql/", "vary": "accept"})
