"""graphql-core's executor, which serves others meanwhile and stops when the response becomes too large."""

import asyncio
from collections.abc import Iterable
from inspect import isawaitable
from itertools import islice
from typing import Any

from graphql import ExecutionResult, GraphQLObjectType
from graphql.execution import Executor
from graphql.pyutils import Path

from schema.build import Graph
from schema.execution.bounds import Run
from schema.execution.context import Context
from schema.execution.operation import PreparedOperation
from schema.execution.pace import Pace

FEW = 50  # items of a list, or fields of an object, that are executed without looking at the time in between
ERRORS_MAXIMUM = 500  # of a response


class PacedExecutor(Executor[Any]):
    """Gives what graphql-core's executor gives.

    graphql-core calls these methods for lists, objects and awaited values; each may return an awaitable. So the work
    for a list or an object is put off where its time is used up.
    """

    def __init__(self, *arguments: Any, pace: Pace, run: Run, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pace, self._run = pace, run

    @property
    def _over(self) -> bool:
        return self._run.code is not None or self._pace.over()

    async def _turn(self) -> None:
        await self._pace.turn(self.context_value)

    def execute_fields(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Path | None, grouped_field_set: Any, context: Any
    ) -> Any:
        # Braces, and for each field quotation marks, colon and comma.
        self._run.add(2 + 4 * len(grouped_field_set) + sum(map(len, grouped_field_set)))
        arguments = parent_type, source_value, path, grouped_field_set, context
        if len(grouped_field_set) <= FEW and not self._over:
            return super().execute_fields(*arguments)
        return self._execute_fields_in_turns(*arguments)

    async def _execute_fields_in_turns(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Path | None, grouped_field_set: Any, context: Any
    ) -> dict[str, Any]:
        fields, parts = iter(grouped_field_set.items()), []
        try:
            while some := dict(islice(fields, FEW)):
                if self._over:
                    await self._turn()
                parts.append(super().execute_fields(parent_type, source_value, path, some, context))
        except BaseException as error:
            self._abandon([part for part in parts if isawaitable(part)], error)
            raise
        pending = iter(await gather_in_portions([part for part in parts if isawaitable(part)]))
        results: dict[str, Any] = {}
        for part in parts:
            results |= next(pending) if isawaitable(part) else part
        return results

    def _abandon(self, pending: list[Any], error: BaseException) -> None:
        if isinstance(error, Exception):
            self.settle_in_background(pending)
            return
        for coroutine in pending:
            coroutine.close()

    def complete_iterable_value(
        self, item_type: Any, field_details_list: Any, info: Any, path: Path, items: Iterable[Any], context: Any
    ) -> Any:
        items = items if isinstance(items, list | tuple) else list(items)
        arguments = item_type, field_details_list, info, path
        if len(items) <= FEW and not self._over:
            return super().complete_iterable_value(*arguments, items, context)
        return self._complete_in_turns(*arguments, items, context)

    async def _complete_in_turns(
        self, item_type: Any, field_details_list: Any, info: Any, path: Path, items: Iterable[Any], context: Any
    ) -> list[Any]:
        completed: list[Any] = []
        pending: list[int] = []
        try:
            for index, item in enumerate(items):
                if self._over:
                    await self._turn()
                arguments = item_type, field_details_list, info, path.add_key(index, None), context
                if self.is_awaitable(item):
                    completed.append(self.complete_awaitable_list_item_value(item, *arguments))
                    pending.append(index)
                elif self.complete_list_item_value(item, completed, *arguments):
                    pending.append(index)
        except BaseException as error:
            self._abandon([completed[index] for index in pending], error)
            raise
        values = await gather_in_portions([completed[index] for index in pending])
        for index, value in zip(pending, values, strict=True):
            completed[index] = value
        return completed

    async def complete_awaitable_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        value = self._await_in_turn(result)
        return await super().complete_awaitable_value(return_type, field_details_list, info, path, value, context)

    async def complete_awaitable_list_item_value(
        self, item: Any, item_type: Any, field_details_list: Any, info: Any, item_path: Path, context: Any
    ) -> Any:
        value = self._await_in_turn(item)
        return await super().complete_awaitable_list_item_value(
            value, item_type, field_details_list, info, item_path, context
        )

    async def _await_in_turn(self, awaitable: Any) -> Any:
        """The value. A loader gives thousands of values at once, and what waits for them would all run on."""
        value = await awaitable
        if self._over:
            await self._turn()
        return value

    def complete_leaf_value(self, return_type: Any, result: Any) -> Any:  # type: ignore[override]  # graphql-core's is static, yet called on the instance
        value = super().complete_leaf_value(return_type, result)
        self._run.add(len(value) if isinstance(value, str) else 8)
        return value

    def handle_field_error(self, raw_error: Exception, return_type: Any, field_details_list: Any, path: Path) -> None:
        self._run.add(200)
        super().handle_field_error(raw_error, return_type, field_details_list, path)


async def gather_in_portions(coroutines: list[Any]) -> list[Any]:
    """Run coroutines at the same time, and cancel all where one fails. They begin FEW at a time."""
    tasks: list[asyncio.Task[Any]] = []
    try:
        for start in range(0, len(coroutines), FEW):
            tasks += map(asyncio.ensure_future, coroutines[start : start + FEW])
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks)
    except BaseException as error:
        for coroutine in coroutines[len(tasks) :]:
            coroutine.close()
        for task in tasks:
            task.cancel()
        if not isinstance(error, GeneratorExit):  # while it is closed, a coroutine cannot wait
            await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def execute_by_graphql_core(
    graph: Graph, operation: PreparedOperation, context: Context, run: Run, root: Any = None
) -> ExecutionResult:
    """Execute an operation field by field; of its errors the result has at most ERRORS_MAXIMUM. Closes the context."""
    try:
        executor = PacedExecutor.build(
            graph._schema,
            operation.parsed.document,
            root,
            context,
            operation.variables,
            operation.parsed.name,
            hide_suggestions=not operation.parsed.suggestions,
            pace=context.pace,
            run=run,
        )
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        try:
            execution = executor.execute_operation()
            result: Any = await execution if isawaitable(execution) else execution
        finally:
            # They refer to the executor: helpers as methods of it, errors by the frames in which they were raised.
            del executor.async_helpers, executor.collected_errors
        return ExecutionResult(result.data, result.errors and result.errors[:ERRORS_MAXIMUM])
    finally:
        await context.close()
