"""Reads an operation from an HTTP request."""

import re
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope

from models.reason import Language, Reason
from resolvers.errors import ErrorCode, RequestError
from schema.execution.operation import Operation
from web.graphql.negotiation import JSON, is_json, language
from web.graphql.trusted_documents import TrustedDocuments
from web.headers import Headers

JSON_NEEDED = Reason("JSON_NEEDED", "Send the request as {type}, in UTF-8.", type=JSON)
NOT_JSON = Reason("BODY_NOT_JSON", "The body is not JSON in UTF-8.")
NOT_AN_OBJECT = Reason("REQUEST_NOT_OBJECT", "A request is a JSON object; batches are not taken.")
BODY_CUT = Reason("BODY_CUT", "The body ended early.")
DEVICE = b"huhang-device"
DEVICE_NAME = re.compile(r"[A-Za-z0-9._-]{16,64}", re.ASCII)
DEVICE_MALFORMED = Reason("DEVICE_MALFORMED", "A device is 16 to 64 letters, digits, `.`, `-` and `_`, such as a UUID.")


class BadBody(RequestError):
    """A body that cannot be read. `status` is HTTP's status for it."""

    def __init__(self, status: int, reason: Reason) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, reason)
        self.status = status


def body_too_long(maximum: int) -> Reason:
    return Reason("BODY_SIZE", "The body is longer than {maximum:,} bytes.", maximum=maximum)


def bad_parameter(parameter: str, type: str) -> Reason:
    return Reason("PARAMETER_TYPE", "`{parameter}` must be of the type {type}.", parameter=parameter, type=type)


def language_of(headers: Headers) -> Language:
    """The language of messages that a request asks for."""
    return language(headers.get(b"accept-language"))


def device_of(headers: Headers) -> str | None:
    """The device that sends a request, if it names itself. Raises RequestError."""
    given = headers.get(DEVICE)
    return None if given is None else checked_device(given.decode("latin-1"))


def checked_device(name: Any) -> str:
    """Raises RequestError for a name that no device has."""
    if not isinstance(name, str) or not DEVICE_NAME.fullmatch(name):
        raise RequestError(ErrorCode.BAD_REQUEST, DEVICE_MALFORMED)
    return name


async def read_operation(
    scope: Scope, headers: Headers, receive: Receive, trusted: TrustedDocuments, *, body_limit: int
) -> Operation:
    """The operation in a body, of at most `body_limit` bytes, or in the query string. Raises RequestError."""
    asked, device = language_of(headers), device_of(headers)
    if scope["method"] != "POST":
        return operation(query_parameters(scope["query_string"]), trusted, asked, device)
    if not is_json(headers.get(b"content-type")):
        raise BadBody(415, JSON_NEEDED)
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise BadBody(415, Reason("REQUEST_COMPRESSED", "Send the request without compression."))
    length = headers.get(b"content-length", b"")
    # Before anything of it is read, since a slow client may take long to send it all.
    if length.isdigit() and int(length[:20]) > body_limit:
        raise BadBody(413, body_too_long(body_limit))
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadBody(400, BODY_CUT)
        body += message.get("body", b"")
        if len(body) > body_limit:
            raise BadBody(413, body_too_long(body_limit))
        more = message.get("more_body", False)
    return operation(parse_json(body, None), trusted, asked, device)


def query_parameters(query_string: bytes) -> dict[str, Any]:
    """The parameters of a GraphQL request in a query string. Raises RequestError."""
    try:
        # Not Starlette's parser, which would replace invalid bytes: a search would then look for the replacement.
        pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, Reason("URL_ENCODING", "The address is not in UTF-8.")) from None
    parameters: dict[str, Any] = dict(pairs)
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = parse_json(parameters[name].encode(), name)
    return parameters


def parse_json(text: bytes | bytearray, parameter: str | None) -> Any:
    """The value of a parameter, or of the body for None. Raises RequestError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        reason = NOT_JSON if parameter is None else bad_parameter(parameter, "JSON")
        raise RequestError(ErrorCode.BAD_REQUEST, reason) from None


def operation(parameters: Any, trusted: TrustedDocuments, language: Language, device: str | None = None) -> Operation:
    """Raises RequestError for a parameter of the wrong type, and for a document that does not run here.

    `language` is that of messages, `device` the sender's name for itself.
    """
    if not isinstance(parameters, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, NOT_AN_OBJECT)
    name, variables = parameters.get("operationName"), parameters.get("variables")
    extensions = parameters.get("extensions")
    if name is not None and not isinstance(name, str):
        raise RequestError(ErrorCode.BAD_REQUEST, bad_parameter("operationName", "String"))
    if variables is not None and not isinstance(variables, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, bad_parameter("variables", "object"))
    if extensions is not None and not isinstance(extensions, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, bad_parameter("extensions", "object"))
    return Operation(trusted.text(parameters), variables or {}, name, extensions or {}, language, device)
