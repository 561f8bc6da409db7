"""An operation as a client sends it, as it is prepared for execution, and its response."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import DocumentNode, OperationDefinitionNode, OperationType

from models.reason import Language
from schema.execution.cost import OperationCost
from schema.plan.cache import PlanCache


@dataclass(slots=True)
class Operation:
    """A request of a client. `name` selects one of the document's operations; `language` is that of messages.

    `device` is the device that sends it, if it names itself.
    """

    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
    language: Language = Language.ENGLISH
    device: str | None = None


LABEL_MAXIMUM = 100  # characters


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ParsedOperation:
    """One operation of a valid document. All requests with the same text and operation name share it.

    `suggestions` lets errors in variables suggest names of the schema. `label` is the operation's own name in the
    document, cut to LABEL_MAXIMUM, for logs and metrics; None if it has none. `bytes` is its size without its plans.
    """

    document: DocumentNode
    definition: OperationDefinitionNode
    kind: OperationType
    name: str | None
    cost: OperationCost
    plans: PlanCache
    introspection_only: bool
    suggestions: bool
    bytes: int
    label: str | None


@dataclass(slots=True, eq=False)
class PreparedOperation:
    """A parsed operation with the variables of one request. Both are within the limits.

    `cost` is how many values the operation produces and reads at most, a value being about 20 bytes of the answer.
    `extensions` are those of the response, and `language` is that of its messages. `device` sends it.
    """

    parsed: ParsedOperation
    variables: dict[str, Any]
    cost: int
    extensions: dict[str, Any] | None = None
    language: Language = Language.ENGLISH
    device: str | None = None


@dataclass(slots=True)
class GraphQLResponse:
    """The response to an operation.

    `started` is false where nothing was executed because the request itself is wrong; there is no data then. A plan
    gives the data as JSON, in `written`; graphql-core gives it as a dictionary, in `executed`. `rows` is how many rows
    the database gave for it.
    """

    executed: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    started: bool = True
    written: bytes | None = None
    extensions: dict[str, Any] | None = None
    rows: int = 0

    @property
    def data(self) -> dict[str, Any] | None:
        return self.executed if self.written is None else orjson.loads(self.written)

    def json(self) -> bytes:
        """The response map (GraphQL specification, section 7) as JSON."""
        # Rows have no float that JSON cannot write, and times are text before they come here.
        if self.written is None or self.extensions is not None:
            return orjson.dumps(self.body())
        return b'{"data":' + self.written + b"}"

    def body(self) -> dict[str, Any]:
        """The response map, for orjson to serialize as a part of a message."""
        body: dict[str, Any] = {"errors": self.errors} if self.errors else {}
        if self.started:
            body["data"] = self.executed if self.written is None else orjson.Fragment(self.written)
        if self.extensions is not None:
            body["extensions"] = self.extensions
        return body
