"""Holds back the commits of mutations."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from models.db.database import Database
from tests.support.patience import PATIENCE


@contextmanager
def before_commits(database: Database, hook: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Await `hook` on the event loop before each commit of `Database.transaction`."""
    if database.sqlite_writer is None:
        commit = AsyncSession.commit

        async def late(session: AsyncSession) -> None:
            await hook()
            await commit(session)

        with patch.object(AsyncSession, "commit", late):
            yield
        return
    loop = asyncio.get_running_loop()

    async def hooked() -> None:
        await hook()

    def wait(connection: Any) -> None:
        asyncio.run_coroutine_threadsafe(hooked(), loop).result(PATIENCE)

    engine = database.sqlite_writer.engine
    sa.event.listen(engine, "commit", wait)
    try:
        yield
    finally:
        sa.event.remove(engine, "commit", wait)
