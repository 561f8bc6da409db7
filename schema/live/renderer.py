"""Renders what a stream sends: executes the subscription's document once for all who share it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import ExecutionResult

import models
from models.db.outages import is_outage
from models.reason import Language
from models.visibility import Visibility
from resolvers.disclosures import Disclosure
from schema.build import Graph
from schema.execution.bounds import ANSWER_LIMIT, Bounds, OperationStopped, Run
from schema.execution.context import Context, Record
from schema.execution.errors import format_error, translated
from schema.execution.paced_executor import execute_by_graphql_core
from schema.live.request import SubscriptionRequest
from subscriptions.event_filter import EventFilter
from subscriptions.feed import Message

Contexts = Callable[[Visibility], Context]  # a fresh context for one execution
# The data for a root value, by plan; None where graphql-core must execute the document. The set gets what it discloses.
Planned = Callable[[Any, set[Disclosure]], Awaitable[bytes | None]]

# How often a rendering is tried while the database is away, and so about how many seconds it waits.
ATTEMPTS, PAUSE = 40, 0.5
EXECUTE_SECONDS = 15.0
BOUNDS = Bounds(None, ANSWER_LIMIT)


class DatabaseAway(ConnectionError):
    """The database has been away for too long."""


@dataclass(eq=False)
class EventRenderer:
    """Executes a stream's document with an event or a state as its root, once for a whole group."""

    graph: Graph
    request: SubscriptionRequest
    contexts: Contexts
    planned: Planned

    async def execute(self, root: Any, cursor: str | None, disclosures: set[Disclosure] | None = None) -> bytes:
        """The result as JSON, with the cursor in `extensions`, whatever the document selects.

        `disclosures` gets what it shows of enterprises' personal data.
        Waits for a database that is away, because a client would never get the data of this event again. Raises
        DatabaseAway when that takes too long.
        """
        disclosures = set() if disclosures is None else disclosures
        for _ in range(ATTEMPTS):
            try:
                async with asyncio.timeout(EXECUTE_SECONDS):
                    data = await self.planned(root, disclosures)
                    if data is not None:
                        return payload_of_data(data, cursor)
                    result = await BOUNDS.bound(self._result, root, disclosures)
            except Exception as error:
                if isinstance(error, OperationStopped):
                    return payload(None, [BOUNDS.error(error.code)], cursor)
                if not is_outage(error):
                    raise
            else:
                if not any(is_outage(error.original_error) for error in result.errors or ()):
                    errors = [format_error(error) for error in result.errors or ()]
                    return payload(result.data, errors, cursor)
            await asyncio.sleep(PAUSE)
        raise DatabaseAway

    async def _result(self, run: Run, root: Any, disclosures: set[Disclosure]) -> ExecutionResult:
        context = self.contexts(self.request.visibility)
        try:
            return await execute_by_graphql_core(self.graph, self.request.operation, context, run, root)
        finally:
            disclosures |= context.reader.disclosures


def payload_of_data(data: bytes, cursor: str | None) -> bytes:
    """As `payload`, of data that is JSON already. orjson gives texts of up to eight times the memory that they need."""
    end = b"}" if cursor is None else b',"extensions":{"cursor":"%s"}}' % cursor.encode()
    return b'{"data":' + data + end


def payload(data: Any, errors: list[dict[str, Any]], cursor: str | None) -> bytes:
    """A result as JSON."""
    result: dict[str, Any] = {"data": data}
    if cursor is not None:
        result["extensions"] = {"cursor": cursor}
    if not errors:
        return exact(orjson.dumps(result))
    by_language = {one: exact(orjson.dumps({**result, "errors": translated(errors, one)})) for one in Language}
    return ErrorPayload(by_language)


def exact(text: bytes) -> bytes:
    """A copy that takes no more memory than it needs."""
    return bytes(memoryview(text))


class ErrorPayload(bytes):
    """A result with errors, in English. Subscribers with other languages get `by_language`; they share a group."""

    by_language: Mapping[Language, bytes]

    def __new__(cls, by_language: Mapping[Language, bytes]) -> "ErrorPayload":
        result = super().__new__(cls, by_language[Language.ENGLISH])
        result.by_language = by_language
        return result


def payload_in(language: Language, payload: bytes) -> bytes:
    """A payload with its messages in a language; the same object where that makes no difference."""
    if language is Language.ENGLISH or not isinstance(payload, ErrorPayload):
        return payload
    return payload.by_language[language]


@dataclass(eq=False)
class EventTopic:
    """The events of one group, as the feed takes them. `epoch` is the log's, for the cursors.

    A message is about the personal data of enterprises that it shows.
    """

    renderer: EventRenderer
    event_filter: EventFilter
    epoch: str
    matches: Callable[[Any], bool] = field(init=False)

    def __post_init__(self) -> None:
        self.matches = self.event_filter.matches

    async def render(self, event: Any) -> Message:
        disclosures: set[Disclosure] = set()
        rendered = await self.renderer.execute(Record(models.Event, event), f"{self.epoch}-{event.id}", disclosures)
        return Message(event.id, rendered, frozenset(disclosures))
