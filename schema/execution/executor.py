"""Executing an operation: parsed and validated once a document, run for one viewer, every error given its code."""

import datetime as dt
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from typing import Any
from zoneinfo import ZoneInfo

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
    get_operation_ast,
)

from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence.signed_urls import Signer
from resolvers.sql.readers import OperationReader, RequestInfo
from schema.build import Graph
from schema.execution import cost, limits
from schema.execution.context import Context, WriteAccess
from schema.execution.documents import Documents, InvalidDocument
from schema.execution.errors import coded_error, error_response, format_error
from schema.execution.operation import GraphQLResponse, Operation
from schema.fields import mutation
from schema.plan.cache import CachedOperation, PlanCache
from schema.plan.fallback import FallbackRequired

# A program without any scope, who sees nothing.
NOBODY = Viewer(Visibility(Role.INTEGRATOR))


def notify_nobody() -> None:
    """The notification of a process without subscribers: does nothing."""


class Executor:
    """Operations on one graph and one database.

    `clock` and `zone` say when now is, and in which zone days are; `notify` is called after a commit that left events;
    `signer` makes the addresses under which evidence is read, and without it there are none. `planned` says whether
    operations are compiled; without it graphql-core executes them all.
    """

    def __init__(
        self,
        graph: Graph,
        database: Database,
        zone: Callable[[], ZoneInfo],
        clock: Callable[[], dt.datetime],
        *,
        notify: Callable[[], None] = notify_nobody,
        introspection: bool = True,
        signer: Signer | None = None,
        planned: bool = True,
    ) -> None:
        self.graph, self._database, self._zone, self._clock = graph, database, zone, clock
        self._writing, self._signer = WriteAccess(database, notify), signer
        self._documents = Documents(graph, introspection=introspection)
        self.plans = PlanCache(graph, database.read_pool, sqlite=database.sqlite) if planned else None

    def document(self, operation: Operation) -> DocumentNode:
        """The valid document of an operation that it has, and that may be asked. Raises Refused."""
        found = self._documents.get(operation.query)
        if isinstance(found, list):
            raise InvalidDocument([format_error(error, ErrorCode.BAD_DOCUMENT) for error in found])
        excess = limits.variables_excess(operation.variables)
        if excess is not None:
            raise RequestError(ErrorCode.BAD_VARIABLES, excess)
        meant = get_operation_ast(found, operation.name)
        if meant is None:
            raise RequestError(ErrorCode.BAD_DOCUMENT, "Name the one operation of the document that is meant.")
        known = None if self.plans is None else self.plans.known(operation.query, operation.name)
        rows = cost.row_cost(self.graph, found, meant) if known is None else known.rows
        excess = rows.excess(operation.variables)
        if excess is not None:
            raise RequestError(ErrorCode.TOO_COSTLY, excess)
        return found

    def kind(self, operation: Operation) -> OperationType | None:
        """Query, mutation or subscription; None where the document does not say."""
        document = self._documents.get(operation.query)
        if isinstance(document, list):
            return None
        found = get_operation_ast(document, operation.name)
        return found.operation if found else None

    def reader(self, viewer: Viewer) -> OperationReader:
        """Reads for one operation of this viewer, now."""
        return OperationReader(self._database, viewer, self._clock(), self._zone(), self._signer)

    def moment(self, viewer: Viewer) -> RequestInfo:
        """What a plan is run with for this viewer, now."""
        return RequestInfo(viewer, self._clock(), self._zone(), self._signer)

    def planned(
        self, document: DocumentNode, name: str | None, variables: dict[str, Any], viewer: Viewer
    ) -> Callable[[Any], Awaitable[bytes]] | None:
        """What gives the data of a valid operation for one root after another; it raises Leave."""
        operation = get_operation_ast(document, name)
        if self.plans is None or operation is None:
            return None
        plans, known = self.plans, CachedOperation(self.graph, document, operation)
        return lambda root: plans.data(known, variables, self.moment(viewer), root)

    def known(self, operation: Operation) -> CachedOperation | None:
        """A query that was asked before, so that it is valid; None for any other operation."""
        found = None if self.plans is None else self.plans.known(operation.query, operation.name)
        return found if found is not None and found.operation.operation is OperationType.QUERY else None

    async def run(self, operation: Operation, viewer: Viewer | None) -> GraphQLResponse:
        """Execute for a viewer; for nobody, what asks for the schema and nothing else."""
        try:
            document = self.document(operation)
        except InvalidDocument as error:
            return error_response(error.errors)
        except RequestError as error:
            return error_response([coded_error(error.code, error.message)])
        found = get_operation_ast(document, operation.name)
        assert found is not None
        if viewer is None:
            if not asks_only_for_schema(document, found):
                return error_response([coded_error(ErrorCode.UNAUTHENTICATED, "Send a bearer token.")])
            viewer = NOBODY
        context = Context(self.reader(viewer), self._writing)
        if self.plans is not None and viewer is not NOBODY and found.operation is not OperationType.SUBSCRIPTION:
            known = self.plans.learn(operation.query, operation.name, document, found)
            moment = RequestInfo(viewer, context.reader.now, context.reader.zone, self._signer)
            act = partial(mutation.perform_once, context)
            with suppress(FallbackRequired):
                return GraphQLResponse(written=await self.plans.data(known, operation.variables, moment, act=act))
        try:
            running = execute(
                self.graph._schema,
                document,
                context_value=context,
                variable_values=operation.variables,
                operation_name=operation.name,
            )
            result: ExecutionResult = await running if isawaitable(running) else running
        finally:
            await context.reader.close()
        errors = result.errors or []
        if result.data is None and not any(error.path for error in errors):
            return error_response([format_error(error, ErrorCode.BAD_VARIABLES) for error in errors])
        return GraphQLResponse(result.data, [format_error(error) for error in errors])


def asks_only_for_schema(document: DocumentNode, operation: OperationDefinitionNode) -> bool:
    """Whether the operation begins with nothing but introspection, fragments included."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    seen: set[str] = set()

    def only(selections: SelectionSetNode) -> bool:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                if not node.name.value.startswith("__"):
                    return False
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in seen:
                    seen.add(name)
                    if not only(fragments[name].selection_set):
                        return False
            elif isinstance(node, InlineFragmentNode) and not only(node.selection_set):
                return False
        return True

    return only(operation.selection_set)
