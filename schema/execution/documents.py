"""Parses and validates documents, and caches their operations."""

import asyncio
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    get_operation_ast,
)
from graphql.validation import NoFragmentCyclesRule, NoSchemaIntrospectionCustomRule

from models.byte_cache import ByteCache, deep_bytes, shares
from models.reason import Reason
from resolvers.errors import ErrorCode
from schema.build import Graph
from schema.execution import limits
from schema.execution.cost import CostCalculator
from schema.execution.errors import InvalidOperation, coded_error, format_error
from schema.execution.operation import LABEL_MAXIMUM, ParsedOperation
from schema.execution.parsing import parse_document
from schema.execution.validation import validate, without_frames
from schema.execution.validation_rules import RULES
from schema.plan.background import in_background
from schema.plan.cache import PlanCache
from schema.plan.selections import fragments_of, walk

PARSED_BYTES = 6_000  # of a parsed operation besides its document: its cost, and what its plans need
SHORT = 1_000  # characters: documents that are analysed without delay

OPERATION_UNNAMED = Reason("OPERATION_UNNAMED", "Name the one operation of the document that is meant.")

Errors = list[dict[str, Any]]
Cache = ByteCache[tuple[str, str | None], ParsedOperation | Errors]


class Documents:
    """The operations of valid documents, and the errors of invalid ones, by text and operation name.

    The most recently used are cached with their plans, in `maximum` bytes. A document with several operations is parsed
    once for each that is asked for.
    """

    def __init__(
        self,
        graph: Graph,
        plan_cache: Callable[[DocumentNode, OperationDefinitionNode], PlanCache],
        *,
        introspection: bool,
        maximum: int = shares().documents,
    ) -> None:
        self._graph, self._plan_cache, self._costs = graph, plan_cache, CostCalculator(graph)
        self._suggestions = introspection
        self._rules = RULES if introspection else [*RULES, NoSchemaIntrospectionCustomRule]
        self.cache = Cache(maximum)
        self._analyses: dict[tuple[str, str | None], asyncio.Future[ParsedOperation | Errors]] = {}

    def known(self, text: str, name: str | None) -> ParsedOperation | None:
        """The operation, if the document has been analysed. Raises InvalidOperation as `operation` does."""
        key = text, name
        cached = self.cache.get(key)
        if cached is None:
            return None
        if isinstance(cached, list):
            raise InvalidOperation(ErrorCode.BAD_DOCUMENT, cached)
        return cached

    async def operation(self, text: str, name: str | None) -> ParsedOperation:
        """Analyses the document if it is not known: a short one at once, a longer one in the background.

        Raises InvalidOperation for a document that is too large or invalid, or has no operation of this name.
        """
        if (known := self.known(text, name)) is not None:
            return known
        if (excess := limits.text_excess(text)) is not None:  # not cached: it may be of any length
            raise InvalidOperation(ErrorCode.BAD_DOCUMENT, [coded_error(ErrorCode.BAD_DOCUMENT, excess)])
        if len(text) <= SHORT:
            parsed = self.analyse(text, name)
        else:
            parsed = await self._analysed_in_background(text, name)
        self._add(text, name, parsed)
        if isinstance(parsed, list):
            raise InvalidOperation(ErrorCode.BAD_DOCUMENT, parsed)
        return parsed

    def _add(self, text: str, name: str | None, parsed: ParsedOperation | Errors) -> None:
        key = text, name
        if isinstance(parsed, list):
            self.cache.put(key, parsed, deep_bytes(key, parsed))
        elif self.cache.get(key) is not parsed:
            self.cache.put(key, parsed, sys.getsizeof(text) + parsed.bytes)
            parsed.plans.watch(partial(_grow, weakref.ref(self.cache), key, weakref.ref(parsed)))

    async def _analysed_in_background(self, text: str, name: str | None) -> ParsedOperation | Errors:
        """All who wait for the same document get the same analysis, and none of them ends it for the others."""
        key = text, name
        analysis = self._analyses.get(key)
        if analysis is None:
            analysis = self._analyses[key] = asyncio.ensure_future(in_background(self.analyse, text, name))
            analysis.add_done_callback(lambda done: self._analyses.pop(key))
        return await asyncio.shield(analysis)

    def analyse(self, text: str, name: str | None) -> ParsedOperation | Errors:
        """Parse and validate a document, and compute the cost of one operation. It runs in any thread."""
        if (excess := limits.text_excess(text)) is not None:
            return [coded_error(ErrorCode.BAD_DOCUMENT, excess)]
        document = self._validate(text)
        if isinstance(document, list):
            return [format_error(error, ErrorCode.BAD_DOCUMENT) for error in document]
        definition = get_operation_ast(document, name)
        if definition is None:
            return [coded_error(ErrorCode.BAD_DOCUMENT, OPERATION_UNNAMED)]
        return ParsedOperation(
            document,
            definition,
            definition.operation,
            name,
            self._costs.operation(document, definition),
            self._plan_cache(document, definition),
            is_introspection_only(document, definition),
            self._suggestions,
            deep_bytes(document) + PARSED_BYTES,
            None if definition.name is None else definition.name.value[:LABEL_MAXIMUM],
        )

    def _validate(self, text: str) -> DocumentNode | list[GraphQLError]:
        schema = self._graph._schema
        try:
            document = parse_document(text)
            if (excess := limits.document_excess(document)) is not None:
                # A cycle of fragments is always excessive; naming the cycle helps more than naming the limit.
                return validate(schema, document, [NoFragmentCyclesRule]) or [GraphQLError(excess)]
            return validate(schema, document, self._rules, suggestions=self._suggestions) or document
        except GraphQLError as error:
            return [without_frames(error)]
        except RecursionError:
            return [GraphQLError(limits.TOO_DEEP)]


def _grow(
    cache: weakref.ref[Cache], key: tuple[str, str | None], parsed: weakref.ref[ParsedOperation], added: int
) -> None:
    """Plans were added to an operation. It refers to this function, which may not keep it alive."""
    kept, operation = cache(), parsed()
    if kept is not None and operation is not None:
        kept.grow(key, operation, added)


def is_introspection_only(document: DocumentNode, operation: OperationDefinitionNode) -> bool:
    """Whether the root selects introspection fields alone, fragments included."""
    selections = walk([operation.selection_set], fragments_of(document))
    return all(node.name.value.startswith("__") for node, _ in selections if isinstance(node, FieldNode))
