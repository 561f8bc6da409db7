"""What a client got wrong, with a code it can act on. Everything else that goes wrong is masked."""

import enum


class ErrorCode(enum.Enum):
    """Stands in `extensions.code` of an error; the values are promised to clients."""

    BAD_REQUEST = "BAD_REQUEST"  # the request is not one of GraphQL over HTTP
    BAD_DOCUMENT = "BAD_DOCUMENT"  # the document does not parse, or is not valid for this schema
    BAD_VARIABLES = "BAD_VARIABLES"  # the variables do not fit the document
    BAD_ID = "BAD_ID"
    BAD_CURSOR = "BAD_CURSOR"
    CURSOR_FOREIGN = "CURSOR_FOREIGN"  # of another log, or of before a restore
    CURSOR_AHEAD = "CURSOR_AHEAD"  # beyond the end of the log
    CURSOR_TOO_OLD = "CURSOR_TOO_OLD"  # behind the retention
    BAD_PAGE = "BAD_PAGE"
    BAD_INPUT = "BAD_INPUT"
    TOO_LARGE = "TOO_LARGE"  # an upload has too many bytes, or a picture too many pixels
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"  # an upload is of no kind that is taken, or not of the one it says
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    NO_DISTRICT = "NO_DISTRICT"
    TOO_COSTLY = "TOO_COSTLY"  # an operation may read more rows than can be had at once
    TOO_MANY = "TOO_MANY"  # operations at once on one connection
    ENDING = "ENDING"  # the server is told to end, and has not finished this
    INTERNAL = "INTERNAL"  # a fault of ours; the log has it under the id that the error gives


class RequestError(Exception):
    """A request that cannot be answered as it stands."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def checked_text(value: str) -> str:
    """The text, if both databases can hold it.

    NUL and lone surrogates are valid in JSON and in Python, and neither database takes both.
    """
    if "\0" in value:
        raise RequestError(ErrorCode.BAD_INPUT, "A text has a NUL character.")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise RequestError(ErrorCode.BAD_INPUT, "A text has half of a surrogate pair.")
    return value
