"""The headers of a request."""

from starlette.types import Scope

Headers = dict[bytes, bytes]  # by lower-case name
HEADERS = "huhang.headers"  # their key in the ASGI scope


def read_headers(scope: Scope) -> Headers:
    """The headers of a request, which nobody may change. Of those with the same name the first one counts."""
    headers: Headers | None = scope.get(HEADERS)
    if headers is None:
        headers = scope[HEADERS] = dict(reversed(scope["headers"]))
    return headers
