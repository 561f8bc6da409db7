"""Cookies are for HTTPS, except on this machine, in a demo, and where the settings allow it."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from resolvers.errors import RequestError
from web.auth.cookies import Cookies, without_insecure


def request(scheme: str = "http", host: str = "huhang.test", origin: str | None = None) -> Request:
    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    return Request({"type": "http", "method": "POST", "scheme": scheme, "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("asked", "secure", "secure_where_insecure_is_allowed"),
    [
        (request("https"), True, True),
        (request("http"), True, False),
        (request("http", origin="https://huhang.test"), True, True),  # a proxy that hides TLS
        (request("http", origin="http://huhang.test"), True, False),
        (request("http", host="localhost:8000"), False, False),
        (request("http", host="[::1]:8000"), False, False),
        (request("http", host="127.0.0.1", origin="http://127.0.0.1"), False, False),
        (request("http", host="localhost.evil.test"), True, False),
        (request("http", host="localhost", origin="https://huhang.test"), True, True),
        (request("http", host="[::1", origin="http://[::1"), True, False),
        (request("http", host="", origin="null"), True, False),
    ],
)
def test_secure_is_the_rule(asked: Request, secure: bool, secure_where_insecure_is_allowed: bool) -> None:
    assert Cookies(insecure=False).is_secure(asked) is secure
    assert Cookies(insecure=True).is_secure(asked) is secure_where_insecure_is_allowed


def test_a_browser_that_would_drop_the_cookie_is_refused() -> None:
    over_http = request("http", origin="http://huhang.test")
    with pytest.raises(RequestError, match="needs HTTPS"):
        Cookies(insecure=False).check(over_http)
    Cookies(insecure=True).check(over_http)
    # Without Origin it may be a proxy that hides TLS, and a Secure cookie is then right.
    Cookies(insecure=False).check(request("http"))
    Cookies(insecure=False).check(request("http", host="localhost", origin="http://localhost"))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("https"), "__Host-huhang=s; HttpOnly; Max-Age=43200; Path=/; SameSite=lax; Secure"),
        (request("http", host="localhost"), "huhang=s; HttpOnly; Max-Age=43200; Path=/; SameSite=lax"),
    ],
)
def test_the_attributes_are_those_of_the_prefix(asked: Request, expected: str) -> None:
    response = Response()
    Cookies(insecure=False).sign_in(asked, response, "s")
    assert response.headers.getlist("set-cookie") == [expected]


def test_signing_out_clears_both_cookies() -> None:
    response = Response()
    Cookies(insecure=False).sign_out(response)
    first, second = response.headers.getlist("set-cookie")
    assert first.startswith('__Host-huhang=""; ')
    assert "Max-Age=0" in first
    assert "Secure" in first
    assert second.startswith('huhang=""; ')
    assert "Secure" not in second


def test_over_an_encrypted_connection_the_insecure_name_does_not_count() -> None:
    """Another page of the same host could have set it; nobody but the server can set the secure one."""
    headers = [(b"host", b"huhang.test"), (b"cookie", b"a=1; huhang=theirs; __Host-huhang=own; huhang-oidc=s")]
    assert without_insecure(headers) == [headers[0], (b"cookie", b"a=1; __Host-huhang=own; huhang-oidc=s")]
    assert without_insecure([(b"cookie", b"huhang=theirs")]) == [(b"cookie", b"")]
    untouched = [(b"cookie", b"__Host-huhang=own")]
    assert without_insecure(untouched) == untouched
