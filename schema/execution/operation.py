"""An operation as a client sends it, and its response."""

from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Operation:
    """What a client asks for."""

    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GraphQLResponse:
    """`started` is false where the request itself is wrong and nothing was executed; then there is no data at all.

    A plan's data is `written` already.
    """

    found: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    started: bool = True
    written: bytes | None = None

    @property
    def data(self) -> dict[str, Any] | None:
        return self.found if self.written is None else orjson.loads(self.written)

    def body(self) -> dict[str, Any]:
        """The response of the GraphQL specification, section 7, for orjson to write."""
        errors = {"errors": self.errors} if self.errors else {}
        data = self.found if self.written is None else orjson.Fragment(self.written)
        return {**errors, "data": data} if self.started else errors
