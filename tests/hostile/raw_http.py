"""HTTP byte by byte: sends what no library would send, and reports what really comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from tests.support.patience import PATIENCE

READ_LIMIT = 1 << 20
BODILESS = (204, 304)


class NoAnswerError(Exception):
    """The connection ended, or nothing came, before an answer was complete."""


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def codes(self) -> list[str]:
        """The distinct codes of its errors, sorted; empty where it is neither JSON nor begins with an event."""
        try:
            content = orjson.loads(self.body.removeprefix(b"event: next\ndata: ").split(b"\n\n")[0])
        except orjson.JSONDecodeError:
            return []
        errors = content.get("errors", []) if isinstance(content, dict) else []
        return sorted({error["extensions"]["code"] for error in errors})

    @property
    def outcome(self) -> str:
        """Status and codes, such as `400 BAD_DOCUMENT`; `200 data` for a result without errors."""
        if codes := self.codes:
            return f"{self.status} {','.join(codes)}"
        return f"{self.status} data" if self.body.startswith(b'{"data":{') else str(self.status)


class Connection:
    """One connection to the server. Reading and writing do not wait for each other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._writing: asyncio.Task[None] | None = None

    def send(self, *parts: bytes) -> None:
        """Begin to write, after what was sent before."""
        before, self._writing = self._writing, asyncio.create_task(self._write(self._writing, parts))
        del before

    async def _write(self, before: "asyncio.Task[None] | None", parts: Iterable[bytes]) -> None:
        if before is not None:
            await before
        # The server may close while it is written to. What it answered decides.
        with contextlib.suppress(ConnectionError):
            for part in parts:
                self.writer.write(part)
                await self.writer.drain()

    async def answer(self, *, head: bool = False) -> Answer:
        """The next response, without interim ones. Raises NoAnswerError."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    answer = await self._answer(head)
                    if answer.status >= 200 or answer.status == 101:
                        return answer
        except TimeoutError:
            raise NoAnswerError("nothing came") from None
        except asyncio.IncompleteReadError as error:
            raise NoAnswerError(f"closed after {bytes(error.partial[:80])!r}") from None
        except ConnectionError as error:
            raise NoAnswerError(type(error).__name__) from None

    async def _answer(self, head: bool) -> Answer:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if head or status < 200 or status in BODILESS:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, b"".join([chunk async for chunk in self.chunks()]))
        if "content-length" in headers:
            return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))
        return Answer(status, headers, await self.reader.read(-1))

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)

    async def closed(self) -> bool:
        """Whether the server closes the connection; what it still sends is dropped."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while await self.reader.read(READ_LIMIT):
                    pass
                return True
        return self.reader.at_eof() or self.reader.exception() is not None

    def vanish(self) -> None:
        """Close at once, without reading what waits."""
        if self._writing is not None:
            self._writing.cancel()
        self.writer.transport.abort()


@asynccontextmanager
async def connected(port: int, source: str | None = None) -> AsyncIterator[Connection]:
    """A connection, from this address of the machine if one is given."""
    local = None if source is None else (source, 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=READ_LIMIT, local_addr=local)
    connection = Connection(reader, writer)
    try:
        yield connection
    finally:
        connection.vanish()
