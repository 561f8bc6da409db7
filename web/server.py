"""The process that serves: it binds its address first, says when it listens, and stops within seconds."""

import gc
import os
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import cast

import structlog
import uvicorn

from web.allowed_connections import connection_limits
from web.graphql import sse
from web.graphql.close_codes import ALIVE_SECONDS
from web.graphql.connection_limits import Connections
from web.graphql.http_protocol import HttpProtocol, http_protocol
from web.graphql.uvicorn_protocols import WebSocketProtocol
from web.settings import Settings

log = structlog.get_logger(__name__)

MESSAGE_MAXIMUM = 1 << 20  # bytes of one WebSocket message
# Thresholds of the garbage collector, by generation: a look at the youngest 20,000 objects takes 10 ms, one at all that
# the caches keep takes ten times as long and is seldom needed (tests/schema/execution/test_executor_garbage.py).
GARBAGE = 5_000, 4, 500
DRAIN_SECONDS = 2  # requests may take this long to finish once the process was told to stop
STOP_SECONDS = 4.0  # after this long a process that was told to stop is ended by force
# At info uvicorn logs its start and end, which the command reports already, and the address of every WebSocket with its
# query string. At debug it logs every header and frame of a WebSocket, tokens included.
UVICORN_LEVELS = {"info": "warning", "debug": "warning"}


class Server(uvicorn.Server):
    """uvicorn's server. Calls `listening` once clients can connect, and `hung` before it ends by force."""

    def __init__(
        self, config: uvicorn.Config, listening: Callable[[], None], hung: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._listening, self._hung = listening, hung

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            # Cancelling does not end a statement that a silent database holds, or a wait for a lock on a file. What was
            # not committed is rolled back, as when the process is killed.
            timer = threading.Timer(STOP_SECONDS, self._end_by_force)
            timer.daemon = True
            timer.start()
        super().handle_exit(sig, frame)
        # uvicorn raises captured signals again after it has stopped. The order to stop was carried out, so the process
        # must not fail by it.
        self._captured_signals.clear()

    def _end_by_force(self) -> None:
        log.warning("ended while something hung", seconds=STOP_SECONDS)
        self._hung()
        os._exit(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn closes WebSockets itself, but it would wait for the end of other streams.
        sse.end_all()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_garbage()
        self._listening()


def settle_garbage() -> None:
    """Search for garbage rarely from now on, and never among what exists by now, which stays for good.

    That would take a tenth of a second each time, and a response of a thousand rows makes thousands of objects that
    reference counting frees anyway.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def bind(host: str, port: int) -> socket.socket:
    """A socket with this address that does not listen yet. Raises OSError when the address is not available."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """The URL under which a browser on this machine reaches the server."""
    host, port = bound.getsockname()[:2]
    local = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "localhost", "::1": "localhost"}
    host = local.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


def run(
    bound: socket.socket, listening: Callable[[], None], *, log_level: str, hung: Callable[[], None] = lambda: None
) -> None:
    """Serve until Ctrl-C or SIGTERM. Calls `hung` and ends the process when something hangs for STOP_SECONDS."""
    settings = Settings()
    config = uvicorn.Config(
        "web.app:create",
        factory=True,
        log_config=None,
        log_level=UVICORN_LEVELS.get(log_level, log_level),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        # uvicorn takes any callable here.
        http=cast(type[HttpProtocol], http_protocol(Connections(connection_limits(settings)))),
        # Otherwise FORWARDED_ALLOW_IPS would count.
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        ws=WebSocketProtocol,
        # Compression would be repeated for each of a thousand screens.
        ws_per_message_deflate=False,
        ws_ping_interval=ALIVE_SECONDS,
        ws_ping_timeout=ALIVE_SECONDS,
        ws_max_size=MESSAGE_MAXIMUM,
        backlog=4096,
    )
    Server(config, listening, hung).run(sockets=[bound])
