"""Tests of the headers that choose a response: media types, streams and the language of messages."""

import pytest

from models.reason import Language
from web.graphql.negotiation import EVENTS, JSON, PARTS, Accepted, language, negotiate, takes_events

CHINESE, ENGLISH = Language.CHINESE, Language.ENGLISH


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (None, ENGLISH),
        ("", ENGLISH),
        ("*", ENGLISH),
        ("zh", CHINESE),
        ("ZH-hans-CN", CHINESE),
        ("zh_CN", ENGLISH),  # no language tag
        ("zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", CHINESE),
        ("en-GB,zh;q=0.9", ENGLISH),
        ("en;q=0.5,zh;q=0.6", CHINESE),
        ("fr, de;q=0.9, zh;q=0.1", CHINESE),
        ("fr, de", ENGLISH),
        ("zh;q=0, en;q=0.1", ENGLISH),
        ("zh;q=nonsense", ENGLISH),
        (",;,=\xff\x00", ENGLISH),
        ("a," * 30_000 + "zh", ENGLISH),  # only the first ones are looked at
    ],
)
def test_the_language_is_the_one_that_the_client_prefers(header: str | None, asked: Language) -> None:
    assert language(None if header is None else header.encode("latin-1")) is asked


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (EVENTS, Accepted(EVENTS, EVENTS)),
        (f"{EVENTS};q=0", None),
        (f"{EVENTS};q=0, {JSON}", Accepted(JSON, None)),
        (f"{EVENTS};q=0.0, {PARTS}", Accepted(PARTS, PARTS)),
        (f"{EVENTS};q=0.5, {PARTS}", Accepted(PARTS, PARTS)),
        (f"{PARTS}, {EVENTS}", Accepted(EVENTS, EVENTS)),
        (f"{JSON};q=0, {EVENTS}", Accepted(EVENTS, EVENTS)),
        (f"{EVENTS}, */*", Accepted(JSON, EVENTS)),
    ],
)
def test_a_weight_of_zero_refuses_a_stream(header: str, accepted: Accepted | None) -> None:
    assert negotiate(header.encode()) == accepted


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("", True),
        ("*/*", True),
        ("text/*", True),
        (EVENTS, True),
        (f"{EVENTS};q=0, */*", False),
        (f"{EVENTS};q=0.1, */*;q=0", True),
        (JSON, False),
        ("gibberish", False),
    ],
)
def test_the_single_stream_is_for_clients_that_take_events(header: str, allowed: bool) -> None:
    assert takes_events(header.encode()) is allowed
