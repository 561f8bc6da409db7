"""Work on documents and long inputs outside the event loop, so that they never hold up other requests for long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# One thread: two would take the interpreter in turns with the event loop, which would get a third of the time.
THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="analysis")


async def in_background(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a function that runs in the thread of analyses, one at a time in this process."""
    return await asyncio.wrap_future(THREAD.submit(function, *args, **kwargs))
