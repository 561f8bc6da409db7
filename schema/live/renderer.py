"""Renders what a stream sends: executes the subscription's document once for all who share it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import ExecutionResult

import models
from models.db.outages import is_outage
from models.visibility import Visibility
from schema.build import Graph
from schema.execution.bounds import ANSWER_LIMIT, Bounds, OperationStopped, Run
from schema.execution.context import Context, Record
from schema.execution.errors import format_error
from schema.execution.paced_executor import execute_by_graphql_core
from schema.live.request import SubscriptionRequest
from subscriptions.event_filter import EventFilter

Contexts = Callable[[Visibility], Context]  # a fresh context for one execution
# The data for a root value, by plan; None where graphql-core must execute the document.
Planned = Callable[[Any], Awaitable[bytes | None]]

# How often a rendering is tried while the database is away, and so about how many seconds it waits.
ATTEMPTS, PAUSE = 40, 0.5
EXECUTE_SECONDS = 15.0
BOUNDS = Bounds(None, ANSWER_LIMIT)


class DatabaseAway(Exception):
    """The database has been away for too long."""


@dataclass(eq=False)
class EventRenderer:
    """Executes a stream's document with an event or a state as its root, once for a whole group."""

    graph: Graph
    request: SubscriptionRequest
    contexts: Contexts
    planned: Planned

    async def execute(self, root: Any, cursor: str | None) -> bytes:
        """The result as JSON, with the cursor in `extensions`, whatever the document selects.

        Waits for a database that is away, because a client would never get the data of this event again. Raises
        DatabaseAway when that takes too long.
        """
        for _ in range(ATTEMPTS):
            try:
                async with asyncio.timeout(EXECUTE_SECONDS):
                    data = await self.planned(root)
                    if data is not None:
                        return payload(orjson.Fragment(data), [], cursor)
                    result = await BOUNDS.bound(self._result, root)
            except Exception as error:
                if isinstance(error, OperationStopped):
                    return payload(None, [BOUNDS.error(error.code)], cursor)
                if not is_outage(error):
                    raise
            else:
                if not any(is_outage(error.original_error) for error in result.errors or ()):
                    return payload(result.data, [format_error(error) for error in result.errors or ()], cursor)
            await asyncio.sleep(PAUSE)
        raise DatabaseAway

    def _result(self, run: Run, root: Any) -> Awaitable[ExecutionResult]:
        context = self.contexts(self.request.visibility)
        return execute_by_graphql_core(self.graph, self.request.operation, context, run, root)


def payload(data: Any, errors: list[dict[str, Any]], cursor: str | None) -> bytes:
    """A result as JSON."""
    result: dict[str, Any] = {"data": data}
    if errors:
        result["errors"] = errors
    if cursor is not None:
        result["extensions"] = {"cursor": cursor}
    return orjson.dumps(result)


@dataclass(eq=False)
class EventTopic:
    """The events of one group, as the feed takes them. `epoch` is the log's, for the cursors."""

    renderer: EventRenderer
    event_filter: EventFilter
    epoch: str
    matches: Callable[[Any], bool] = field(init=False)

    def __post_init__(self) -> None:
        self.matches = self.event_filter.matches

    async def render(self, event: Any) -> bytes:
        return await self.renderer.execute(Record(models.Event, event), f"{self.epoch}-{event.id}")
