"""The commands that bring a register in and write one out."""

import csv
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from models.db.database import Database
from resolvers.register import ImportRun, Outcome, Progress, Report, export, load_mapping

FAILED, REFUSED = 1, 2  # exit statuses: some rows were bad; nothing could be begun


async def import_register(
    database: Database, mapping: Path, directory: Path, report: Path, *, dry: bool, console: Console
) -> int:
    """Import; the exit status. Raises RegisterError where it cannot be begun."""
    found = load_mapping(mapping)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # The report holds values as the files have them, people's names among them: for the bureau's own eyes.
    with (
        report.open("w", newline="", encoding="utf-8") as file,
        Report(file) as told,
        Bar(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("Importing", total=None)

        def progress(at: Progress) -> None:
            bar.update(task, description=f"{at.table} ({at.rate:,.0f}/s)", completed=at.done, total=at.total)

        outcome = await ImportRun(database, found, directory, told, dry_run=dry, progress=progress).execute()
    _tell(outcome, report, dry=dry, console=console)
    return FAILED if outcome.total.bad else 0


def _tell(outcome: Outcome, report: Path, *, dry: bool, console: Console) -> None:
    for table, counts in [*outcome.tables.items(), ("all", outcome.total)]:
        console.print(
            f"{table}: {counts.read:,} read = {counts.new:,} new + {counts.changed:,} changed"
            f" + {counts.unchanged:,} unchanged + {counts.bad:,} bad",
            highlight=False,
        )
    if outcome.moved:
        console.print(f"{outcome.moved:,} enterprises were put into other zones, towns or rings.", highlight=False)
    with report.open(encoding="utf-8-sig", newline="") as file:
        issues = sum(1 for _ in csv.reader(file)) - 1
    if issues:
        console.print(f"{issues:,} rows to look at: {report}", soft_wrap=True, markup=False, highlight=False)
    if dry:
        console.print("A dry run: nothing was written.")


async def export_register(database: Database, directory: Path, console: Console) -> None:
    """Export. Raises RegisterError where there is nothing to export."""
    for table, count in (await export(database, directory)).items():
        console.print(f"{table}: {count:,} rows", highlight=False)
