"""uvicorn with Huhang's protocols in the test's own process and event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import uvicorn
from starlette.types import Receive, Scope, Send

from web.graphql.connection_limits import Connections
from web.graphql.http_protocol import http_protocol
from web.graphql.uvicorn_protocols import EXTENSION, WebSocketProtocol


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the test process."""
        yield


@asynccontextmanager
async def serve(
    app: Any, lifespan: Literal["on", "off"] = "off", connections: Connections | None = None, **settings: Any
) -> AsyncIterator[int]:
    """Serve an application; yields the port."""
    http: Any = http_protocol(connections or Connections())
    config = uvicorn.Config(
        app,
        http=http,
        ws=WebSocketProtocol,
        lifespan=lifespan,
        log_config=None,
        ws_per_message_deflate=False,
        **settings,
    )
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield port
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def serve_socket(use: Callable[[WebSocketProtocol], Awaitable[None]], **settings: Any) -> AsyncIterator[int]:
    """Serve sockets: call `use` with the protocol of each, then wait for its end. Yields the port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await use(scope["extensions"][EXTENSION])
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with serve(app, timeout_graceful_shutdown=1, **settings) as port:
        yield port
