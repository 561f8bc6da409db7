"""Plans, kept by document and visibility, and run."""

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)

from models.db.read_pool import Fetch, MultipleStatements, ReadPool, Work
from models.visibility import Visibility
from resolvers.errors import RequestError
from resolvers.sql.readers import DriverReader, RequestInfo
from schema.build import Graph
from schema.execution import cost
from schema.fields.source import LoadField
from schema.plan.arguments import VariableCoercion, Variables
from schema.plan.fallback import FallbackRequired
from schema.plan.mutation_step import MutationStep, mutation_step
from schema.plan.planner import Planner, SelectionPlanner
from schema.plan.steps import ExecutionState, ObjectStep

log = structlog.get_logger(__name__)

# What carries out a mutation: from its field and arguments to what it gives.
PerformMutation = Callable[[LoadField, dict[str, Any]], Awaitable[Any]]

OPERATIONS_KEPT = 1_000
PLANS_KEPT = 40  # of one operation, by visibility and by what its @skip and @include depend on


@dataclass
class Plan:
    """A compiled operation.

    `single`: it runs one statement at most; None while that is not known. What is known only from having been run may
    prove wrong with other variables, once.
    """

    root: ObjectStep | MutationStep
    single: bool | None

    def counting(self, fetch: Fetch) -> Fetch:
        """Takes note of how many statements it runs."""
        if self.single is not None:
            return fetch
        count = 0

        def counted(text: str, arguments: list[Any], keys: int | None) -> Awaitable[Sequence[Any]]:
            nonlocal count
            count += 1
            self.single = count == 1
            return fetch(text, arguments, keys)

        return counted


class CachedOperation:
    """An operation of a valid document, with its plans; None stands for what cannot be compiled."""

    def __init__(self, graph: Graph, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.document, self.operation = document, operation
        self.coercion = VariableCoercion(graph._schema, operation.variable_definitions or ())
        self.conditions, self.rows = conditions(document), cost.row_cost(graph, document, operation)
        self.plans: dict[Any, Plan | None] = {}


class PlanCache:
    """The plans of one graph. `served` and `left` count what was answered by plan, and what was not and why."""

    def __init__(self, graph: Graph, held: ReadPool, *, sqlite: bool) -> None:
        self._graph, self._pool, self._sqlite = graph, held, sqlite
        self._known: OrderedDict[tuple[str, str | None], CachedOperation] = OrderedDict()
        self.served = 0
        self.left: Counter[str] = Counter()

    def known(self, text: str, name: str | None) -> CachedOperation | None:
        """An operation that was asked before."""
        key = text, name
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def learn(
        self, text: str, name: str | None, document: DocumentNode, operation: OperationDefinitionNode
    ) -> CachedOperation:
        """The same, whether it was or not. The document is valid."""
        found = self.known(text, name) or CachedOperation(self._graph, document, operation)
        if (text, name) not in self._known:
            self._known[text, name] = found
            if len(self._known) > OPERATIONS_KEPT:
                self._known.popitem(last=False)
        return found

    async def data(
        self,
        known: CachedOperation,
        variables: dict[str, Any],
        moment: RequestInfo,
        root: Any = None,
        act: PerformMutation | None = None,
    ) -> bytes:
        """The operation's `data` as JSON. Raises Leave where graphql-core must answer, also after a mutation's act."""
        try:
            if known.rows.excess(variables) is not None:
                raise FallbackRequired("too many rows")
            given = known.coercion(variables)
            plan = self._plan(known, given, moment.viewer.visibility)
            top = plan.root
            if isinstance(top, MutationStep):
                if act is None:
                    raise FallbackRequired("nobody acts")
                root = await act(
                    top.field, top.given(ExecutionState(given, DriverReader(moment, unread, sqlite=self._sqlite)))
                )

            async def run(fetch: Fetch) -> bytes:
                reader = DriverReader(moment, plan.counting(fetch), sqlite=self._sqlite)
                [made] = await top.run(ExecutionState(given, reader), [root])
                return orjson.dumps(made)

            found = await self._read(plan, run)
        except (FallbackRequired, RequestError, GraphQLError) as reason:
            # Whatever has an error: graphql-core tells of it with its path.
            self.left[str(reason) if isinstance(reason, FallbackRequired) else type(reason).__name__] += 1
            raise FallbackRequired from None
        except Exception as error:
            self.left[type(error).__name__] += 1
            log.warning("a plan failed", error=type(error).__name__)
            raise FallbackRequired from None
        self.served += 1
        return found

    async def _read(self, plan: Plan, run: Work[bytes]) -> bytes:
        try:
            return await self._pool.read(run, single=bool(plan.single))
        except MultipleStatements:
            plan.single = False
            return await self._pool.read(run)

    def _plan(self, known: CachedOperation, variables: Variables, visibility: Visibility) -> Plan:
        holds = [variables.coerced.get(name) for name in known.conditions]
        # Which enterprise it is, is a parameter.
        key = (visibility.role, visibility.scopes, *holds)
        if key not in known.plans:
            if len(known.plans) >= PLANS_KEPT:
                known.plans.clear()
            try:
                made = self._compiled(known, variables, visibility)
                known.plans[key] = Plan(made, True if made.statements <= 1 else None)
            except FallbackRequired as reason:
                log.debug("not compiled", reason=str(reason))
                known.plans[key] = None
        plan = known.plans[key]
        if plan is None:
            raise FallbackRequired("not compiled")
        return plan

    def _compiled(
        self, known: CachedOperation, variables: Variables, visibility: Visibility
    ) -> ObjectStep | MutationStep:
        holds = {name: variables.coerced[name] for name in known.conditions if name in variables.coerced}
        compiler = Planner(self._graph, known.document, holds, visibility, sqlite=self._sqlite)
        root = self._graph._schema.get_root_type(known.operation.operation)
        assert root is not None
        if known.operation.operation is OperationType.MUTATION:
            return mutation_step(compiler, root, known.operation)
        return SelectionPlanner(compiler, root, compiler.collect(root, [known.operation.selection_set]), None).made()


async def unread(text: str, arguments: list[Any], keys: int | None) -> list[Any]:
    """For what reads nothing yet: no connection is held while a mutation acts."""
    raise FallbackRequired("arguments that must be read")


def conditions(document: DocumentNode) -> tuple[str, ...]:
    """The variables on which @skip and @include depend."""
    found: dict[str, None] = {}

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    found[argument.value.name.value] = None

    visit(document, Conditions())
    return tuple(found)
