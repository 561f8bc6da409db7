"""A subscription's document as the feed takes it: what it asks for, and what renders an event for all who ask alike."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    execute,
)

import models
from models.db.outages import is_outage
from models.visibility import Visibility
from schema.build import Graph
from schema.execution.context import Context, Record
from schema.live.request import SubscriptionRequest
from schema.plan.fallback import FallbackRequired
from subscriptions.event_filter import EventFilter

Contexts = Callable[[Visibility], Context]  # a fresh context for one execution
Planned = Callable[[Any], Awaitable[bytes]]  # the data for a root, by plan; raises Leave

# How often, and so about how many seconds, an event is tried again while the database is away.
ATTEMPTS, PAUSE = 40, 0.5
EXECUTE_SECONDS = 15.0


class DatabaseAway(Exception):
    """The database has been away for too long."""


@dataclass(eq=False)
class EventRenderer:
    """Executes a stream's document with something as its root: for all of a group at once."""

    graph: Graph
    opening: SubscriptionRequest
    contexts: Contexts
    told: Callable[[Any], dict[str, Any]]
    planned: Planned | None = None

    async def execute(self, root: Any, cursor: str | None) -> bytes:
        """The result as JSON; its cursor stands in `extensions`, whatever the document asks for.

        A database that is away is waited for: an event that came without its data could not be had once more. Raises
        Away where that takes too long.
        """
        for _ in range(ATTEMPTS):
            try:
                async with asyncio.timeout(EXECUTE_SECONDS):
                    if self.planned is not None:
                        with suppress(FallbackRequired):
                            return payload(orjson.Fragment(await self.planned(root)), [], cursor)
                    result = await self._result(root)
            except Exception as error:
                if not is_outage(error):
                    raise
            else:
                if not any(is_outage(error.original_error) for error in result.errors or ()):
                    return payload(result.data, [self.told(error) for error in result.errors or ()], cursor)
            await asyncio.sleep(PAUSE)
        raise DatabaseAway

    async def _result(self, root: Any) -> ExecutionResult:
        context = self.contexts(self.opening.visibility)
        try:
            running = execute(
                self.graph._schema,
                self.opening.document,
                root_value=root,
                context_value=context,
                variable_values=self.opening.variables,
                operation_name=self.opening.name,
            )
            return await running if isawaitable(running) else running
        finally:
            await context.reader.close()


def payload(data: Any, errors: list[dict[str, Any]], cursor: str | None) -> bytes:
    """A result as JSON."""
    found: dict[str, Any] = {"data": data}
    if errors:
        found["errors"] = errors
    if cursor is not None:
        found["extensions"] = {"cursor": cursor}
    return orjson.dumps(found)


@dataclass(eq=False)
class EventTopic:
    """The events of one group, for the feed. `epoch` makes cursors of their numbers."""

    rendering: EventRenderer
    interest: EventFilter
    epoch: str
    matches: Callable[[Any], bool] = field(init=False)

    def __post_init__(self) -> None:
        self.matches = self.interest.matches

    async def render(self, event: Any) -> bytes:
        return await self.rendering.execute(Record(models.Event, event), f"{self.epoch}-{event.id}")
