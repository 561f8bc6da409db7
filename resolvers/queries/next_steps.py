"""The mutations that are legal next for a row, from the life cycles."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models import lifecycle
from resolvers.sql.readers import Reader

S = TypeVar("S", bound=lifecycle.Status)


@dataclass(frozen=True, slots=True)
class NextStep:
    """A mutation, and the statuses that it can lead to; none where the status stays."""

    mutation: str
    to: list[str]


def next_steps(
    cycle: str,
) -> Callable[[Reader, Sequence[tuple[S]]], Awaitable[list[list[NextStep]]]]:
    """A batch function: for each status the steps that the viewer may take from it. Reads no rows."""

    async def steps(reader: Reader, parents: Sequence[tuple[S]]) -> list[list[NextStep]]:
        known: dict[S, list[NextStep]] = {}
        for (status,) in parents:
            if status not in known:
                legal = lifecycle.next_steps(cycle, status, reader.viewer)
                known[status] = [NextStep(mutation, to) for mutation, to in legal.items()]
        return [known[status] for (status,) in parents]

    return steps
