"""The cookies of people who sign in with a browser: HttpOnly, SameSite=Lax, and Secure wherever that is possible."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from models.reason import Reason
from resolvers.accounts.logins import ABSOLUTE
from resolvers.errors import ErrorCode, RequestError
from web.auth.credentials import COOKIES
from web.origins import is_loopback

SECURE, INSECURE = (name.decode() for name in COOKIES)
FLOW_SECONDS = 600  # how long a person may take at the identity provider


class Cookies:
    """Sets and clears cookies. `insecure` allows them over HTTP from other machines: a demo, or a closed network."""

    def __init__(self, *, insecure: bool) -> None:
        self._insecure = insecure

    def is_secure(self, request: Request) -> bool:
        """Whether the browser has an encrypted connection, or must not get the cookie without one."""
        scheme, host = _address_of_browser(request)
        return scheme == "https" or not (self._insecure or is_loopback(host))

    def check(self, request: Request) -> None:
        """Raises RequestError where a browser would throw the cookie away, which looks like a failed sign-in."""
        scheme, _ = _address_of_browser(request)
        if scheme == "http" and "origin" in request.headers and self.is_secure(request):
            raise RequestError(
                ErrorCode.FORBIDDEN,
                Reason(
                    "HTTPS_NEEDED",
                    "Signing in needs HTTPS. For a closed network without it there is HUHANG_INSECURE_COOKIES.",
                ),
            )

    def sign_in(self, request: Request, response: Response, secret: str) -> None:
        secure = self.is_secure(request)
        self._set(response, SECURE if secure else INSECURE, secret, int(ABSOLUTE.total_seconds()), secure=secure)

    def sign_out(self, response: Response) -> None:
        for name in (SECURE, INSECURE):
            self._set(response, name, "", 0, secure=name == SECURE)

    def begin_flow(self, request: Request, response: Response, state: str) -> None:
        """Keep the state of an OpenID Connect flow with the browser that began it."""
        secure = self.is_secure(request)
        self._set(response, _flow_name(secure=secure), state, FLOW_SECONDS, secure=secure)

    def flow(self, request: Request) -> str | None:
        return request.cookies.get(_flow_name(secure=self.is_secure(request)))

    def end_flow(self, request: Request, response: Response) -> None:
        secure = self.is_secure(request)
        self._set(response, _flow_name(secure=secure), "", 0, secure=secure)

    def _set(self, response: Response, name: str, value: str, seconds: int, *, secure: bool) -> None:
        response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")


def without_insecure(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an encrypted request without the cookie that another one might have set.

    Whoever answers for this host over plain HTTP can set a cookie by that name, and would have a person work in a
    sign-in that is not their own. Browsers keep the name of the secure one for the server itself.
    """
    if not any(name == b"cookie" and COOKIES[1] + b"=" in value for name, value in headers):
        return headers
    return [(name, _without(value, COOKIES[1]) if name == b"cookie" else value) for name, value in headers]


def _without(cookie: bytes, name: bytes) -> bytes:
    return b"; ".join(p.strip() for p in cookie.split(b";") if p.strip().partition(b"=")[0] != name)


def _flow_name(*, secure: bool) -> str:
    return f"{SECURE if secure else INSECURE}-oidc"


def _address_of_browser(request: Request) -> tuple[str, str]:
    """Scheme and host that the browser uses, which a proxy may hide from the server: Origin tells them."""
    scheme = request.scope["scheme"]
    for address in (request.headers.get("origin", ""), f"{scheme}://{request.headers.get('host', '')}"):
        try:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") and parts.hostname:
                return parts.scheme, parts.hostname
        except ValueError:  # a malformed address
            continue
    return scheme, ""
