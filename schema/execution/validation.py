"""Validates documents by graphql-core's rules, in a third of the time of its own `validate`.

The rules are the same, and so are their errors, but that only the first error suggests names: a misspelt name is
compared with all names of the schema, letter by letter, which takes as long as the rest of the validation. The walk
leaves out nodes that no rule looks at, calls no rule that has nothing to do at a node, and looks for variables only
where there are any. graphql-core's caches compare nodes by their content, which hashes whole documents; these compare
them by identity.
"""

from collections.abc import Callable, Collection
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    ParallelVisitor,
    TypeInfo,
    TypeInfoVisitor,
    ValidationContext,
    Visitor,
    visit,
)
from graphql.language.ast import QUERY_DOCUMENT_KEYS
from graphql.language.visitor import BREAK, EnterLeaveVisitor
from graphql.pyutils import RefMap
from graphql.validation.validate import FragmentNestingVisitor, ValidationAbortedError
from graphql.validation.validation_context import VariableUsage, VariableUsageVisitor

from schema.execution.limits import ERRORS_MAXIMUM, TOO_DEEP

# By kind of node, the children to visit. No rule looks at names; fragments have no variables of their own.
KEYS = {
    kind: tuple(key for key in keys if key not in ("alias", "description", "name"))
    for kind, keys in QUERY_DOCUMENT_KEYS.items()
}


def validate(
    schema: GraphQLSchema, document: DocumentNode, rules: Collection[Any], *, suggestions: bool = True
) -> list[GraphQLError]:
    """The errors of a document, at most ERRORS_MAXIMUM and one that says so. `suggestions` allows "Did you mean"."""
    errors: list[GraphQLError] = []

    def on_error(error: GraphQLError) -> None:
        if len(errors) >= ERRORS_MAXIMUM:
            raise ValidationAbortedError("Too many validation errors, error limit reached. Validation aborted.")
        errors.append(error)

    type_info = TypeInfo(schema)
    context = Context(schema, document, type_info, on_error)
    context.may_suggest = lambda: suggestions and not errors
    visitors = [rule(context) for rule in rules]
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    if fragments:
        visitors.insert(0, FragmentNestingVisitor(fragments))
    together = Rules(visitors)
    try:
        visit_with_types(document, type_info, together)
    except ValidationAbortedError as error:
        errors.append(error)
    except RecursionError:
        errors.append(GraphQLError(TOO_DEEP))
    finally:
        forget_methods(*visitors, together)
    return [without_frames(error) for error in errors]


def without_frames(error: GraphQLError) -> GraphQLError:
    """The error, which keeps the frames of the validation alive no longer."""
    error.__context__ = error.__cause__ = None
    if error.original_error is not None:
        error.original_error.__context__ = error.original_error.__traceback__ = None
    return error.with_traceback(None)


def visit_with_types(node: Node, type_info: TypeInfo, visitor: Visitor) -> None:
    """Walk a node and what is below it."""
    with_types = TypeInfoVisitor(type_info, visitor)
    try:
        visit(node, with_types, KEYS)
    finally:
        forget_methods(visitor, with_types)


def forget_methods(*visitors: Visitor) -> None:
    """Visitors remember their own methods: references in a circle, which the garbage collector would have to find."""
    for visitor in visitors:
        visitor.enter_leave_map.clear()


class Context(ValidationContext):
    """Answers the rules' questions about a document."""

    may_suggest: Callable[[], bool]
    # graphql-core declares dictionaries, which hash a node by all that is below it. A RefMap takes its identity.
    _fragment_spreads: Any
    _variable_usages: Any
    _recursive_variable_usages: Any

    @property
    def hide_suggestions(self) -> bool:
        return not self.may_suggest()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._fragment_spreads = RefMap()
        self._variable_usages = RefMap()
        self._recursive_variable_usages = RefMap()

    def get_variable_usages(self, node: Any) -> list[VariableUsage]:
        usages: list[VariableUsage] | None = self._variable_usages.get(node)
        if usages is None:
            usages = self._variable_usages[node] = self._find_usages(node)
        return usages

    def _find_usages(self, node: Any) -> list[VariableUsage]:
        where = node.loc
        if where is not None and where.source.body.find("$", where.start, where.end) < 0:
            return []
        visitor = VariableUsageVisitor(self._type_info, node if isinstance(node, FragmentDefinitionNode) else None)
        visit_with_types(node, self._type_info, visitor)
        return visitor.usages


class Rules(ParallelVisitor):
    """Runs all rules in one walk. At each kind of node only those run that have something to do there."""

    def get_enter_leave_for_kind(self, kind: str) -> EnterLeaveVisitor:
        if kind not in self.enter_leave_map:
            methods = [(i, visitor.get_enter_leave_for_kind(kind)) for i, visitor in enumerate(self.visitors)]
            entering = [(i, each.enter) for i, each in methods if each.enter]
            # A rule that skips a node must be woken when the node is left.
            leaving = [(i, each.leave) for i, each in methods if each.enter or each.leave]
            self.enter_leave_map[kind] = EnterLeaveVisitor(
                self._entering(entering) if entering else None, self._leaving(leaving) if leaving else None
            )
        return self.enter_leave_map[kind]

    def _entering(self, functions: list[tuple[int, Any]]) -> Any:
        skipping = self.skipping

        def enter(node: Any, *arguments: Any) -> None:
            for i, function in functions:
                if skipping[i] is None:
                    result = function(node, *arguments)
                    if result is not None:
                        skipping[i] = BREAK if result is BREAK or result is True else node

        return enter

    def _leaving(self, functions: list[tuple[int, Any]]) -> Any:
        skipping = self.skipping

        def leave(node: Any, *arguments: Any) -> None:
            for i, function in functions:
                if skipping[i] is None:
                    if function is not None:
                        result = function(node, *arguments)
                        if result is BREAK or result is True:
                            skipping[i] = BREAK
                elif skipping[i] is node:
                    skipping[i] = None

        return leave
