"""Reads a subscription: its stream and arguments, and the key that decides which subscribers share one execution."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import (
    REMOVE,
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    print_ast,
    visit,
)
from graphql.execution.values import get_argument_values, get_variable_values
from strawberry.types.arguments import convert_arguments

from models.visibility import Visibility
from resolvers.errors import ErrorCode, RequestError
from schema.build import Graph
from schema.execution import limits
from schema.execution.errors import InvalidOperation
from schema.execution.operation import PreparedOperation
from schema.subscription import StreamSource


@dataclass(frozen=True)
class SubscriptionRequest:
    """A client's subscription: the declared stream and its arguments. Equal keys make one group."""

    stream: StreamSource
    arguments: dict[str, Any]
    key: Hashable
    operation: PreparedOperation
    visibility: Visibility

    @property
    def after(self) -> str | None:
        """The cursor to resume after."""
        return self.arguments.get("after") or None


def subscription_request(graph: Graph, operation: PreparedOperation, visibility: Visibility) -> SubscriptionRequest:
    """Read a valid subscription. Raises RequestError."""
    document, definition, variables = operation.parsed.document, operation.parsed.definition, operation.variables
    values = get_variable_values(
        graph._schema, definition.variable_definitions or (), variables, max_errors=limits.ERRORS_MAXIMUM
    )
    if isinstance(values, list):
        code = {"extensions": {"code": ErrorCode.BAD_VARIABLES.value}}
        raise InvalidOperation(ErrorCode.BAD_VARIABLES, [{**error.formatted, **code} for error in values])
    node = root_field(document, definition)
    root = graph._schema.subscription_type
    assert root is not None
    graph_field = root.fields.get(node.name.value)
    if graph_field is None:
        raise RequestError(ErrorCode.BAD_DOCUMENT, "Ask for one of the streams of Subscription.")
    declaration = graph_field.extensions["strawberry-definition"]
    arguments = convert_arguments(
        get_argument_values(graph_field, node, values),
        declaration.arguments,
        scalar_registry=graph.schema_converter.scalar_registry,
        config=graph.config,
    )
    text, removed = without_after(document, definition, node)
    others = {key: value for key, value in variables.items() if key not in removed}
    key = (text, operation.parsed.name, orjson.dumps(others, option=orjson.OPT_SORT_KEYS), visibility)
    return SubscriptionRequest(declaration.source, arguments, key, operation, visibility)


def root_field(document: DocumentNode, operation: OperationDefinitionNode) -> FieldNode:
    """The one field of a subscription's root. Validation has ensured that there is at most one."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def first(selections: SelectionSetNode) -> FieldNode | None:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                return node
            inner = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(inner, FragmentDefinitionNode | InlineFragmentNode)
            if (field := first(inner.selection_set)) is not None:
                return field
        return None

    root = first(operation.selection_set)
    if root is None or root.directives:
        raise RequestError(ErrorCode.BAD_DOCUMENT, "A subscription selects one stream, without directives on it.")
    return root


def without_after(
    document: DocumentNode, operation: OperationDefinitionNode, root: FieldNode
) -> tuple[str, frozenset[str]]:
    """The document without the root's argument `after`, and the variables that only this argument used.

    Subscribers who differ only in `after` see the same events once they have caught up.
    """
    after = next((a for a in root.arguments or () if a.name.value == "after"), None)
    if after is None:
        return print_ast(document), frozenset()
    uses: list[str] = []

    class Uses(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            uses.append(node.name.value)

    visit(document, Uses())
    removed: frozenset[str] = frozenset()
    # Two uses: the definition and this argument.
    if isinstance(after.value, VariableNode) and uses.count(after.value.name.value) == 2:
        removed = frozenset({after.value.name.value})

    class Strip(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
            return REMOVE if node is after else None

        def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> Any:
            return REMOVE if node.variable.name.value in removed else None

    return print_ast(visit(document, Strip())), removed
