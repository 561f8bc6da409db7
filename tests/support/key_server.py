"""A web server that publishes an identity provider's keys (JWKS), as a test wants them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class KeyServer(ThreadingHTTPServer):
    """Publishes `keys` or `page`, with the status `status`. `requests` is how often it was asked."""

    def __init__(self, address: tuple[str, int], keys: list[Any]) -> None:
        super().__init__(address, Answer)
        self.keys, self.status, self.requests = keys, 200, 0
        self.page: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/keys"


class Answer(BaseHTTPRequestHandler):
    """The response to one request."""

    server: KeyServer

    def do_GET(self) -> None:
        self.server.requests += 1
        keys = {"keys": [key.as_dict(private=False) for key in self.server.keys]}
        body = self.server.page or json.dumps(keys).encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/jwk-set+json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test reads `requests`."""


@contextmanager
def key_server(*keys: Any) -> Iterator[KeyServer]:
    server = KeyServer(("127.0.0.1", 0), list(keys))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        stop(server)
        thread.join()


def stop(server: KeyServer) -> None:
    """End it: from now on nobody listens there. May be called twice."""
    server.shutdown()
    server.server_close()
