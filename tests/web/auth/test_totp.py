"""TOTP as in RFC 6238, with codes of three time steps."""

import datetime as dt
from base64 import b32encode

import pytest

from tests.conftest import NOW
from web.auth.totp import new_secret, time_step, uri

# The secret of RFC 6238, appendix B, and its codes, of which apps show the last six digits.
SECRET = b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
]


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    now = dt.datetime.fromtimestamp(seconds, dt.UTC)
    assert time_step(SECRET, code[-6:], now) == seconds // 30


def test_codes_of_the_steps_before_and_after_are_accepted() -> None:
    now = dt.datetime.fromtimestamp(1234567890, dt.UTC)
    for seconds, step in ((-60, None), (-30, 0), (0, 0), (30, 0), (60, None)):
        expected = None if step is None else 1234567890 // 30
        assert time_step(SECRET, "005924", now + dt.timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "-12345", "1234.5", "²²²²²²x", "0x1234", "9" * 200])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert time_step(SECRET, code, NOW) is None


@pytest.mark.parametrize("code", ["005 924", "００５９２４", " 005924 "])
def test_a_code_may_be_typed_as_it_is_shown(code: str) -> None:
    assert time_step(SECRET, code, dt.datetime.fromtimestamp(1234567890, dt.UTC)) is not None


def test_secrets_have_160_bits_and_differ() -> None:
    assert {len(new_secret()) for _ in range(10)} == {32}
    assert len({new_secret() for _ in range(100)}) == 100


def test_an_app_reads_the_address() -> None:
    assert uri(SECRET, "zhang wei") == f"otpauth://totp/Huhang:zhang%20wei?secret={SECRET}&issuer=Huhang"
