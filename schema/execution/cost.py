"""How many rows an operation may read at most, computed from the sizes of its pages before anything is read.

Nested pages multiply: a thousand enterprises with a thousand hazards each are a million rows, and everybody else waits
while they are read. A single row counts as nothing, a list without a size as a few. Sizes may be variables, so the cost
is a sum of products: made once for an operation, and evaluated for each request.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNonNull,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

from resolvers.sql.pagination import PAGE_DEFAULT, PAGE_MAXIMUM
from schema.build import Graph

ROWS_MAXIMUM = 500_000
FEW = 5  # rows of a list without a size
SIZES = ("first", "last", "ids", "kinds")  # arguments that give the number of rows, or of groups of rows

Terms = Counter[tuple[str, ...]]  # by the variables of a product, its factor


@dataclass(frozen=True)
class RowCost:
    """The rows that an operation may read. `defaults` are those of its variables."""

    terms: Terms
    defaults: Mapping[str, int]

    def count(self, variables: Mapping[str, Any]) -> int:
        """The number of rows for these variables."""
        total = 0
        for names, times in self.terms.items():
            for name in names:
                times *= page_size(variables.get(name, self.defaults.get(name)))
            total += times
        return total

    def may_exceed(self) -> bool:
        """Whether the limit can be exceeded, by variables or by the document itself."""
        return any(self.terms) or self.excess({}) is not None

    def excess(self, variables: Mapping[str, Any]) -> str | None:
        """The message for a client where the operation may read too many rows."""
        count = self.count(variables)
        if count <= ROWS_MAXIMUM:
            return None
        return (
            f"The operation may read {count:,} rows, because nested pages multiply. The limit is {ROWS_MAXIMUM:,}."
            " Ask for smaller pages."
        )


def page_size(size: Any) -> int:
    """The number of rows for a size. Invalid sizes count as the default; they are refused where they are used."""
    if isinstance(size, list):
        return len(size)
    return min(max(size, 1), PAGE_MAXIMUM) if type(size) is int else PAGE_DEFAULT


def row_cost(graph: Graph, document: DocumentNode, operation: OperationDefinitionNode) -> RowCost:
    """The cost of a valid operation, which is within the limits of schema/execution/limits.py when expanded."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    root = graph._schema.get_root_type(operation.operation)
    defaults = {
        definition.variable.name.value: int(definition.default_value.value)
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode)
    }
    return RowCost(CostCalculator(graph, fragments).of(root, operation.selection_set), defaults)


class CostCalculator:
    """Adds up selections, with fragments expanded where they are spread."""

    def __init__(self, graph: Graph, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._types, self._fragments = graph._schema.type_map, fragments

    def of(self, parent: Any, selections: SelectionSetNode | None) -> Terms:
        """The cost of one object of a type."""
        terms = Terms()
        for node in selections.selections if selections else ():
            inner: Any = node
            if isinstance(node, FragmentSpreadNode):
                inner = self._fragments[node.name.value]
            if isinstance(node, FieldNode):
                if node.selection_set and not node.name.value.startswith("__"):
                    terms += self._field(parent, node)
            elif inner.type_condition is None:
                terms += self.of(parent, inner.selection_set)
            else:
                terms += self.of(self._types[inner.type_condition.name.value], inner.selection_set)
        return terms

    def _field(self, parent: Any, node: FieldNode) -> Terms:
        field = parent.fields[node.name.value]
        graph_type, arguments = get_named_type(field.type), {a.name.value: a.value for a in node.arguments or ()}
        inner = self.of(graph_type, node.selection_set)
        is_list = isinstance(field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type, GraphQLList)
        if is_list and not is_leaf_type(graph_type):
            inner[()] += 1
        if parent.name.endswith(("Connection", "Edge")) or not (is_list or "first" in field.args):
            return inner  # the connection itself has the size
        sizes = [arguments[name] for name in SIZES if name in arguments]
        factors = [size for value in sizes if (size := factor(value)) is not None]
        if not factors or ("first" in field.args and not {"first", "last"} & arguments.keys()):
            factors.append((PAGE_DEFAULT if "first" in field.args else FEW, ()))
        for times, names in factors:
            inner = Terms({tuple(sorted((*product, *names))): n * times for product, n in inner.items()})
        return inner


def factor(value: ValueNode) -> tuple[int, tuple[str, ...]] | None:
    """What a size multiplies by: a number and the variables, if any. None for null."""
    match value:
        case VariableNode():
            return 1, (value.name.value,)
        case IntValueNode():
            return page_size(int(value.value)), ()
        case ListValueNode():
            return len(value.values), ()
    return None
