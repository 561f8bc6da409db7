"""Arguments and variables, read the short way where they are plain scalars; all else is read by the libraries.

Their own ways are general and look at each value anew: for a small query that is a third of all the work.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLSchema,
    ObjectValueNode,
    Undefined,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    type_from_ast,
    value_from_ast,
    visit,
)
from graphql.execution.values import get_argument_values, get_variable_values
from strawberry.types.arguments import StrawberryArgument, convert_argument, convert_arguments

from schema.build import Graph
from schema.fields.source import graph_type
from schema.plan.fallback import FallbackRequired

# By scalar, of which Python type a JSON value is that means itself.
PLAIN: dict[str, type] = {"ID": str, "String": str, "Boolean": bool, "Int": int, "Float": float}
INT_LIMIT = 2**31
ABSENT = object()

Value = Callable[[Mapping[str, Any]], Any]  # from variables to the argument, or ABSENT


def named_variables(node: Any) -> set[str]:
    """The variables in a part of a document."""
    found: set[str] = set()

    class Variables(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            found.add(node.name.value)

    visit(node, Variables())
    return found


class Variables:
    """The variables of one execution; `coerced` by name, those left out missing."""

    __slots__ = ("_full", "_make", "coerced")

    def __init__(self, coerced: Mapping[str, Any], make: Callable[[], Any]) -> None:
        self.coerced, self._make, self._full = coerced, make, None

    @property
    def full(self) -> Any:
        """As graphql-core has them. Raises Leave."""
        if self._full is None:
            self._full = self._make()
        return self._full


class VariableCoercion:
    """What makes variables of what a client sent with an operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self._schema, self._definitions = schema, definitions
        self._plain: list[tuple[str, bool, type]] | None = []
        for definition in definitions:
            of: Any = type_from_ast(schema, definition.type)
            required = isinstance(of, GraphQLNonNull)
            kind = PLAIN.get(getattr(of.of_type if required else of, "name", ""))
            if kind is None or definition.default_value is not None:
                self._plain = None
                break
            self._plain.append((definition.variable.name.value, required, kind))

    def __call__(self, given: Mapping[str, Any]) -> Variables:
        """Raises Leave for what does not fit."""
        coerced = self._short(given)
        if coerced is not None:
            return Variables(coerced, lambda: self._general(given))
        full = self._general(given)
        return Variables(full.coerced, lambda: full)

    def _short(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        if self._plain is None:
            return None
        coerced = {}
        for name, required, kind in self._plain:
            if name not in given:
                if required:
                    return None
                continue
            value = given[name]
            if type(value) is not kind and (value is not None or required):
                return None
            if isinstance(value, int) and not -INT_LIMIT <= value < INT_LIMIT:
                return None
            coerced[name] = value
        return coerced

    def _general(self, given: Mapping[str, Any]) -> Any:
        # One error is enough: all of them are told by graphql-core.
        found = get_variable_values(self._schema, self._definitions, dict(given), max_errors=0)
        if isinstance(found, list):
            raise FallbackRequired("variables that do not fit")
        return found


class ArgumentReader:
    """Makes the arguments of fields."""

    def __init__(self, graph: Graph) -> None:
        self._registry, self._config = graph.schema_converter.scalar_registry, graph.config

    def general(
        self, definition: GraphQLField, declared: list[StrawberryArgument], node: FieldNode, variables: Any
    ) -> dict[str, Any]:
        values = get_argument_values(definition, node, variables)
        return convert_arguments(values, declared, scalar_registry=self._registry, config=self._config)

    def short(
        self, definition: GraphQLField, declared: list[StrawberryArgument], node: FieldNode
    ) -> dict[str, Value] | None:
        """By the declaration's names, what makes each value; None where one of them needs the general way."""
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        made = {}
        for argument in declared:
            name = self._config.name_converter.get_graphql_name(argument)
            of: GraphQLArgument = definition.args[name]
            if name not in given:
                if of.default_value is not Undefined:
                    return None
                continue
            value = self._value(given[name], of.type, argument.type)
            if value is None:
                return None
            made[argument.python_name] = value
        return made

    def _constant(self, node: Any, of: Any, declared: Any) -> Value:
        value = value_from_ast(node, of)
        if value is Undefined:
            raise FallbackRequired("a value that does not fit")
        made = convert_argument(value, declared, scalar_registry=self._registry, config=self._config)
        return lambda variables: made

    def _value(self, node: Any, of: Any, declared: Any) -> Value | None:
        if not named_variables(node):
            return self._constant(node, of, declared)
        required = isinstance(of, GraphQLNonNull)
        inner = of.of_type if required else of
        if isinstance(node, VariableNode):
            plain = getattr(inner, "name", None) in PLAIN
            return variable(node.name.value, required=required) if plain else None
        if isinstance(node, ObjectValueNode) and isinstance(inner, GraphQLInputObjectType):
            return self._object(node, inner, graph_type(declared))
        return None

    def _object(self, node: ObjectValueNode, of: GraphQLInputObjectType, declared: Any) -> Value | None:
        given = {field.name.value: field.value for field in node.fields}
        made: dict[str, Value] = {}
        for field in declared.__strawberry_definition__.fields:
            name = self._config.name_converter.get_graphql_name(field)
            if name not in given:
                if of.fields[name].default_value is not Undefined:
                    return None
                continue
            value = self._value(given[name], of.fields[name].type, field.type)
            if value is None:
                return None
            made[field.python_name] = value
        one_of = of.is_one_of

        def build(variables: Mapping[str, Any]) -> Any:
            values = evaluate(made, variables)
            if one_of and (len(values) != 1 or None in values.values()):
                raise FallbackRequired("not one of them")
            return declared(**values)

        return build


def variable(name: str, *, required: bool) -> Value:
    def value(variables: Mapping[str, Any]) -> Any:
        found = variables.get(name, ABSENT)
        if required and (found is None or found is ABSENT):
            raise FallbackRequired("a null where none may be")
        return found

    return value


def evaluate(made: Mapping[str, Value], variables: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, make in made.items():
        value = make(variables)
        if value is not ABSENT:
            values[name] = value
    return values
