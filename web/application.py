"""The application that the server calls, and what requests pass before its routes."""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.errors import ErrorCode
from schema.execution.errors import coded_error
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.negotiation import JSON
from web.graphql.response import error_response


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
            error = coded_error(ErrorCode.ENDING, "The server is ending, and has not finished this: ask again.")
            await error_response([error], JSON, 503, {"connection": "close"})(scope, receive, send)


class Application(Starlette):
    """Starlette's application, except that requests to /graphql pass neither its routing nor its middleware."""

    def __init__(self, graphql: GraphQLEndpoint, **options: Any) -> None:
        super().__init__(**options)
        self.graphql, self._direct = graphql, ShutdownMiddleware(graphql)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await self._direct(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
