"""The application that the server calls, and what requests pass before its routes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Collection
from time import monotonic
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.metrics import REFUSED
from models.reason import Reason
from models.request_record import CURRENT, RequestRecord
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import coded_error, request_errors
from web.auth.cookies import without_insecure
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.negotiation import JSON
from web.graphql.response import HttpResponse, error_response, failure, other_method
from web.graphql.uvicorn_protocols import refuse_handshake
from web.headers import read_headers
from web.origins import OriginPolicy
from web.resumable import EXPOSED
from web.security_headers import STRICT_TRANSPORT

log = structlog.get_logger(__name__)

PATH_MAXIMUM = 100  # characters of a path that are logged
REFUSED_STATUS = {ErrorCode.BAD_HOST: 421, ErrorCode.BAD_ORIGIN: 403}
SHUTTING_DOWN = Reason("SHUTTING_DOWN", "The server is ending, and has not finished this: ask again.")
NOTHING_THERE = Reason("PATH_UNKNOWN", "There is nothing at this path.")
PAGE_METHODS = "GET, HEAD"  # of files, for which Starlette names none
NO_PATH = error_response([coded_error(ErrorCode.NOT_FOUND, NOTHING_THERE)], JSON, 404)


async def http_error(request: Request, error: Exception) -> HttpResponse:
    """Starlette's own refusals, such as for an unknown path, as JSON with a code."""
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, dict(error.headers or {})
    if status == 404:
        return error_response([coded_error(ErrorCode.NOT_FOUND, NOTHING_THERE)], JSON, status, headers)
    if status == 405:
        allowed = sorted(method.strip() for method in headers.pop("Allow", PAGE_METHODS).split(","))
        headers["allow"] = ", ".join(allowed)
        return error_response([coded_error(ErrorCode.BAD_REQUEST, other_method(allowed))], JSON, status, headers)
    return error_response([coded_error(ErrorCode.BAD_REQUEST, str(error.detail))], JSON, status, headers)


async def unexpected_error(request: Request, error: Exception) -> HttpResponse:
    """The client gets a masked error, and the log its kind."""
    return failure(error, JSON)


class ResponseSender:
    """Sends a response with further headers. `begun` says whether some of it is sent."""

    __slots__ = ("_headers", "_record", "_send", "begun")

    def __init__(self, send: Send, record: RequestRecord, headers: list[tuple[bytes, bytes]]) -> None:
        self._send, self._record, self._headers = send, record, headers
        self.begun = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if not self.begun:
            self.begun = True
            if self._record.logged:
                self._record.status = message.get("status")
            message["headers"] = [*message.get("headers", ()), *self._headers]
        return self._send(message)


class Application(Starlette):
    """Starlette's application, except that requests to /graphql pass neither its routing nor its middleware.

    Every request and WebSocket gets an id, which is in the response, and passes the check of its Host and Origin. One
    that the server's end cuts short is answered with 503 and ENDING. With `logged`, requests are logged at their end.
    """

    def __init__(self, graphql: GraphQLEndpoint, policy: OriginPolicy, *, logged: bool, **options: Any) -> None:
        handlers: Any = {HTTPException: http_error, Exception: unexpected_error}
        super().__init__(exception_handlers=handlers, **options)
        self.graphql, self._refusal, self._logged = graphql, policy.check, logged
        self._admitted = with_cross_origin_sharing(self._route, policy.allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await super().__call__(scope, receive, send)
            return
        http, secure = kind == "http", scope.get("scheme") in ("https", "wss")
        if secure:
            scope["headers"] = without_insecure(scope["headers"])
        given, single = read_headers(scope).get(b"x-request-id"), http and scope["path"] == "/graphql"
        record = RequestRecord(given, logged=self._logged, single=single)
        CURRENT.set(record)
        headers = [(b"x-request-id", record.raw_id)]
        sending = ResponseSender(send, record, [*headers, STRICT_TRANSPORT] if secure and http else headers)
        start = monotonic() if self._logged else 0.0
        try:
            await self._answer(scope, receive, sending)
        except asyncio.CancelledError:
            # The server ends, and cuts the request short; uvicorn would answer that it has failed.
            if not http or sending.begun:
                raise
            error = coded_error(ErrorCode.ENDING, SHUTTING_DOWN)
            await error_response([error], JSON, 503, {"connection": "close"})(scope, receive, sending)
        finally:
            if self._logged and http:
                log_request(scope, record, monotonic() - start)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (refused := self._refusal(scope)) is not None:
            REFUSED.labels(refused.code.value).inc()
            await refuse(refused, scope, receive, send)
        else:
            await self._admitted(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, path = scope["type"], scope.get("path")
        if kind == "http" and path == "/graphql":
            await self.graphql(scope, receive, send)
        elif kind == "websocket" and path != "/graphql":
            await refuse_handshake(NO_PATH.status, NO_PATH.headers, NO_PATH.body, scope, receive, send)
        elif kind == "http":
            # Starlette raises an error again that `unexpected_error` has answered and logged.
            with contextlib.suppress(Exception):
                await super().__call__(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def log_request(scope: Scope, record: RequestRecord, seconds: float) -> None:
    """Log an HTTP request without its query string and body: they may have personal data and secrets."""
    # An unknown path may hold anything, such as the name of a person.
    path = None if record.status == 404 else scope["path"][:PATH_MAXIMUM]
    facts = {"method": scope["method"], "path": path, "status": record.status, "ms": round(seconds * 1_000, 1)}
    log.info("request", **record.facts | facts)


def with_cross_origin_sharing(app: ASGIApp, allowed: Collection[bytes]) -> ASGIApp:
    """The application, with CORS for pages of these origins."""
    if not allowed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=sorted(origin.decode() for origin in allowed),
        allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=("*",),
        allow_credentials=True,
        expose_headers=("ETag", "Retry-After", "WWW-Authenticate", "X-Request-Id", *EXPOSED),
    )


async def refuse(error: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, or the handshake of a WebSocket, whose Host or Origin is refused."""
    response = error_response(request_errors(error), JSON, REFUSED_STATUS[error.code])
    if scope["type"] == "websocket":
        await refuse_handshake(response.status, response.headers, response.body, scope, receive, send)
    else:
        await response(scope, receive, send)
