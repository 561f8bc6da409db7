"""Actions on many rows at once: in one transaction, each row succeeds or fails by itself.

A batch action changes nothing for a row before it knows that the row is good. So a row that fails needs no savepoint,
and all rows are read and written with a few statements. The mutation of one row is the same action on one row.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.actions.context import ActionContext, ActionResult, Outcome
from resolvers.actions.errors import ActionError

ROWS_MAXIMUM = 1_000
PORTION = 100  # rows that are written at once

RowResult = ActionResult | ActionError
# A row's arguments by name or, where they are not acceptable, the failure.
RowArguments = dict[str, Any] | ActionError


@dataclass(frozen=True)
class BatchAction:
    """An action on rows that are dataclasses of the type `row`. As an Action it takes the fields of one row."""

    run: Callable[[ActionContext, Sequence[Any]], Awaitable[list[RowResult]]]
    row: type

    async def __call__(self, context: ActionContext, **arguments: Any) -> ActionResult:
        if (expected := context.request.expected_version) is not None:
            arguments["expected_version"] = expected
        [result] = await self.run(context, [self.row(**arguments)])
        if isinstance(result, ActionError):
            raise result
        return result

    async def on_rows(self, context: ActionContext, *, rows: Sequence[RowArguments]) -> list[RowResult | Outcome]:
        """The results of all rows, in their order. Rows that an earlier call with the same id has done stay done."""
        done = context.request.done or [None] * len(rows)
        results: list[Any] = [
            row if isinstance(row, ActionError) else before for row, before in zip(rows, done, strict=True)
        ]
        open_rows = [index for index, result in enumerate(results) if result is None]
        given = [self.row(**arguments) for index in open_rows if isinstance(arguments := rows[index], dict)]
        for index, result in zip(open_rows, await self.run(context, given), strict=True):
            results[index] = result
        return results


def batch_action(row: type) -> Callable[[Callable[..., Awaitable[list[RowResult]]]], BatchAction]:
    """Decorate a function `(context, rows)` that gives for each row, in their order, its result or its failure."""
    return lambda run: BatchAction(run, row)


async def portions(rows: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    """The rows in portions. Others are served between two of them, also where nothing is written."""
    for start in range(0, len(rows), PORTION):
        yield rows[start : start + PORTION]
        await asyncio.sleep(0)


def attempt(act: Callable[[Any], ActionResult], row: Any) -> RowResult:
    """The result of a function that changes nothing before it knows that the row is good, or its failure."""
    try:
        return act(row)
    except ActionError as error:
        return error
