"""Reads a subscription: its stream and arguments, and the key that decides which subscribers share one execution."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    Node,
    OperationDefinitionNode,
    VariableNode,
)
from graphql.execution.values import get_argument_values, get_variable_values
from strawberry.types.arguments import convert_arguments

from models.reason import Reason
from models.visibility import Visibility
from resolvers.errors import ErrorCode, RequestError
from schema.build import Graph
from schema.execution import limits
from schema.execution.errors import InvalidOperation, format_error
from schema.execution.operation import ParsedOperation, PreparedOperation
from schema.execution.parsing import tokens_of
from schema.plan.selections import fragments_of, walk
from schema.subscription import StreamSource

NOT_A_STREAM = Reason("STREAM_NEEDED", "Ask for one of the streams of Subscription.")
NOT_ONE_STREAM = Reason("ONE_STREAM_NEEDED", "A subscription selects one stream, without directives on it.")

# By parsed subscription, its text and the variables that its key leaves out.
SHAPES: WeakKeyDictionary[ParsedOperation, tuple[str, frozenset[str]]] = WeakKeyDictionary()


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
        graph._schema,
        definition.variable_definitions or (),
        variables,
        max_errors=limits.ERRORS_MAXIMUM,
        hide_suggestions=not operation.parsed.suggestions,
    )
    if isinstance(values, list):
        errors = [format_error(error, ErrorCode.BAD_VARIABLES) for error in values]
        raise InvalidOperation(ErrorCode.BAD_VARIABLES, errors)
    node = root_field(document, definition)
    root = graph._schema.subscription_type
    assert root is not None
    graph_field = root.fields.get(node.name.value)
    if graph_field is None:
        raise RequestError(ErrorCode.BAD_DOCUMENT, NOT_A_STREAM)
    declaration = graph_field.extensions["strawberry-definition"]
    arguments = convert_arguments(
        get_argument_values(graph_field, node, values),
        declaration.arguments,
        scalar_registry=graph.schema_converter.scalar_registry,
        config=graph.config,
    )
    shape = SHAPES.get(operation.parsed)
    if shape is None:
        shape = SHAPES[operation.parsed] = without_after(document, definition, node)
    text, removed = shape
    others = {key: value for key, value in variables.items() if key not in removed}
    key = (text, operation.parsed.name, orjson.dumps(others, option=orjson.OPT_SORT_KEYS), visibility)
    return SubscriptionRequest(declaration.source, arguments, key, operation, visibility)


def root_field(document: DocumentNode, operation: OperationDefinitionNode) -> FieldNode:
    """The one field of a subscription's root. Validation has ensured that there is at most one."""
    selections = walk([operation.selection_set], fragments_of(document))
    root = next((node for node, _ in selections if isinstance(node, FieldNode)), None)
    if root is None or root.directives:
        raise RequestError(ErrorCode.BAD_DOCUMENT, NOT_ONE_STREAM)
    return root


def without_after(
    document: DocumentNode, operation: OperationDefinitionNode, root: FieldNode
) -> tuple[str, frozenset[str]]:
    """The document's tokens without the root's argument `after`, and the variables that only this argument used.

    Subscribers who differ only in `after` see the same events once they have caught up.
    """
    after = next((a for a in root.arguments or () if a.name.value == "after"), None)
    if after is None:
        return text_without(document, []), frozenset()
    left_out: list[tuple[Node, bool]] = [(after, len(root.arguments or ()) == 1)]
    removed: frozenset[str] = frozenset()
    if isinstance(after.value, VariableNode):
        name, definitions = after.value.name.value, operation.variable_definitions or ()
        # Two uses: the definition and this argument.
        if text_without(document, []).split(" ").count(f"${name}") == 2:
            removed = frozenset({name})
            left_out += [(d, len(definitions) == 1) for d in definitions if d.variable.name.value == name]
    return text_without(document, left_out), removed


def text_without(document: DocumentNode, left_out: list[tuple[Node, bool]]) -> str:
    """The tokens of a document, so that blanks and comments make no difference, without some of its nodes.

    Each is given with whether the brackets around it go as well.
    """
    assert document.loc is not None
    tokens = tokens_of(document.loc.source)
    skipped: set[int] = set()
    for node, brackets in left_out:
        assert node.loc is not None
        start, end = node.loc.start, node.loc.end
        inside = [place for place, token in enumerate(tokens) if start <= token.start and token.end <= end]
        skipped.update(inside, (inside[0] - 1, inside[-1] + 1) if brackets else ())
    parts: list[str] = []
    for place, token in enumerate(tokens):
        if place in skipped:
            continue
        text = document.loc.source.body[token.start : token.end]
        if parts and parts[-1] == "$":
            parts[-1] = "$" + text
        else:
            parts.append(text)
    return " ".join(parts)
