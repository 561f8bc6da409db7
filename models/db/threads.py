"""Runs the work of reads in threads."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

Rows = Sequence[Any]


class Abandoned(Exception):
    """Nobody waits for this read any more."""


class Call:
    """Something that runs in a thread. `abandoned` says that nobody waits for it any more."""

    __slots__ = ("abandoned",)

    def __init__(self) -> None:
        self.abandoned = False


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in this thread. It may await nothing that waits; `asyncio.sleep(0)` is ignored."""
    try:
        while coroutine.send(None) is None:
            pass
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        coroutine.close()
    raise TypeError("the work awaits something that waits")


class LoopFetch:
    """The `fetch` of work that runs in a thread: the thread waits while the event loop fetches the rows."""

    def __init__(self, fetch: Callable[[str, list[Any]], Coroutine[Any, Any, Rows]]) -> None:
        self._fetch, self._loop = fetch, asyncio.get_running_loop()
        self._fetching: asyncio.Task[Rows] | None = None
        self._abandoned = False

    def __call__(self, text: str, arguments: list[Any], keys: int | None) -> Awaitable[Rows]:
        return self._wait(text, arguments)

    async def _wait(self, text: str, arguments: list[Any]) -> Rows:
        fetched: Future[Rows] = Future()
        self._loop.call_soon_threadsafe(self._start, fetched, text, arguments)
        return fetched.result()

    def _start(self, fetched: "Future[Rows]", text: str, arguments: list[Any]) -> None:
        if self._abandoned:
            fetched.set_exception(Abandoned())
            return
        self._fetching = self._loop.create_task(self._fetch(text, arguments))
        self._fetching.add_done_callback(partial(hand_over, fetched))

    async def abandon(self) -> None:
        """Stop the statement that is running, and refuse others."""
        self._abandoned = True
        if self._fetching is not None and not self._fetching.done():
            self._fetching.cancel()
            await asyncio.wait({self._fetching})


def hand_over(fetched: "Future[Rows]", task: "asyncio.Task[Rows]") -> None:
    """Give a task's outcome to the thread that waits for it."""
    if task.cancelled():
        fetched.set_exception(Abandoned())
    elif (error := task.exception()) is not None:
        fetched.set_exception(error)
    else:
        fetched.set_result(task.result())
