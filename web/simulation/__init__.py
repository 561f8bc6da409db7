"""A simulation of working days in the field through the public API, for a newcomer's first subscription and load tests.

The district is the demo's. People, their behaviour and their pace are made up from a seed.
"""

import asyncio
import contextlib
import datetime as dt
import itertools
import math

import httpx

from web.auth.tokens import Tokens
from web.simulation.calls import Desk, Refusal
from web.simulation.day import Day, Summary

__all__ = ["Day", "Desk", "Summary", "play"]

LATE_SECONDS = 2.0  # calls that are later than this are not made up for


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def play(url: str, tokens: Tokens, *, rate: float, seconds: float | None, seed: int) -> Summary:
    """Play day after day at `rate` calls a second, for so many seconds or until cancelled.

    A server that takes longer than the time between two calls gets several at once, at most those of one second.

    Raises httpx.HTTPError or Refusal where the first day cannot begin. A later one is tried again until it can.
    """
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    next_call = loop.time()
    summary = Summary()

    async def wait() -> bool:
        nonlocal next_call
        next_call = max(next_call + 1 / rate, loop.time() - LATE_SECONDS)
        await asyncio.sleep(next_call - loop.time())
        return end is None or loop.time() < end

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        desk = Desk(client, tokens, now)
        with contextlib.suppress(asyncio.CancelledError):
            for number in itertools.count():
                try:
                    await Day(desk, seed + number, now, summary).play(wait, at_once=math.ceil(rate))
                except (httpx.HTTPError, Refusal, ValueError) as error:
                    if not summary.calls:
                        raise
                    summary.refusals.append(type(error).__name__)
                # A day that could not begin, or in which nothing can be done, must not be followed by another at once.
                if not await wait():
                    break
    return summary
