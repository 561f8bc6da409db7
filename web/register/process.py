"""Runs jobs in processes of their own, each of which ends at the latest with the request that wants it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog

from models.reason import Reason
from resolvers.errors import ErrorCode, ThrottledError
from web.settings import ROOT

log = structlog.get_logger(__name__)

COMMAND = (sys.executable, "-m", "web.register.job")
LINE_MAXIMUM = 64 << 20  # bytes; the last line lists an import's issues
JOBS_MAXIMUM = 2  # of one server process
BUSY_SECONDS = 15
QUIET_SECONDS = 10.0

Line = dict[str, Any]


class JobFailed(Exception):
    """A job ended unexpectedly. The client gets a masked error."""


class Jobs:
    """Starts jobs, at most so many at once."""

    def __init__(self) -> None:
        self.running = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one job. Raises ThrottledError where all are taken."""
        if self.running >= JOBS_MAXIMUM:
            raise ThrottledError(
                ErrorCode.BUSY, Reason("JOBS_BUSY", "Other files are being read. Try again in a while."), BUSY_SECONDS
            )
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    async def run(self, job: dict[str, Any]) -> AsyncGenerator[Line]:
        """The lines of a job; the last one is its result. Raises JobFailed.

        An empty line says every few seconds that a job without progress is still at work: proxies end a connection that
        is quiet. To be closed by `aclosing`, which ends the process too.
        """
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_MAXIMUM,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path)))},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        last: Line = {}
        try:
            process.stdin.write(orjson.dumps(job))
            process.stdin.close()
            async for line in patient_lines(process.stdout):
                if not line:
                    yield {}
                    continue
                last = orjson.loads(line)
                if "failed" in last:
                    log.error("job failed", error=last["failed"], where=last["where"])
                    raise JobFailed
                yield last
            if not last or "progress" in last:
                log.error("job ended early", status=await process.wait())
                raise JobFailed
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def patient_lines(source: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a source, and an empty one whenever none comes for a while."""
    reading = asyncio.ensure_future(source.readline())
    try:
        while True:
            done, _ = await asyncio.wait({reading}, timeout=QUIET_SECONDS)
            if not done:
                yield b""
            elif line := reading.result():
                reading = asyncio.ensure_future(source.readline())
                yield line
            else:
                return
    finally:
        reading.cancel()
