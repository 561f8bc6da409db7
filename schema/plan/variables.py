"""The variables of an operation, coerced.

Scalars take a short way: graphql-core's general coercion looks at each value anew, and for a small query that is a
third of all the work. Everything else is left to graphql-core.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLNonNull, GraphQLSchema, VariableDefinitionNode, VariableNode, type_from_ast
from graphql.execution.values import VariableValues, get_variable_values
from graphql.language.ast import QUERY_DOCUMENT_KEYS

from schema.plan.fallback import FallbackRequired

# By scalar: the Python type of the JSON values that need no coercion.
PLAIN_SCALARS: dict[str, type] = {"ID": str, "String": str, "Boolean": bool, "Int": int, "Float": float}
INT_LIMIT = 2**31


def named_variables(node: Any) -> set[str]:
    """The names of the variables in a part of a document."""
    names: set[str] = set()
    if node.loc is not None and node.loc.source.body.find("$", node.loc.start, node.loc.end) < 0:
        return names
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, VariableNode):
            names.add(each.name.value)
            continue
        for key in QUERY_DOCUMENT_KEYS.get(each.kind, ()):  # it has no literals
            below = getattr(each, key)
            if below is not None:
                waiting += below if isinstance(below, list | tuple) else [below]
    return names


class Variables:
    """The variables of one execution. `coerced` has them by name, without those that were left out."""

    __slots__ = ("_full", "_make", "coerced")

    def __init__(self, coerced: Mapping[str, Any], make: Callable[[], Any]) -> None:
        self.coerced, self._make, self._full = coerced, make, None

    @property
    def full(self) -> Any:
        """The variables in graphql-core's form. Raises FallbackRequired."""
        if self._full is None:
            self._full = self._make()
        return self._full


NO_VARIABLES = Variables({}, lambda: VariableValues({}, {}))


class VariableCoercion:
    """Coerces the variables that clients send with one operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self._schema, self._definitions = schema, definitions
        self._plain: list[tuple[str, bool, type]] | None = []
        for definition in definitions:
            graph_type: Any = type_from_ast(schema, definition.type)
            required = isinstance(graph_type, GraphQLNonNull)
            kind = PLAIN_SCALARS.get(getattr(graph_type.of_type if required else graph_type, "name", ""))
            if kind is None or definition.default_value is not None:
                self._plain = None
                break
            self._plain.append((definition.variable.name.value, required, kind))

    def __call__(self, values: Mapping[str, Any]) -> Variables:
        """Raises FallbackRequired for values that do not fit."""
        coerced = self._coerce_scalars(values)
        if coerced is not None:
            return Variables(coerced, lambda: self._coerce(values))
        full = self._coerce(values)
        return Variables(full.coerced, lambda: full)

    def _coerce_scalars(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """None where the general coercion is needed."""
        if self._plain is None:
            return None
        coerced = {}
        for name, required, kind in self._plain:
            if name not in values:
                if required:
                    return None
                continue
            value = values[name]
            if type(value) is not kind and (value is not None or required):
                return None
            if isinstance(value, int) and not -INT_LIMIT <= value < INT_LIMIT:
                return None
            coerced[name] = value
        return coerced

    def _coerce(self, values: Mapping[str, Any]) -> Any:
        # The first error is enough here: graphql-core reports all of them.
        coerced = get_variable_values(self._schema, self._definitions, dict(values), max_errors=0)
        if isinstance(coerced, list):
            raise FallbackRequired("variables that do not fit")
        return coerced
