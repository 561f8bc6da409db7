"""The run of an import: goes through all files in a stream and commits batch by batch.

However a run is stopped, the batches that it has committed are complete. Running it again skips their rows, which are
unchanged, and imports the rest.
"""

import asyncio
import datetime as dt
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models import EventKind
from models.clock import now as clock
from models.db import portrait_changes
from models.db.database import Database
from models.db.portrait_changes import SumChanges
from models.db.portrait_rows import zone_of
from models.reason import Reason
from models.visibility import Viewer
from resolvers.actions.event_context import enterprise_contexts
from resolvers.actions.runner import ATTEMPTS_MAXIMUM, RETRYABLE_SQLSTATES
from resolvers.geography import DEFAULT_ZONE
from resolvers.register.batch import BatchContext, BatchResult, import_batch
from resolvers.register.district import ensure_district, find_district, plausible_area, read_boundary
from resolvers.register.errors import RegisterError
from resolvers.register.key_index import KeyIndex
from resolvers.register.mapping import DistrictMapping, Mapping
from resolvers.register.placement import Geography, relocate_enterprises
from resolvers.register.readers.files import file_notices, read_records
from resolvers.register.readers.record import Record
from resolvers.register.report import ERROR, WARNING, Counts, Issue, Outcome, Report
from resolvers.register.retirement import events, obstacle, retire, vanished
from resolvers.register.rows import Area, Key, RowConverter
from resolvers.register.tables import GEOGRAPHY, TABLES
from resolvers.register.write import StaleRows
from subscriptions import event_log

Result = TypeVar("Result")
NumberedRecord = tuple[int, Record]

BATCH_ROWS = 2_000
RELOCATION = "places of enterprises"  # the source of events about enterprises that new geography moves


@dataclass(frozen=True)
class Progress:
    """The progress of a run: rows done and in all files, rows a second, seconds left (None while unknown)."""

    table: str
    done: int
    total: int
    rate: float
    seconds_left: float | None


@dataclass(frozen=True)
class Work(Generic[Result]):
    """The result of a transaction: how many rows it wrote, and the kinds of events of single enterprises, by id.

    `counted` is what it changes for portraits.
    """

    result: Result
    rows: int
    kinds: dict[int, EventKind]
    counted: SumChanges = field(default_factory=SumChanges)


@dataclass
class _TableImport:
    """One table of the run: the row converters of its files, and the index of their keys."""

    name: str
    converters: list[RowConverter]
    key_index: KeyIndex
    skipped: int = 0
    read: int = 0
    without_key: int = 0


class ImportRun:
    """One import. `notify` is called after each commit that appended an event. Events name `by`, who imports."""

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
        by: Viewer | None = None,
        now: Callable[[], dt.datetime] = clock,
    ) -> None:
        self._database, self._mapping, self._directory, self._report = database, mapping, directory, report
        self._dry_run, self._batch, self._progress, self._notify, self._now = dry_run, batch, progress, notify, now
        self._started, self._done, self._total = time.monotonic(), 0, 0
        self._actor = actor_of(by)
        self._dry_session: AsyncSession | None = None

    async def execute(self) -> Outcome:
        """Import all files of the mapping. Raises RegisterError if the import cannot start or cannot continue."""
        async with self._target():
            district, directory = self._mapping.district, self._directory
            boundary = read_boundary(district, directory)
            async with self._reading() as connection:
                existing = await find_district(connection, district)
                area = await plausible_area(connection, district, boundary)
            zone = existing.time_zone if existing is not None else district.time_zone or DEFAULT_ZONE.key
            self._mapping = self._mapping.in_zone(zone)
            with ExitStack() as stack:
                tables = list(self._tables(stack, area))
                for table in tables:
                    self._scan(table)
                self._started = time.monotonic()
                district_id = await self._commit(partial(_write_district, district, boundary), "district", "district")
                return await self._import_tables(tables, district_id)

    def _tables(self, stack: ExitStack, area: Area | None) -> Iterator[_TableImport]:
        mapping, now = self._mapping, self._now()
        for name, table in TABLES.items():
            converters = [RowConverter(table, f, mapping.escaped, now, area) for f in mapping.files.get(name, ())]
            if converters:
                yield _TableImport(name, converters, stack.enter_context(KeyIndex()))

    def _scan(self, table: _TableImport) -> None:
        """Read whole files before anything is written: a damaged one is refused, and repeated keys become known."""

        def keys(converter: RowConverter) -> Iterator[tuple[tuple[Key, ...], int, int]]:
            for number, record in enumerate(read_records(converter, self._directory), start=1):
                if not converter.wants(record):
                    table.skipped += 1
                    continue
                table.read += 1
                row_keys = converter.keys_of(record, number)
                table.without_key += not row_keys
                yield row_keys, number, record.line

        for file, converter in enumerate(table.converters):
            table.key_index.add(file, keys(converter))
        table.key_index.find_repeated()
        self._total += table.read

    def _records(self, converter: RowConverter) -> Iterator[NumberedRecord]:
        numbered = enumerate(read_records(converter, self._directory), start=1)
        return (one for one in numbered if converter.wants(one[1]))

    async def _import_tables(self, tables: Sequence[_TableImport], district_id: int) -> Outcome:
        outcome = Outcome()
        geography = await self._geography()
        for number, table in enumerate(tables):
            contexts = [
                BatchContext(file, table.converters, table.key_index, geography, district_id)
                for file in range(len(table.converters))
            ]
            outcome.tables[table.name] = await self._import_table(contexts) + Counts(skipped=table.skipped)
            await self._retire_missing(table, outcome)
            if table.name in GEOGRAPHY:
                geography = await self._geography()
                if not any(later.name in GEOGRAPHY for later in tables[number + 1 :]):
                    outcome.moved = await self._relocate_enterprises(geography)
        return outcome

    async def _import_table(self, contexts: Sequence[BatchContext]) -> Counts:
        counts = Counts()
        for context in contexts:
            file = context.converter.file
            notices = [Issue(1, "", "", notice, WARNING) for notice in file_notices(file, self._directory)]
            self._report.add(file.file, notices)
            async for result in self._import_records(context, self._records(context.converter)):
                counts += result.counts
                context.key_index.mark(context.file, result.drafts)
                self._report.add(context.converter.file.file, result.issues)
                self._show_progress(context.converter.table.name, len(result.drafts))
        if contexts[0].key_index.begin_correction():
            for context in contexts:
                counts += await self._correct(context)
        return counts

    async def _correct(self, context: BatchContext) -> Counts:
        """Import the last good row of each key whose last row proved bad. Returns what changes in the counts."""
        counting = dict(context.key_index.counting_rows(context.file))
        records = (one for one in self._records(context.converter) if one[0] in counting)
        change = Counts()
        async for result in self._import_records(context, records if counting else iter(())):
            for draft in result.drafts:
                if not counting[draft.number] and (draft.written or draft.is_bad()):
                    change += Counts(changed=int(draft.written), bad=int(draft.is_bad()), unchanged=-1)
            errors = [issue for issue in result.issues if issue.severity == ERROR]
            self._report.add(context.converter.file.file, errors)
        return change

    async def _import_records(
        self, context: BatchContext, records: Iterator[NumberedRecord]
    ) -> AsyncIterator[BatchResult]:
        converter = context.converter
        table, name = converter.table.name, converter.file.file
        while batch := list(islice(records, self._batch)):

            async def work(session: AsyncSession, batch: Sequence[NumberedRecord] = batch) -> Work[BatchResult]:
                result = await import_batch(await session.connection(), context, batch, self._now())
                return Work(result, result.written, result.kinds, result.counted)

            where = f"{name}, lines {batch[0][1].line} to {batch[-1][1].line}"
            yield await self._commit(work, f"{table} from {name}", where)

    async def _retire_missing(self, table: _TableImport, outcome: Outcome) -> None:
        """Retire the enterprises that have vanished from a register, unless its files may not be whole."""
        registers = {file.register_: file.file for file in (c.file for c in table.converters) if file.register_}
        for register, name in registers.items():
            async with self._reading() as connection:
                gone, had = await vanished(connection, register, table.converters, table.key_index)
            issue = obstacle(table.converters[0], len(gone), had, table.read, table.without_key)
            if issue is not None:
                outcome.missing += len(gone)
                self._report.add(name, [issue])
                continue
            for start in range(0, len(gone), self._batch):

                async def work(
                    session: AsyncSession,
                    register: str = register,
                    ids: Sequence[int] = gone[start : start + self._batch],
                ) -> Work[int]:
                    retired, counted = await retire(session, register, ids, self._now())
                    kinds = dict.fromkeys(retired, EventKind.ENTERPRISE_RETIRED)
                    return Work(len(retired), len(retired), kinds, counted)

                outcome.retired += await self._commit(work, f"retired from {register}", name)

    async def _geography(self) -> Geography:
        async with self._reading() as connection:
            return await Geography.read(connection)

    async def _relocate_enterprises(self, geography: Geography) -> int:
        """Place all enterprises of the database anew; how many of them changed."""
        last: int | None = 0
        total = 0
        while last is not None:

            async def work(session: AsyncSession, after: int = last) -> Work[tuple[int | None, int]]:
                connection = await session.connection()
                moved = await relocate_enterprises(connection, geography, after, self._batch, self._now())
                return Work((moved.last, len(moved.places)), len(moved.places), {}, SumChanges(moved=moved.places))

            last, count = await self._commit(work, RELOCATION, RELOCATION)
            total += count
        return total

    # -- transactions --

    async def _commit(self, work: Callable[[AsyncSession], Awaitable[Work[Result]]], source: str, where: str) -> Result:
        """Do the work in one transaction, and repeat it if it conflicts with another.

        If it wrote any rows, the last statement appends its events.
        """
        for attempt in range(1, ATTEMPTS_MAXIMUM + 1):
            try:
                async with self._transaction() as session:
                    done = await work(session)
                    if done.rows and not self._dry_run:
                        await self._append(session, done, source)
            except StaleRows:
                if attempt == ATTEMPTS_MAXIMUM:
                    reason = Reason("ROWS_CONTESTED", "others keep changing the same rows.")
                    raise RegisterError(reason, where) from None
            except sa.exc.DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if attempt == ATTEMPTS_MAXIMUM or self._dry_run or state not in RETRYABLE_SQLSTATES:
                    # The text of the error itself contains values of rows.
                    cause = f"{type(error.orig).__name__}{f' {state}' if state else ''}"
                    reason = Reason("ROWS_REFUSED", "the database refuses the rows: {cause}.", cause=cause)
                    raise RegisterError(reason, where) from None
            else:
                if done.rows and not self._dry_run and self._notify is not None:
                    await self._notify()
                return done.result
        raise AssertionError("the last attempt returns or raises")

    async def _append(self, session: AsyncSession, done: Work[Any], source: str) -> None:
        """Add what was changed to the sums, and append the events, with the log's append lock."""
        connection = await session.connection()
        await event_log.take_turn(connection)
        places = await enterprise_contexts(session, sorted(done.counted.enterprises()))
        await portrait_changes.apply(connection, done.counted, places, await zone_of(connection))
        single = await events(session, done.kinds, self._now())
        imported = _import_event(self._now(), done.rows, source)
        await event_log.append_in_turn(session, [event | self._actor for event in (imported, *single)])

    @asynccontextmanager
    async def _target(self) -> AsyncIterator[None]:
        """Make a dry run write to a copy of the database (SQLite) or to a transaction that is rolled back (PostgreSQL).

        On SQLite such a transaction would keep everybody else from writing until the run ends.
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
                self._dry_session = session
                try:
                    yield
                finally:
                    await session.rollback()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        if self._dry_session is not None:
            yield self._dry_session
        else:
            async with self._database.write() as session:
                yield session

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        if self._dry_session is not None:
            yield await self._dry_session.connection()
        else:
            async with self._database.read() as connection:
                yield connection

    def _show_progress(self, table: str, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            elapsed = time.monotonic() - self._started
            rate = self._done / elapsed if elapsed else 0.0
            left = (self._total - self._done) / rate if rate else None
            self._progress(Progress(table, self._done, self._total, rate, left))


async def _write_district(
    mapping: DistrictMapping, boundary: dict[str, Any] | None, session: AsyncSession
) -> Work[int]:
    district_id, changed = await ensure_district(await session.connection(), mapping, boundary)
    return Work(district_id, int(changed), {})


def _copy_sqlite(source: str, target: Path) -> None:
    """Copy an SQLite database, which others may be using, in a consistent state."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def actor_of(viewer: Viewer | None) -> dict[str, Any]:
    """The columns of an event that say who caused it; a command has nobody to name."""
    if viewer is None:
        return {}
    return {"actor": viewer.identity, "actor_role": viewer.role, "actor_name": viewer.name}


def _import_event(now: dt.datetime, rows: int, source: str) -> dict[str, Any]:
    kind = EventKind.REGISTER_IMPORTED
    return {
        "at": now,
        "kind": kind,
        "subject": kind.subject,
        "subject_id": None,
        "enterprise_id": None,
        "zone_id": None,
        "risk": None,
        "changes": [],
        "zones": frozenset(),
        "rings": frozenset(),
        "venues": frozenset(),
        "major": False,
        "rows": rows,
        "source": source,
    }
