"""Reads an operation from an HTTP request."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from resolvers.errors import ErrorCode, RequestError
from schema.execution.operation import Operation


class BadBody(RequestError):
    """The body cannot be taken, with the status that HTTP has for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, message)
        self.status = status


def from_query(request: Request) -> Operation:
    """Raises Refused for whatever is not a request."""
    try:
        # Starlette would put replacement characters where the bytes are wrong, and a search would look for those.
        pairs = parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, "The address is not in UTF-8.") from None
    given: dict[str, Any] = dict(pairs)
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = loaded(given[name].encode(), f"`{name}`")
    return operation(given)


def loaded(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, f"{what} is not JSON in UTF-8.") from None


def operation(given: Any) -> Operation:
    """Raises Refused where a part has the wrong form."""
    if not isinstance(given, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, "A request is a JSON object; batches are not taken.")
    query, name, variables = given.get("query"), given.get("operationName"), given.get("variables")
    if not isinstance(query, str):
        raise RequestError(ErrorCode.BAD_REQUEST, "`query` must be there, as a string.")
    if name is not None and not isinstance(name, str):
        raise RequestError(ErrorCode.BAD_REQUEST, "`operationName` must be a string.")
    for part in ("variables", "extensions"):
        if given.get(part) is not None and not isinstance(given[part], dict):
            raise RequestError(ErrorCode.BAD_REQUEST, f"`{part}` must be an object.")
    return Operation(query, variables or {}, name, given.get("extensions") or {})
