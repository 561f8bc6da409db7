"""The plans of one operation."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import (
    DirectiveNode,
    DocumentNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)

from models.db.read_pool import Fetch
from models.visibility import Visibility
from schema.build import Graph
from schema.plan.fallback import FallbackRequired
from schema.plan.mutation_step import MutationStep, mutation_step
from schema.plan.planner import Planner
from schema.plan.steps import ObjectStep
from schema.plan.variables import VariableCoercion, Variables

log = structlog.get_logger(__name__)

PLANS_MAXIMUM = 40  # of one operation


@dataclass(slots=True)
class Plan:
    """A compiled operation.

    `single` says that it runs one statement at most; None while that is not known. What was learned from one execution
    may be wrong for other variables, once.
    """

    root: ObjectStep | MutationStep
    single: bool | None

    def counting(self, fetch: Fetch) -> Fetch:
        """`fetch`, which sets `single` where that is not known yet."""
        if self.single is not None:
            return fetch
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
        self.variables = VariableCoercion(graph._schema, operation.variable_definitions or ())
        self._graph, self._document, self._operation, self._sqlite = graph, document, operation, sqlite
        self._conditions = condition_variables(document)
        self._plans: dict[Any, Plan | None] = {}  # None where the operation cannot be compiled

    def plan(self, variables: Variables, visibility: Visibility) -> Plan:
        """The plan, compiled on first use. Raises FallbackRequired where the operation cannot be compiled."""
        coerced = variables.coerced
        key = (visibility.role, visibility.scopes, *[coerced.get(name) for name in self._conditions])
        if key not in self._plans:
            if len(self._plans) >= PLANS_MAXIMUM:
                self._plans.clear()
            self._plans[key] = self._compile(variables, visibility)
        plan = self._plans[key]
        if plan is None:
            raise FallbackRequired("not compiled")
        return plan

    def _compile(self, variables: Variables, visibility: Visibility) -> Plan | None:
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
        except FallbackRequired as reason:
            log.debug("not compiled", reason=str(reason))
            return None
        return Plan(step, True if step.statements <= 1 else None)


def condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """The variables that @skip and @include depend on."""
    names: dict[str, None] = {}

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names[argument.value.name.value] = None

    visit(document, Conditions())
    return tuple(names)
