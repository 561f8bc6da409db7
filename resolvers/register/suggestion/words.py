"""The words by which files, columns and codes of other registers are known: words.toml."""

import tomllib
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))


def plain(text: str) -> str:
    """A word as it is compared."""
    return "".join(character for character in text.lower() if character.isalnum())


def column_words(table: str, field: str) -> list[str]:
    """The words of a field's column, the surest first."""
    columns = WORDS["columns"]
    words = columns.get(table, {}).get(field) or columns["any"].get(field, ())
    written = [word.replace("{}", noun) for word in (field, *words) for noun in _nouns(table, word)]
    return list(dict.fromkeys(map(plain, written)))


def _nouns(table: str, word: str) -> list[str]:
    return list(WORDS["nouns"][table]) if "{}" in word else [""]


def codes(table: str, field: str, members: list[str]) -> dict[str, str]:
    """By plain word, the code of an enumerated field that it stands for. The codes stand for themselves too."""
    words = WORDS["codes"].get(f"{table}.{field}") or WORDS["codes"].get(field, {})
    return {plain(word): code for code in members for word in (code, *words.get(code, ()))}


def booleans() -> dict[str, bool]:
    """By plain word, the truth value that it stands for."""
    return {plain(word): name == "true" for name, words in WORDS["booleans"].items() for word in words}
