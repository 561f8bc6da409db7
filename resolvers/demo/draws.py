"""Random draws, always from a generator seeded with the name of the thing made.

They replace the generator's own `choice` and `uniform`, which are too slow for millions of draws.
"""

from collections.abc import Sequence
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def generator(*name: str | int) -> Random:
    """A generator for one named thing. Seeding with text gives the same in every process, unlike hash()."""
    return Random("huhang demo " + " ".join(map(str, name)))


def pick(rng: Random, choices: Sequence[T]) -> T:
    return choices[int(rng.random() * len(choices))]


def between(rng: Random, low: float, high: float) -> float:
    return low + rng.random() * (high - low)


def whole(rng: Random, low: int, high: int) -> int:
    """An integer, both ends included."""
    return low + int(rng.random() * (high - low + 1))


def urn(*weighted: tuple[T, int]) -> list[T]:
    """The choices repeated by weight, so that one draw picks one."""
    return [choice for choice, weight in weighted for _ in range(weight)]


class Deck(Generic[T]):
    """Items dealt in turn, again and again: unlike random draws, a few deals give every item."""

    def __init__(self, cards: Sequence[T]) -> None:
        self._cards = cards
        self._dealt = 0

    def deal(self) -> T:
        card = self._cards[self._dealt % len(self._cards)]
        self._dealt += 1
        return card
