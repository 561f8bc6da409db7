"""Writes long documents from short patterns."""

from collections.abc import Iterable


def joined(parts: Iterable[str]) -> str:
    return " ".join(parts)


def repeated(text: str, count: int) -> str:
    """The text so many times. Each # in it is replaced by the number of the repetition."""
    return joined(text.replace("#", str(number)) for number in range(count))


def fragment(name: str, body: str) -> str:
    return f" fragment {name} on Zone {{ {body} }}"


def nest(opening: str, depth: int, inner: str, *, wide: int) -> str:
    """`wide` times the opening at each of so many levels, closed again; a tree of wide^depth leaves."""
    if depth == 0:
        return inner
    return joined([f"{opening} {nest(opening, depth - 1, inner, wide=wide)} {'}' * opening.count('{')}"] * wide)
