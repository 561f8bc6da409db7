"""Runs imports for tests, in this process or in one of its own, and reads all rows of a database."""

import asyncio
import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from models.db.database import Database
from resolvers.register import ImportRun, Mapping, Outcome, Progress, Report, load_mapping, parse_mapping

SAN_MATEO = Path(__file__).parent.parent / "resolvers" / "register"
MAPPING = SAN_MATEO / "san_mateo.toml"
FILES = ("facilities", "inspections", "violations")
NOW = dt.datetime(2026, 6, 15, 4, 0, tzinfo=dt.UTC)

CsvRow = dict[str, str]


async def run_import(
    database: Database, mapping: Mapping | str | Path, directory: Path, **options: Any
) -> tuple[Outcome, list[CsvRow]]:
    """Import. Returns the outcome and the lines of the report."""
    if not isinstance(mapping, Mapping):
        mapping = load_mapping(mapping) if isinstance(mapping, Path) else parse_mapping(mapping)
    options.setdefault("now", lambda: NOW)
    with io.StringIO(newline="") as file, Report(file) as report:
        outcome = await ImportRun(database, mapping, directory, report, **options).execute()
        text = file.getvalue()
    for counts in outcome.tables.values():
        assert counts.read == counts.new + counts.changed + counts.unchanged + counts.bad
    return outcome, list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def read_real(name: str, directory: Path = SAN_MATEO) -> list[CsvRow]:
    """The rows of one of the real files, or of a slice of them in another directory."""
    with gzip.open(directory / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def slice_real(directory: Path, facilities: int, *, every: int = 1) -> Path:
    """Write some of the first facilities with their inspections and violations to files of the same names.

    `every` spreads them: 10 takes each tenth facility.
    """
    chosen: set[str] = set()
    for name, key, own in (
        ("facilities", "facility_id", "facility_id"),
        ("inspections", "facility_id", "inspection_id"),
        ("violations", "inspection_id", "inspection_id"),
    ):
        rows = read_real(name)
        rows = (
            rows[: facilities * every : every] if name == "facilities" else [row for row in rows if row[key] in chosen]
        )
        chosen |= {row[own] for row in rows}
        with gzip.open(directory / f"{name}.csv.gz", "wt", encoding="utf-8", newline="", compresslevel=1) as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return directory


async def all_rows(database: Database) -> dict[str, list[Any]]:
    """Every row of every table that has an id, by table."""
    async with database.read() as connection:
        tables = {t.name: t for t in SQLModel.metadata.sorted_tables}
        return {
            name: list((await connection.execute(sa.select(t).order_by(t.c.id))).all())
            for name, t in tables.items()
            if "id" in t.c
        }


async def digest(database: Database) -> str:
    """A hash of every row of every table, including versions, times of change and the log."""
    hashed = hashlib.sha256()
    for name, rows in (await all_rows(database)).items():
        hashed.update(name.encode())
        for row in rows:
            hashed.update(repr(tuple(row)).encode())
    return hashed.hexdigest()


def file_bytes(directory: Path) -> dict[str, bytes]:
    """The bytes of each file in a directory, by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def peak_megabytes() -> float:
    """The peak memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would include the memory of the process that started this one.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)


async def _main(url: str, mapping: str, directory: str, batch: str) -> None:
    """Import, and print the progress after each batch and finally the results as lines of JSON."""
    database = Database(url)
    started = time.perf_counter()

    def print_progress(progress: Progress) -> None:
        print(json.dumps(asdict(progress)), flush=True)

    outcome, _ = await run_import(database, Path(mapping), Path(directory), batch=int(batch), progress=print_progress)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, processor = time.perf_counter() - started, used.ru_utime + used.ru_stime
    usage = {"seconds": seconds, "processor": processor, "megabytes": peak_megabytes()}
    print(json.dumps({"total": asdict(outcome.total), **usage}), flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
