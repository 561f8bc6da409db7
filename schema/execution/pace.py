"""Keeps long work on the event loop from holding up others."""

import asyncio
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Any

SLICE_SECONDS = 0.005
# A part that had its turn goes on in tasks of its own for some iterations of the loop; any of them may have to wait.
QUIET_ITERATIONS = 5


class Turns:
    """Lets work on the event loop run for SLICE_SECONDS at most until the loop has served others.

    Work asks `over` at its steps, and where that is true waits for its `turn`. Of all that wait, one goes on in each
    iteration of the loop: the parties take turns, each with its parts in their order. So thousands of parts that wait
    are woken one by one, and a party's short work waits for one slice of each other.
    """

    def __init__(self) -> None:
        self._end: float | None = None  # of the current slice
        self._scheduled = False
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    def over(self) -> bool:
        """Whether the time of this iteration of the loop is used up."""
        if self._end is not None:
            return perf_counter() > self._end
        self._end = perf_counter() + SLICE_SECONDS
        self._schedule()
        return False

    async def turn(self, party: Hashable) -> None:
        """Wait until it is the party's turn."""
        part = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(party, deque()).append(part)
        self._schedule()
        await part

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_slice)

    def _next_slice(self) -> None:
        self._end, self._scheduled = None, False
        while self._waiting:
            party, parts = self._waiting.popitem(last=False)
            part = parts.popleft()
            if parts:
                self._waiting[party] = parts
            if not part.done():  # else it was cancelled
                part.set_result(None)
                # Runs after the part, which is woken before it.
                self._schedule()
                return


class Pace(Turns):
    """The turns of operations, each with many parts that begin and wait at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self._paced: weakref.WeakSet[Hashable] = weakref.WeakSet()  # operations that have waited

    async def turn(self, party: Hashable) -> None:
        """Wait until it is the operation's turn."""
        self._paced.add(party)
        await super().turn(party)

    def when_quiet(self, operation: Hashable, callback: Callable[[], Any]) -> None:
        """Call back soon, but not before every part of the operation that waits has had its turn."""
        asyncio.get_running_loop().call_soon(self._call_if_quiet, operation, callback, QUIET_ITERATIONS)

    def _call_if_quiet(self, operation: Hashable, callback: Callable[[], Any], iterations: int) -> None:
        if operation in self._waiting:
            last = self._waiting[operation][-1]
            last.add_done_callback(lambda _: self.when_quiet(operation, callback))
        elif iterations and operation in self._paced:
            asyncio.get_running_loop().call_soon(self._call_if_quiet, operation, callback, iterations - 1)
        else:
            callback()
