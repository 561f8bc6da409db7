"""The plan of a mutation: it begins with the plain value that the action returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLObjectType, OperationDefinitionNode

from schema.fields.mutation import PerformAction
from schema.fields.source import LoadField, SelectedField
from schema.plan.fallback import FallbackRequired
from schema.plan.planner import Planner
from schema.plan.steps import ArgumentPlan, ExecutionState, Step


@dataclass(eq=False)
class MutationStep:
    """The only field of a mutation, under its response key; `result` builds the value of what its action returns."""

    key: str
    field: LoadField
    arguments: ArgumentPlan
    result: Step

    @property
    def statements(self) -> int:
        return self.result.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        return [{self.key: value} for value in await self.result.run(state, rows)]


def mutation_step(planner: Planner, root: GraphQLObjectType, operation: OperationDefinitionNode) -> MutationStep:
    """Raises FallbackRequired for several actions: graphql-core performs them one after the other."""
    fields = planner.selections.fields(root, [operation.selection_set])
    if len(fields) != 1:
        raise FallbackRequired("not one action")
    [(key, nodes)] = fields.items()
    definition = root.fields.get(nodes[0].name.value)
    field = None if definition is None else definition.extensions["strawberry-definition"]
    if definition is None or not isinstance(field, LoadField) or not isinstance(field.source, PerformAction):
        raise FallbackRequired("no action")
    arguments = planner.arguments(SelectedField(field, root, definition.type, nodes))
    return MutationStep(key, field, arguments, planner.objects(definition.type, nodes, None))
