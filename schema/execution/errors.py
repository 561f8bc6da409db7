"""Errors in the form that clients get."""

import secrets
from typing import Any

import structlog
from graphql import (
    GraphQLError,
)

from resolvers.errors import ErrorCode, RequestError
from schema.execution.operation import GraphQLResponse

log = structlog.get_logger(__name__)


def error_response(errors: list[dict[str, Any]]) -> GraphQLResponse:
    return GraphQLResponse(errors=errors, started=False)


def coded_error(code: ErrorCode, message: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code.value}}


def format_error(error: GraphQLError, code: ErrorCode | None = None) -> dict[str, Any]:
    """An error as the client is told of it: with its code, and what it was not told of in the log.

    `code` is for errors of graphql-core itself.
    """
    cause = error.original_error
    found = dict(error.formatted)
    if isinstance(cause, RequestError):
        return {**found, "message": cause.message, "extensions": {"code": cause.code.value}}
    if code is not None or error.message.startswith("Argument "):
        return {**found, "extensions": {"code": (code or ErrorCode.BAD_INPUT).value}}
    incident = secrets.token_hex(8)
    cause = cause or error
    # The message may hold a row's values, which may be personal: the kind of error and where it arose must do.
    log.error("unexpected error", incident=incident, error=type(cause).__name__, where=origin(cause), path=error.path)
    message = f"Something went wrong here. The log has it as {incident}."
    return {**found, "message": message, "extensions": {"code": ErrorCode.INTERNAL.value, "incident": incident}}


def origin(error: BaseException) -> list[str]:
    """The calls that led to an error, innermost last, without any values."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-6:]
