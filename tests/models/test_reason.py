"""Reasons and their catalogue: both languages are complete and name the same parameters."""

import string
from collections import defaultdict

import pytest

from models.reason import Language, Reason, chinese, text_in
from schema.reasons_page import ROOT, Sentence, page, sentences


@pytest.fixture(scope="module")
def everywhere() -> list[Sentence]:
    """Every sentence in the code. Looking for them takes a second."""
    return list(sentences())


def names(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_reason_has_both_languages_and_the_same_parameters(everywhere: list[Sentence]) -> None:
    """A failure: `make messages`, and then the Chinese sentence in models/messages/zh.po."""
    wrong = []
    for code, english, file, line in everywhere:
        message = chinese().get(english, code)
        if message is None or not message.string or names(str(message.string)) != names(english):
            wrong.append(f"{file}:{line}: {code}")
    assert wrong == []


def test_the_catalogue_has_no_sentence_that_is_not_used(everywhere: list[Sentence]) -> None:
    used = {(sentence.code, sentence.template) for sentence in everywhere}
    assert {(message.context, message.id) for message in chinese() if message.id} == used


def test_a_reason_is_one_sentence(everywhere: list[Sentence]) -> None:
    templates = defaultdict(set)
    for sentence in everywhere:
        templates[sentence.code].add(sentence.template)
    assert {code: each for code, each in templates.items() if len(each) > 1} == {}
    assert [code for code in templates if not code.replace("_", "").isalpha() or not code.isupper()] == []


def test_the_generated_page_is_current() -> None:
    assert (ROOT / "docs" / "reference" / "errors.md").read_text() == page()


def test_a_reason_is_its_english_sentence_and_has_a_chinese_one() -> None:
    reason = Reason("LIST_LENGTH", "At most {maximum} at once.", maximum=5)
    assert (reason, reason.code, reason.parameters) == ("At most 5 at once.", "LIST_LENGTH", {"maximum": 5})
    assert reason.text(Language.ENGLISH) == "At most 5 at once."
    assert reason.text(Language.CHINESE) == "一次最多 5 个。"
    assert Reason("LIST", "{types} only.", types=["a", "b"]) == "a, b only."


def test_what_the_catalogue_lacks_stays_english() -> None:
    assert Reason("UNKNOWN", "An {a}.", a=1).text(Language.CHINESE) == "An 1."
    assert text_in(Language.CHINESE, "Syntax Error: Unexpected {") == "Syntax Error: Unexpected {"


def test_values_with_braces_are_not_templates() -> None:
    assert Reason("ID", "`{value}` is none.", value="{0} {__class__}") == "`{0} {__class__}` is none."
