"""Errors in the form that clients get."""

import secrets
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from models.db.outages import CommitUnanswered, Outage, error_name, outage_of
from models.failures import FAILURES, origin
from models.reason import Language, Reason, text_in
from resolvers.errors import ErrorCode, RequestError, ThrottledError

log = structlog.get_logger(__name__)

WHOLE = "{message}"  # the template of a message that is none of the catalogue
# The reasons of graphql-core's own errors, by code. Their messages are English.
CORE_REASONS = {
    ErrorCode.BAD_DOCUMENT: "DOCUMENT_INVALID",
    ErrorCode.BAD_VARIABLES: "VARIABLES_INVALID",
    ErrorCode.BAD_INPUT: "ARGUMENT_INVALID",
}


UNAVAILABLE_SECONDS, BUSY_SECONDS = 5, 2  # until a client may try again
NOT_AVAILABLE = Reason("NOT_AVAILABLE", "This cannot be done at the moment. Try again later.")
NOT_IN_TIME = Reason("NOT_IN_TIME", "Others kept the data busy for too long. Try again later.")
COMMIT_UNANSWERED = Reason(
    "COMMIT_UNANSWERED",
    "The connection was lost during the commit: the change was kept or not. Look before it is sent again; a mutation"
    " with the same `clientMutationId` is carried out once only.",
)


class InvalidOperation(RequestError):
    """The document, or its variables, cannot be executed.

    `errors` are all of its errors and `extensions` those of the response, as clients get them.
    """

    def __init__(self, code: ErrorCode, errors: list[dict[str, Any]], extensions: dict[str, Any] | None = None) -> None:
        first = errors[0]
        super().__init__(code, Reason(first["extensions"]["reason"], WHOLE, message=first["message"]))
        self.errors, self.extensions = errors, extensions


def request_errors(error: RequestError) -> list[dict[str, Any]]:
    """The errors that a client gets for a request that was refused."""
    if isinstance(error, InvalidOperation):
        return error.errors
    formatted = coded_error(error.code, error.reason)
    if error.retry_after is not None:
        formatted["extensions"]["retryAfter"] = error.retry_after
    return [formatted]


def unavailable(error: BaseException) -> ThrottledError | None:
    """The refusal for a failure of the database, which is logged and counted; None for any other error."""
    outage = outage_of(error)
    if outage is None:
        return None
    code = ErrorCode(outage.value)
    FAILURES.note("a request was not served", error, code=code.value)
    if isinstance(error, CommitUnanswered):
        return ThrottledError(code, COMMIT_UNANSWERED, UNAVAILABLE_SECONDS)
    if outage is Outage.BUSY:
        return ThrottledError(code, NOT_IN_TIME, BUSY_SECONDS)
    return ThrottledError(code, NOT_AVAILABLE, UNAVAILABLE_SECONDS)


def coded_error(code: ErrorCode, message: str) -> dict[str, Any]:
    """An error with its code and reason. The message is a Reason until `translated` gives it a language."""
    return {"message": message, "extensions": extensions_of(code, message)}


def extensions_of(code: ErrorCode, message: str) -> dict[str, Any]:
    if not isinstance(message, Reason):
        return {"code": code.value, "reason": CORE_REASONS.get(code, code.value)}
    extensions: dict[str, Any] = {"code": code.value, "reason": message.code}
    if message.parameters:
        extensions["parameters"] = message.parameters
    return extensions


def translated(errors: list[dict[str, Any]], language: Language) -> list[dict[str, Any]]:
    """The errors with their messages in a language. Those of graphql-core stay English."""
    if language is Language.ENGLISH:
        return errors
    return [{**error, "message": text_in(language, error["message"])} for error in errors]


def format_error(error: GraphQLError, code: ErrorCode | None = None) -> dict[str, Any]:
    """An error as the client gets it, with its code and reason.

    `code` is for errors of graphql-core itself. A failure of the database has a code of its own (`unavailable`). Any
    other unexpected error is logged under an incident id, and the client gets that id alone.
    """
    cause = error.original_error
    formatted = dict(error.formatted)
    if isinstance(cause, RequestError):
        return {**formatted, **coded_error(cause.code, cause.reason)}
    if isinstance(error, GraphQLSyntaxError):
        return {**formatted, "extensions": {"code": ErrorCode.BAD_DOCUMENT.value, "reason": "DOCUMENT_SYNTAX"}}
    if code is not None or error.message.startswith("Argument "):
        return {**formatted, "extensions": extensions_of(code or ErrorCode.BAD_INPUT, error.message)}
    cause = cause or error
    if (refused := unavailable(cause)) is not None:
        return {**formatted, **request_errors(refused)[0]}
    incident = secrets.token_hex(8)
    # The message may contain a row's values, which may be personal: log the kind of error and where it arose instead.
    state = {} if (name := error_name(cause)) is None else {"state": name}
    kind = type(cause).__name__
    log.error("unexpected error", incident=incident, error=kind, **state, where=origin(cause), path=error.path)
    reason = Reason("INTERNAL", "Something went wrong here. The server's log has it as {incident}.", incident=incident)
    masked = coded_error(ErrorCode.INTERNAL, reason)
    masked["extensions"]["incident"] = incident
    return {**formatted, **masked}
