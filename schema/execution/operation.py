"""An operation as a client sends it, as it is prepared for execution, and its response."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import DocumentNode, OperationDefinitionNode, OperationType

from schema.execution.cost import RowCost
from schema.plan.cache import PlanCache


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client sends. `name` selects one of the document's operations."""

    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ParsedOperation:
    """One operation of a valid document. All requests with the same text and operation name share it."""

    document: DocumentNode
    definition: OperationDefinitionNode
    name: str | None
    cost: RowCost
    plans: PlanCache
    introspection_only: bool

    @property
    def kind(self) -> OperationType:
        return self.definition.operation


@dataclass(frozen=True, slots=True, eq=False)
class PreparedOperation:
    """A parsed operation with the variables of one request. Both are within the limits."""

    parsed: ParsedOperation
    variables: dict[str, Any]


@dataclass(frozen=True, slots=True)
class GraphQLResponse:
    """The response to an operation.

    `started` is false where nothing was executed because the request itself is wrong; there is no data then. A plan
    gives the data as JSON, in `written`; graphql-core gives it as a dictionary, in `executed`.
    """

    executed: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    started: bool = True
    written: bytes | None = None

    @property
    def data(self) -> dict[str, Any] | None:
        return self.executed if self.written is None else orjson.loads(self.written)

    def body(self) -> dict[str, Any]:
        """The response map (GraphQL specification, section 7), for orjson to serialize."""
        errors = {"errors": self.errors} if self.errors else {}
        data = self.executed if self.written is None else orjson.Fragment(self.written)
        return {**errors, "data": data} if self.started else errors
