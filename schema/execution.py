"""Executing an operation: parsed and validated once a document, run for one viewer, every error given its code."""

import datetime as dt
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
    get_operation_ast,
    parse,
    validate,
)
from graphql.validation import NoFragmentCyclesRule, NoSchemaIntrospectionCustomRule

from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence.signed_urls import Signer
from resolvers.sql.readers import OperationReader, RequestInfo
from schema import bounds, cost, mutation
from schema.context import Context, Writing
from schema.plans.kept import Known, Plans
from schema.plans.leaves import Leave
from schema.root import Graph
from schema.rules import RULES

log = structlog.get_logger(__name__)

# A program without any scope, who sees nothing.
NOBODY = Viewer(Visibility(Role.INTEGRATOR))

DOCUMENTS_KEPT = 1_000
CHARACTERS_KEPT = 2_000_000  # of all documents; each takes up to two hundred times as many bytes


@dataclass(frozen=True)
class Operation:
    """What a client asks for."""

    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """`started` is false where the request itself is wrong and nothing was executed; then there is no data at all.

    A plan's data is `written` already.
    """

    found: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    started: bool = True
    written: bytes | None = None

    @property
    def data(self) -> dict[str, Any] | None:
        return self.found if self.written is None else orjson.loads(self.written)

    def body(self) -> dict[str, Any]:
        """The response of the GraphQL specification, section 7, for orjson to write."""
        errors = {"errors": self.errors} if self.errors else {}
        data = self.found if self.written is None else orjson.Fragment(self.written)
        return {**errors, "data": data} if self.started else errors


class Documents:
    """Parsed and validated documents, the latest used kept."""

    def __init__(self, graph: Graph, *, introspection: bool) -> None:
        self._graph = graph
        self._rules = RULES if introspection else [*RULES, NoSchemaIntrospectionCustomRule]
        self._kept: OrderedDict[str, DocumentNode | list[GraphQLError]] = OrderedDict()
        self._characters = 0

    def get(self, query: str) -> DocumentNode | list[GraphQLError]:
        """The document, or what is wrong with it."""
        if query in self._kept:
            self._kept.move_to_end(query)
            return self._kept[query]
        excess = bounds.length(query)
        if excess is not None:
            return [GraphQLError(excess)]
        found = self._kept[query] = self._read(query)
        self._characters += len(query)
        while len(self._kept) > DOCUMENTS_KEPT or self._characters > CHARACTERS_KEPT:
            text, _ = self._kept.popitem(last=False)
            self._characters -= len(text)
        return found

    def _read(self, query: str) -> DocumentNode | list[GraphQLError]:
        schema = self._graph._schema
        try:
            document = parse(query, max_tokens=bounds.TOKENS_MAXIMUM)
            excess = bounds.extent(document)
            if excess is not None:
                # Of fragments that spread each other without end that is told, which helps more.
                cycles = validate(schema, document, [NoFragmentCyclesRule], bounds.ERRORS_MAXIMUM)
                return cycles or [GraphQLError(excess)]
            return validate(schema, document, self._rules, bounds.ERRORS_MAXIMUM) or document
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError("The document is nested too deeply.")]


class BadDocument(RequestError):
    """A document that cannot be executed; `errors` are all that is wrong with it, as clients are told."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(ErrorCode.BAD_DOCUMENT, errors[0]["message"])
        self.errors = errors


async def unheard() -> None:
    """The bell of a process in which nobody listens."""


class Execution:
    """Operations on one graph and one database.

    `clock` and `zone` say when now is, and in which zone days are; `rung` is called after a commit that left events;
    `signer` makes the addresses under which evidence is read, and without it there are none. `planned` says whether
    operations are compiled; without it graphql-core executes them all. With `reuse`, answers are given again that
    cannot have changed (schema/plans/answers.py).
    """

    def __init__(
        self,
        graph: Graph,
        database: Database,
        zone: Callable[[], ZoneInfo],
        clock: Callable[[], dt.datetime],
        *,
        rung: Callable[[], Awaitable[None]] = unheard,
        introspection: bool = True,
        signer: Signer | None = None,
        planned: bool = True,
        reuse: bool = False,
    ) -> None:
        self.graph, self._database, self._zone, self._clock = graph, database, zone, clock
        self._writing, self._signer = Writing(database, rung), signer
        self._documents = Documents(graph, introspection=introspection)
        self.plans = Plans(graph, database.read_pool, sqlite=database.sqlite, reuse=reuse) if planned else None

    def document(self, operation: Operation) -> DocumentNode:
        """The valid document of an operation that it has, and that may be asked. Raises Refused."""
        found = self._documents.get(operation.query)
        if isinstance(found, list):
            raise BadDocument([told(error, ErrorCode.BAD_DOCUMENT) for error in found])
        excess = bounds.values(operation.variables)
        if excess is not None:
            raise RequestError(ErrorCode.BAD_VARIABLES, excess)
        meant = get_operation_ast(found, operation.name)
        if meant is None:
            raise RequestError(ErrorCode.BAD_DOCUMENT, "Name the one operation of the document that is meant.")
        known = None if self.plans is None else self.plans.known(operation.query, operation.name)
        rows = cost.rows(self.graph, found, meant) if known is None else known.rows
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
        plans, known = self.plans, Known(self.graph, document, operation)
        return lambda root: plans.data(known, variables, self.moment(viewer), root)

    def known(self, operation: Operation) -> Known | None:
        """A query that was asked before, so that it is valid; None for any other operation."""
        found = None if self.plans is None else self.plans.known(operation.query, operation.name)
        return found if found is not None and found.operation.operation is OperationType.QUERY else None

    async def run(self, operation: Operation, viewer: Viewer | None) -> Answer:
        """Execute for a viewer; for nobody, what asks for the schema and nothing else."""
        try:
            document = self.document(operation)
        except BadDocument as error:
            return refused(error.errors)
        except RequestError as error:
            return refused([error_of(error.code, error.message)])
        found = get_operation_ast(document, operation.name)
        assert found is not None
        if viewer is None:
            if not asks_only_for_schema(document, found):
                return refused([error_of(ErrorCode.UNAUTHENTICATED, "Send a bearer token.")])
            viewer = NOBODY
        context = Context(self.reader(viewer), self._writing)
        if self.plans is not None and viewer is not NOBODY and found.operation is not OperationType.SUBSCRIPTION:
            known = self.plans.learn(operation.query, operation.name, document, found)
            moment = RequestInfo(viewer, context.reader.now, context.reader.zone, self._signer)
            act = partial(mutation.act, context)
            with suppress(Leave):
                return Answer(written=await self.plans.data(known, operation.variables, moment, act=act))
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
            return refused([told(error, ErrorCode.BAD_VARIABLES) for error in errors])
        return Answer(result.data, [told(error) for error in errors])


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


def refused(errors: list[dict[str, Any]]) -> Answer:
    return Answer(errors=errors, started=False)


def error_of(code: ErrorCode, message: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code.value}}


def told(error: GraphQLError, code: ErrorCode | None = None) -> dict[str, Any]:
    """An error as the client is told of it: with its code, and what it was not told of in the log.

    `code` is for errors of graphql-core itself.
    """
    cause = error.original_error
    found = dict(error.formatted)
    if isinstance(cause, RequestError):
        return {**found, "message": cause.message, "extensions": {"code": cause.code.value}}
    if code is not None or error.message.startswith("Argument "):
        return {**found, "extensions": {"code": (code or ErrorCode.BAD_INPUT).value}}
    incident = secrets.token_hex(8)
    cause = cause or error
    # The message may hold a row's values, which may be personal: the kind of error and where it arose must do.
    log.error("unexpected error", incident=incident, error=type(cause).__name__, where=origin(cause), path=error.path)
    message = f"Something went wrong here. The log has it as {incident}."
    return {**found, "message": message, "extensions": {"code": ErrorCode.INTERNAL.value, "incident": incident}}


def origin(error: BaseException) -> list[str]:
    """The calls that led to an error, innermost last, without any values."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-6:]
