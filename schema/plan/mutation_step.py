"""The answer of a mutation: what the action gave is the plain value that the plan begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLObjectType, OperationDefinitionNode

from schema.fields.mutation import PerformAction
from schema.fields.source import LoadField
from schema.plan.fallback import FallbackRequired
from schema.plan.planner import Planner
from schema.plan.steps import ArgumentPlan, ExecutionState, Step


@dataclass(eq=False)
class MutationStep:
    """The only field of a mutation, under its response key; `shape` is of what its action gives."""

    key: str
    field: LoadField
    given: ArgumentPlan
    shape: Step

    @property
    def statements(self) -> int:
        return self.shape.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        return [{self.key: value} for value in await self.shape.run(state, rows)]


def mutation_step(compiler: Planner, root: GraphQLObjectType, operation: OperationDefinitionNode) -> MutationStep:
    """Raises Leave where several actions are to be done one after the other: graphql-core does that."""
    fields = compiler.collect(root, [operation.selection_set])
    if len(fields) != 1:
        raise FallbackRequired("not one action")
    [(key, nodes)] = fields.items()
    definition = root.fields.get(nodes[0].name.value)
    field = None if definition is None else definition.extensions["strawberry-definition"]
    if definition is None or not isinstance(field, LoadField) or not isinstance(field.source, PerformAction):
        raise FallbackRequired("no action")
    given = compiler.arguments(root, field, nodes[0])
    return MutationStep(key, field, given, compiler.shape(definition.type, nodes, None))
