"""What a subscription asks for, and which subscribers can share one execution."""

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
from schema.subscription import StreamSource


@dataclass(frozen=True)
class SubscriptionRequest:
    """What a client asks to be streamed: the declaration, its arguments, and what makes two subscribers one group."""

    stream: StreamSource
    arguments: dict[str, Any]
    key: Hashable
    document: DocumentNode
    variables: dict[str, Any]
    name: str | None
    visibility: Visibility

    @property
    def after(self) -> str | None:
        """The cursor to go on from."""
        return self.arguments.get("after") or None


class InvalidVariables(RequestError):
    """Variables that do not fit the document; `errors` are graphql-core's own."""

    def __init__(self, errors: list[Any]) -> None:
        super().__init__(ErrorCode.BAD_VARIABLES, "The variables do not fit the document.")
        self.errors = errors


def subscription_request(
    graph: Graph,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    name: str | None,
    variables: dict[str, Any],
    visibility: Visibility,
) -> SubscriptionRequest:
    """Look at a valid subscription. Raises Refused."""
    values = get_variable_values(
        graph._schema, operation.variable_definitions or (), variables, max_errors=limits.ERRORS_MAXIMUM
    )
    if isinstance(values, list):
        raise InvalidVariables(values)
    node = root_field(document, operation)
    root = graph._schema.subscription_type
    assert root is not None
    definition = root.fields.get(node.name.value)
    if definition is None:
        raise RequestError(ErrorCode.BAD_DOCUMENT, "Ask for one of the streams of Subscription.")
    declared = definition.extensions["strawberry-definition"]
    arguments = convert_arguments(
        get_argument_values(definition, node, values),
        declared.arguments,
        scalar_registry=graph.schema_converter.scalar_registry,
        config=graph.config,
    )
    text, dropped = without_after(document, operation, node)
    kept = {key: value for key, value in variables.items() if key not in dropped}
    key = (text, name, orjson.dumps(kept, option=orjson.OPT_SORT_KEYS), visibility)
    return SubscriptionRequest(declared.source, arguments, key, document, variables, name, visibility)


def root_field(document: DocumentNode, operation: OperationDefinitionNode) -> FieldNode:
    """The one field of a subscription's root; validation has seen to it that there is one at most."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def first(selections: SelectionSetNode) -> FieldNode | None:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                return node
            inner = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(inner, FragmentDefinitionNode | InlineFragmentNode)
            if (found := first(inner.selection_set)) is not None:
                return found
        return None

    found = first(operation.selection_set)
    if found is None or found.directives:
        raise RequestError(ErrorCode.BAD_DOCUMENT, "A subscription asks for one stream, without conditions.")
    return found


def without_after(
    document: DocumentNode, operation: OperationDefinitionNode, root: FieldNode
) -> tuple[str, frozenset[str]]:
    """The document without the root's `after`, and the variables that were there for it alone.

    Subscribers who differ in nothing else see the same from then on.
    """
    after = next((a for a in root.arguments or () if a.name.value == "after"), None)
    if after is None:
        return print_ast(document), frozenset()
    uses: list[str] = []

    class Uses(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            uses.append(node.name.value)

    visit(document, Uses())
    # Once where it is defined, and once here.
    alone = isinstance(after.value, VariableNode) and uses.count(after.value.name.value) == 2
    dropped = frozenset({after.value.name.value} if alone and isinstance(after.value, VariableNode) else ())

    class Strip(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: Any) -> Any:
            return REMOVE if node is after else None

        def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> Any:
            return REMOVE if node.variable.name.value in dropped else None

    return print_ast(visit(document, Strip())), dropped
