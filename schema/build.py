"""The schema: every type of the graph, put together."""

import sys
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLInputObjectType
from strawberry.schema.config import StrawberryConfig

from schema import mutations
from schema.fields.check_columns import check_columns
from schema.fields.source import NODES, OF_ROW
from schema.query import Query
from schema.subscription import Subscription
from schema.types import camera, command, errors, evidence, measure, ring, town  # noqa: F401  (types register themselves)
from schema.types import event as events
from schema.types.nearby import Nearby
from schema.types.scalars import SCALARS
from schema.types.search import SearchHit
from schema.types.viewer import Viewer


class Graph(strawberry.Schema):
    """Errors are told to the client, and logged, by whoever serves the schema."""

    def as_str(self) -> str:
        # @oneOf is of the GraphQL specification, like @deprecated; Strawberry defines it anew.
        return super().as_str().replace("directive @oneOf on INPUT_OBJECT\n\n", "", 1)

    def _extend_introspection(self) -> None:
        """Which inputs are @oneOf. Strawberry would ask that of lists and of types that are not null too, and fail."""
        of: Any = self._schema.type_map["__Type"]
        of.fields["isOneOf"].resolve = is_one_of

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        pass


def is_one_of(of: Any, info: Any) -> bool | None:
    return of.extensions["strawberry-definition"].is_one_of if isinstance(of, GraphQLInputObjectType) else None


def build() -> Graph:
    # Types name each other across files in quotes; only here are all of them there.
    for of in [*OF_ROW.values(), events.Event, errors.Problem, Nearby, SearchHit, Viewer]:
        names = sys.modules[of.__module__].__dict__
        for name, other in {"Event": events.Event, **NODES}.items():
            names.setdefault(name, other)
    for of in OF_ROW.values():
        check_columns(of)
    config = StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=False)
    return Graph(Query, mutation=mutations.root(), subscription=Subscription, types=list(NODES.values()), config=config)
