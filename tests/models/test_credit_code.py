"""Unified social credit codes: which are valid by GB 32100-2015, and which errors the check character detects."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models import credit_code
from models.credit_code import ALPHABET, check_character, complete, is_valid

first17s = st.text(ALPHABET, min_size=17, max_size=17)
codes = first17s.map(complete)
places = st.integers(0, 17)


def with_character(code: str, place: int, character: str) -> str:
    return code[:place] + character + code[place + 1 :]


def swapped(code: str, place: int, other: int) -> str:
    return with_character(with_character(code, place, code[other]), other, code[place])


def test_published_examples() -> None:
    assert is_valid("91350100M000100Y43")
    assert not is_valid("91350100M000100Y4Z")
    assert complete("91350100M000100Y4") == "91350100M000100Y43"


def test_alphabet_has_no_letters_that_look_like_digits() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 31
    assert not set(ALPHABET) & set("IOSVZ")


@given(first17s)
def test_a_completed_code_is_valid(first17: str) -> None:
    code = complete(first17)
    assert len(code) == credit_code.LENGTH
    assert code == first17 + check_character(first17)
    assert is_valid(code)


@given(codes, places, st.sampled_from(ALPHABET))
def test_one_changed_character_is_detected(code: str, place: int, character: str) -> None:
    assume(code[place] != character)
    assert not is_valid(with_character(code, place, character))


@given(codes, places, places)
def test_a_swap_is_detected_unless_the_weights_are_equal(code: str, place: int, other: int) -> None:
    assume(code[place] != code[other])
    assert is_valid(swapped(code, place, other)) == ({place, other} == {0, 17})


@given(codes, st.integers(0, 16))
def test_a_swap_of_neighbours_is_detected(code: str, place: int) -> None:
    assume(code[place] != code[place + 1])
    assert not is_valid(swapped(code, place, place + 1))


@given(codes, places, st.characters(exclude_characters=ALPHABET))
def test_a_character_outside_the_alphabet_is_invalid(code: str, place: int, character: str) -> None:
    assert not is_valid(with_character(code, place, character))


@given(st.text(ALPHABET, max_size=40).filter(lambda text: len(text) != 18))
def test_a_wrong_length_is_invalid(text: str) -> None:
    assert not is_valid(text)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "91350100m000100y43",
        "９１３５０１００M000100Y43",
        "91350100M000100Y4",
        "91350100M000100Y433",
        " 91350100M000100Y43",
        "91350100M000100Y43\n",
        "91350100M000100Y4³",
        "I1350100M000100Y43",
    ],
)
def test_malformed_codes_are_invalid(code: str) -> None:
    assert not is_valid(code)


@pytest.mark.parametrize(
    "first17", ["", "91350100M000100Y", "91350100M000100Y43", "91350100m000100Y4", "9135010OM000100Y4"]
)
def test_malformed_beginnings_have_no_check_character(first17: str) -> None:
    with pytest.raises(ValueError, match="not 17 characters"):
        check_character(first17)
    with pytest.raises(ValueError, match="not 17 characters"):
        complete(first17)
