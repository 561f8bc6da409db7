"""Proxies by address and network."""

import pytest

from web.proxies import networks, trusted_by

pytestmark = pytest.mark.database_independent


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("192.0.2.1", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_an_address_is_trusted_if_it_is_listed(host: str, trusted: bool) -> None:
    assert trusted_by("127.0.0.1, ::1,10.1.0.0/16")(host) is trusted
    assert not trusted_by("")(host)


@pytest.mark.parametrize("proxies", ["*", "localhost", "10.0.0.1/8", "300.1.1.1"])
def test_anything_else_than_addresses_is_refused(proxies: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        networks(proxies)
