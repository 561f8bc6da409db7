"""Loads for many fields at once, under graphql-core."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

from schema.execution.pace import Pace

LoadMany = Callable[[list[Any]], Awaitable[Sequence[Any]]]  # from keys to one result each
FEW = 50  # results that are given at once


def unchanged(result: Any) -> Any:
    return result


class Loader:
    """Reads what many fields of one operation ask for in one call, once each of them had its turn to ask.

    What waits for results goes on when it gets one. So results are converted and given FEW at a time, and others are
    served in between. A key is read once. Nothing here refers to what has been answered or cancelled.
    """

    def __init__(self, read: LoadMany, convert: Callable[[Any], Any], pace: Pace, operation: Hashable) -> None:
        self._read, self._convert, self._pace, self._operation = read, convert, pace, operation
        self._results: dict[Hashable, Any] = {}
        self._waiting: dict[Hashable, list[asyncio.Future[Any]]] = {}
        self._asked: list[Any] = []  # keys that the next call reads
        self._calls: set[asyncio.Task[None]] = set()

    async def load(self, key: Any) -> Any:
        """The result for a key. Raises what the call raised."""
        if key in self._results:
            return self._results[key]
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = []
            if not self._asked:
                self._pace.when_quiet(self._operation, self._begin)
            self._asked.append(key)
        # One for each field: graphql-core cancels the siblings of a null, and others may wait for the same key.
        result = asyncio.get_running_loop().create_future()
        waiting.append(result)
        return await result

    def _begin(self) -> None:
        asked, self._asked = self._asked, []
        keys = [key for key in asked if not all(result.done() for result in self._waiting[key])]
        for key in set(asked).difference(keys):
            del self._waiting[key]
        if keys:
            call = asyncio.get_running_loop().create_task(self._call(keys))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, keys: list[Any]) -> None:
        try:
            results = await self._read(keys)
        except Exception as error:
            for key in keys:
                for result in self._take(key):
                    result.set_exception(error)
            return
        for number, (key, value) in enumerate(zip(keys, results, strict=True), start=1):
            converted = self._results[key] = self._convert(value)
            for result in self._take(key):
                result.set_result(converted)
            if number % FEW == 0:
                await self._pace.turn(self._operation)

    def _take(self, key: Hashable) -> list["asyncio.Future[Any]"]:
        """Take the futures that wait for a key."""
        return [result for result in self._waiting.pop(key) if not result.done()]
