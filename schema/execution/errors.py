"""Errors in the form that clients get."""

import secrets
from typing import Any

import structlog
from graphql import GraphQLError

from resolvers.errors import ErrorCode, RequestError

log = structlog.get_logger(__name__)


class InvalidOperation(RequestError):
    """The document, or its variables, cannot be executed.

    `errors` are all of its errors and `extensions` those of the response, as clients get them.
    """

    def __init__(self, code: ErrorCode, errors: list[dict[str, Any]], extensions: dict[str, Any] | None = None) -> None:
        super().__init__(code, errors[0]["message"])
        self.errors, self.extensions = errors, extensions


def request_errors(error: RequestError) -> list[dict[str, Any]]:
    """The errors that a client gets for a request that was refused."""
    if isinstance(error, InvalidOperation):
        return error.errors
    formatted = coded_error(error.code, error.message)
    if error.retry_after is not None:
        formatted["extensions"]["retryAfter"] = error.retry_after
    return [formatted]


def coded_error(code: ErrorCode, message: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code.value}}


def format_error(error: GraphQLError, code: ErrorCode | None = None) -> dict[str, Any]:
    """An error as the client gets it, with its code.

    `code` is for errors of graphql-core itself. Any other unexpected error is logged under an incident id, and the
    client gets that id alone.
    """
    cause = error.original_error
    formatted = dict(error.formatted)
    if isinstance(cause, RequestError):
        return {**formatted, "message": cause.message, "extensions": {"code": cause.code.value}}
    if code is not None or error.message.startswith("Argument "):
        return {**formatted, "extensions": {"code": (code or ErrorCode.BAD_INPUT).value}}
    incident = secrets.token_hex(8)
    cause = cause or error
    # The message may contain a row's values, which may be personal: log the kind of error and where it arose instead.
    log.error("unexpected error", incident=incident, error=type(cause).__name__, where=origin(cause), path=error.path)
    message = f"Something went wrong here. The log has it as {incident}."
    return {**formatted, "message": message, "extensions": {"code": ErrorCode.INTERNAL.value, "incident": incident}}


def origin(error: BaseException) -> list[str]:
    """The last six calls that led to an error, innermost last, without any values."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-6:]
