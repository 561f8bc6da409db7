"""Writes HTTP responses in GraphQL's form."""

import hashlib
from functools import lru_cache
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.types import Message, Receive, Scope, Send

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError, ThrottledError
from schema.execution.errors import format_error, request_errors, translated, unavailable
from web.compression import MINIMUM, accepted_encoding, compressed, is_text
from web.graphql.negotiation import GRAPHQL, JSON
from web.graphql.request import BadBody, language_of
from web.headers import read_headers
from web.operations import sent
from web.shares import Party

SLICE = 256 << 10  # bytes of a body that are written at once
BEARER = {"www-authenticate": "Bearer"}


def other_method(methods: list[str]) -> Reason:
    return Reason("METHOD_UNSUPPORTED", "This path takes {methods} only.", methods=methods)


class HttpResponse:
    """A complete HTTP response, as an ASGI application. Without a content type it has no body."""

    __slots__ = ("body", "headers", "party", "status")

    def __init__(
        self, status: int, body: bytes = b"", content_type: bytes | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.status, self.body = status, body
        self.party: Party | None = None  # whose answer it is, if it was executed
        self.headers: list[tuple[bytes, bytes]] = []
        if content_type is not None:
            self.headers = [(b"content-length", b"%d" % len(body)), (b"content-type", content_type)]
        if headers:
            self.headers += [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        body = self.body
        if len(body) >= MINIMUM and self.compressible:
            start["headers"] = list(self.headers)  # a response may be sent again
            body = await compressed(start, body, accepted_encoding(scope))
        await send(start)
        if len(body) <= SLICE:
            await send({"type": "http.response.body", "body": body})
        else:
            await self._send_slices(body, send)

    @property
    def compressible(self) -> bool:
        """Whether it is no stream."""
        return any(name == b"content-type" and is_text(value.decode()) for name, value in self.headers)

    async def _send_slices(self, whole: bytes, send: Send) -> None:
        """Send a large body at its reader's pace. Until it has gone, its bytes count as the party's."""
        body, party = memoryview(whole), self.party
        if party is not None:
            party.unsent += len(body)
        try:
            for start in range(0, len(body), SLICE):
                more = start + SLICE < len(body)
                await send({"type": "http.response.body", "body": body[start : start + SLICE], "more_body": more})
        finally:
            if party is not None:
                party.unsent -= len(body)


class ErrorResponse(HttpResponse):
    """A request that was not executed. The messages are sent in the language that the request asks for."""

    __slots__ = ("_content",)

    def __init__(
        self, content: dict[str, Any], status: int, content_type: bytes, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, orjson.dumps(content), content_type, headers)
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        errors = sent(translated(self._content["errors"], language_of(read_headers(scope))))
        content = {**self._content, "errors": errors}
        response = HttpResponse(self.status, orjson.dumps(content))
        response.headers = [header for header in self.headers if header[0] != b"content-length"]
        response.headers.append((b"content-length", b"%d" % len(response.body)))
        await response(scope, receive, send)


def error_response(
    errors: list[dict[str, Any]],
    media: str,
    status: int,
    headers: dict[str, str] | None = None,
    extensions: dict[str, Any] | None = None,
) -> ErrorResponse:
    """A request that was not executed. A media type of streams is not for single errors: they are plain JSON then."""
    content = {"errors": errors} if extensions is None else {"errors": errors, "extensions": extensions}
    return ErrorResponse(content, status, content_type(media if media == GRAPHQL else JSON), headers)


def refusal(error: RequestError, media: str) -> HttpResponse:
    """A request that is not one of GraphQL, whose token is not valid, or that came with too many others."""
    errors = request_errors(error)
    if error.code is ErrorCode.UNAUTHENTICATED:
        return error_response(errors, media, 401, BEARER)
    if isinstance(error, ThrottledError):
        status = 429 if error.code is ErrorCode.TOO_MANY else 503
        return error_response(errors, media, status, {"retry-after": str(error.retry_after)})
    return error_response(errors, media, error.status if isinstance(error, BadBody) else 400)


def failure(error: Exception, media: str) -> HttpResponse:
    """The response where an unexpected error came up: 503 if the database failed, else 500 with an incident id."""
    if (refused := unavailable(error)) is not None:
        return refusal(refused, media)
    return error_response([format_error(GraphQLError("", original_error=error))], media, 500)


def operation_refusal(
    errors: list[dict[str, Any]], media: str, extensions: dict[str, Any] | None = None
) -> HttpResponse:
    """A GraphQL request whose operation cannot be executed.

    A client of plain JSON takes any status but 200 and 401 for an error of the network. The newer media type has the
    status tell that nothing was executed. An outage is like one of the network for both.
    """
    extensions_of_first = errors[0]["extensions"]
    if extensions_of_first["code"] == ErrorCode.UNAUTHENTICATED.value:
        return error_response(errors, media, 401, BEARER)
    if (seconds := extensions_of_first.get("retryAfter")) is not None:
        return error_response(errors, media, 503, {"retry-after": str(seconds)}, extensions)
    if media == JSON:
        return error_response(errors, JSON, 200, extensions=extensions)
    return error_response(errors, media, 400, extensions=extensions)


@lru_cache(maxsize=10)
def content_type(media: str) -> bytes:
    return f"{media}; charset=utf-8".encode()


def conditional(response: HttpResponse, if_none_match: bytes | None) -> HttpResponse:
    """A response to GET with a strong validator (RFC 9110, section 8.8.3), or 304 where the client has it already."""
    if response.status != 200:
        return response
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "accept, accept-language, authorization"}
    for given in map(str.strip, (if_none_match or b"").decode("latin-1").split(",")):
        if given == "*":
            return HttpResponse(304, headers=headers)
        if given.removeprefix("W/") == tag:
            # A weak one came with a compressed response.
            return HttpResponse(304, headers=headers if len(response.body) < MINIMUM else {**headers, "etag": given})
    replaced = {name.encode() for name in headers}
    response.headers = [header for header in response.headers if header[0] not in replaced]
    response.headers += [(name.encode(), value.encode()) for name, value in headers.items()]
    return response
