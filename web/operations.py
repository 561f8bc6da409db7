"""Runs the operations of all transports, in their parties' turns: measures each, and logs it where that is wanted."""

import math
from collections.abc import Collection
from time import perf_counter
from typing import Any

import structlog

from models.metrics import ERRORS, OPERATIONS, Durations
from models.request_record import CURRENT, logged_request
from models.visibility import Viewer
from resolvers.errors import RequestError
from schema.execution.executor import Executor
from schema.execution.operation import GraphQLResponse, PreparedOperation
from schema.live.streams import LiveStreams, PreparedStream
from web.shares import Party, Shares

log = structlog.get_logger(__name__)

OTHER = "other"  # operations that no known document has
OK, ABANDONED, ERRONEOUS = "ok", "abandoned", "errors"
# Outcomes by code, the gravest first; any other code is the client's error.
OUTCOMES = {
    "INTERNAL": "failed",
    "UNAVAILABLE": "failed",
    "TIMEOUT": "stopped",
    "TOO_LARGE": "stopped",
    "BUSY": "throttled",
    "TOO_MANY": "throttled",
}


class Operations:
    """Runs operations. `known` are the names that have metrics of their own.

    With `logged`, each operation is logged; one that took more than `slow` seconds is logged as slow anyway. A line of
    the log has the names of operation and viewer, never a variable or a document.
    """

    def __init__(
        self,
        executor: Executor,
        live: LiveStreams,
        shares: Shares,
        known: Collection[str] = (),
        *,
        slow: float = math.inf,
        logged: bool = False,
    ) -> None:
        self.executor, self._live, self._shares = executor, live, shares
        self._known, self._slow, self._logged = frozenset(known), slow, logged
        self._durations: dict[tuple[str | None, str, str], Durations] = {}

    async def execute(self, party: Party, operation: PreparedOperation, viewer: Viewer | None) -> GraphQLResponse:
        """Execute a query or mutation when the party's turn has come. Raises ThrottledError."""
        start = perf_counter()
        try:
            # Not by Shares.run, which costs as much as all that is measured here.
            lane, weight = self._shares.lane(party, operation.cost)
            if not lane.try_enter(party.key, weight):
                await self._shares.wait(lane, party.key, weight)
            try:
                response = await self.executor.execute(operation, viewer)
            finally:
                lane.leave(party.key, weight)
        except BaseException as error:
            self._failed(operation, viewer, start, error)
            raise
        if not response.errors:
            self._ended(operation, viewer, start, OK, rows=response.rows)
            return response
        codes = [error["extensions"]["code"] for error in response.errors]
        if response.started:  # else they are those of the request, which is refused
            response.errors = sent(response.errors)
        self._ended(operation, viewer, start, outcome_of(codes), codes[0], response.rows)
        return response

    async def subscribe(
        self, party: Party, operation: PreparedOperation, viewer: Viewer | None, resume: str | None = None
    ) -> PreparedStream:
        """Check a subscription when the party's turn has come, so that it can be joined. Raises RequestError."""
        start = perf_counter()
        try:
            prepared = await self._shares.run(party, operation.cost, self._live.prepare, operation, viewer, resume)
        except BaseException as error:
            self._failed(operation, viewer, start, error)
            raise
        self._ended(operation, viewer, start, OK)
        return prepared

    def _failed(self, operation: PreparedOperation, viewer: Viewer | None, start: float, error: BaseException) -> None:
        if isinstance(error, RequestError):
            code = error.code.value
            self._ended(operation, viewer, start, outcome_of([code]), code)
        else:
            self._ended(operation, viewer, start, "failed" if isinstance(error, Exception) else ABANDONED)

    def _ended(
        self,
        operation: PreparedOperation,
        viewer: Viewer | None,
        start: float,
        outcome: str,
        code: str | None = None,
        rows: int = 0,
    ) -> None:
        seconds = perf_counter() - start
        parsed = operation.parsed
        key = (parsed.label, parsed.kind._value_, outcome)
        try:
            durations = self._durations[key]
        except KeyError:
            durations = self._durations_of(*key)
        durations.observe(seconds)
        if self._logged or seconds > self._slow:
            self._log(operation, viewer, seconds, code, rows)

    def _durations_of(self, name: str | None, kind: str, outcome: str) -> Durations:
        known = name in self._known
        key = (name if known else None, kind, outcome)
        if key not in self._durations:
            self._durations[key] = Durations(OPERATIONS.labels(name if known else OTHER, kind, outcome))
        return self._durations[key]

    def carry(self) -> None:
        """Hand all that was measured over to the metrics."""
        for durations in self._durations.values():
            durations.carry()

    def _log(
        self, operation: PreparedOperation, viewer: Viewer | None, seconds: float, code: str | None, rows: int
    ) -> None:
        facts = {
            "operation": operation.parsed.label,
            "kind": operation.parsed.kind.value,
            "viewer": None if viewer is None else viewer.identity,
            "cost": operation.cost,
            "rows": rows,
            "ms": round(seconds * 1_000, 1),
            "code": code,
        }
        record = logged_request()
        if record is not None and record.single:
            record.facts |= facts
        elif self._logged:
            log.info("operation", **facts)
        if seconds > self._slow:
            log.warning("slow operation", **facts)


def outcome_of(codes: Collection[str]) -> str:
    """The outcome of an operation with errors of these codes: the gravest counts."""
    if not codes:
        return OK
    return next((outcome for code, outcome in OUTCOMES.items() if code in codes), ERRONEOUS)


def sent(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The errors as a client gets them, with the id of the request. They are counted, and the first one is logged."""
    for error in errors:
        ERRORS.labels(error["extensions"]["code"]).inc()
    record = CURRENT.get()
    if record is None:
        return errors
    if record.logged and errors:
        record.facts.setdefault("code", errors[0]["extensions"]["code"])
    return [{**error, "extensions": {**error["extensions"], "requestId": record.id}} for error in errors]
