"""A closed loop of clients: each sends its next request as soon as it has the whole answer to the last.

One thread, blocking in the selector alone, so that it costs little beside the servers that it measures.
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
    """What came of a load: its seconds, and of each request the milliseconds and the bytes of the answer's body."""

    seconds: float = 0
    milliseconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class Client:
    """One connection, and how many bytes of the answer are still to come; -1 before its head."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began, self.left, self.size = 0.0, -1, 0

    def send(self, request: bytes) -> None:
        self.left, self.began = -1, time.perf_counter()
        self.socket.sendall(request)

    def read(self, buffer: bytearray, view: memoryview) -> bool:
        """Whether the answer is whole now. Raises RuntimeError for an answer that is none."""
        count = self.socket.recv_into(view)
        if not count:
            raise RuntimeError("the server closed a connection")
        if self.left >= 0:
            self.left -= count
        else:
            end = buffer.find(END, 0, count)
            head = bytes(buffer[: max(end, 0)])
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"not an answer: {bytes(buffer[: min(count, 500)])!r}")
            self.size = length(head)
            self.left = self.size - (count - end - len(END))
        return self.left == 0


def length(head: bytes) -> int:
    """The length that a head gives. Raises RuntimeError for one without."""
    low = head.lower()
    at = low.find(LENGTH)
    if at < 0:
        raise RuntimeError(f"an answer without its length: {head!r}")
    return int(low[at + len(LENGTH) :].split(b"\r", 1)[0])


def drive(port: int, requests: list[bytes], clients: int, seconds: float) -> Load:
    """So many clients with these requests in turns, for so long; what is under way at the end is waited for.

    Raises RuntimeError for an answer that is not a whole one with status 200.
    """
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    load, count = Load(), len(requests)
    now = time.perf_counter
    selector = selectors.DefaultSelector()
    everyone = [Client(port) for _ in range(clients)]
    gc.collect()
    gc.disable()
    try:
        began = now()
        until, sent = began + seconds, 0
        for client in everyone:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(requests[sent % count])
            sent += 1
        while len(load.sizes) < sent:
            for key, _ in selector.select():
                client = key.data
                if client.read(buffer, view):
                    at = now()
                    load.milliseconds.append((at - client.began) * 1000)
                    load.sizes.append(client.size)
                    if at < until:
                        client.send(requests[sent % count])
                        sent += 1
        load.seconds = now() - began
    finally:
        gc.enable()
        selector.close()
        for client in everyone:
            client.socket.close()
    return load


def request(port: int, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST of JSON to /graphql over a connection that stays."""
    lines = [
        "POST /graphql HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        "Accept: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + END + body
