"""What is encrypted can be read with the newest key and with older ones, and with no other."""

import datetime as dt
import os

import pytest

from tests.conftest import NOW
from web.auth.cipher import Cipher

OLD, NEW, OTHER = (os.urandom(32) for _ in range(3))


def test_a_text_comes_back() -> None:
    cipher = Cipher([NEW])
    value = cipher.encrypt("护航", NOW)
    assert "护航" not in value
    assert cipher.decrypt(value, NOW) == "护航"
    assert cipher.encrypt("护航", NOW) != value


def test_older_keys_read_and_do_not_write() -> None:
    value = Cipher([OLD]).encrypt("text", NOW)
    rotated = Cipher([NEW, OLD])
    assert (rotated.decrypt(value, NOW), rotated.is_current(value)) == ("text", False)
    renewed = rotated.encrypt("text", NOW)
    assert rotated.is_current(renewed)
    assert Cipher([NEW]).decrypt(renewed, NOW) == "text"
    assert Cipher([OTHER]).decrypt(value, NOW) is None


def test_a_value_may_be_valid_for_a_while() -> None:
    cipher, hour = Cipher([NEW]), dt.timedelta(hours=1)
    value = cipher.encrypt("text", NOW)
    assert cipher.decrypt(value, NOW + hour, valid=hour) == "text"
    assert cipher.decrypt(value, NOW + hour + dt.timedelta(seconds=1), valid=hour) is None


@pytest.mark.parametrize("value", ["", "x", "gAAAAA", "é", "\0", "a" * 100_000])
def test_anything_else_is_none(value: str) -> None:
    assert Cipher([NEW]).decrypt(value, NOW) is None
    assert Cipher([NEW]).decrypt(value, NOW, valid=dt.timedelta(hours=1)) is None
