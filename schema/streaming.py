"""A subscription's document as the feed takes it: what it asks for, and what renders an event for all who ask alike."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import orjson
from graphql import (
    REMOVE,
    ArgumentNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    execute,
    print_ast,
    visit,
)
from graphql.execution.values import get_argument_values, get_variable_values
from strawberry.types.arguments import convert_arguments

import models
from models.db.outages import is_outage
from models.visibility import Visibility
from resolvers.errors import ErrorCode, RequestError
from schema import bounds
from schema.context import Context, Record
from schema.plans.leaves import Leave
from schema.root import Graph
from schema.subscription import Stream
from subscriptions.event_filter import EventFilter

Contexts = Callable[[Visibility], Context]  # a fresh context for one execution
Planned = Callable[[Any], Awaitable[bytes]]  # the data for a root, by plan; raises Leave

# How often, and so about how many seconds, an event is tried again while the database is away.
ATTEMPTS, PAUSE = 40, 0.5
EXECUTE_SECONDS = 15.0


@dataclass(frozen=True)
class Opening:
    """What a client asks to be streamed: the declaration, its arguments, and what makes two subscribers one group."""

    stream: Stream
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


class Away(Exception):
    """The database has been away for too long."""


class Unsound(RequestError):
    """Variables that do not fit the document; `errors` are graphql-core's own."""

    def __init__(self, errors: list[Any]) -> None:
        super().__init__(ErrorCode.BAD_VARIABLES, "The variables do not fit the document.")
        self.errors = errors


def opened(
    graph: Graph,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    name: str | None,
    variables: dict[str, Any],
    visibility: Visibility,
) -> Opening:
    """Look at a valid subscription. Raises Refused."""
    values = get_variable_values(
        graph._schema, operation.variable_definitions or (), variables, max_errors=bounds.ERRORS_MAXIMUM
    )
    if isinstance(values, list):
        raise Unsound(values)
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
    return Opening(declared.load, arguments, key, document, variables, name, visibility)


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


@dataclass(eq=False)
class Rendering:
    """Executes a stream's document with something as its root: for all of a group at once."""

    graph: Graph
    opening: Opening
    contexts: Contexts
    told: Callable[[Any], dict[str, Any]]
    planned: Planned | None = None

    async def execute(self, root: Any, cursor: str | None) -> bytes:
        """The result as JSON; its cursor stands in `extensions`, whatever the document asks for.

        A database that is away is waited for: an event that came without its data could not be had once more. Raises
        Away where that takes too long.
        """
        for _ in range(ATTEMPTS):
            try:
                async with asyncio.timeout(EXECUTE_SECONDS):
                    if self.planned is not None:
                        with suppress(Leave):
                            return payload(orjson.Fragment(await self.planned(root)), [], cursor)
                    result = await self._result(root)
            except Exception as error:
                if not is_outage(error):
                    raise
            else:
                if not any(is_outage(error.original_error) for error in result.errors or ()):
                    return payload(result.data, [self.told(error) for error in result.errors or ()], cursor)
            await asyncio.sleep(PAUSE)
        raise Away

    async def _result(self, root: Any) -> ExecutionResult:
        context = self.contexts(self.opening.visibility)
        try:
            running = execute(
                self.graph._schema,
                self.opening.document,
                root_value=root,
                context_value=context,
                variable_values=self.opening.variables,
                operation_name=self.opening.name,
            )
            return await running if isawaitable(running) else running
        finally:
            await context.reader.close()


def payload(data: Any, errors: list[dict[str, Any]], cursor: str | None) -> bytes:
    """A result as JSON."""
    found: dict[str, Any] = {"data": data}
    if errors:
        found["errors"] = errors
    if cursor is not None:
        found["extensions"] = {"cursor": cursor}
    return orjson.dumps(found)


@dataclass(eq=False)
class EventTopic:
    """The events of one group, for the feed. `epoch` makes cursors of their numbers."""

    rendering: Rendering
    interest: EventFilter
    epoch: str
    matches: Callable[[Any], bool] = field(init=False)

    def __post_init__(self) -> None:
        self.matches = self.interest.matches

    async def render(self, event: Any) -> bytes:
        return await self.rendering.execute(Record(models.Event, event), f"{self.epoch}-{event.id}")
