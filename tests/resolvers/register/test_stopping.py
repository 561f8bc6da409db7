"""Dry runs, runs that are stopped or killed, and runs beside other writers."""

import asyncio
import csv
import json
import logging
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models import EventKind
from models.db.database import Database
from models.db.tables import table_of
from resolvers.register import Progress, RegisterError, export, write
from tests.conftest import Databases
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.register_runs import MAPPING, SAN_MATEO, all_rows, digest, file_bytes, run_import, slice_real
from tests.support.small_register import ENTERPRISES, PLACES, TOP, rows_by_key, write_files
from tests.support.worker_handle import settings_url
from web.settings import ROOT

# -- dry runs, and runs that are stopped --


async def test_a_dry_run_reports_what_a_run_would_do_and_writes_nothing(own_demo: Database, tmp_path: Path) -> None:
    await export(own_demo, tmp_path)
    with (tmp_path / "enterprises.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    changed = [{**row, "industry": "other"} for row in rows[::7]]
    write_files(tmp_path, enterprises=[*rows[:70], *changed, {**rows[0], "credit_code": "", "external_id": "NEW"}])
    before = await digest(own_demo)
    dry, dry_report = await run_import(own_demo, tmp_path / "mapping.toml", tmp_path, dry_run=True)
    assert await digest(own_demo) == before
    outcome, report = await run_import(own_demo, tmp_path / "mapping.toml", tmp_path)
    assert (dry, dry_report) == (outcome, report)
    assert (outcome.total.new, outcome.total.changed) == (1, len(changed))
    assert await digest(own_demo) != before


async def test_a_dry_run_into_an_empty_database(database: Database, tmp_path: Path) -> None:
    slice_real(tmp_path, 30)
    before = await digest(database)
    dry, _ = await run_import(database, MAPPING, tmp_path, dry_run=True, batch=50)
    assert await digest(database) == before
    assert dry == (await run_import(database, MAPPING, tmp_path, batch=50))[0]
    assert dry.tables["hazards"].new > 100


async def test_a_stopped_run_leaves_complete_batches(database: Database, tmp_path: Path) -> None:
    slice_real(tmp_path, 30)

    def stop(progress: Progress) -> None:
        if progress.done >= 250:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run_import(database, MAPPING, tmp_path, batch=100, progress=stop)
    rows = await all_rows(database)
    assert (len(rows["enterprise"]), len(rows["inspection"]), len(rows["hazard"])) == (30, 257, 0)
    assert sum(event.rows for event in rows["event"]) == sum(
        len(rows[n]) for n in ("enterprise", "inspection", "hazard")
    )


async def test_a_killed_and_repeated_run_has_the_same_result(
    databases: Databases, migrated_url: str, tmp_path: Path, record_proof: RecordProof
) -> None:
    source, kills, batch = (SAN_MATEO, 5, 1000) if PROVING else (slice_real(tmp_path, 300), 2, 200)
    whole = Database(await databases.new(migrated_url))
    await run_import(whole, MAPPING, source, batch=batch)
    total = sum(event.rows for event in (await all_rows(whole))["event"])
    stopped = Database(await databases.new(migrated_url))
    rng = Random(11)
    finished = 0
    for kill in range(kills):
        await stopped.close()
        finished += await killed(stopped, source, batch, total * (kill + rng.random()) / (kills + 1), rng)
    outcome, _ = await run_import(stopped, MAPPING, source, batch=batch)
    assert outcome.total.unchanged > 0
    assert finished == 0
    for folder, database in (("whole", whole), ("stopped", stopped)):
        await export(database, tmp_path / folder)
    assert file_bytes(tmp_path / "whole") == file_bytes(tmp_path / "stopped")
    one, other = await all_rows(whole), await all_rows(stopped)
    keep = ("external_id", "version", "open_hazards", "last_inspected_at", "zone_id", "town_id")
    for name in ("enterprise", "inspection", "hazard"):
        parts = [[[row._mapping.get(column) for column in keep] for row in rows[name]] for rows in (one, other)]
        assert parts[0] == parts[1]
    # Each row was written in one batch and is in one event.
    assert sum(event.rows for event in other["event"]) == total
    record_proof(
        "register_kill",
        "An import killed at random moments and repeated: the same rows as an undisturbed one",
        {
            "database": "SQLite" if whole.sqlite else "PostgreSQL",
            "kills": kills,
            "rows": f"{total:,}",
        },
    )
    await whole.close()
    await stopped.close()


async def killed(database: Database, source: Path, batch: int, rows: float, rng: Random) -> bool:
    """Import in another process and kill it shortly after so many rows are done. Returns whether it had finished."""
    arguments = ("-m", "tests.support.register_runs", settings_url(database), str(MAPPING), str(source), str(batch))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if json.loads(line).get("done", 0) >= rows:
            break
    await asyncio.sleep(rng.random() * 0.05)
    if process.returncode is None:
        process.kill()
    rest = await process.stdout.read()
    await process.wait()
    return b"megabytes" in line + rest


# -- other writers --


async def test_two_imports_of_the_same_files_at_once(database: Database, tmp_path: Path) -> None:
    slice_real(tmp_path, 40)
    both = await asyncio.gather(*(run_import(database, MAPPING, tmp_path, batch=60) for _ in range(2)))
    rows = await all_rows(database)
    assert len(rows["district"]) == 1
    for name, table_name in (("enterprises", "enterprise"), ("inspections", "inspection"), ("hazards", "hazard")):
        counts = [outcome.tables[name] for outcome, _ in both]
        assert sum(c.new for c in counts) == len(rows[table_name]) == counts[0].read
        assert [c.bad for c in counts] == [0, 0]


async def test_a_row_that_changes_during_a_batch_is_compared_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.sqlite:
        pytest.skip("SQLite has one writer at a time")
    write_files(tmp_path, enterprises=[{**row, "town": ""} for row in PLACES])
    await run_import(database, TOP + ENTERPRISES, tmp_path)
    enterprise = table_of(models.Enterprise)
    interfered: list[int] = []
    change = sa.update(enterprise).where(enterprise.c.external_id == "A")

    lock = write._lock

    async def lock_after_change(connection: Any, rows: Any, versions: dict[int, int]) -> None:
        if not interfered:
            interfered.append(1)
            async with database.write() as other:
                await other.execute(change.values(name="theirs", version=enterprise.c.version + 1))
        await lock(connection, rows, versions)

    monkeypatch.setattr(write, "_lock", lock_after_change)
    write_files(tmp_path, enterprises=[{**row, "town": "", "name": "ours"} for row in PLACES])
    outcome, _ = await run_import(database, TOP + ENTERPRISES, tmp_path)
    rows = await rows_by_key(database, models.Enterprise)
    assert (rows["A"].name, rows["A"].version, outcome.total.changed) == ("ours", 3, 4)


async def test_the_notifier_is_called_after_each_commit_with_an_event(database: Database, tmp_path: Path) -> None:
    slice_real(tmp_path, 30)
    counts: list[int] = []

    async def notify() -> None:
        counts.append(len((await all_rows(database))["event"]))

    await run_import(database, MAPPING, tmp_path, batch=100, notify=notify)
    assert counts == list(range(1, len(counts) + 1))
    assert len(counts) == len((await all_rows(database))["event"])
    assert {event.kind for event in (await all_rows(database))["event"]} == {EventKind.REGISTER_IMPORTED}
    await run_import(database, MAPPING, tmp_path, notify=notify)
    assert len(counts) == len((await all_rows(database))["event"])


async def test_logs_and_errors_have_no_personal_data(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    write_files(tmp_path, enterprises=[{**row, "town": ""} for row in PLACES])
    await run_import(database, TOP + ENTERPRISES, tmp_path)
    # The database refuses a row that passed all checks. Its error message contains the row.
    async with database.write() as session:
        if database.sqlite:
            await session.execute(sa.text("CREATE UNIQUE INDEX odd ON enterprise (legal_phone)"))
        else:
            await session.execute(
                sa.text("ALTER TABLE enterprise ADD CONSTRAINT odd CHECK (legal_phone <> '13900000009')")
            )
    write_files(tmp_path, enterprises=[{**row, "town": "", "phone": "13900000009"} for row in PLACES])
    with pytest.raises(RegisterError, match=r"enterprises\.csv, lines 2 to 5: the database refuses the rows") as caught:
        await run_import(database, TOP + ENTERPRISES, tmp_path)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "1390000" not in str(caught.value)
    for log_record in caplog.records:
        # The debug messages of the driver are never enabled in production.
        if not log_record.name.startswith(("aiosqlite", "asyncio")):
            assert "1380000" not in log_record.getMessage()
            assert "1390000" not in log_record.getMessage()
