"""The arguments of a field, as the Python values that its source takes.

Arguments made of plain scalar variables are read by functions that are made once for a plan. graphql-core and
Strawberry read the others: their general ways look at each value anew, which for a small query is a third of all the
work.
"""

from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLInputObjectType,
    GraphQLNonNull,
    ObjectValueNode,
    Undefined,
    VariableNode,
    value_from_ast,
)
from graphql.execution.values import get_argument_values
from strawberry.types.arguments import convert_argument, convert_arguments

from schema.fields.source import SelectedField, graph_type
from schema.plan.fallback import FallbackRequired
from schema.plan.steps import ArgumentPlan
from schema.plan.variables import PLAIN_SCALARS, named_variables

ABSENT = object()  # the argument is left out

ArgumentValue = Callable[[Mapping[str, Any]], Any]  # from coerced variables to the argument, or ABSENT


class ArgumentReader:
    """Reads the arguments of fields of one schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._scalars, self._config = schema.schema_converter.scalar_registry, schema.config

    def plan(self, selected: SelectedField) -> ArgumentPlan:
        """The arguments that the field's source declares: read once if no variable is among them."""
        definition = selected.parent.fields[selected.node.name.value]
        if not definition.args:
            return ArgumentPlan({})
        if not any(named_variables(argument) for argument in selected.node.arguments or ()):
            return ArgumentPlan(self._general(selected, None))
        values = self._short(selected)
        if values is not None:
            return ArgumentPlan(None, lambda state: evaluate(values, state.variables.coerced))
        return ArgumentPlan(None, lambda state: self._general(selected, state.variables.full))

    def _general(self, selected: SelectedField, variables: Any) -> dict[str, Any]:
        values = get_argument_values(selected.parent.fields[selected.node.name.value], selected.node, variables)
        declared = selected.field.arguments
        return convert_arguments(values, declared, scalar_registry=self._scalars, config=self._config)

    def _short(self, selected: SelectedField) -> dict[str, ArgumentValue] | None:
        """By Python name, a function for each argument; None where one of them needs the general way."""
        definition = selected.parent.fields[selected.node.name.value]
        nodes = {argument.name.value: argument.value for argument in selected.node.arguments or ()}
        values = {}
        for argument in selected.field.arguments:
            name = self._config.name_converter.get_graphql_name(argument)
            graphql_argument: GraphQLArgument = definition.args[name]
            if name not in nodes:
                if graphql_argument.default_value is not Undefined:
                    return None
                continue
            value = self._value(nodes[name], graphql_argument.type, argument.type)
            if value is None:
                return None
            values[argument.python_name] = value
        return values

    def _value(self, node: Any, input_type: Any, declared: Any) -> ArgumentValue | None:
        if not named_variables(node):
            return self._constant(node, input_type, declared)
        required = isinstance(input_type, GraphQLNonNull)
        inner = input_type.of_type if required else input_type
        if isinstance(node, VariableNode):
            plain = getattr(inner, "name", None) in PLAIN_SCALARS
            return variable(node.name.value, required=required) if plain else None
        if isinstance(node, ObjectValueNode) and isinstance(inner, GraphQLInputObjectType):
            return self._object(node, inner, graph_type(declared))
        return None

    def _constant(self, node: Any, input_type: Any, declared: Any) -> ArgumentValue:
        value = value_from_ast(node, input_type)
        if value is Undefined:
            raise FallbackRequired("a value that does not fit")
        converted = convert_argument(value, declared, scalar_registry=self._scalars, config=self._config)
        return lambda variables: converted

    def _object(self, node: ObjectValueNode, input_type: GraphQLInputObjectType, declared: Any) -> ArgumentValue | None:
        nodes = {field.name.value: field.value for field in node.fields}
        values: dict[str, ArgumentValue] = {}
        for field in declared.__strawberry_definition__.fields:
            name = self._config.name_converter.get_graphql_name(field)
            if name not in nodes:
                if input_type.fields[name].default_value is not Undefined:
                    return None
                continue
            value = self._value(nodes[name], input_type.fields[name].type, field.type)
            if value is None:
                return None
            values[field.python_name] = value
        one_of = input_type.is_one_of

        def build(variables: Mapping[str, Any]) -> Any:
            arguments = evaluate(values, variables)
            if one_of and (len(arguments) != 1 or None in arguments.values()):
                raise FallbackRequired("not one of them")
            return declared(**arguments)

        return build


def variable(name: str, *, required: bool) -> ArgumentValue:
    def value(variables: Mapping[str, Any]) -> Any:
        argument = variables.get(name, ABSENT)
        if required and (argument is None or argument is ABSENT):
            raise FallbackRequired("a null where none may be")
        return argument

    return value


def evaluate(values: Mapping[str, ArgumentValue], variables: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name, without those that are left out."""
    arguments = {}
    for name, value in values.items():
        argument = value(variables)
        if argument is not ABSENT:
            arguments[name] = argument
    return arguments
