"""The application that the server calls, and what requests pass before its routes."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import coded_error, request_errors
from web.auth.cookies import without_insecure
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.negotiation import JSON
from web.graphql.response import HttpResponse, error_response, failure, other_method
from web.graphql.uvicorn_protocols import refuse_handshake
from web.origins import OriginPolicy
from web.security_headers import STRICT_TRANSPORT

REFUSED_STATUS = {ErrorCode.BAD_HOST: 421, ErrorCode.BAD_ORIGIN: 403}
SHUTTING_DOWN = Reason("SHUTTING_DOWN", "The server is ending, and has not finished this: ask again.")
NOTHING_THERE = Reason("PATH_UNKNOWN", "There is nothing at this path.")
PAGE_METHODS = "GET, HEAD"  # of files, for which Starlette names none
NO_PATH = error_response([coded_error(ErrorCode.NOT_FOUND, NOTHING_THERE)], JSON, 404)


class ShutdownMiddleware:
    """Answers a request that the server's end cuts short with 503 and ENDING; uvicorn would answer that it failed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except asyncio.CancelledError:
            if scope["type"] != "http" or started:
                raise
            error = coded_error(ErrorCode.ENDING, SHUTTING_DOWN)
            await error_response([error], JSON, 503, {"connection": "close"})(scope, receive, send)


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


class Application(Starlette):
    """Starlette's application, except that requests to /graphql pass neither its routing nor its middleware.

    Every request and WebSocket passes the check of its Host and Origin first.
    """

    def __init__(self, graphql: GraphQLEndpoint, policy: OriginPolicy, **options: Any) -> None:
        handlers: Any = {HTTPException: http_error, Exception: unexpected_error}
        super().__init__(exception_handlers=handlers, **options)
        self.graphql, self._direct = graphql, ShutdownMiddleware(graphql)
        self._refusal = policy.check
        self._admitted = with_cross_origin_sharing(self._route, policy.allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if scope.get("scheme") in ("https", "wss"):
                scope["headers"] = without_insecure(scope["headers"])
                send = send if scope["type"] == "websocket" else with_strict_transport(send)
            if (refused := self._refusal(scope)) is not None:
                await refuse(refused, scope, receive, send)
                return
        await self._admitted(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, path = scope["type"], scope.get("path")
        if kind == "http" and path == "/graphql":
            await self._direct(scope, receive, send)
        elif kind == "websocket" and path != "/graphql":
            await refuse_handshake(NO_PATH.status, NO_PATH.headers, NO_PATH.body, scope, receive, send)
        elif kind == "http":
            # Starlette raises an error again that `unexpected_error` has answered and logged.
            with contextlib.suppress(Exception):
                await super().__call__(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def with_cross_origin_sharing(app: ASGIApp, allowed: Collection[bytes]) -> ASGIApp:
    """The application, with CORS for pages of these origins."""
    if not allowed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=sorted(origin.decode() for origin in allowed),
        allow_methods=("GET", "HEAD", "POST", "PUT", "DELETE"),
        allow_headers=("*",),
        allow_credentials=True,
        expose_headers=("ETag", "Retry-After", "WWW-Authenticate"),
    )


async def refuse(error: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, or the handshake of a WebSocket, whose Host or Origin is refused."""
    response = error_response(request_errors(error), JSON, REFUSED_STATUS[error.code])
    if scope["type"] == "websocket":
        await refuse_handshake(response.status, response.headers, response.body, scope, receive, send)
    else:
        await response(scope, receive, send)


def with_strict_transport(send: Send) -> Send:
    """`send`, which adds Strict-Transport-Security to the response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), STRICT_TRANSPORT]}
        await send(message)

    return sending
