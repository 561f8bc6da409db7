"""A uvicorn server in this process, with the project's protocols, that accepts WebSockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from web.graphql.uvicorn_protocols import EXTENSION, HttpProtocol, WebSocketProtocol

OnAccept = Callable[[WebSocketProtocol], Awaitable[None]]


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to pytest."""
        yield


@asynccontextmanager
async def served(app: Any, **settings: Any) -> AsyncIterator[int]:
    """Serve an application. Yields the port."""
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        lifespan="off",
        log_config=None,
        ws_per_message_deflate=False,
        **settings,
    )
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield port
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def accepting(on_accept: OnAccept, **settings: Any) -> AsyncIterator[int]:
    """Serve WebSockets: accept each, call `on_accept` with its protocol, and wait for its end. Yields the port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await on_accept(scope["extensions"][EXTENSION])
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with served(app, timeout_graceful_shutdown=1, **settings) as port:
        yield port
