"""Which fields are written alike: such are read once, however often they are asked.

Each selection is numbered once. To compare what fields print as would be to print every selection again for each level
that it lies below.
"""

from typing import Any

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode, print_ast


class FieldInterner:
    """Numbers fields and selections of one document; those have one number that are written alike."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._sets: dict[int, int] = {}  # by identity: the nodes are the document's, which stays

    def field(self, node: FieldNode) -> int:
        """Whatever the field's alias."""
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
