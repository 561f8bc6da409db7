"""The process that serves: its address is taken before anything slow, told once it listens, and it ends in quiet."""

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn

from web.graphql import sse
from web.graphql.close_codes import ALIVE_SECONDS
from web.graphql.uvicorn_protocols import HttpProtocol, WebSocketProtocol

log = structlog.get_logger(__name__)

MESSAGE_MAXIMUM = 1 << 20  # bytes of one message of a socket
GARBAGE = 10_000, 20, 50  # when collections begin, by generation
DRAIN_SECONDS = 2  # for what is under way when the process is told to end
END_SECONDS = 4.0  # for all of the end; then the process is cut
# What uvicorn tells at info, that it started and ended, is told already. At debug it writes every header and frame of a
# WebSocket, tokens among them.
UVICORN_LEVELS = {"info": "warning", "debug": "info"}


class Server(uvicorn.Server):
    """uvicorn's server, which calls `listening` as soon as clients can connect, and `hung` before it is cut."""

    def __init__(
        self, config: uvicorn.Config, listening: Callable[[], None], hung: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._listening, self._hung = listening, hung

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            # A statement that a silent database keeps, or a lock on a file, is not ended by being cancelled. What was
            # not committed is undone, as when the process is killed.
            cutting = threading.Timer(END_SECONDS, self._cut)
            cutting.daemon = True
            cutting.start()
        super().handle_exit(sig, frame)

    def _cut(self) -> None:
        log.warning("ended while something hung", seconds=END_SECONDS)
        self._hung()
        os._exit(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn closes WebSockets by itself, and would wait for other streams to end.
        sse.end_all()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What there is by now stays. To look through it for garbage takes a tenth of a second each time, and an answer
        # of a thousand rows makes thousands of objects that are gone again by themselves.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        self._listening()


def bound(host: str, port: int) -> socket.socket:
    """A socket that has the address and does not listen yet. Raises OSError where the address cannot be had."""
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
    except OSError:
        taken.close()
        raise
    return taken


def address(taken: socket.socket) -> str:
    """Where a browser on this machine finds what is served there."""
    host, port = taken.getsockname()[:2]
    here = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "localhost", "::1": "localhost"}
    host = here.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


def run(
    taken: socket.socket, listening: Callable[[], None], *, log_level: str, hung: Callable[[], None] = lambda: None
) -> None:
    """Serve until the process is told to end, by Ctrl-C or by SIGTERM; returns then.

    Where something hangs, calls `hung` and ends the process itself.
    """
    config = uvicorn.Config(
        "web.app:create",
        factory=True,
        log_config=None,
        log_level=UVICORN_LEVELS.get(log_level, log_level),
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        # Compression would be done anew for each of a thousand screens.
        ws_per_message_deflate=False,
        ws_ping_interval=ALIVE_SECONDS,
        ws_ping_timeout=ALIVE_SECONDS,
        ws_max_size=MESSAGE_MAXIMUM,
        backlog=4096,
    )
    server = Server(config, listening, hung)
    with _obeyed():
        server.run(sockets=[taken])


@contextmanager
def _obeyed() -> Iterator[None]:
    """While this holds, a signal to end does nothing but what uvicorn does at it.

    uvicorn ends in order and then raises the signal once more for whoever had handled it before. It was an order to
    end, and was carried out: without this a process that did as it was told would end with a failure.
    """

    def ignore(number: int, frame: object) -> None:
        """Not SIG_IGN, which children would inherit."""

    before = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
