"""The bounds of operations: one that takes too long, or whose response becomes too large, is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple

from models.reason import Reason
from resolvers.errors import ErrorCode
from schema.execution.errors import coded_error

ANSWER_LIMIT = 16 << 20  # bytes of a response

A = TypeVarTuple("A")
T = TypeVar("T")


class OperationStopped(Exception):
    """An operation was stopped at one of its bounds: `code` is TIMEOUT or TOO_LARGE."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.value)
        self.code = code


class Bounds:
    """Bounds operations to `seconds` and to responses of `size` bytes; without `seconds`, their time is not bounded.

    All have the same time, so they expire in the order in which they began, and one timer serves them all: one for each
    (`asyncio.timeout`) would take a tenth of the time of a small query.
    """

    def __init__(self, seconds: float | None, size: int) -> None:
        self.seconds, self.size = seconds, size
        self._runs: dict[Run, float] = {}  # by when each expires
        self._timer: asyncio.TimerHandle | None = None

    @property
    def of_one_request(self) -> dict[str, Any]:
        """The bounds, as a client reads them on demand."""
        return {"seconds": self.seconds, "answerBytes": self.size}

    def error(self, code: ErrorCode) -> dict[str, Any]:
        """The error of an operation that was stopped with this code."""
        if code is ErrorCode.TIMEOUT:
            return coded_error(
                code,
                Reason(
                    "DEADLINE",
                    "The operation took longer than {seconds:g} seconds, and was stopped.",
                    seconds=self.seconds,
                ),
            )
        return coded_error(
            code,
            Reason(
                "RESPONSE_SIZE", "The response would have more than {maximum:,} bytes. Ask for less.", maximum=self.size
            ),
        )

    async def bound(self, work: Callable[["Run", *A], Awaitable[T]], *arguments: *A) -> T:
        """The result of the work. Raises OperationStopped where it was cancelled because of a bound."""
        run = Run(self.size)
        if self.seconds is not None:
            self._runs[run] = monotonic() + self.seconds
            if self._timer is None:
                self._schedule(self.seconds)
        try:
            return await self._result(run, work, *arguments)
        finally:
            run.end()

    async def _result(self, run: "Run", work: Callable[["Run", *A], Awaitable[T]], *arguments: *A) -> T:
        try:
            result = await work(run, *arguments)
        except asyncio.CancelledError:
            if run.code is None or await run.was_cancelled():
                raise
            raise OperationStopped(run.code) from None
        finally:
            self._runs.pop(run, None)
        if run.code is not None and await run.was_cancelled():
            raise asyncio.CancelledError
        return result

    def _schedule(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = monotonic()
        for run, time in list(self._runs.items()):
            if time > now:
                self._schedule(time - now)
                return
            del self._runs[run]
            run.stop(ErrorCode.TIMEOUT)


class Run:
    """An operation under way in the current task. `code` is None until it is stopped."""

    __slots__ = ("_cancelling", "_left", "_task", "code")

    def __init__(self, size: int) -> None:
        self._task, self._left = asyncio.current_task(), size
        self.code: ErrorCode | None = None

    def add(self, size: int) -> None:
        """Count so many bytes of the response, and stop where there are too many."""
        self._left -= size
        if self._left < 0:
            self.stop(ErrorCode.TOO_LARGE)

    def stop(self, code: ErrorCode) -> None:
        """Cancel the operation's task, once."""
        if self.code is None and self._task is not None:
            self.code, self._cancelling = code, self._task.cancelling()
            self._task.cancel()

    async def was_cancelled(self) -> bool:
        """After `stop`: whether somebody else has cancelled the task as well. Takes the cancellation by `stop` back."""
        # Where the operation has just ended by itself, the cancellation arrives here.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        assert self._task is not None
        return self._task.uncancel() > self._cancelling

    def end(self) -> None:
        """Forget the task. Once cancelled it keeps the frames in which this object is, so nothing would free them."""
        self._task = None
