"""The interface of a pool of read connections."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
# Runs a statement: from its text, its arguments in the driver's order, and the position of the list of keys among them,
# to rows. The position is None unless every row belongs to one of the keys and has that key as its last value.
Fetch = Callable[[str, list[Any], int | None], Awaitable[Sequence[Any]]]
Work = Callable[[Fetch], Coroutine[Any, Any, T]]
STATEMENTS_CACHED = 1_000  # prepared statements on each connection


class MultipleStatements(Exception):
    """The work ran a second statement, though it was announced as a single one."""


class ReadPool(Protocol):
    """Connections to one database, for reading only."""

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        """Run the work, whose statements all see the database at one moment, and return its result.

        `single` announces that it runs one statement at most, and so needs no transaction. If it runs another, the pool
        for PostgreSQL raises MultipleStatements; the caller then runs the work again without `single`.
        """

    async def close(self) -> None:
        """Close the free connections now, and those in use when their work ends."""
