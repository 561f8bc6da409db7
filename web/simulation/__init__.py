"""A working day in the field, played through the public API: what a newcomer's first subscription shows, and what tests
of load live on. The district is the demo's; the people, their ways and their pace are made up, from a seed.
"""

import asyncio
import contextlib
import datetime as dt
import itertools

import httpx

from web.auth.tokens import Tokens
from web.simulation.calls import Desk
from web.simulation.day import Day, Summary

__all__ = ["Day", "Desk", "Summary", "play"]


def utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def play(url: str, tokens: Tokens, *, rate: float, seconds: float | None, seed: int) -> Summary:
    """Day after day at so many calls a second, for so many seconds or until cancelled."""
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    turn = loop.time()
    summary = Summary()

    async def wait() -> bool:
        nonlocal turn
        turn = max(turn + 1 / rate, loop.time())
        await asyncio.sleep(turn - loop.time())
        return end is None or loop.time() < end

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        desk = Desk(client, tokens, utc)
        with contextlib.suppress(asyncio.CancelledError):
            for number in itertools.count():
                await Day(desk, seed + number, utc, summary).play(wait)
                if end is not None and loop.time() >= end:
                    break
    return summary
