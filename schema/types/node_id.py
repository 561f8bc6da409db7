"""Global ids: opaque to clients; each contains its type's name and the row's key."""

import base64
import binascii
from functools import lru_cache

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.pagination import INTEGER_MAXIMUM

SHOWN = 40  # characters of a client's text that a message repeats


@lru_cache(maxsize=8_192)  # large responses are mostly ids, and encoding one takes as long as the rest of its row
def encode(name: str, key: int) -> str:
    return base64.urlsafe_b64encode(f"{name}:{key}".encode()).decode().rstrip("=")


@lru_cache(maxsize=4_096)
def decode(text: str) -> tuple[str, int]:
    """The type's name and the row's key. Raises RequestError for a text that `encode` cannot have made."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        name, _, digits = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        name, digits = "", ""
    # No leading zero and no sign, so that each row has exactly one id.
    if not (digits.isdigit() and digits.isascii() and digits[0] != "0" and len(digits) <= 10):
        raise malformed(text)
    key = int(digits)
    if key > INTEGER_MAXIMUM or encode(name, key) != text:
        raise malformed(text)
    return name, key


def filter_key(field: str, text: str, name: str) -> int:
    """Like `key_of`, for a field of a filter, where clients often send codes."""
    try:
        return key_of(text, name)
    except RequestError:
        reason = Reason(
            "FILTER_TAKES_IDS",
            "`filter.{field}` takes ids of the type {type}; got {value}.",
            field=field,
            type=name,
            value=shortened(text),
        )
        raise RequestError(ErrorCode.BAD_ID, reason) from None


def malformed(text: str) -> RequestError:
    """The error for a text that is no id."""
    return RequestError(
        ErrorCode.BAD_ID, Reason("ID_MALFORMED", "`{value}` is not an id of this graph.", value=shortened(text))
    )


def shortened(text: str) -> str:
    """The part of a client's text that a message repeats. Lone surrogates could not be written as JSON."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def key_of(text: str, name: str) -> int:
    """The key in an id that must be of the type `name`. Raises RequestError."""
    type_name, key = decode(text)
    if type_name != name:
        reason = Reason(
            "ID_TYPE", "The id must be of the type {wanted}, not {given}.", wanted=name, given=shortened(type_name)
        )
        raise RequestError(ErrorCode.BAD_ID, reason)
    return key
