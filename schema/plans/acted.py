"""The answer of a mutation: what the action gave is the plain value that the plan begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLObjectType, OperationDefinitionNode

from schema.declare import LoadField
from schema.mutation import Perform
from schema.plans.compiler import Compiler
from schema.plans.leaves import Leave
from schema.plans.parts import Given, Part, State


@dataclass(eq=False)
class Acted:
    """The only field of a mutation, under its response key; `shape` is of what its action gives."""

    key: str
    field: LoadField
    given: Given
    shape: Part

    @property
    def statements(self) -> int:
        return self.shape.statements

    async def run(self, state: State, rows: Sequence[Any]) -> Sequence[Any]:
        return [{self.key: value} for value in await self.shape.run(state, rows)]


def acted(compiler: Compiler, root: GraphQLObjectType, operation: OperationDefinitionNode) -> Acted:
    """Raises Leave where several actions are to be done one after the other: graphql-core does that."""
    fields = compiler.collect(root, [operation.selection_set])
    if len(fields) != 1:
        raise Leave("not one action")
    [(key, nodes)] = fields.items()
    definition = root.fields.get(nodes[0].name.value)
    field = None if definition is None else definition.extensions["strawberry-definition"]
    if definition is None or not isinstance(field, LoadField) or not isinstance(field.load, Perform):
        raise Leave("no action")
    given = compiler.arguments(root, field, nodes[0])
    return Acted(key, field, given, compiler.shape(definition.type, nodes, None))
