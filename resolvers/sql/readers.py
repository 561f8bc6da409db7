"""Readers: what the statements of one operation are read through."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.db.database import Database
from models.db.read_pool import Fetch
from models.visibility import Viewer
from resolvers.evidence.signed_urls import Signer
from resolvers.sql.prepared import Statement, prepare
from resolvers.sql.selects import ExtraSelect


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What one operation brings: who asks, when, and what signs addresses."""

    viewer: Viewer
    now: dt.datetime
    zone: ZoneInfo
    signer: Signer | None


class DriverReader:
    """Reads for one operation."""

    __slots__ = ("_fetch", "extra_select", "moment", "now", "signer", "sqlite", "viewer", "zone")

    def __init__(
        self, moment: RequestInfo, fetch: Fetch, *, sqlite: bool, extra_select: ExtraSelect | None = None
    ) -> None:
        self.moment, self.extra_select = moment, extra_select
        self.viewer, self.now, self.zone, self.signer = moment.viewer, moment.now, moment.zone, moment.signer
        self._fetch, self.sqlite = fetch, sqlite

    def with_extra_select(self, extra_select: ExtraSelect) -> "DriverReader":
        return DriverReader(self.moment, self._fetch, sqlite=self.sqlite, extra_select=extra_select)

    async def fetch(self, statement: Statement, values: dict[str, Any], *, keyed: bool = False) -> Sequence[Any]:
        """The driver's rows. `keyed`: they are those of a list of keys, and the last value of each is its key."""
        return await self._fetch(statement.text, statement.arguments(values), statement.keys if keyed else None)

    async def rows(self, statement: Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        """What batch functions read through."""
        text = prepare(statement, self.sqlite)
        return text.named(await self.fetch(text, parameters))


class OperationClosed(Exception):
    """The operation has its answer already; nobody waits for what is still read for it."""


class OperationReader:
    """Reads for one viewer. The connection is taken at the first statement and given back by `close`."""

    extra_select = None  # loaders read rows by themselves

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
                raise OperationClosed
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
