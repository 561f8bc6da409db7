"""The simulation at full speed, against an application in this process."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.conftest import NOW
from tests.support.patience import PATIENCE
from tests.web.conftest import SECRET
from web.app import create
from web.auth.tokens import Tokens
from web.settings import Settings
from web.simulation import Day, Desk


@dataclass
class Clock:
    """The simulated time."""

    now: dt.datetime = NOW

    def __call__(self) -> dt.datetime:
        return self.now


@asynccontextmanager
async def desk_of(url: str, clock: Clock) -> AsyncIterator[Desk]:
    """A desk that calls an application in this process."""
    app = create(Settings(database_url=url, demo=True, secret=SECRET), clock)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=PATIENCE) as client,
    ):
        yield Desk(client, Tokens(SECRET.get_secret_value()), clock)


async def play(day: Day, clock: Clock, begun: dt.datetime) -> None:
    """Play a day at full speed."""

    async def at_once() -> bool:
        clock.now = begun + dt.timedelta(minutes=day.minute)
        return True

    await day.play(at_once)
