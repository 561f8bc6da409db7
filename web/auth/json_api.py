"""Endpoints of JSON under /auth: bodies that are read strictly, and errors in the form of the graph's errors."""

import functools
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import orjson
from graphql import GraphQLError
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import format_error, request_errors, unavailable
from web.graphql.negotiation import JSON, is_json
from web.graphql.request import BODY_CUT, JSON_NEEDED, NOT_JSON, body_too_long
from web.graphql.response import HttpResponse, error_response

BODY_MAXIMUM = 16_384  # bytes
NO_STORE = {"cache-control": "no-store"}
STATUS = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.BAD_CREDENTIALS: 401,
    ErrorCode.CODE_NEEDED: 401,
    ErrorCode.BAD_CODE: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.NAME_TAKEN: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_TYPE: 415,
    ErrorCode.TOO_MANY: 429,
    ErrorCode.BUSY: 503,
    ErrorCode.UNAVAILABLE: 503,
}

KEY_MAXIMUM = 2**31 - 1

Handler = Callable[[Any, Request], Awaitable[ASGIApp]]


class KeyConvertor(Convertor[int]):
    """A row's key in a path, as `{id:key}`. A larger number than any key becomes the largest, which no row has.

    Starlette's own `int` raises for numbers of more than 4,300 digits.
    """

    regex = "[0-9]+"

    def convert(self, value: str) -> int:
        digits = value.lstrip("0")
        return min(int(digits or "0"), KEY_MAXIMUM) if len(digits) <= len(str(KEY_MAXIMUM)) else KEY_MAXIMUM

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("key", KeyConvertor())


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    return text


# A text that both databases can store.
Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(_storable)]


class Body(BaseModel):
    """The body of a request, with names in camel case. Unknown names and other types are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel)


BodyOf = TypeVar("BodyOf", bound=Body)


async def read_body(request: Request, shape: type[BodyOf]) -> BodyOf:
    """The body of a request. Raises RequestError, which names wrong fields but never repeats a value.

    Only JSON is taken: a form of another site can send text, but no JSON without a preflight that no server answers.
    """
    if not is_json(request.headers.get("content-type", "").encode()):
        raise RequestError(ErrorCode.UNSUPPORTED_TYPE, JSON_NEEDED)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAXIMUM:
                raise RequestError(ErrorCode.TOO_LARGE, body_too_long(BODY_MAXIMUM))
        return shape.model_validate(orjson.loads(body))
    except ClientDisconnect:
        raise RequestError(ErrorCode.BAD_REQUEST, BODY_CUT) from None
    except orjson.JSONDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, NOT_JSON) from None
    except ValidationError as error:
        known = {field.alias or name for name, field in shape.model_fields.items()}
        wrong = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
        raise RequestError(ErrorCode.BAD_INPUT, wrong_fields(sorted(wrong & known))) from None


def wrong_fields(names: list[str]) -> Reason:
    if names:
        return Reason("FIELDS_WRONG", "Missing or wrong: {fields}.", fields=[f"`{name}`" for name in names])
    return Reason("BODY_FIELDS", "The body is not an object of the fields that belong here.")


def answer(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, NO_STORE, "application/json")


def no_content() -> Response:
    return Response(status_code=204, headers=NO_STORE)


def error_answer(error: RequestError) -> HttpResponse:
    """The response to a request that was refused, in its own language."""
    headers = dict(NO_STORE)
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return error_response(request_errors(error), JSON, STATUS.get(error.code, 400), headers)


def endpoint(handler: Handler) -> Handler:
    """A method that answers a request; what it raises becomes the answer, masked where it is unexpected."""

    @functools.wraps(handler)
    async def respond(self: Any, request: Request) -> ASGIApp:
        try:
            return await handler(self, request)
        except RequestError as error:
            return error_answer(error)
        except Exception as error:  # the client gets a masked error, and the log the details
            if (refused := unavailable(error)) is not None:
                return error_answer(refused)
            masked = format_error(GraphQLError("", original_error=error))
            return error_response([masked], JSON, 500, NO_STORE)

    return respond
