"""The interface of a pool of connections for reading."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
# A statement and its arguments, in the driver's order, to rows. The third says at which place there is a list of keys,
# where the rows are those of the keys, and each row's last value is its key; else None.
Fetch = Callable[[str, list[Any], int | None], Awaitable[Sequence[Any]]]
Work = Callable[[Fetch], Coroutine[Any, Any, T]]
STATEMENTS_CACHED = 1_000  # prepared, on each connection


class MultipleStatements(Exception):
    """The work has a second statement, though it was thought to have only one."""


class ReadPool(Protocol):
    """Connections to one database."""

    async def read(self, work: Work[T], *, single: bool = False) -> T:
        """Do the work; all its statements see the database at one moment.

        `single` says that it has only one, and needs no transaction. Where it has another all the same, PostgreSQL's
        raises NotSingle, and the work is to be done anew.
        """

    async def close(self) -> None: ...
