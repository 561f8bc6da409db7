"""How a write ends when its task is cancelled: before the commit it is undone, after that it is carried through."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

COMMIT_SECONDS = 5.0  # how much longer than its caller a commit may take


class CommitUncertain(asyncio.CancelledError):
    """The task was cancelled during its commit, and the database has not said what became of that."""


def cancel_again() -> None:
    """Let the task's next wait raise CancelledError, after what the cancellation must not stop."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()
        task.cancel()


@contextmanager
def cancellation_first() -> Iterator[None]:
    """Raises CancelledError in place of any other error if the task was cancelled.

    A driver answers a cancellation with an error of its own where the connection is dead already. A loop that outlives
    outages would take that for one, and go on for ever.
    """
    try:
        yield
    except Exception as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise


async def carry_through(commit: Coroutine[Any, Any, None]) -> bool:
    """Await a commit to its end, and return whether the task was cancelled meanwhile. Raises CommitUncertain."""
    committing = asyncio.create_task(commit)
    try:
        await asyncio.shield(committing)
    except asyncio.CancelledError:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({committing}, timeout=COMMIT_SECONDS)
        if not committing.done():
            committing.cancel()
            await asyncio.wait({committing})
            raise CommitUncertain from None
        if committing.cancelled() or committing.exception() is not None:
            raise
        return True
    return False
