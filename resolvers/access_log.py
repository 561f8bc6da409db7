"""Keeps who read which enterprise's personal data: notes it in memory, and writes it once a second, in one transaction.

Nothing is lost while the database is away: what was noted waits and is tried again. A process that is killed loses the
last second. More than PENDING_MAXIMUM different entries are not held; `dropped` counts what was left out.
"""

import asyncio
import csv
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple, TextIO

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models.access import Access, AccessKind
from models.db.database import Database
from models.db.tables import table_of
from models.failures import FAILURES
from models.visibility import Role, Viewer
from resolvers.disclosures import Disclosure
from resolvers.spreadsheet_cells import inert
from resolvers.sql.predicates import among

EVERY = 1.0  # seconds between writes
PENDING_MAXIMUM = 100_000
ROWS_AT_ONCE = 1_000
PURGE_EVERY = dt.timedelta(days=1)
EVIDENCE_OPERATION = "GET /evidence"

ACCESS = table_of(Access)
ENTERPRISE = table_of(models.Enterprise)


class Entry(NamedTuple):
    """What is counted: who read what, and by which operation."""

    identity: str | None
    role: Role | None
    disclosure: Disclosure
    operation: str | None


class AccessLog:
    """Notes accesses and writes them. `days` is how long they are kept."""

    def __init__(self, database: Database, clock: Callable[[], dt.datetime], *, days: int) -> None:
        self._database, self._clock, self._days = database, clock, dt.timedelta(days=days)
        self._pending: Counter[Entry] = Counter()
        self._purged_at: dt.datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self.dropped = self.written = 0

    @property
    def pending(self) -> int:
        """The number of different entries that wait to be written."""
        return len(self._pending)

    def note(self, viewer: Viewer | None, disclosures: Iterable[Disclosure], operation: str | None) -> None:
        """Note what an operation has shown to a viewer. Does not wait; the next write keeps it."""
        identity, role = (None, None) if viewer is None else (viewer.identity, viewer.role)
        for disclosure in disclosures:
            entry = Entry(identity, role, disclosure, operation)
            if entry in self._pending or len(self._pending) < PENDING_MAXIMUM:
                self._pending[entry] += 1
            else:
                self.dropped += 1

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is pending, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write what is pending, and once a day remove what is too old. Without a database it stays pending."""
        if not self._pending and not self._purge_is_due():
            return
        batch, self._pending = self._pending, Counter()
        try:
            async with self._database.write() as session:
                connection = await session.connection()
                rows = await self._rows(connection, batch) if batch else []
                for start in range(0, len(rows), ROWS_AT_ONCE):
                    await connection.execute(sa.insert(ACCESS), rows[start : start + ROWS_AT_ONCE])
                purged_at = await self._purge(connection)
        except BaseException as error:
            for entry, count in batch.items():
                self._pending[entry] += count
            if not isinstance(error, Exception):
                raise
            FAILURES.note("accesses not written yet", error, pending=len(self._pending))
            return
        self.written += len(rows)
        self._purged_at = purged_at

    async def _rows(self, connection: AsyncConnection, batch: Counter[Entry]) -> list[dict[str, object]]:
        enterprises = await self._of_evidence(connection, batch)
        now = self._clock()
        rows: list[dict[str, object]] = []
        for entry, count in batch.items():
            what, key = entry.disclosure
            for enterprise in sorted(enterprises.get(key, ())) if isinstance(key, str) else [key]:
                row: dict[str, object] = {
                    "at": now,
                    "identity": entry.identity,
                    "role": entry.role,
                    "enterprise_id": enterprise,
                }
                rows.append(row | {"what": what, "operation": entry.operation, "count": count})
        return rows

    async def _of_evidence(self, connection: AsyncConnection, batch: Counter[Entry]) -> dict[int | str, set[int]]:
        """By SHA-256, the enterprises whose hazards or inspections the evidence is about."""
        hashes = sorted({e.disclosure[1] for e in batch if isinstance(e.disclosure[1], str)})
        enterprises: dict[int | str, set[int]] = {}
        if hashes:
            for statement in _evidence_statements(self._database.sqlite):
                for row in await connection.execute(statement, {"hashes": hashes}):
                    enterprises.setdefault(row.sha256, set()).add(row.enterprise_id)
        return enterprises

    def _purge_is_due(self) -> bool:
        return self._purged_at is None or self._clock() >= self._purged_at + PURGE_EVERY

    async def _purge(self, connection: AsyncConnection) -> dt.datetime | None:
        """Remove what is too old, if it is time. Returns when that was done last."""
        if not self._purge_is_due():
            return self._purged_at
        now = self._clock()
        await connection.execute(sa.delete(ACCESS).where(ACCESS.c.at < now - self._days))
        return now


def _evidence_statements(sqlite: bool) -> list[sa.Select[tuple[str, int]]]:
    evidence = table_of(models.Evidence)
    statements: list[sa.Select[tuple[str, int]]] = []
    for model, link_model, name in (
        (models.Hazard, models.HazardEvidence, "hazard_id"),
        (models.Inspection, models.InspectionEvidence, "inspection_id"),
    ):
        subject, link = table_of(model), table_of(link_model)
        joined = evidence.join(link, link.c.evidence_id == evidence.c.id).join(subject, subject.c.id == link.c[name])
        select = sa.select(evidence.c.sha256, subject.c.enterprise_id).select_from(joined)
        statements.append(select.where(among(evidence.c.sha256, "hashes", sqlite)).distinct())
    return statements


# -- export --

FIELDS = ("at", "identity", "role", "enterprise", "what", "operation", "count")


async def accesses(
    database: Database, start: dt.datetime | None, end: dt.datetime | None
) -> AsyncIterator[dict[str, object]]:
    """The accesses from `start` up to, but without, `end`, oldest first. An enterprise is named by its code alone."""
    code = sa.func.coalesce(ENTERPRISE.c.credit_code, ENTERPRISE.c.external_id).label("enterprise")
    columns = (ACCESS.c.id, *(code if name == "enterprise" else ACCESS.c[name] for name in FIELDS))
    select = sa.select(*columns).join_from(ACCESS, ENTERPRISE, ENTERPRISE.c.id == ACCESS.c.enterprise_id)
    select = select if start is None else select.where(ACCESS.c.at >= start)
    select = select if end is None else select.where(ACCESS.c.at < end)
    last = 0
    async with database.read() as connection:
        while True:
            page = select.where(ACCESS.c.id > last).order_by(ACCESS.c.id).limit(ROWS_AT_ONCE)
            rows = (await connection.execute(page)).all()
            for row in rows:
                last = row.id
                yield {
                    name: value.name if isinstance(value, Role | AccessKind) else value
                    for name, value in zip(FIELDS, row[1:], strict=True)
                }
            if len(rows) < ROWS_AT_ONCE:
                return


async def export(
    database: Database, start: dt.datetime | None, end: dt.datetime | None, file: TextIO, *, lines_of_json: bool
) -> int:
    """Write the accesses as CSV with a header, or as lines of JSON. Returns their number."""
    number = 0
    writer = csv.DictWriter(file, FIELDS)
    if not lines_of_json:
        writer.writeheader()
    async for row in accesses(database, start, end):
        number += 1
        if lines_of_json:
            file.write(orjson.dumps(row).decode() + "\n")
        else:
            at = row["at"]
            texts = {name: inert(value) if isinstance(value, str) else value for name, value in row.items()}
            writer.writerow(texts | {"at": at.isoformat() if isinstance(at, dt.datetime) else at})
    return number
