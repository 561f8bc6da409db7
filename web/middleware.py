"""Middleware of the whole application."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.errors import ErrorCode
from schema.execution.errors import coded_error, error_response
from web.graphql.endpoint import http_response
from web.graphql.negotiation import JSON


class ShutdownMiddleware:
    """The application. A request that is cut because the server ends is told so; uvicorn would say it had failed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if scope["type"] != "http" or begun:
                raise
            error = coded_error(ErrorCode.ENDING, "The server is ending, and has not finished this: ask again.")
            await http_response(error_response([error]), JSON, 503, {"connection": "close"})(scope, receive, send)
