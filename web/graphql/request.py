"""Reads an operation from an HTTP request."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope

from resolvers.errors import ErrorCode, RequestError
from schema.execution.operation import Operation
from web.graphql.negotiation import JSON, is_json
from web.graphql.trusted_documents import TrustedDocuments

Headers = dict[bytes, bytes]  # by lower-case name


class BadBody(RequestError):
    """A body that cannot be read. `status` is HTTP's status for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, message)
        self.status = status


def read_headers(scope: Scope) -> Headers:
    """The headers of a request. Of those with the same name the first one counts."""
    return dict(reversed(scope["headers"]))


async def read_operation(
    scope: Scope, headers: Headers, receive: Receive, trusted: TrustedDocuments, *, body_limit: int
) -> Operation:
    """The operation in a body, of at most `body_limit` bytes, or in the query string. Raises RequestError."""
    if scope["method"] != "POST":
        return operation(query_parameters(scope["query_string"]), trusted)
    if not is_json(headers.get(b"content-type")):
        raise BadBody(415, f"Send the request as {JSON}, in UTF-8.")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise BadBody(415, "Send the request without compression.")
    too_long = BadBody(413, f"The body is longer than {body_limit:,} bytes.")
    length = headers.get(b"content-length", b"")
    # Before anything of it is read, since a slow client may take long to send it all.
    if length.isdigit() and int(length[:20]) > body_limit:
        raise too_long
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadBody(400, "The body ended early.")
        body += message.get("body", b"")
        if len(body) > body_limit:
            raise too_long
        more = message.get("more_body", False)
    return operation(parse_json(body, "The body"), trusted)


def query_parameters(query_string: bytes) -> dict[str, Any]:
    """The parameters of a GraphQL request in a query string. Raises RequestError."""
    try:
        # Not Starlette's parser, which would replace invalid bytes: a search would then look for the replacement.
        pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, "The address is not in UTF-8.") from None
    parameters: dict[str, Any] = dict(pairs)
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = parse_json(parameters[name].encode(), f"`{name}`")
    return parameters


def parse_json(text: bytes | bytearray, name: str) -> Any:
    """`name` is for the message. Raises RequestError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, f"{name} is not JSON in UTF-8.") from None


def operation(parameters: Any, trusted: TrustedDocuments) -> Operation:
    """Raises RequestError for a parameter of the wrong type, and for a document that does not run here."""
    if not isinstance(parameters, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, "A request is a JSON object; batches are not taken.")
    name, variables = parameters.get("operationName"), parameters.get("variables")
    extensions = parameters.get("extensions")
    if name is not None and not isinstance(name, str):
        raise RequestError(ErrorCode.BAD_REQUEST, "`operationName` must be a string.")
    if variables is not None and not isinstance(variables, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, "`variables` must be an object.")
    if extensions is not None and not isinstance(extensions, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, "`extensions` must be an object.")
    return Operation(trusted.text(parameters), variables or {}, name, extensions or {})
