"""The ids of requests: which are taken over."""

import pytest

from models.request_record import RequestRecord


def id_of(given: bytes | None) -> str:
    return RequestRecord(given, logged=False, single=False).id


@pytest.mark.parametrize("given", [b"a", b"0" * 64, b"4bf92f35-77b3.4da6_A"])
def test_a_valid_id_is_taken_over(given: bytes) -> None:
    assert id_of(given) == given.decode()


@pytest.mark.parametrize("given", [None, b"", b"0" * 65, b"a b", b"a\n", b'"', b"\xe5\xbc\xa0", b"a/b"])
def test_another_id_is_made_for_each_request_without_a_valid_one(given: bytes | None) -> None:
    first, second = id_of(given), id_of(given)
    assert first != second
    for made in (first, second):
        assert id_of(made.encode()) == made
