"""The deadline of operations: a task that takes longer is cancelled, and with it everything that it waits for."""

import asyncio
from contextlib import suppress


class Deadline:
    """Cancels the runs that take longer than `seconds`; without `seconds`, none.

    All have the same time, so they expire in the order in which they began, and one timer serves them all: one for each
    (`asyncio.timeout`) would take a tenth of the time of a small query.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._runs: dict[Run, float] = {}  # by when each expires
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> "Run":
        """Begin a run of the current task. It ends with `Run.end`."""
        run = Run(self._runs)
        if self.seconds is not None:
            loop = run.task.get_loop()
            self._runs[run] = loop.time() + self.seconds
            if self._timer is None:
                self._timer = loop.call_later(self.seconds, self._expire, loop)
        return run

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for run, time in list(self._runs.items()):
            if time > now:
                self._timer = loop.call_at(time, self._expire, loop)
                return
            del self._runs[run]
            run.stop()


class Run:
    """An operation under way in a task. `stopped` says that it was cancelled because of a limit."""

    __slots__ = ("_cancelling", "_runs", "stopped", "task")

    def __init__(self, runs: "dict[Run, float]") -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task, self.stopped, self._runs = task, False, runs

    def stop(self) -> None:
        if not self.stopped:
            self.stopped, self._cancelling = True, self.task.cancelling()
            self.task.cancel()

    def end(self) -> None:
        self._runs.pop(self, None)

    async def was_cancelled(self) -> bool:
        """After `stop`: whether somebody else has cancelled the task as well. Takes the cancellation by `stop` back."""
        # Where the operation has just ended by itself, the cancellation arrives here.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return self.task.uncancel() > self._cancelling
