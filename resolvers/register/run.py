"""The run of an import: file after file in a stream, one transaction a batch.

Whatever a run is stopped by, it leaves whole batches; run again, it goes over what is there and writes the rest.
"""

import asyncio
import datetime as dt
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models import EventKind
from models.clock import now as clock
from models.db.database import Database
from resolvers.actions.runner import ATTEMPTS_MAXIMUM, RETRYABLE_SQLSTATES
from resolvers.register import district, linked_rows
from resolvers.register.batch import BatchContext, BatchResult, import_batch
from resolvers.register.errors import RegisterError
from resolvers.register.mapping import Mapping
from resolvers.register.match import KeyIndex
from resolvers.register.placement import Geography, relocated
from resolvers.register.readers.files import read_records
from resolvers.register.readers.record import Record
from resolvers.register.references import RowValues
from resolvers.register.report import Counts, Outcome, Report
from resolvers.register.rows import Area, RowConverter
from resolvers.register.tables import GEOGRAPHY, TABLES
from resolvers.register.write import ENTERPRISE, StaleRows, update
from subscriptions import event_log

Result = TypeVar("Result")

BATCH_ROWS = 2_000  # rows


@dataclass(frozen=True)
class Progress:
    """How far a run is: rows done and in all files, rows a second, seconds left (None until that can be told)."""

    table: str
    done: int
    total: int
    rate: float
    seconds_left: float | None


@dataclass
class _FileImport:
    """A sheet of the run: its form, its file, and where its keys stand last."""

    form: RowConverter
    seen: KeyIndex
    rows: int = 0

    @property
    def name(self) -> str:
        return self.form.sheet.file


class ImportRun:
    """One import. `notify` is called after each commit that left an event."""

    def __init__(
        self,
        database: Database,
        mapping: Mapping,
        directory: Path,
        report: Report,
        *,
        dry_run: bool = False,
        batch: int = BATCH_ROWS,
        progress: Callable[[Progress], None] | None = None,
        notify: Callable[[], Awaitable[None]] | None = None,
        now: Callable[[], dt.datetime] = clock,
    ) -> None:
        self._database, self._mapping, self._directory, self._report = database, mapping, directory, report
        self._dry_run, self._batch, self._progress, self._notify, self._now = dry_run, batch, progress, notify, now
        self._started, self._done, self._total = time.monotonic(), 0, 0
        self._held: AsyncSession | None = None

    async def execute(self) -> Outcome:
        """Import all that the mapping names. Raises RegisterError where that cannot be begun, or gone on with."""
        async with self._opened():
            place, directory = self._mapping.district, self._directory
            boundary = district.read_boundary(place, directory)
            async with self._reading() as connection:
                await district.find_district(connection, place)
                area = await district.plausible_area(connection, place, boundary)
            with ExitStack() as stack:
                parts = [self._look_over(part) for part in self._parts(stack, area)]
                self._total = sum(part.rows for part in parts)
                self._started = time.monotonic()
                async with self._transaction() as session:
                    district_id = await district.ensure_district(await session.connection(), place, boundary)
                return await self._tables(parts, district_id)

    def _parts(self, stack: ExitStack, area: Area | None) -> Iterator[_FileImport]:
        mapping, now = self._mapping, self._now()
        for name in TABLES:
            for sheet in mapping.sheets.get(name, ()):
                form = RowConverter(TABLES[name], sheet, mapping.escaped, now, area)
                yield _FileImport(form, stack.enter_context(KeyIndex()))

    def _look_over(self, part: _FileImport) -> _FileImport:
        """Read a file once before anything is written: it must be whole, and a key that comes again is known then."""

        def keys() -> Iterator[tuple[tuple[str, ...], int]]:
            for record in read_records(part.form, self._directory):
                part.rows += 1
                key = part.form.key_of(record)
                if key is not None:
                    yield key, record.line

        part.seen.note(keys())
        return part

    async def _tables(self, parts: Sequence[_FileImport], district_id: int) -> Outcome:
        outcome = Outcome()
        geography = await self._geography()
        for number, part in enumerate(parts):
            table = part.form.table.name
            counts = await self._part(part, BatchContext(part.form, part.seen, geography, district_id))
            outcome.tables[table] = outcome.tables.get(table, Counts()) + counts
            last = table in GEOGRAPHY and all(p.form.table.name not in GEOGRAPHY for p in parts[number + 1 :])
            if table in GEOGRAPHY:
                geography = await self._geography()
            if last:
                outcome.moved = await self._move(geography)
        return outcome

    async def _part(self, part: _FileImport, ground: BatchContext) -> Counts:
        counts = Counts()
        stream = read_records(part.form, self._directory)
        while batch := list(islice(stream, self._batch)):
            done = await self._settled(part, ground, batch)
            counts += done.counts
            self._report.tell(part.name, done.issues)
            self._tell(part.form.table.name, len(batch))
        return counts

    async def _settled(self, part: _FileImport, ground: BatchContext, batch: Sequence[Record]) -> BatchResult:
        async def work(session: AsyncSession) -> tuple[BatchResult, int]:
            done = await import_batch(await session.connection(), ground, batch, self._now())
            return done, done.written

        where = f"{part.name}, lines {batch[0].line} to {batch[-1].line}"
        return await self._committed(work, f"{part.form.table.name} from {part.name}", where)

    async def _committed(
        self, work: Callable[[AsyncSession], Awaitable[tuple[Result, int]]], source: str, of: str
    ) -> Result:
        """Do the work in one transaction and append an event last if it wrote rows; again if others were in the way."""
        for attempt in range(1, ATTEMPTS_MAXIMUM + 1):
            try:
                async with self._transaction() as session:
                    result, rows = await work(session)
                    if rows and not self._dry_run:
                        await event_log.append(session, [_import_event(self._now(), rows, source)])
            except StaleRows:
                if attempt == ATTEMPTS_MAXIMUM:
                    raise RegisterError(f"{of}: others change the same rows all the time.") from None
            except sa.exc.DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if attempt == ATTEMPTS_MAXIMUM or self._dry_run or state not in RETRYABLE_SQLSTATES:
                    # The error's own text holds values of rows.
                    reason = f"{type(error.orig).__name__}{f' {state}' if state else ''}"
                    raise RegisterError(f"{of}: the database refuses: {reason}.") from None
            else:
                if rows and not self._dry_run and self._notify is not None:
                    await self._notify()
                return result
        raise AssertionError("the last try returns or raises")

    # -- where enterprises lie --

    async def _geography(self) -> Geography:
        async with self._reading() as connection:
            return await Geography.read(connection)

    async def _move(self, geography: Geography) -> int:
        """Put every enterprise where the geography now says."""
        last = total = 0
        while True:

            async def work(session: AsyncSession, after: int = last) -> tuple[tuple[int, int], int]:
                return await self._move_batch(session, geography, after)

            (last, number) = await self._committed(work, "places of enterprises", "places of enterprises")
            total += number
            if not last:
                return total

    async def _move_batch(self, session: AsyncSession, geography: Geography, after: int) -> tuple[tuple[int, int], int]:
        connection = await session.connection()
        columns = [ENTERPRISE.c[name] for name in ("id", "latitude", "longitude", "zone_id", "town_id", "version")]
        statement = sa.select(*columns).where(ENTERPRISE.c.id > after).order_by(ENTERPRISE.c.id).limit(self._batch)
        rows: list[RowValues] = [dict(row._mapping) for row in await connection.execute(statement)]
        if not rows:
            return (0, 0), 0
        links = await linked_rows.read_links(connection, "enterprises", [row["id"] for row in rows])
        changed = relocated(geography, rows, links)
        versions = {row["id"]: row["version"] for row in rows}
        await update(
            connection,
            TABLES["enterprises"],
            [{k: v for k, v in row.items() if k != "rings"} for row in changed],
            {row["id"]: versions[row["id"]] for row in changed},
            self._now(),
        )
        await linked_rows.write_links(connection, "enterprises", links, {row["id"]: row["rings"] for row in changed})
        return (rows[-1]["id"], len(changed)), len(changed)

    # -- transactions --

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """For a dry run a place to write to that is thrown away: a copy on SQLite, one open transaction on PostgreSQL.

        On SQLite an open transaction would keep everybody else from writing for as long as the run takes.
        """
        if not self._dry_run:
            yield
        elif self._database.sqlite:
            with tempfile.TemporaryDirectory(prefix="huhang-") as folder:
                copy = Path(folder) / "copy.db"
                await asyncio.to_thread(_copy_sqlite, str(self._database.url.database), copy)
                self._database = Database(f"sqlite:///{copy}")
                try:
                    yield
                finally:
                    await self._database.close()
        else:
            async with AsyncSession(self._database.engine) as session:
                self._held = session
                try:
                    yield
                finally:
                    await session.rollback()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        if self._held is not None:
            yield self._held
        else:
            async with self._database.write() as session:
                yield session

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        if self._held is not None:
            yield await self._held.connection()
        else:
            async with self._database.read() as connection:
                yield connection

    def _tell(self, table: str, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            spent = time.monotonic() - self._started
            rate = self._done / spent if spent else 0.0
            left = (self._total - self._done) / rate if rate else None
            self._progress(Progress(table, self._done, self._total, rate, left))


def _copy_sqlite(source: str, target: Path) -> None:
    """A copy of an SQLite file as it stands, whoever else has it open."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _import_event(now: dt.datetime, rows: int, source: str) -> dict[str, Any]:
    kind = EventKind.REGISTER_IMPORTED
    return {
        "at": now,
        "kind": kind,
        "subject": kind.subject,
        "changes": [],
        "zones": frozenset(),
        "rings": frozenset(),
        "venues": frozenset(),
        "major": False,
        "rows": rows,
        "source": source,
    }
