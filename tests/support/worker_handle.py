"""Starts, stops and kills the processes of tests.support.worker_process, and follows the log while they work."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import orjson

from models.db.database import Database
from subscriptions import event_log
from tests.support import worker_process
from tests.support.forked_program import FORK_SERVER
from tests.support.log_audit import Line
from tests.support.patience import PATIENCE


def settings_url(database: Database) -> str:
    """The database's URL as the settings take it."""
    return database.url.set(drivername=database.url.drivername.split("+")[0]).render_as_string(hide_password=False)


class WorkerProcess:
    """One worker process. `lines` are the actions that it has reported so far."""

    def __init__(self, database: Database, name: str, actions: int, streams: int) -> None:
        self._reports, self._reports_writer = FORK_SERVER.Pipe(duplex=False)
        self._commands_reader, self._commands = FORK_SERVER.Pipe(duplex=False)
        url = settings_url(database)
        arguments = (url, name, actions, streams, self._reports_writer, self._commands_reader)
        self._process = FORK_SERVER.Process(target=worker_process.main, args=arguments, daemon=True)
        self._reader = asyncio.StreamReader()
        self._transport: asyncio.BaseTransport | None = None
        self.lines: list[Line] = []

    async def start(self) -> None:
        """Returns when the worker is ready to act."""
        await asyncio.to_thread(self._process.start)
        # Only the worker holds the writing end from here on, so the pipe ends when the worker does.
        self._reports_writer.close()
        self._commands_reader.close()
        protocol, pipe = asyncio.StreamReaderProtocol(self._reader), os.fdopen(os.dup(self._reports.fileno()), "rb")
        self._reports.close()
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        async with asyncio.timeout(PATIENCE):
            assert await self._line() == {"ready": True}

    def go(self) -> None:
        """Let it act."""
        self._commands.send_bytes(b"go")

    async def reported(self, count: int) -> None:
        """Returns when the worker has reported this many actions."""
        while len(self.lines) < count:
            line = await self._line()
            assert line is not None, "the worker ended too early"
            self.lines.append(line)

    async def finish(self) -> list[Line]:
        """All lines of the worker, to its end."""
        while (line := await self._line()) is not None:
            self.lines.append(line)
        await asyncio.to_thread(self._process.join, PATIENCE)
        return self.lines

    async def kill(self) -> list[Line]:
        """Kill it whatever it is doing; the lines that it had reported by then."""
        self._process.kill()
        lines = await self.finish()
        assert self._process.exitcode == -signal.SIGKILL
        return lines

    def close(self) -> None:
        """Clean up after a test, whether it passed or failed."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join(PATIENCE)
        self._process.close()
        self._commands.close()
        if self._transport is not None:
            self._transport.close()

    async def _line(self) -> Line | None:
        """The next line; None at the end. A line cut off in the middle counts as not reported."""
        text = await self._reader.readline()
        line: Line | None = orjson.loads(text) if text.endswith(b"\n") else None
        return line


async def follow(database: Database, number: int, done: Callable[[], bool]) -> list[Any]:
    """Read every event after `number` by cursor as it appears, until `done` and there is no more."""
    events: list[Any] = []
    while True:
        last = done()
        async with database.read() as connection:
            rows = await event_log.after(connection, events[-1].id if events else number, 50)
        events += rows
        if last and not rows:
            return events
        await asyncio.sleep(0.002)
