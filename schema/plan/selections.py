"""Selection sets, collected as the GraphQL specification says: which fields an operation asks of a type."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    print_ast,
)

from schema.plan.fallback import FallbackRequired

Fields = dict[str, list[FieldNode]]  # by response key, in the order of the response
SELECTIONS_MAXIMUM = 2_000  # of one plan; an interface or a union has one for each of its types


class Selections:
    """The selection sets of one document. `conditions` has the values of the variables in its @skip and @include."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, conditions: Mapping[str, bool]) -> None:
        self._schema, self._conditions = schema, conditions
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._interner, self._count = FieldInterner(), 0

    def count(self) -> None:
        """Count one more planned selection.

        Raises FallbackRequired after SELECTIONS_MAXIMUM: selections of interfaces within interfaces multiply.
        """
        self._count += 1
        if self._count > SELECTIONS_MAXIMUM:
            raise FallbackRequired("too many selections")

    def fields(self, parent: GraphQLObjectType, sets: Sequence[SelectionSetNode | None]) -> Fields:
        """The fields that merged selection sets ask of an object type."""
        fields: Fields = {}
        self._collect(parent, sets, fields, set())
        return fields

    def subfields(self, parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Fields:
        """The fields that the selection sets of `nodes` ask of an object type."""
        return self.fields(parent, [node.selection_set for node in nodes])

    def possible_types(self, graph_type: Any) -> list[GraphQLObjectType]:
        """The object types that a value of a type, or of the type inside its lists, can have."""
        named: Any = get_named_type(graph_type)
        return [named] if isinstance(named, GraphQLObjectType) else list(self._schema.get_possible_types(named))

    def fingerprint(self, nodes: Sequence[FieldNode]) -> tuple[int, ...]:
        """Equal for fields with the same name, arguments and selections, whatever their aliases."""
        return tuple(self._interner.field(node) for node in nodes)

    def _collect(
        self, parent: GraphQLObjectType, sets: Sequence[SelectionSetNode | None], fields: Fields, visited: set[str]
    ) -> None:
        for selection_set in sets:
            for node in selection_set.selections if selection_set else ():
                if not self._included(node):
                    continue
                if isinstance(node, FieldNode):
                    fields.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                    continue
                fragment: Any = node
                if isinstance(node, FragmentSpreadNode):
                    if node.name.value in visited:
                        continue
                    visited.add(node.name.value)
                    fragment = self._fragments[node.name.value]
                if self._applies(fragment.type_condition, parent):
                    self._collect(parent, [fragment.selection_set], fields, visited)

    def _included(self, node: Any) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            if name not in ("skip", "include"):
                raise FallbackRequired("a directive")
            value = directive.arguments[0].value
            condition = self._conditions[value.name.value] if isinstance(value, VariableNode) else value.value
            if condition is (name == "skip"):
                return False
        return True

    def _applies(self, condition: Any, parent: GraphQLObjectType) -> bool:
        """Whether a fragment with this type condition applies to an object type."""
        if condition is None:
            return True
        named: Any = self._schema.type_map[condition.name.value]
        return named is parent or (not isinstance(named, GraphQLObjectType) and self._schema.is_sub_type(named, parent))


class FieldInterner:
    """Numbers the fields and selections of one document. Those that are written alike have the same number.

    Each selection is numbered once. Comparing printed fields instead would print each selection again for every level
    above it.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._sets: dict[int, int] = {}  # by identity: the document keeps its nodes alive

    def field(self, node: FieldNode) -> int:
        """The number of a field; its alias makes no difference."""
        return self._number("field", node.name.value, printed(node.arguments), self._set(node.selection_set))

    def _number(self, *key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _set(self, node: SelectionSetNode | None) -> int | None:
        if node is None:
            return None
        if id(node) not in self._sets:
            self._sets[id(node)] = self._number("set", *[self._selection(each) for each in node.selections])
        return self._sets[id(node)]

    def _selection(self, node: Any) -> int:
        directives = printed(node.directives)
        match node:
            case FieldNode():
                return self._number(node.alias and node.alias.value, self.field(node), directives)
            case InlineFragmentNode():
                condition = node.type_condition and node.type_condition.name.value
                return self._number("inline", condition, self._set(node.selection_set), directives)
            case FragmentSpreadNode():
                return self._number("spread", node.name.value, directives)
        raise TypeError(node)


def printed(nodes: Any) -> tuple[str, ...]:
    return tuple(print_ast(node) for node in nodes or ())


def row_model(graph_type: Any) -> Any:
    """The model whose rows a graph type, or the type inside its lists, is made of."""
    return get_named_type(graph_type).extensions["strawberry-definition"].origin.row
