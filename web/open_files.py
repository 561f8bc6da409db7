"""Notices that this process may open no further file: uvloop drops new connections then, and says nothing.

Once a second it opens a file and closes it. Failures are counted, and logged at once and then once a minute.
"""

import asyncio
import os
import resource

import structlog

from models.failures import FAILURES

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0
MANY = 0.9  # of the files that may be open


class OpenFiles:
    """Looks once a second, from `start` to `stop`."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._many = False  # whether it was logged that many are open

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self.look()
        self.start()

    def look(self) -> None:
        """Open a file. Its number, the lowest that is free, tells how many are open."""
        try:
            number = os.open(os.devnull, os.O_RDONLY)
        except OSError as error:
            FAILURES.note("no further file can be opened, and new connections are dropped", error)
            return
        os.close(number)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        many = number > MANY * limit
        if many and not self._many:
            log.warning("nearly all files that may be open are open", files=number, limit=limit)
        self._many = many
