"""The reader of one operation: one connection, one moment, whatever runs at once inside the operation."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.visibility import Viewer


class OperationReader:
    """Reads for one viewer. The connection is taken at the first statement and given back by `close`."""

    def __init__(self, database: Database, viewer: Viewer, now: dt.datetime, zone: ZoneInfo) -> None:
        self.viewer, self.now, self.zone = viewer, now, zone
        self.sqlite = database.sqlite
        self._database = database
        self._stack = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        # A connection does one thing at a time, and the loaders of a level ask together.
        self._turn = asyncio.Lock()

    async def rows(self, statement: Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        async with self._turn:
            if self._connection is None:
                self._connection = await self._stack.enter_async_context(self._database.read())
            rows: Sequence[Any] = (await self._connection.execute(statement, parameters)).all()
            return rows

    async def close(self) -> None:
        """Give the connection back; the next statement sees the database anew."""
        async with self._turn:
            self._connection = None
            await self._stack.aclose()
