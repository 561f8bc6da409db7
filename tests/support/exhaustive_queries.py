"""Operations that select everything, generated from the schema, so that they include new fields at once.

Each field has an alias with its type's name, since fields of the same name may differ among the members of a union.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from schema.build import Graph
from tests.conftest import TODAY

FEW = 3
# Values of arguments by name or type. A required list of enum members gets all of them; other arguments are left out.
ARGUMENTS = {
    "point": "{latitude: 30.2, longitude: 120.3}",
    "Window": f'{{from: "{TODAY}", to: "{TODAY}"}}',
    "BoxInput": "{west: 119, south: 29, east: 121, north: 31}",
    "zoom": "9",
    "points": "60",
    "HazardDimension": "[CATEGORY ENTERPRISE MONTH]",
    "InspectionDimension": "[KIND ENTERPRISE MONTH]",
    "CaseDimension": "[STATUS ENTERPRISE MONTH]",
    "EnterpriseDimension": "[INDUSTRY TOWN MONTH]",
    "CountOrder": "COUNT",
    "sha256": f'["{"0" * 64}"]',
}


class ExhaustiveQueries:
    """Selections of all fields within a depth. `arguments` has more values of arguments, by name or type."""

    def __init__(self, graph: Graph, arguments: Mapping[str, str] | None = None, few: int = FEW) -> None:
        self.graph, self.few = graph, few
        self._values = {**ARGUMENTS, **(arguments or {})}

    def operations(self, depth: int) -> dict[str, str]:
        """By field of Query, an operation that selects it and everything within `depth` rows below it."""
        root = self.graph._schema.query_type
        assert root is not None
        return {name: f"{{ {self.field(root, name, depth)} }}" for name in root.fields}

    def field(self, of: Any, name: str, depth: int) -> str:
        """The field with its arguments and everything below it; empty if that is too deep."""
        field = of.fields[name]
        target = get_named_type(field.type)
        selected = f"{of.name}_{name}: {name}{self._arguments(field.args)}"
        if is_leaf_type(target):
            return selected
        inner = self.selection(target, depth)
        return f"{selected} {{ {inner} }}" if inner else ""

    def selection(self, of: Any, depth: int) -> str:
        """Everything of a type, down to `depth` rows below it."""
        if isinstance(of, GraphQLUnionType | GraphQLInterfaceType):
            members = self.graph._schema.get_possible_types(of)
            objects = [f"... on {m.name} {{ {inner} }}" for m in members if (inner := self.selection(m, depth))]
            return " ".join(["__typename", *objects]) if objects else ""
        if of.name.endswith("Connection"):
            inner = self.selection(get_named_type(of.fields["nodes"].type), depth)
            shallow = self.selection(get_named_type(of.fields["nodes"].type), min(depth, 1))
            page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
            return f"nodes {{ {inner} }} edges {{ cursor node {{ {shallow} }} }} {page}" if inner else "totalCount"
        remaining = depth - 1 if is_row(of) else depth
        if remaining < 0:
            return ""
        return " ".join(["__typename", *filter(None, (self.field(of, name, remaining) for name in of.fields))])

    def _arguments(self, arguments: Mapping[str, GraphQLArgument]) -> str:
        values = []
        for name, argument in arguments.items():
            of = get_named_type(argument.type)
            if name == "first":
                values.append(f"first: {self.few}")
            elif value := self._values.get(name) or self._values.get(of.name):
                values.append(f"{name}: {value}")
            elif is_required_argument(argument) and isinstance(of, GraphQLEnumType):
                values.append(f"{name}: [{' '.join(of.values)}]")
        return f"({' '.join(values)})" if values else ""


def is_row(of: Any) -> bool:
    """Whether a type is of rows, which have global ids."""
    return isinstance(of, GraphQLObjectType) and any(i.name == "Node" for i in of.interfaces)


def scalar_values(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in the data of a response that is neither null nor an object, with the name of its field."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from scalar_values(value, key)
    elif isinstance(data, list):
        for value in data:
            yield from scalar_values(value, name)
    elif data is not None:
        yield name, data
