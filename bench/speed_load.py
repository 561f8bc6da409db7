"""The load: a closed loop of clients, each of which sends a request as soon as it has the response to its last one.

It is one thread that blocks only in the selector, so that it uses little CPU beside the servers that it measures.
"""

import gc
import selectors
import socket
import time
from dataclasses import dataclass, field

CHUNK = 1 << 20
END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass
class Load:
    """The results of a load: its seconds, and for each request its milliseconds and the bytes of the response body."""

    seconds: float = 0
    milliseconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class Client:
    """One connection. `remaining` are the bytes of the response that are still to come, or -1 before its head."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.started, self.remaining, self.size = 0.0, -1, 0

    def send(self, request: bytes) -> None:
        self.remaining, self.started = -1, time.perf_counter()
        self.socket.sendall(request)

    def read(self, buffer: bytearray, view: memoryview) -> bool:
        """Read from the socket; whether the response is complete. Raises RuntimeError if its status is not 200."""
        count = self.socket.recv_into(view)
        if not count:
            raise RuntimeError("the server closed a connection")
        if self.remaining >= 0:
            self.remaining -= count
        else:
            end = buffer.find(END, 0, count)
            head = bytes(buffer[: max(end, 0)])
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"not a response with status 200: {bytes(buffer[: min(count, 500)])!r}")
            self.size = length(head)
            self.remaining = self.size - (count - end - len(END))
        return self.remaining == 0


def length(head: bytes) -> int:
    """The content length in a head. Raises RuntimeError if there is none."""
    low = head.lower()
    at = low.find(LENGTH)
    if at < 0:
        raise RuntimeError(f"a response without its length: {head!r}")
    return int(low[at + len(LENGTH) :].split(b"\r", 1)[0])


def drive(port: int, requests: list[bytes], clients: int, seconds: float) -> Load:
    """Send these requests in turns from so many clients for so many seconds, and wait for the last responses.

    Raises RuntimeError for a response that is incomplete or whose status is not 200.
    """
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    load, count = Load(), len(requests)
    now = time.perf_counter
    selector = selectors.DefaultSelector()
    all_clients = [Client(port) for _ in range(clients)]
    gc.collect()
    gc.disable()
    try:
        started = now()
        until, sent = started + seconds, 0
        for client in all_clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(requests[sent % count])
            sent += 1
        while len(load.sizes) < sent:
            for key, _ in selector.select():
                client = key.data
                if client.read(buffer, view):
                    at = now()
                    load.milliseconds.append((at - client.started) * 1000)
                    load.sizes.append(client.size)
                    if at < until:
                        client.send(requests[sent % count])
                        sent += 1
        load.seconds = now() - started
    finally:
        gc.enable()
        selector.close()
        for client in all_clients:
            client.socket.close()
    return load


def request(port: int, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST of JSON to /graphql on a persistent connection."""
    lines = [
        "POST /graphql HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        "Accept: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + END + body
