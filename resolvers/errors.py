"""Requests that are refused, with a code that the client can act on. Any other error is masked."""

import enum

from models.reason import Reason


class ErrorCode(enum.Enum):
    """The `extensions.code` of an error. Clients rely on the values, so they never change."""

    BAD_REQUEST = "BAD_REQUEST"  # the request does not follow the GraphQL over HTTP specification
    BAD_DOCUMENT = "BAD_DOCUMENT"  # the document does not parse or is not valid for this schema
    UNKNOWN_DOCUMENT = "UNKNOWN_DOCUMENT"  # no trusted document has this id
    UNTRUSTED_DOCUMENT = "UNTRUSTED_DOCUMENT"  # this server runs trusted documents only
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"  # at which clients send the whole document
    BAD_VARIABLES = "BAD_VARIABLES"  # the variables do not fit the document
    BAD_ID = "BAD_ID"
    BAD_CURSOR = "BAD_CURSOR"
    CURSOR_FOREIGN = "CURSOR_FOREIGN"  # from another log, or from before a restore
    CURSOR_AHEAD = "CURSOR_AHEAD"  # beyond the end of the log
    CURSOR_TOO_OLD = "CURSOR_TOO_OLD"  # older than the retention
    BAD_PAGE = "BAD_PAGE"
    BAD_INPUT = "BAD_INPUT"
    TOO_LARGE = "TOO_LARGE"  # an upload, or the answer to an operation, has too many bytes
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"  # an upload has an unsupported media type, or not the one that it declares
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    BAD_CREDENTIALS = "BAD_CREDENTIALS"  # no enabled account has this name and password
    CODE_NEEDED = "CODE_NEEDED"  # name and password are right; the account has TOTP
    BAD_CODE = "BAD_CODE"  # a TOTP code is wrong, or was used already
    WEAK_PASSWORD = "WEAK_PASSWORD"  # a new password is too short, too common, or the name
    NAME_TAKEN = "NAME_TAKEN"  # another account, or another token of this kind, has this name
    AUTHORIZATION_PENDING = "AUTHORIZATION_PENDING"  # no commander has confirmed the screen yet
    SLOW_DOWN = "SLOW_DOWN"  # a screen asks for its token too often
    ACCESS_DENIED = "ACCESS_DENIED"  # a commander has refused the screen
    EXPIRED = "EXPIRED"  # the code of a screen has expired
    NO_DISTRICT = "NO_DISTRICT"
    TOO_COSTLY = "TOO_COSTLY"  # an operation may read more rows than the limit
    TOO_MANY = "TOO_MANY"  # too many operations, sockets or subscriptions of one connection, viewer or address
    BUSY = "BUSY"  # too much waits already, or neither the server nor its database had a turn for this in time
    UNAVAILABLE = "UNAVAILABLE"  # the database, or a store, cannot be used now
    BAD_HOST = "BAD_HOST"  # the Host header has a name that is not the server's
    BAD_ORIGIN = "BAD_ORIGIN"  # another site's page asks, or a cookie alone does not tell whose page does
    TIMEOUT = "TIMEOUT"  # an operation took longer than the deadline
    ENDING = "ENDING"  # the server shut down before it finished the operation
    INTERNAL = "INTERNAL"  # an unexpected error; the server's log has it under the id in the message


NOT_IN_REGISTER = Reason("NOT_IN_REGISTER", "The register has no such inspector or enterprise.")
COMMANDERS_ONLY = Reason("COMMANDERS_ONLY", "Only a commander may do that.")
SIGN_IN_FIRST = Reason("SIGN_IN_FIRST", "Sign in first.")
AUTHORIZATION_NEEDED = Reason("AUTHORIZATION_NEEDED", "Send `Authorization: Bearer <token>`.")
NOT_A_TOKEN = Reason("NOT_A_TOKEN", "This is not a token of this server.")
READ_NEEDED = Reason("SCOPE_NEEDED", "The scope `{scope}` is needed.", scope="read")
TOKEN_NEEDED = Reason("TOKEN_NEEDED", "Send a bearer token.")


class RequestError(Exception):
    """A request that is refused; its sender has to change it, or to wait `retry_after` seconds."""

    def __init__(self, code: ErrorCode, reason: Reason, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.code, self.reason, self.retry_after = code, reason, retry_after


class ThrottledError(RequestError):
    """A request that was not executed, because of others or of an outage.

    Its sender may try again after `retry_after` seconds.
    """

    def __init__(self, code: ErrorCode, reason: Reason, retry_after: int) -> None:
        super().__init__(code, reason, retry_after=retry_after)


def argument_range(argument: str, minimum: int, maximum: int) -> Reason:
    return Reason(
        "ARGUMENT_RANGE",
        "`{argument}` must be from {minimum:,} to {maximum:,}.",
        argument=argument,
        minimum=minimum,
        maximum=maximum,
    )


def checked_text(value: str) -> str:
    """The text. Raises RequestError for NUL characters and lone surrogates.

    Both are valid in JSON and in Python, but not both in either database.
    """
    if "\0" in value:
        raise RequestError(ErrorCode.BAD_INPUT, Reason("TEXT_NUL", "A text has a NUL character."))
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise RequestError(ErrorCode.BAD_INPUT, Reason("TEXT_SURROGATE", "A text has a lone surrogate."))
    return value
