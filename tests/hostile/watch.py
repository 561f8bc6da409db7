"""Watches the server while it is attacked: whether another viewer is answered, its memory, and its log."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson
import psutil

from tests.support.server_process import Process

BODY = b'{"query":"{ __typename }"}'
EVERY = 0.05  # seconds between the other viewer's requests
GIVEN_UP = 120.0  # seconds after which the other viewer takes the server for dead
MIB = 1 << 20


@dataclass
class Seen:
    """What was seen since the watch began."""

    slowest: float = 0.0  # seconds that the other viewer waited for an answer
    memory: int = 0  # the most bytes of the server
    probes: int = 0
    faults: list[str] = field(default_factory=list)


class Watch:
    """A thread that is another viewer: it asks `{ __typename }` all the time, and reads the server's memory."""

    def __init__(self, server: Process, token: str) -> None:
        self._server, self.port = server, int(server.address.rsplit(":", 1)[1])
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._process = psutil.Process(server.popen.pid)
        self._read = 0  # characters of the log
        self._stopped = threading.Event()
        self._seen = Seen()
        self._lock = threading.Lock()  # held during a probe, so that `probe` sees a whole one
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GIVEN_UP)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()
            self._connection.close()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY):
            self.probe()

    def probe(self) -> None:
        """Ask once as the other viewer."""
        with self._lock:
            seen, start = self._seen, time.monotonic()
            try:
                outcome = self._ask()
            except (OSError, http.client.HTTPException) as error:
                outcome = type(error).__name__
                self._connection.close()
            seen.slowest = max(seen.slowest, time.monotonic() - start)
            seen.memory = max(seen.memory, self.memory())
            seen.probes += 1
            if outcome:
                seen.faults.append(f"another viewer: {outcome}")

    def _ask(self) -> str:
        """What is wrong with the answer; empty where nothing is."""
        for attempt in range(2):
            try:
                self._connection.request("POST", "/graphql", BODY, self._headers)
                response = self._connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionError):
                # The server may close an idle connection just when it is used; a new one must work.
                self._connection.close()
                if attempt:
                    raise
        body = response.read()
        right = response.status == 200 and orjson.loads(body) == {"data": {"__typename": "Query"}}
        return "" if right else f"{response.status} {body[:200]!r}"

    def memory(self) -> int:
        """Bytes that the server occupies."""
        try:
            size: int = self._process.memory_info().rss
        except psutil.NoSuchProcess:
            self._seen.faults.append("the server has ended")
            return 0
        return size

    @contextmanager
    def since_now(self) -> Iterator[Seen]:
        """What is seen during the block and right after it."""
        with self._lock:
            self._seen = seen = Seen()
        self.probe()
        yield seen
        self.probe()

    def logged_errors(self) -> list[str]:
        """New entries of the server's log that say that something unexpected happened."""
        text = self._server.log
        lines = text[self._read :].splitlines()
        self._read = len(text)
        return [f"log: {line[:300]}" for line in lines if is_error(line)]


def is_error(line: str) -> bool:
    if line.startswith("Traceback") or "INTERNAL" in line:
        return True
    try:
        return orjson.loads(line).get("level") in ("error", "critical")
    except (orjson.JSONDecodeError, AttributeError):
        return False
