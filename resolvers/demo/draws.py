"""Drawing lots, always from a generator that was seeded with the name of what is being made.

The generator's own `choice` and `uniform` would do, but these are drawn by the million.
"""

from collections.abc import Sequence
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def generator(*name: str | int) -> Random:
    """A generator for one named thing. Seeding with text does not depend on the process, unlike hash()."""
    return Random("huhang demo " + " ".join(map(str, name)))


def pick(rng: Random, choices: Sequence[T]) -> T:
    return choices[int(rng.random() * len(choices))]


def between(rng: Random, low: float, high: float) -> float:
    return low + rng.random() * (high - low)


def whole(rng: Random, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return low + int(rng.random() * (high - low + 1))


def urn(*weighted: tuple[T, int]) -> list[T]:
    """Choices repeated by their weight, so that picking one is one draw."""
    return [choice for choice, weight in weighted for _ in range(weight)]


class Deck(Generic[T]):
    """Cards dealt in turn, over and over: unlike drawing lots, a few deals show every card."""

    def __init__(self, cards: Sequence[T]) -> None:
        self._cards = cards
        self._dealt = 0

    def deal(self) -> T:
        card = self._cards[self._dealt % len(self._cards)]
        self._dealt += 1
        return card
