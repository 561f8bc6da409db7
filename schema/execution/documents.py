"""Parses and validates documents, and keeps the most recently used."""

from collections import OrderedDict
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    parse,
    validate,
)
from graphql.validation import NoFragmentCyclesRule, NoSchemaIntrospectionCustomRule

from resolvers.errors import ErrorCode, RequestError
from schema.build import Graph
from schema.execution import limits
from schema.execution.validation_rules import RULES

DOCUMENTS_KEPT = 1_000
CHARACTERS_KEPT = 2_000_000  # of all documents; each takes up to two hundred times as many bytes


class Documents:
    """Parsed and validated documents, the latest used kept."""

    def __init__(self, graph: Graph, *, introspection: bool) -> None:
        self._graph = graph
        self._rules = RULES if introspection else [*RULES, NoSchemaIntrospectionCustomRule]
        self._kept: OrderedDict[str, DocumentNode | list[GraphQLError]] = OrderedDict()
        self._characters = 0

    def get(self, query: str) -> DocumentNode | list[GraphQLError]:
        """The document, or what is wrong with it."""
        if query in self._kept:
            self._kept.move_to_end(query)
            return self._kept[query]
        excess = limits.text_excess(query)
        if excess is not None:
            return [GraphQLError(excess)]
        found = self._kept[query] = self._read(query)
        self._characters += len(query)
        while len(self._kept) > DOCUMENTS_KEPT or self._characters > CHARACTERS_KEPT:
            text, _ = self._kept.popitem(last=False)
            self._characters -= len(text)
        return found

    def _read(self, query: str) -> DocumentNode | list[GraphQLError]:
        schema = self._graph._schema
        try:
            document = parse(query, max_tokens=limits.TOKENS_MAXIMUM)
            excess = limits.document_excess(document)
            if excess is not None:
                # Of fragments that spread each other without end that is told, which helps more.
                cycles = validate(schema, document, [NoFragmentCyclesRule], limits.ERRORS_MAXIMUM)
                return cycles or [GraphQLError(excess)]
            return validate(schema, document, self._rules, limits.ERRORS_MAXIMUM) or document
        except GraphQLError as error:
            return [error]
        except RecursionError:
            return [GraphQLError("The document is nested too deeply.")]


class InvalidDocument(RequestError):
    """A document that cannot be executed; `errors` are all that is wrong with it, as clients are told."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(ErrorCode.BAD_DOCUMENT, errors[0]["message"])
        self.errors = errors
