"""Global ids: opaque to clients, and each says which type it is of."""

import base64
import binascii
from functools import lru_cache

from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.pagination import INTEGER_MAXIMUM


@lru_cache(maxsize=65_536)  # a file of some hundred rows is mostly ids, and each takes as long as its row
def encode(name: str, key: int) -> str:
    return base64.urlsafe_b64encode(f"{name}:{key}".encode()).decode().rstrip("=")


@lru_cache(maxsize=65_536)
def decode(text: str) -> tuple[str, int]:
    """The type's name and the row's key. Raises Refused for a text that `encode` never made."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        name, _, digits = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        name, digits = "", ""
    # No leading zero and no sign: one row has one id.
    if not (digits.isdigit() and digits.isascii() and digits[0] != "0" and len(digits) <= 10):
        raise RequestError(ErrorCode.BAD_ID, "That is not an id of this graph.")
    key = int(digits)
    if key > INTEGER_MAXIMUM or encode(name, key) != text:
        raise RequestError(ErrorCode.BAD_ID, "That is not an id of this graph.")
    return name, key


def key_of(text: str, name: str) -> int:
    """The key of an id that must be of the type `name`."""
    found, key = decode(text)
    if found != name:
        raise RequestError(ErrorCode.BAD_ID, f"That is the id of another type; an id of {name} is wanted.")
    return key
