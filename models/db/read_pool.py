"""The interface of a pool of read connections."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
# Runs a statement: from its text, its arguments in the driver's order, and the position of the list of keys among them,
# to rows. The position is None unless every row belongs to one of the keys and has that key as its last value.
Fetch = Callable[[str, list[Any], int | None], Awaitable[Sequence[Any]]]
Work = Callable[[Fetch], Coroutine[Any, Any, T]]
STATEMENTS_CACHED = 200  # prepared statements on each connection
PORTION_FIRST, PORTION_MAXIMUM, PORTION_BYTES = 100, 1_000, 1 << 20
VALUE_BYTES = 8  # of a value, besides its text


class PoolUse(NamedTuple):
    """How many connections a pool may have, how many are in use, and how much work waits for one."""

    size: int
    in_use: int
    waiting: int


class MultipleStatements(Exception):
    """The work ran a second statement, though it was announced as a single one."""


class TooMuchRead(Exception):
    """The work read more bytes than it may."""


class ReadSize:
    """Counts what one work reads. Raises TooMuchRead beyond `limit` bytes.

    Rows are fetched in portions of about a megabyte, so that no more than that is read beyond the limit.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self.portion = PORTION_FIRST  # rows to fetch next

    def add(self, rows: Sequence[Any]) -> None:
        size = sum(VALUE_BYTES * len(row) for row in rows)
        size += sum(len(value) for row in rows for value in row if isinstance(value, str | bytes))
        self._left -= size
        if self._left < 0:
            raise TooMuchRead
        self.portion = max(1, min(PORTION_MAXIMUM, PORTION_BYTES * len(rows) // max(1, size)))


class ReadPool(Protocol):
    """Connections to one database, for reading only."""

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        """Run the work, whose statements all see the database at one moment, and return its result.

        `single` announces that it runs one statement at most, and so needs no transaction. If it runs another, the pool
        for PostgreSQL raises MultipleStatements; the caller then runs the work again without `single`.
        """

    async def read_much(self, work: Work[T], limit: int) -> T:
        """Like `read`, for work that reads or computes much: it runs in a thread, and awaits nothing but its rows.

        Raises TooMuchRead where its rows have more than `limit` bytes.
        """

    def use(self) -> PoolUse:
        """How many connections there are, how many are in use, and how many reads wait."""

    async def close(self) -> None:
        """Close the free connections now, and those in use when their work ends."""
