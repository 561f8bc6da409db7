"""Compiles, caches and runs the plans of operations."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
)

from models.db.outages import is_outage
from models.db.read_pool import Fetch, MultipleStatements, ReadPool, TooMuchRead
from models.visibility import Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.readers import DriverReader, RequestInfo
from schema.build import Graph
from schema.execution.bounds import OperationStopped
from schema.fields.source import LoadField
from schema.plan.background import in_background
from schema.plan.fallback import FallbackRequired
from schema.plan.mutation_step import MutationStep, mutation_step
from schema.plan.planner import Planner
from schema.plan.steps import AnswerSize, ExecutionState, ObjectStep
from schema.plan.variables import NO_VARIABLES, VariableCoercion, Variables

if TYPE_CHECKING:
    from schema.execution.operation import PreparedOperation

log = structlog.get_logger(__name__)

PLANS_MAXIMUM = 40  # of one operation
PLAN_BYTES, WORK_BYTES = 15_000, 650  # of a plan, and for each field that was planned (see Selections.work)
# An operation of a greater cost is computed in a thread: it would hold up the event loop for more than about 10 ms.
HEAVY_COST = 10_000
READ_FACTOR = 2  # an operation may read so many times more bytes than its response may have

# Carries out a mutation: takes its field and arguments, and returns the field's value.
PerformMutation = Callable[[LoadField, dict[str, Any]], Awaitable[Any]]


@dataclass(slots=True)
class Plan:
    """A compiled operation.

    `single` says that it runs one statement at most; None while that is not known. What was learned from one execution
    may be wrong for other variables, once. `bytes` is how much memory it takes, without its statements.
    """

    root: ObjectStep | MutationStep
    single: bool | None
    bytes: int = 0

    def counting(self, fetch: Fetch) -> Fetch:
        """`fetch`, which also sets `single`."""
        count = 0

        def counted(text: str, arguments: list[Any], keys: int | None) -> Awaitable[Sequence[Any]]:
            nonlocal count
            count += 1
            self.single = count == 1
            return fetch(text, arguments, keys)

        return counted


class PlanCache:
    """The plans of one operation of a valid document, by visibility and by the variables of its @skip and @include.

    An enterprise's id is a parameter of a plan, so that all enterprises share one.
    """

    def __init__(
        self, graph: Graph, document: DocumentNode, operation: OperationDefinitionNode, *, sqlite: bool
    ) -> None:
        definitions = operation.variable_definitions
        self.variables = VariableCoercion(graph._schema, definitions) if definitions else None
        self._graph, self._document, self._operation, self._sqlite = graph, document, operation, sqlite
        self._conditions = condition_variables(document)
        self._plans: dict[Any, Plan | None] = {}  # None where the operation cannot be compiled
        self._grown: Callable[[int], None] = lambda added: None

    def watch(self, grown: Callable[[int], None]) -> None:
        """Call `grown` with the bytes of the plans that are compiled from now on; less than 0 when plans go."""
        self._grown = grown

    async def plan(self, variables: Variables, visibility: Visibility) -> Plan:
        """The plan, compiled on first use. Raises FallbackRequired where the operation cannot be compiled."""
        coerced = variables.coerced
        key = (visibility.role, visibility.scopes, *[coerced.get(name) for name in self._conditions])
        try:
            plan = self._plans[key]
        except KeyError:
            # However short the document is, an interface within an interface takes long to plan.
            plan = await in_background(self._compile_unless_known, key, variables, visibility)
            if key not in self._plans:
                gone = self._clear() if len(self._plans) >= PLANS_MAXIMUM else 0
                self._plans[key] = plan
                self._grown((0 if plan is None else plan.bytes) - gone)
        if plan is None:
            raise FallbackRequired("not compiled")
        return plan

    def _clear(self) -> int:
        """Drop all plans. Returns the bytes that they took."""
        gone = sum(plan.bytes for plan in self._plans.values() if plan is not None)
        self._plans.clear()
        return gone

    def _compile_unless_known(self, key: Any, variables: Variables, visibility: Visibility) -> Plan | None:
        """Another request may have had it compiled in the meantime."""
        try:
            return self._plans[key]
        except KeyError:
            return self.compile(variables, visibility)

    def compile(self, variables: Variables, visibility: Visibility) -> Plan | None:
        """A new plan; None where the operation cannot be compiled."""
        conditions = {name: variables.coerced[name] for name in self._conditions if name in variables.coerced}
        planner = Planner(self._graph, self._document, conditions, visibility, sqlite=self._sqlite)
        operation = self._operation
        root = self._graph._schema.get_root_type(operation.operation)
        assert root is not None
        try:
            step: ObjectStep | MutationStep
            if operation.operation is OperationType.MUTATION:
                step = mutation_step(planner, root, operation)
            else:
                step = planner.operation(root, operation)
        except (FallbackRequired, RecursionError) as reason:
            log.debug("not compiled", reason=str(reason))
            return None
        return Plan(step, True if step.statements <= 1 else None, PLAN_BYTES + WORK_BYTES * planner.selections.work)


def condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """The variables that @skip and @include depend on."""
    names: dict[str, None] = {}
    waiting: list[Any] = list(document.definitions)
    while waiting:
        node = waiting.pop()
        for directive in node.directives or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names[argument.value.name.value] = None
        if (selected := getattr(node, "selection_set", None)) is not None:
            waiting.extend(selected.selections)
    return tuple(names)


class PlanRunner:
    """Runs plans on one database. `served` counts operations answered by plan, `left` all others by reason."""

    def __init__(self, pool: ReadPool, *, sqlite: bool, answer_limit: int) -> None:
        self._pool, self._sqlite, self._answer_limit = pool, sqlite, answer_limit
        self.served = 0
        self.left: Counter[str] = Counter()

    async def data(
        self,
        operation: "PreparedOperation",
        info: RequestInfo,
        root: Any = None,
        perform: PerformMutation | None = None,
    ) -> bytes | None:
        """The operation's `data` as JSON; None where graphql-core must execute it, also after `perform` has run.

        graphql-core executes whatever has an error, since its errors have paths. Raises OperationStopped, and what the
        driver raises where the database is not available.
        """
        try:
            data = await self._run(operation, info, root, perform)
        except FallbackRequired as reason:
            self.left[str(reason)] += 1
            return None
        except (RequestError, GraphQLError) as error:
            self.left[type(error).__name__] += 1
            return None
        except (OperationStopped, TooMuchRead):
            raise OperationStopped(ErrorCode.TOO_LARGE) from None
        except Exception as error:
            self.left[type(error).__name__] += 1
            if is_outage(error):
                raise  # graphql-core would only ask the same database again
            log.warning("a plan failed", error=type(error).__name__)
            return None
        self.served += 1
        return data

    async def _run(
        self, operation: "PreparedOperation", info: RequestInfo, root: Any, perform: PerformMutation | None
    ) -> bytes:
        plans = operation.parsed.plans
        coerced = plans.variables(operation.variables) if plans.variables else NO_VARIABLES
        plan = await plans.plan(coerced, info.viewer.visibility)
        step, heavy = plan.root, operation.cost > HEAVY_COST
        if isinstance(step, MutationStep):
            assert perform is not None
            state = ExecutionState(coerced, DriverReader(info, unread, sqlite=self._sqlite))
            # Those of a thousand rows take longer than others may wait.
            arguments = await in_background(step.arguments, state) if heavy else step.arguments(state)
            root = await perform(step.field, arguments)
        limit = self._answer_limit
        size = AnswerSize(limit) if heavy else None

        async def work(fetch: Fetch) -> bytes:
            if plan.single is None:
                fetch = plan.counting(fetch)
            reader = DriverReader(info, fetch, sqlite=self._sqlite)
            [result] = await step.run(ExecutionState(coerced, reader, limit, size), [root])
            if info.known.checked and not plan.single:
                plan.single = None
            data = orjson.dumps(result)
            if len(data) > limit:
                raise OperationStopped(ErrorCode.TOO_LARGE)
            return data

        if heavy:
            return await self._pool.read_much(work, READ_FACTOR * limit)
        try:
            return await self._pool.read(work, single=bool(plan.single))
        except MultipleStatements:
            # A statement that looked for named rows does not count: the next execution does without it.
            plan.single = plan.single if info.known.checked else False
            return await self._pool.read(work)


async def unread(text: str, arguments: list[Any], keys: int | None) -> list[Any]:
    """The `fetch` of a mutation's arguments: no connection is held while the action runs."""
    raise FallbackRequired("arguments that must be read")
