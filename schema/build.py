"""Builds the schema from the graph types of all nouns."""

from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLInputObjectType, is_abstract_type
from strawberry.schema.config import StrawberryConfig

from schema import mutations
from schema.fields.source import NODES, OF_ROW, check_columns
from schema.query import Query
from schema.subscription import Subscription

# Nouns that no root field names.
from schema.types import camera, command, evidence, measure, ring, town  # noqa: F401  # importing registers their types
from schema.types.scalars import SCALARS


class Graph(strawberry.Schema):
    """The executable schema, with three differences from Strawberry's own."""

    def as_str(self) -> str:
        # Strawberry prints a definition of @oneOf, which the GraphQL specification already has.
        return super().as_str().replace("directive @oneOf on INPUT_OBJECT\n\n", "", 1)

    def _extend_introspection(self) -> None:
        # Strawberry's own resolver of isOneOf fails for list and non-null types.
        of: Any = self._schema.type_map["__Type"]
        of.fields["isOneOf"].resolve = is_one_of

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Does nothing: whoever executes an operation logs its errors."""

    def possible_types(self) -> dict[str, list[str]]:
        """By interface or union, the types that its objects can be, which caches of clients need for fragments."""
        types = [named for named in self._schema.type_map.values() if is_abstract_type(named)]
        return {each.name: sorted(t.name for t in self._schema.get_possible_types(each)) for each in types}


def is_one_of(graphql_type: Any, info: Any) -> bool | None:
    """Whether an input is @oneOf; None for a type that is no input."""
    if not isinstance(graphql_type, GraphQLInputObjectType):
        return None
    one_of: bool = graphql_type.extensions["strawberry-definition"].is_one_of
    return one_of


def build() -> Graph:
    """The whole graph. Raises TypeError where a field is declared over a column of another table."""
    for graph_type in OF_ROW.values():
        check_columns(graph_type)
    config = StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=False)
    return Graph(Query, mutation=mutations.root(), subscription=Subscription, types=list(NODES.values()), config=config)
