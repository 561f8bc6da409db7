"""Global ids: opaque to clients; each contains its type's name and the row's key."""

import base64
import binascii
from functools import lru_cache

from resolvers.errors import ErrorCode, RequestError
from resolvers.sql.pagination import INTEGER_MAXIMUM


@lru_cache(maxsize=65_536)  # large responses are mostly ids, and encoding one takes as long as the rest of its row
def encode(name: str, key: int) -> str:
    return base64.urlsafe_b64encode(f"{name}:{key}".encode()).decode().rstrip("=")


@lru_cache(maxsize=65_536)
def decode(text: str) -> tuple[str, int]:
    """The type's name and the row's key. Raises RequestError for a text that `encode` cannot have made."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        name, _, digits = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        name, digits = "", ""
    # No leading zero and no sign, so that each row has exactly one id.
    if not (digits.isdigit() and digits.isascii() and digits[0] != "0" and len(digits) <= 10):
        raise RequestError(ErrorCode.BAD_ID, "Not an id of this graph.")
    key = int(digits)
    if key > INTEGER_MAXIMUM or encode(name, key) != text:
        raise RequestError(ErrorCode.BAD_ID, "Not an id of this graph.")
    return name, key


def key_of(text: str, name: str) -> int:
    """The key in an id that must be of the type `name`. Raises RequestError."""
    type_name, key = decode(text)
    if type_name != name:
        raise RequestError(ErrorCode.BAD_ID, f"The id must be of the type {name}, not {type_name}.")
    return key
