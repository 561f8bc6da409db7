"""Selection sets, merged and collected as the GraphQL specification says: which fields an operation asks of a type.

`walk` is the one way through fragments. Whatever looks at the selections of a document uses it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    print_ast,
)

from schema.plan.fallback import FallbackRequired

Fields = dict[str, list[FieldNode]]  # by response key, in the order of the response
Fragments = Mapping[str, FragmentDefinitionNode]
SKIP = object()
# From the part around a fragment, the fragment and its type condition to the part of its fields, or SKIP.
Enter = Callable[[Any, SelectionNode, NamedTypeNode | None], Any]
WORK_MAXIMUM = 1_000  # of planning, in fields; those of an interface or a union count for each of its types
OBJECT_WORK = 3  # of planning the objects themselves, in fields


def fragments_of(document: DocumentNode) -> Fragments:
    """The fragments of a document by name. Of two with the same name, the last one counts."""
    return {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}


def walk(
    sets: Iterable[SelectionSetNode | None],
    fragments: Fragments,
    *,
    included: Callable[[SelectionNode], bool] = lambda node: True,
    enter: Enter = lambda part, node, condition: part,
) -> Iterator[tuple[SelectionNode, Any]]:
    """Every selection at one position of the response, in the order of the response: fields, and fragments before
    their fields.

    A fragment is entered at its first spread only, however many paths lead to it. `included` decides on a selection.
    `enter` decides on a fragment: it returns SKIP, or the part of the walk to which its fields belong. Selections come
    with their part, None at first. A fragment is entered once in each part.
    """
    spread: set[Any] = set()
    waiting: list[tuple[Iterator[SelectionNode], Any]] = [(iter(s.selections), None) for s in sets if s is not None]
    waiting.reverse()
    while waiting:
        nodes, part = waiting[-1]
        for node in filter(included, nodes):
            yield node, part
            if isinstance(node, FieldNode):
                continue
            inner: Any = fragments.get(node.name.value) if isinstance(node, FragmentSpreadNode) else node
            if inner is None:
                continue
            entered = enter(part, node, inner.type_condition)
            if entered is SKIP or (id(inner), entered) in spread:
                continue
            spread.add((id(inner), entered))
            waiting.append((iter(inner.selection_set.selections), entered))
            break
        else:
            waiting.pop()


class Selections:
    """The selection sets of one document. `conditions` has the values of the variables in its @skip and @include."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, conditions: Mapping[str, bool]) -> None:
        self._schema, self._conditions = schema, conditions
        self._fragments = fragments_of(document)
        self._interner, self.work = FieldInterner(), 0

    def count(self, fields: Fields) -> None:
        """Count the fields of one more selection that is planned.

        Raises FallbackRequired after WORK_MAXIMUM: selections of interfaces within interfaces multiply.
        """
        self.work += OBJECT_WORK + len(fields)
        if self.work > WORK_MAXIMUM:
            raise FallbackRequired("too many fields")

    def fields(self, parent: GraphQLObjectType, sets: Sequence[SelectionSetNode | None]) -> Fields:
        """The fields that merged selection sets ask of an object type."""
        fields: Fields = {}

        def enter(part: None, node: SelectionNode, condition: NamedTypeNode | None) -> Any:
            return None if self._applies(condition, parent) else SKIP

        for node, _ in walk(sets, self._fragments, included=self._included, enter=enter):
            if isinstance(node, FieldNode):
                fields.setdefault((node.alias or node.name).value, []).append(node)
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
