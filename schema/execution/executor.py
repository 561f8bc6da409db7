"""Executes operations: by plan where there is one, else by graphql-core."""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from graphql import GraphQLError, OperationType

from models import InspectionKind
from models.byte_cache import shares
from models.db.database import Database
from models.db.outages import is_outage
from models.visibility import Role, Viewer, Visibility
from resolvers.access_log import AccessLog
from resolvers.actions.offline import DEFAULT_RULES, OfflineRules
from resolvers.disclosures import Disclosure
from resolvers.errors import TOKEN_NEEDED, ErrorCode, ThrottledError
from resolvers.evidence.signed_urls import Signer
from resolvers.sql.readers import POSITION_AGE, KnownRows, OperationReader, RequestInfo
from schema.build import Graph
from schema.execution import limits
from schema.execution.bounds import ANSWER_LIMIT, Bounds, OperationStopped, Run
from schema.execution.context import Context, WriteAccess
from schema.execution.cost import COST_QUARTERS, cost_error
from schema.execution.cost_limit import COST_LIMIT
from schema.execution.documents import Documents
from schema.execution.errors import (
    InvalidOperation,
    coded_error,
    format_error,
    request_errors,
    translated,
    unavailable,
)
from schema.execution.operation import GraphQLResponse, Operation, ParsedOperation, PreparedOperation
from schema.execution.pace import Pace
from schema.execution.paced_executor import execute_by_graphql_core
from schema.fields import mutation
from schema.plan.cache import PlanCache, PlanRunner

# A program without any scope, who sees nothing.
NOBODY = Viewer(Visibility(Role.INTEGRATOR))


def notify_nobody() -> None:
    """The notification of a process without subscribers: does nothing."""


class Executor:
    """Executes operations on one graph and one database.

    `clock` gives the time in UTC, `zone` is the zone of the district's days. `notify` is called after a commit with
    events. `signer` signs the addresses of evidence; without it there are none. `planned` says whether operations are
    compiled; otherwise graphql-core executes all of them. `cost_limit` is the greatest cost of a commander's
    operation, `deadline` an operation's longest time in seconds, and `answer_limit` the greatest size of its response
    in bytes. `announced` are the kinds of inspections that enterprises are told of at the dispatch. `access_log` keeps
    whose personal data viewers read. `position_age` is the greatest age of an inspector's position that counts.
    `offline` says how late an act may arrive.
    `document_bytes` is what documents and their plans may take in memory.
    """

    def __init__(
        self,
        graph: Graph,
        database: Database,
        zone: ZoneInfo,
        clock: Callable[[], dt.datetime],
        *,
        notify: Callable[[], None] = notify_nobody,
        introspection: bool = True,
        signer: Signer | None = None,
        planned: bool = True,
        cost_limit: int = COST_LIMIT,
        deadline: float | None = None,
        announced: frozenset[InspectionKind] = frozenset(),
        answer_limit: int = ANSWER_LIMIT,
        access_log: AccessLog | None = None,
        position_age: dt.timedelta = POSITION_AGE,
        offline: OfflineRules = DEFAULT_RULES,
        document_bytes: int = shares().documents,
    ) -> None:
        self.graph, self._database, self.zone, self._clock = graph, database, zone, clock
        self._write_access, self._signer = WriteAccess(database, notify, announced, position_age, offline), signer
        self._position_age = position_age
        self._cost_limits = {role: cost_limit * quarters // 4 for role, quarters in COST_QUARTERS.items()}
        self.access_log = access_log
        self._known: set[Any] = set()  # see KnownRows
        plan_cache = partial(PlanCache, graph, sqlite=database.sqlite)
        self.documents = Documents(graph, plan_cache, introspection=introspection, maximum=document_bytes)
        self.bounds, self._pace = Bounds(deadline, answer_limit), Pace()
        runner = partial(PlanRunner, database.read_pool, sqlite=database.sqlite, answer_limit=answer_limit)
        self.plans = runner() if planned else None

    def known(self, operation: Operation, viewer: Viewer | None) -> PreparedOperation | None:
        """Like `prepare`, if the document has been analysed before; otherwise None."""
        parsed = self.documents.known(operation.query, operation.name)
        return None if parsed is None else self._prepared(parsed, operation, viewer)

    async def prepare(self, operation: Operation, viewer: Viewer | None) -> PreparedOperation:
        """Parse, validate and classify an operation, or look that up.

        Raises InvalidOperation where the operation cannot be executed or exceeds a limit. The limit on cost depends on
        the viewer's role; without a viewer it is that of a wall.
        """
        parsed = await self.documents.operation(operation.query, operation.name)
        return self._prepared(parsed, operation, viewer)

    def _prepared(self, parsed: ParsedOperation, operation: Operation, viewer: Viewer | None) -> PreparedOperation:
        variables = operation.variables
        if variables and (excess := limits.variables_excess(variables)) is not None:
            raise InvalidOperation(ErrorCode.BAD_VARIABLES, [coded_error(ErrorCode.BAD_VARIABLES, excess)])
        cost, limit = parsed.cost.of(variables), self._cost_limits[Role.WALL if viewer is None else viewer.role]
        asked, extensions = operation.extensions, {}
        if asked and asked.get("cost") is True:
            extensions["cost"] = {"operation": cost, "limit": limit}
        if asked and asked.get("limits") is True:
            extensions["limits"] = {**limits.OF_ONE_REQUEST, "cost": limit, **self.bounds.of_one_request}
        if cost > limit:
            raise InvalidOperation(ErrorCode.TOO_COSTLY, [cost_error(cost, limit)], extensions or None)
        return PreparedOperation(parsed, variables, cost, extensions or None, operation.language, operation.device)

    async def execute(self, operation: PreparedOperation, viewer: Viewer | None) -> GraphQLResponse:
        """Execute a query or mutation for a viewer. Without one, only introspection is executed.

        At the deadline everything that the operation does is stopped, its SQL included, and the response is TIMEOUT; a
        mutation is rolled back unless its commit has begun. The same happens when the calling task is cancelled. Where
        the database is not available the response is UNAVAILABLE or BUSY, and not started if nothing was executed.
        """
        if viewer is None and not operation.parsed.introspection_only:
            return refused(translated([coded_error(ErrorCode.UNAUTHENTICATED, TOKEN_NEEDED)], operation.language))
        info = self.request_info(viewer or NOBODY)
        info.device = operation.device
        context = None
        if operation.parsed.kind is OperationType.MUTATION:
            context = self._context(info)
            context.language = operation.language
        try:
            response = await self.bounds.bound(self._execute, operation, info, context, viewer is not None)
        except OperationStopped as stopped:
            error = self.bounds.error(stopped.code)
            if context is not None:
                error["extensions"]["mutationsFinished"] = context.mutations_finished
            response = GraphQLResponse(errors=[error])
        except Exception as error:
            if (refusal := unavailable(error)) is None:
                raise
            response = not_served(refusal, context)
        finally:
            if info.disclosures and self.access_log is not None:
                self.access_log.note(info.viewer, info.disclosures, operation.parsed.label)
        response.extensions, response.rows = operation.extensions, info.known.read
        if response.errors:
            response.errors = translated(response.errors, operation.language)
        return response

    async def _execute(
        self, run: Run, operation: PreparedOperation, info: RequestInfo, context: Context | None, planned: bool
    ) -> GraphQLResponse:
        if planned and self.plans is not None:
            perform = None if context is None else partial(mutation.perform_once, context)
            data = await self.plans.data(operation, info, perform=perform)
            if data is not None:
                return GraphQLResponse(written=data)
        result = await execute_by_graphql_core(self.graph, operation, context or self._context(info), run)
        errors = result.errors or []
        raise_outage(errors, context)
        if result.data is None and not any(error.path for error in errors):
            return refused([format_error(error, ErrorCode.BAD_VARIABLES) for error in errors])
        formatted = [format_error(error) for error in errors]
        if context is not None:
            for error in formatted:
                if "retryAfter" in error["extensions"]:
                    error["extensions"]["mutationsFinished"] = context.mutations_finished
        return GraphQLResponse(result.data, formatted)

    async def run(self, operation: Operation, viewer: Viewer | None) -> GraphQLResponse:
        """Prepare and execute. A refused request is a response that was not started."""
        try:
            prepared = await self.prepare(operation, viewer)
        except InvalidOperation as error:
            return refused(translated(error.errors, operation.language), error.extensions)
        return await self.execute(prepared, viewer)

    async def event_data(
        self, operation: PreparedOperation, viewer: Viewer, root: Any, disclosures: set[Disclosure] | None = None
    ) -> bytes | None:
        """The `data` of a subscription for one root value, as JSON; None where graphql-core must execute it.

        `disclosures` gets what it shows of enterprises' personal data.
        """
        if self.plans is None:
            return None
        info = self.request_info(viewer)
        if disclosures is not None:
            info.disclosures = disclosures
        return await self.plans.data(operation, info, root)

    def request_info(self, viewer: Viewer) -> RequestInfo:
        return RequestInfo(
            viewer,
            self._clock(),
            self.zone,
            self._signer,
            known=KnownRows(self._known),
            position_age=self._position_age,
            evidence_age=self._write_access.offline.latest,
        )

    def reader(self, viewer: Viewer) -> OperationReader:
        """Reads for this viewer, at this time."""
        return self._reader(self.request_info(viewer))

    def _reader(self, info: RequestInfo) -> OperationReader:
        return OperationReader(
            self._database,
            info.viewer,
            info.now,
            info.zone,
            info.signer,
            info.disclosures,
            info.known,
            info.position_age,
            info.evidence_age,
            info.device,
        )

    def _context(self, info: RequestInfo) -> Context:
        return Context(self._reader(info), self._write_access, pace=self._pace)


def raise_outage(errors: Sequence[GraphQLError], context: Context | None) -> None:
    """Raises the first failure of the database, unless one of the operation's mutations may have been committed."""
    if context is None or context.mutations_finished == 0:
        for error in errors:
            if error.original_error is not None and is_outage(error.original_error):
                raise error.original_error


def not_served(refusal: ThrottledError, context: Context | None) -> GraphQLResponse:
    """The response where the database failed. It counts as not started if no mutation was, or may have been, kept."""
    errors = request_errors(refusal)
    if context is None:
        return refused(errors)
    finished = errors[0]["extensions"]["mutationsFinished"] = context.mutations_finished
    return GraphQLResponse(errors=errors, started=finished != 0)


def refused(errors: list[dict[str, Any]], extensions: dict[str, Any] | None = None) -> GraphQLResponse:
    return GraphQLResponse(errors=errors, started=False, extensions=extensions)
