"""How many rows an operation may read at the most, told from the sizes of its pages before anything is read.

Pages within pages multiply: a thousand enterprises with a thousand hazards each are a million rows, and whoever asks
for them makes everybody else wait. A single row counts as nothing, a list without a size as a few. Sizes may be
variables, so what an operation may read is a sum of products: made once, and its value told for each execution.
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
FEW = 5  # in a list without a size
SIZES = ("first", "last", "ids", "kinds")  # arguments that say how many, or of how many

Terms = Counter[tuple[str, ...]]  # by the variables that are multiplied, how often their product counts


@dataclass(frozen=True)
class RowCost:
    """What an operation may read. `defaults` are those of its variables."""

    terms: Terms
    defaults: Mapping[str, int]

    def count(self, variables: Mapping[str, Any]) -> int:
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
        """What is too much about it."""
        count = self.count(variables)
        if count <= ROWS_MAXIMUM:
            return None
        return (
            f"The operation may read {count:,} rows, since pages within pages multiply; it may have {ROWS_MAXIMUM:,} at"
            " the most. Ask for smaller pages."
        )


def page_size(size: Any) -> int:
    """How many a size stands for; what is none is refused where it is read."""
    if isinstance(size, list):
        return len(size)
    return min(max(size, 1), PAGE_MAXIMUM) if type(size) is int else PAGE_DEFAULT


def row_cost(graph: Graph, document: DocumentNode, operation: OperationDefinitionNode) -> RowCost:
    """Of a valid operation, whose selections are not too many with all fragments written out (schema/bounds.py)."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    root = graph._schema.get_root_type(operation.operation)
    defaults = {
        definition.variable.name.value: int(definition.default_value.value)
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode)
    }
    return RowCost(CostCalculator(graph, fragments).of(root, operation.selection_set), defaults)


class CostCalculator:
    """Adds up selections, fragments where they are spread."""

    def __init__(self, graph: Graph, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._types, self._fragments = graph._schema.type_map, fragments

    def of(self, parent: Any, selections: SelectionSetNode | None) -> Terms:
        """Of one object of a type."""
        found = Terms()
        for node in selections.selections if selections else ():
            inner: Any = node
            if isinstance(node, FragmentSpreadNode):
                inner = self._fragments[node.name.value]
            if isinstance(node, FieldNode):
                if node.selection_set and not node.name.value.startswith("__"):
                    found += self._field(parent, node)
            elif inner.type_condition is None:
                found += self.of(parent, inner.selection_set)
            else:
                found += self.of(self._types[inner.type_condition.name.value], inner.selection_set)
        return found

    def _field(self, parent: Any, node: FieldNode) -> Terms:
        field = parent.fields[node.name.value]
        of, sizes = get_named_type(field.type), {a.name.value: a.value for a in node.arguments or ()}
        inner = self.of(of, node.selection_set)
        listed = isinstance(field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type, GraphQLList)
        if listed and not is_leaf_type(of):
            inner[()] += 1
        if parent.name.endswith(("Connection", "Edge")) or not (listed or "first" in field.args):
            return inner  # the connection itself was given the size
        given = [multiplied for name in SIZES if name in sizes and (multiplied := factor(sizes[name])) is not None]
        if not given or ("first" in field.args and not {"first", "last"} & sizes.keys()):
            given.append((PAGE_DEFAULT if "first" in field.args else FEW, ()))
        for times, names in given:
            inner = Terms({tuple(sorted((*product, *names))): n * times for product, n in inner.items()})
        return inner


def factor(value: ValueNode) -> tuple[int, tuple[str, ...]] | None:
    """What a size multiplies by: a number, and perhaps a variable. None for null."""
    match value:
        case VariableNode():
            return 1, (value.name.value,)
        case IntValueNode():
            return page_size(int(value.value)), ()
        case ListValueNode():
            return len(value.values), ()
    return None
