"""Processes of tests.support.worker_process, and a reader who follows the log meanwhile."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import orjson

from models.db.database import Database
from subscriptions import event_log
from tests.support import worker_process
from tests.support.log_audit import Line

START_SECONDS = 120
END_SECONDS = 30

# Each is forked by a server that has imported everything and done nothing.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.support.worker_process"])


def settings_url(database: Database) -> str:
    """The database's address as the settings take it."""
    return database.url.set(drivername=database.url.drivername.split("+")[0]).render_as_string(hide_password=False)


class WorkerProcess:
    """One that acts, from when it is ready to."""

    def __init__(self, database: Database, name: str, actions: int, streams: int) -> None:
        self._said, self._saying = FORKING.Pipe(duplex=False)
        self._told, self._telling = FORKING.Pipe(duplex=False)
        arguments = (settings_url(database), name, actions, streams, self._saying, self._told)
        self._process = FORKING.Process(target=worker_process.main, args=arguments, daemon=True)
        self._reader = asyncio.StreamReader()
        self._transport: asyncio.BaseTransport | None = None
        self.lines: list[Line] = []

    async def ready(self) -> None:
        await asyncio.to_thread(self._process.start)
        # Only the process itself holds the end that it writes to, so that its end is the end of what it says.
        self._saying.close()
        self._told.close()
        protocol, pipe = asyncio.StreamReaderProtocol(self._reader), os.fdopen(os.dup(self._said.fileno()), "rb")
        self._said.close()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        async with asyncio.timeout(START_SECONDS):
            assert await self._line() == {"ready": True}

    def go(self) -> None:
        self._telling.send_bytes(b"go")

    async def says(self, number: int) -> None:
        """Until it has said so many lines in all."""
        while len(self.lines) < number:
            line = await self._line()
            assert line is not None, "it ended before it was to"
            self.lines.append(line)

    async def ends(self) -> list[Line]:
        """All that it says, to its end."""
        while (line := await self._line()) is not None:
            self.lines.append(line)
        await asyncio.to_thread(self._process.join, END_SECONDS)
        return self.lines

    async def killed(self) -> list[Line]:
        """End it in the middle of whatever it does; what it had said by then."""
        self._process.kill()
        lines = await self.ends()
        assert self._process.exitcode == -signal.SIGKILL
        return lines

    def stop(self) -> None:
        """For the end of a test, however it went."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join(END_SECONDS)
        self._process.close()
        self._telling.close()
        if self._transport is not None:
            self._transport.close()

    async def _line(self) -> Line | None:
        """The next line; None at the end. A line that was cut off in the middle was not said."""
        text = await self._reader.readline()
        line: Line | None = orjson.loads(text) if text.endswith(b"\n") else None
        return line


async def follow(database: Database, number: int, done: Callable[[], bool]) -> list[Any]:
    """Every event after a number as it comes, by cursor, until all is done and there is no more."""
    found: list[Any] = []
    while True:
        last = done()
        async with database.read() as connection:
            rows = await event_log.after(connection, found[-1].id if found else number, 50)
        found += rows
        if last and not rows:
            return found
        await asyncio.sleep(0.002)
