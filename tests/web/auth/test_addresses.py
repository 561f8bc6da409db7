"""Which addresses are encrypted, and which paths are this server's."""

import pytest

from web.auth.addresses import is_safe_url, local_path


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://sso.example/realms/a", True),
        ("http://localhost:8080", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:1", True),
        ("http://sso.example", False),
        ("http://localhost.evil.test", False),
        ("ftp://localhost", False),
        ("//sso.example", False),
        ("http://[::1", False),
        ("", False),
        (None, False),
        (1, False),
    ],
)
def test_only_https_and_this_machine_are_safe(url: object, safe: bool) -> None:
    assert is_safe_url(url) is safe


@pytest.mark.parametrize("path", ["/", "/desk/?a=//b#c", "/a:b", "/%2F%2Fevil.test"])
def test_a_path_of_this_server_stays(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "a",
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\/evil.test",
        "/\n/evil",
        "/" + "a" * 500,
    ],
)
def test_anything_else_becomes_the_first_page(path: str | None) -> None:
    assert local_path(path) == "/"
