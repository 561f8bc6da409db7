"""Rewrites an operation with variables, fragments, repeated fields, @skip and @include."""

from random import Random
from typing import Any

from graphql import (
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    print_ast,
    value_from_ast_untyped,
    visit,
)
from graphql.language import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)


class Rewriter(Visitor):
    """Rewrites a document while it is visited. Collects the fragments and variables that it introduces."""

    def __init__(self, types: TypeInfo, rng: Random) -> None:
        super().__init__()
        self._types, self._rng = types, rng
        self.fragments: list[FragmentDefinitionNode] = []
        self.declared: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def _variable(self, of: str, value: Any) -> VariableNode:
        name = f"v{len(self.declared)}"
        self.declared[name], self.values[name] = of, value
        return VariableNode(name=NameNode(value=name))

    def leave_argument(self, node: ArgumentNode, *_: Any) -> Any:
        of = self._types.get_argument()
        if of is None or self._rng.random() < 0.5:
            return None
        value = value_from_ast_untyped(node.value)
        return ArgumentNode(name=node.name, value=self._variable(str(of.type), value))

    def leave_field(self, node: FieldNode, *_: Any) -> Any:
        if self._rng.random() < 0.92 or self._is_subscription_root():
            return None
        return FieldNode(
            name=node.name,
            alias=node.alias,
            arguments=node.arguments,
            directives=(*(node.directives or ()), self._condition()),
            selection_set=node.selection_set,
        )

    def _is_subscription_root(self) -> bool:
        """Whether this is the root of a subscription, which has one field and no conditions."""
        of = self._types.get_parent_type()
        return of is not None and of.name == "Subscription"

    def _condition(self) -> DirectiveNode:
        skip, condition = self._rng.random() < 0.5, self._rng.random() < 0.5
        value: Any = BooleanValueNode(value=condition)
        if self._rng.random() < 0.6:
            value = self._variable("Boolean!", condition)
        argument = ArgumentNode(name=NameNode(value="if"), value=value)
        return DirectiveNode(name=NameNode(value="skip" if skip else "include"), arguments=(argument,))

    def leave_selection_set(self, node: SelectionSetNode, key: Any, parent: Any, *_: Any) -> Any:
        of = self._types.get_parent_type()
        if of is None or self._is_subscription_root():
            return None
        selections: list[Any] = []
        for selection in node.selections:
            chance = self._rng.random()
            if chance < 0.06:
                selections.append(self._inline(selection, of.name))
            elif chance < 0.12:
                selections.append(self._fragment(selection, of.name))
            elif chance < 0.16:
                selections += [selection, selection]
            else:
                selections.append(selection)
        # Conditions may leave out everything else.
        return SelectionSetNode(selections=(*selections, FieldNode(name=NameNode(value="__typename"))))

    def _inline(self, selection: Any, of: str) -> InlineFragmentNode:
        named = NamedTypeNode(name=NameNode(value=of)) if self._rng.random() < 0.7 else None
        directives = (self._condition(),) if self._rng.random() < 0.2 else ()
        return InlineFragmentNode(
            type_condition=named, directives=directives, selection_set=SelectionSetNode(selections=(selection,))
        )

    def _fragment(self, selection: Any, of: str) -> FragmentSpreadNode:
        name = NameNode(value=f"F{len(self.fragments)}")
        self.fragments.append(
            FragmentDefinitionNode(
                name=name,
                type_condition=NamedTypeNode(name=NameNode(value=of)),
                selection_set=SelectionSetNode(selections=(selection,)),
            )
        )
        return FragmentSpreadNode(name=name)


def rewritten(schema: GraphQLSchema, query: str, seed: object) -> tuple[str, dict[str, Any]]:
    """The rewritten operation and its variables. It may select less, by the conditions of @skip and @include."""
    types = TypeInfo(schema)
    rewriter = Rewriter(types, Random(repr(seed)))
    document: DocumentNode = visit(parse(query), TypeInfoVisitor(types, rewriter))
    [operation] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    declared = ", ".join(f"${name}: {of}" for name, of in rewriter.declared.items())
    head = f"{operation.operation.value} Rewritten{f'({declared})' if declared else ''} "
    parts = [head + print_ast(operation.selection_set), *map(print_ast, rewriter.fragments)]
    return "\n".join(parts), rewriter.values
