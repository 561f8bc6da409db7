"""Readers: each reads the database for one operation."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.db.database import Database
from models.db.read_pool import Fetch
from models.visibility import Viewer
from resolvers.disclosures import Disclosure
from resolvers.evidence.signed_urls import Signer
from resolvers.sql.prepared import Statement, cached_statement
from resolvers.sql.selects import ExtraSelect

POSITION_AGE = dt.timedelta(minutes=30)
EVIDENCE_AGE = dt.timedelta(days=30)
PORTION = 100  # rows that SQLAlchemy decodes at once


class Reader(Protocol):
    """Reads for one operation of one viewer. All that it reads is from one moment, unless it is renewed.

    There are two: `OperationReader` reads through SQLAlchemy, for graphql-core; `DriverReader` reads through the
    database's driver, for compiled plans.
    """

    @property
    def viewer(self) -> Viewer: ...
    @property
    def now(self) -> dt.datetime:
        """The operation's time, with its zone."""

    @property
    def zone(self) -> ZoneInfo:
        """The district's time zone."""

    @property
    def position_age(self) -> dt.timedelta:
        """The greatest age of an inspector's position that counts."""

    @property
    def device(self) -> str | None:
        """The device that sends the operation, if it names itself."""

    @property
    def evidence_age(self) -> dt.timedelta:
        """The time that evidence waits to be attached."""

    @property
    def sqlite(self) -> bool:
        """Whether the database is SQLite; else it is PostgreSQL."""

    @property
    def signer(self) -> Signer | None:
        """Signs the addresses of evidence; None where there is no store of evidence."""

    @property
    def disclosures(self) -> set[Disclosure]:
        """Gets what the operation shows of enterprises' personal data."""

    @property
    def known(self) -> "KnownRows":
        """Rows that are known to exist."""

    @property
    def counted(self) -> dict[Any, int]:
        """For batch functions that bound their work: what their calls for this operation have come to so far.

        Under graphql-core a list may be read in several calls; a plan reads it in one.
        """

    @property
    def extra_select(self) -> ExtraSelect | None:
        """What a batch function is to select besides its own columns."""

    def pause(self) -> Awaitable[None]:
        """Let others be served. Batch functions await this in long work, unless a thread of their own does it."""

    def rows(self, select: Select[Any], parameters: dict[str, Any]) -> Awaitable[Sequence[Any]]:
        """Rows with the columns' names and decoded values. Batch functions read through this."""

    def prepare(self, select: Select[Any]) -> Any:
        """The SELECT in the form that this kind of reader's `fetch` takes. It may be cached and used by others."""

    def fetch(self, prepared: Any, parameters: dict[str, Any], *, keyed: bool = False) -> Awaitable[Sequence[Any]]:
        """The rows of a prepared SELECT, as tuples.

        `keyed` promises that the parameter `keys` lists keys, that each row belongs to one of them, and that the last
        value of a row is its key. Equal statements of several operations may then be run as one.
        """


class KnownRows:
    """Rows that are known to exist, by how clients named them (resolvers/sql/named_rows.py).

    They say nothing to a viewer who does not see all rows of their kind.

    The operations of a process share the set `rows`. `checked` says that this operation looked for rows: then it runs
    more statements than its plan. `read` is how many rows the operation has read so far.
    """

    __slots__ = ("checked", "read", "rows")

    def __init__(self, rows: set[Any] | None = None) -> None:
        self.rows: set[Any] = set() if rows is None else rows
        self.checked, self.read = False, 0


@dataclass(slots=True)  # frozen would cost four times as much to make
class RequestInfo:
    """What an operation takes from its request: viewer, time, the district's zone, and the signer of addresses.

    `disclosures` gets what the operation shows of enterprises' personal data.
    """

    viewer: Viewer
    now: dt.datetime
    zone: ZoneInfo
    signer: Signer | None
    disclosures: set[Disclosure] = field(default_factory=set)
    known: KnownRows = field(default_factory=KnownRows)
    position_age: dt.timedelta = POSITION_AGE
    evidence_age: dt.timedelta = EVIDENCE_AGE
    device: str | None = None


class DriverReader:
    """Reads through a pool's `fetch`. `fetch` gives the driver's own rows, with undecoded values."""

    __slots__ = (
        "_fetch",
        "counted",
        "device",
        "disclosures",
        "evidence_age",
        "extra_select",
        "known",
        "now",
        "position_age",
        "request",
        "signer",
        "sqlite",
        "viewer",
        "zone",
    )

    def __init__(
        self, request: RequestInfo, fetch: Fetch, *, sqlite: bool, extra_select: ExtraSelect | None = None
    ) -> None:
        self.request, self.extra_select = request, extra_select
        self.viewer, self.now, self.zone, self.signer = request.viewer, request.now, request.zone, request.signer
        self._fetch, self.sqlite, self.position_age = fetch, sqlite, request.position_age
        self.device, self.evidence_age = request.device, request.evidence_age
        self.disclosures, self.known = request.disclosures, request.known
        self.counted: dict[Any, int] = {}

    def with_extra_select(self, extra_select: ExtraSelect) -> "DriverReader":
        return DriverReader(self.request, self._fetch, sqlite=self.sqlite, extra_select=extra_select)

    async def pause(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return  # a thread runs the plan to its end
        await asyncio.sleep(0)

    async def rows(self, select: Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        statement = cached_statement(select, self.sqlite)
        return statement.decode(await self.fetch(statement, parameters))

    def prepare(self, select: Select[Any]) -> Statement:
        return Statement(select, self.sqlite)

    async def fetch(self, statement: Statement, parameters: dict[str, Any], *, keyed: bool = False) -> Sequence[Any]:
        arguments = statement.arguments(parameters)
        rows = await self._fetch(statement.text, arguments, statement.keys_index if keyed else None)
        self.known.read += len(rows)
        return rows


class OperationClosed(Exception):
    """The operation has been answered, so nothing waits for a statement that it still asks for."""


class OperationReader:
    """Reads through SQLAlchemy. It takes a connection at the first statement; `close` returns it.

    Rows have names and decoded values, those of `fetch` too.
    """

    extra_select = None  # under graphql-core, loaders read the rows that a batch function's results refer to

    def __init__(
        self,
        database: Database,
        viewer: Viewer,
        now: dt.datetime,
        zone: ZoneInfo,
        signer: Signer | None = None,
        disclosures: set[Disclosure] | None = None,
        known: KnownRows | None = None,
        position_age: dt.timedelta = POSITION_AGE,
        evidence_age: dt.timedelta = EVIDENCE_AGE,
        device: str | None = None,
    ) -> None:
        self.viewer, self.now, self.zone, self.signer = viewer, now, zone, signer
        self.known, self.position_age = known or KnownRows(), position_age
        self.evidence_age, self.device = evidence_age, device
        self.disclosures: set[Disclosure] = set() if disclosures is None else disclosures
        self.sqlite, self.counted = database.sqlite, dict[Any, int]()
        self._database = database
        self._stack = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        # A connection runs one statement at a time, and the loaders of one level start together.
        self._lock = asyncio.Lock()
        self._reading: asyncio.Task[Any] | None = None
        self._closed = False

    async def pause(self) -> None:
        await asyncio.sleep(0)

    async def rows(self, select: Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        """Raises OperationClosed after `close`."""
        async with self._lock:
            if self._closed:
                raise OperationClosed
            self._reading = asyncio.current_task()
            try:
                if self._connection is None:
                    self._connection = await self._stack.enter_async_context(self._database.read())
                result = await self._connection.execute(select, parameters)
                rows = list(result.fetchmany(PORTION))
                while portion := result.fetchmany(PORTION):
                    await asyncio.sleep(0)  # SQLAlchemy takes some 10 µs for each row, on the event loop
                    rows += portion
                self.known.read += len(rows)
                return rows
            except asyncio.CancelledError as cancelled:
                # SQLAlchemy's frames refer to it. While it refers to them, only the garbage collector frees the rows.
                raise cancelled.with_traceback(None) from None
            finally:
                self._reading = None

    def prepare(self, select: Select[Any]) -> Select[Any]:
        return select

    async def fetch(self, select: Select[Any], parameters: dict[str, Any], *, keyed: bool = False) -> Sequence[Any]:
        return await self.rows(select, parameters)

    async def renew(self) -> None:
        """Return the connection; the next statement sees the database as it is then."""
        async with self._lock:
            self._connection = None
            await self._stack.aclose()

    async def close(self) -> None:
        """Return the connection for good.

        Loads that still run for an operation that was cut short are cancelled, and get no other connection.
        """
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
        await self.renew()
