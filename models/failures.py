"""Logs failures that repeat, such as those of a database that is away, at once and then once a minute; counts all."""

import time
from collections import Counter
from collections.abc import Callable

import structlog

from models.db.outages import error_name

log = structlog.get_logger(__name__)

LOG_SECONDS = 60.0


class FailureLog:
    """`counts` has how often each error arose, by its name: an SQLSTATE, SQLite's or the system's name, or its kind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._logged: dict[tuple[str, str], float] = {}
        self._unlogged: Counter[tuple[str, str]] = Counter()

    def note(self, event: str, error: BaseException, **more: object) -> None:
        """Count an error, and log it with its name unless the same was logged within the last minute.

        The log never gets the error's message, which may hold a row's values.
        """
        kind, state, now = type(error).__name__, error_name(error), self._clock()
        name = state or kind
        self.counts[name] += 1
        key = event, name
        last = self._logged.get(key)
        if last is not None and now - last < LOG_SECONDS:
            self._unlogged[key] += 1
            return
        self._logged[key] = now
        if state is not None:
            more["state"] = state
        if unlogged := self._unlogged.pop(key, 0):
            more["more"] = unlogged
        log.error(event, error=kind, where=origin(error), **more)

    def forget(self) -> None:
        """Log each kind at once again, because what failed has succeeded since."""
        self._logged.clear()
        self._unlogged.clear()


FAILURES = FailureLog()  # of this process


def origin(error: BaseException) -> list[str]:
    """The last six calls that led to an error, innermost last, without any values."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-6:]
