"""The reader of one operation: one connection, one moment, whatever runs at once inside the operation."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.db.database import Database
from models.visibility import Viewer
from resolvers.evidence.signer import Signer


class OperationOver(Exception):
    """The operation has its answer already; nobody waits for what is still read for it."""


class OperationReader:
    """Reads for one viewer. The connection is taken at the first statement and given back by `close`."""

    carry = None  # loaders read rows by themselves

    def __init__(
        self, database: Database, viewer: Viewer, now: dt.datetime, zone: ZoneInfo, signer: Signer | None = None
    ) -> None:
        self.viewer, self.now, self.zone, self.signer = viewer, now, zone, signer
        self.sqlite = database.sqlite
        self._database = database
        self._stack = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        # A connection does one thing at a time, and the loaders of a level ask together.
        self._turn = asyncio.Lock()
        self._closed = False

    async def rows(self, statement: Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        async with self._turn:
            if self._closed:
                raise OperationOver
            if self._connection is None:
                self._connection = await self._stack.enter_async_context(self._database.read())
            rows: Sequence[Any] = (await self._connection.execute(statement, parameters)).all()
            return rows

    async def renew(self) -> None:
        """Give the connection back; the next statement sees the database anew."""
        async with self._turn:
            self._connection = None
            await self._stack.aclose()

    async def close(self) -> None:
        """Give the connection back for good: what still loads for an operation that was cut short gets no other."""
        self._closed = True
        await self.renew()
