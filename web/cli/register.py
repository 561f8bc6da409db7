"""The commands that import and export the register."""

import csv
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from models.db.database import Database
from models.db.migrate import migrate
from resolvers.register import ImportRun, MappingError, Outcome, Progress, RegisterError, Report, load_mapping
from resolvers.register import export as export_register
from web.cli.common import console, fail, load_settings, with_database

ROWS_FAILED, NOT_BEGUN = 1, 2  # exit statuses


def import_(
    mapping: Annotated[Path, typer.Argument(help="TOML file that describes the files: docs/guides/register.md.")],
    directory: Annotated[Path, typer.Argument(help="Directory with the files.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but write.")] = False,
    report: Annotated[Path, typer.Option(help="CSV file for bad and doubtful rows.")] = Path("import-report.csv"),
) -> None:
    """Import a register from CSV, XLSX or GeoJSON files. Safe to repeat."""

    async def work(database: Database) -> None:
        await migrate(database)
        outcomes.append(await import_files(database, mapping, directory, report, dry_run=dry_run))

    outcomes: list[Outcome] = []
    try:
        load_mapping(mapping)  # a wrong mapping is reported before the database is opened
        with_database(load_settings(), work)
    except MappingError as error:
        fail("\n".join(f"{mapping}: {mistake}" for mistake in error.mistakes), NOT_BEGUN)
    except (RegisterError, OSError) as error:
        fail(str(error), NOT_BEGUN)
    print_outcome(outcomes[0], report, dry_run=dry_run)
    raise typer.Exit(ROWS_FAILED if outcomes[0].total.bad else 0)


async def import_files(database: Database, mapping: Path, directory: Path, report: Path, *, dry_run: bool) -> Outcome:
    """Import with a progress bar. Raises RegisterError when the import cannot begin."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # The report repeats values from the files, people's names among them: it is for the bureau alone.
    with (
        report.open("w", newline="", encoding="utf-8") as file,
        Report(file) as rows,
        Bar(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("Importing", total=None)

        def progress(at: Progress) -> None:
            bar.update(task, description=f"{at.table} ({at.rate:,.0f}/s)", completed=at.done, total=at.total)

        run = ImportRun(database, load_mapping(mapping), directory, rows, dry_run=dry_run, progress=progress)
        return await run.execute()


def print_outcome(outcome: Outcome, report: Path, *, dry_run: bool) -> None:
    for table, counts in [*outcome.tables.items(), ("all", outcome.total)]:
        console.print(
            f"{table}: {counts.read:,} read = {counts.new:,} new + {counts.changed:,} changed"
            f" + {counts.unchanged:,} unchanged + {counts.bad:,} bad"
            + (f"; {counts.skipped:,} skipped" if counts.skipped else ""),
            highlight=False,
        )
    if outcome.moved:
        console.print(f"{outcome.moved:,} enterprises were put into other zones, towns or rings.", highlight=False)
    with report.open(encoding="utf-8-sig", newline="") as file:
        issues = sum(1 for _ in csv.reader(file)) - 1
    if issues:
        console.print(f"{issues:,} rows to look at: {report}", soft_wrap=True, markup=False, highlight=False)
    if dry_run:
        console.print("A dry run: nothing was written.")


def export(directory: Annotated[Path, typer.Argument(help="Directory for the files.")]) -> None:
    """Export the register as CSV files and a map, with the mapping that imports them again."""

    async def work(database: Database) -> None:
        for table, count in (await export_register(database, directory)).items():
            console.print(f"{table}: {count:,} rows", highlight=False)

    try:
        with_database(load_settings(), work)
    except (RegisterError, OSError) as error:
        fail(str(error), NOT_BEGUN)
