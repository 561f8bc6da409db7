"""Operations that ask for everything, generated from the schema: a new field is asked for as soon as it is there.

Every field has an alias that names its type, because fields of equal name may differ among the members of a union.
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
# What arguments are given, by name or type; an enum's list is given all of its values, and others are left out.
GIVEN = {"point": "{latitude: 30.2, longitude: 120.3}", "Window": f'{{from: "{TODAY}", to: "{TODAY}"}}'}


class Walk:
    """Selections of everything within reach. `given` has more values of arguments, by name or type."""

    def __init__(self, graph: Graph, given: Mapping[str, str] | None = None, few: int = FEW) -> None:
        self.graph, self.few = graph, few
        self._given = {**GIVEN, **(given or {})}

    def operations(self, depth: int) -> dict[str, str]:
        """By field of Query, an operation that asks for it and for all within so many rows below it."""
        root = self.graph._schema.query_type
        assert root is not None
        return {name: f"{{ {self.field(root, name, depth)} }}" for name in root.fields}

    def field(self, of: Any, name: str, depth: int) -> str:
        """The field with its arguments and, of what it leads to, everything; empty where that is too deep."""
        field = of.fields[name]
        target = get_named_type(field.type)
        shown = f"{of.name}_{name}: {name}{self._arguments(field.args)}"
        if is_leaf_type(target):
            return shown
        inner = self.selection(target, depth)
        return f"{shown} {{ {inner} }}" if inner else ""

    def selection(self, of: Any, depth: int) -> str:
        """Everything of a type, rows down to `depth` below."""
        if isinstance(of, GraphQLUnionType | GraphQLInterfaceType):
            members = self.graph._schema.get_possible_types(of)
            found = [f"... on {m.name} {{ {inner} }}" for m in members if (inner := self.selection(m, depth))]
            return " ".join(["__typename", *found]) if found else ""
        if of.name.endswith("Connection"):
            inner = self.selection(get_named_type(of.fields["nodes"].type), depth)
            shallow = self.selection(get_named_type(of.fields["nodes"].type), min(depth, 1))
            page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
            return f"nodes {{ {inner} }} edges {{ cursor node {{ {shallow} }} }} {page}" if inner else "totalCount"
        left = depth - 1 if is_row(of) else depth
        if left < 0:
            return ""
        return " ".join(["__typename", *filter(None, (self.field(of, name, left) for name in of.fields))])

    def _arguments(self, arguments: Mapping[str, GraphQLArgument]) -> str:
        given = []
        for name, argument in arguments.items():
            of = get_named_type(argument.type)
            if name == "first":
                given.append(f"first: {self.few}")
            elif value := self._given.get(name) or self._given.get(of.name):
                given.append(f"{name}: {value}")
            elif is_required_argument(argument) and isinstance(of, GraphQLEnumType):
                given.append(f"{name}: [{' '.join(of.values)}]")
        return f"({' '.join(given)})" if given else ""


def is_row(of: Any) -> bool:
    """Whether the type is of rows: what has a global id."""
    return isinstance(of, GraphQLObjectType) and any(i.name == "Node" for i in of.interfaces)


def leaves(found: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in an answer that is neither null nor an object, with the name under which it stands."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from leaves(value, name)
    elif isinstance(found, list):
        for value in found:
            yield from leaves(value, within)
    elif found is not None:
        yield within, found
