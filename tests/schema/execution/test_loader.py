"""Loads of one operation are collected, whatever their number, and their results are given a few at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from schema.execution import pace as pace_module
from schema.execution.loader import FEW, Loader, unchanged
from schema.execution.pace import Pace

pytestmark = pytest.mark.database_independent

MANY = 10 * FEW


class Operation:
    """Reads the doubles of numbers, and keeps which."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.pace = Pace()

    async def read(self, keys: list[int]) -> Sequence[int]:
        self.calls.append(keys)
        await asyncio.sleep(0)
        if -1 in keys:
            raise ValueError("no")
        return [2 * key for key in keys]

    def loader(self, convert: Any = unchanged) -> Loader:
        return Loader(self.read, convert, self.pace, self)


async def test_equal_loads_are_one_and_all_are_one_call() -> None:
    operation = Operation()
    loader = operation.loader(str)
    assert await asyncio.gather(*(loader.load(key) for key in (1, 2, 1))) == ["2", "4", "2"]
    assert await loader.load(2) == "4"
    assert operation.calls == [[1, 2]]


async def test_what_waits_for_many_results_asks_for_the_next_ones_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_module, "SLICE_SECONDS", -1.0)
    operation = Operation()
    first, second = operation.loader(), operation.loader()

    async def field(key: int) -> Any:
        value = await first.load(key)
        if operation.pace.over():
            await operation.pace.turn(operation)
        return await second.load(value)

    assert await asyncio.gather(*map(field, range(MANY))) == [4 * key for key in range(MANY)]
    assert list(map(len, operation.calls)) == [MANY, MANY]


async def test_few_results_are_given_in_one_iteration_of_the_loop() -> None:
    operation, loop = Operation(), asyncio.get_running_loop()
    loader, given, most = operation.loader(), 0, 0

    async def field(key: int) -> None:
        nonlocal given
        await loader.load(key)
        given += 1

    def look() -> None:
        nonlocal given, most
        most, given = max(most, given), 0
        if not fields.done():
            loop.call_soon(look)

    fields = asyncio.gather(*map(field, range(MANY)))
    look()
    await fields
    assert 0 < most <= FEW


async def test_a_field_that_is_cancelled_takes_nothing_from_others() -> None:
    operation = Operation()
    loader = operation.loader()
    cancelled, other, alone = (asyncio.ensure_future(loader.load(key)) for key in (1, 1, 2))
    await asyncio.sleep(0)
    cancelled.cancel()
    alone.cancel()
    assert await other == 2
    assert operation.calls == [[1]]
    assert await loader.load(2) == 4


async def test_a_call_that_fails_fails_its_loads_only() -> None:
    loader = Operation().loader()
    results = await asyncio.gather(loader.load(-1), loader.load(1), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError]
    assert await loader.load(2) == 4
