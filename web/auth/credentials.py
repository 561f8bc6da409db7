"""Reads what a request proves its sender with: a bearer token, or the cookie of a person who has signed in."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from resolvers.errors import AUTHORIZATION_NEEDED, NOT_A_TOKEN, ErrorCode, RequestError

# The first is the name where the connection is encrypted: browsers take it from the server itself only. The second is
# for a demo, or a network without encryption.
COOKIES = (b"__Host-huhang", b"huhang")
SECRET_MAXIMUM = 8_192  # characters of a token; a longer one is not looked at


class Credentials(NamedTuple):
    """A token, or the secret of a sign-in. Equal credentials belong to the same viewer."""

    scheme: Literal["bearer", "cookie"]
    secret: str


def credentials(headers: Mapping[bytes, bytes]) -> Credentials | None:
    """The credentials of a request, from its headers by lower-case name; None without any.

    An Authorization header counts before a cookie. Raises RequestError for one that is malformed.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None:
        return bearer(authorization.decode("latin-1"))
    cookie = headers.get(b"cookie")
    return None if cookie is None else session_cookie(cookie)


def bearer(authorization: str) -> Credentials:
    """The token of an Authorization header. Raises RequestError."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise RequestError(ErrorCode.UNAUTHENTICATED, AUTHORIZATION_NEEDED)
    if len(token) > SECRET_MAXIMUM:
        raise RequestError(ErrorCode.UNAUTHENTICATED, NOT_A_TOKEN)
    return Credentials("bearer", token)


def session_cookie(cookie: bytes) -> Credentials | None:
    """The secret of a sign-in in a Cookie header; None where it has other cookies only."""
    secrets: dict[bytes, str] = {}
    for pair in cookie.split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name in COOKIES and 0 < len(value) <= SECRET_MAXIMUM:
            secrets.setdefault(name, value.decode("latin-1"))
    secret = secrets.get(COOKIES[0]) or secrets.get(COOKIES[1])
    return None if secret is None else Credentials("cookie", secret)
