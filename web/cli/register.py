"""The commands that import and export the register."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from sqlalchemy.engine import make_url

from models.clock import now
from models.db.database import Database
from models.db.migrate import migrate
from resolvers.register import (
    ImportRun,
    IssueGroup,
    MappingError,
    Outcome,
    Progress,
    RegisterError,
    Report,
    load_mapping,
    preview,
)
from resolvers.register import export as export_register
from resolvers.register.district import contents
from resolvers.register.suggestion import common_folder
from resolvers.register.suggestion import suggest as suggest_mapping
from web.cli.common import UNREACHABLE, console, fail, load_settings, with_database

ROWS_FAILED, NOT_BEGUN = 1, 2  # exit statuses
KINDS_SHOWN = 20  # kinds of issues in the summary of a run


Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="MAPPING DIRECTORY",
        help="TOML file that describes the files (docs/guides/register.md), and the directory with the files."
        " With --suggest the files themselves.",
    ),
]
PreviewRows = Annotated[
    int | None, typer.Option("--preview", min=1, help="Only show the first rows of each file as they would be stored.")
]


def import_(
    paths: Paths,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but write.")] = False,
    rows: PreviewRows = None,
    report: Annotated[Path, typer.Option(help="CSV file for bad and doubtful rows.")] = Path("import-report.csv"),
    suggest: Annotated[bool, typer.Option("--suggest", help="Only print a first mapping for these files.")] = False,
) -> None:
    """Import a register from CSV files, spreadsheets or GeoJSON files. Safe to repeat."""
    if suggest:
        print_suggestion(paths)
        return
    if len(paths) != 2:
        raise typer.BadParameter(
            "needs a mapping and a directory, or --suggest and files", param_hint="MAPPING DIRECTORY"
        )
    mapping, directory = paths
    try:
        load_mapping(mapping)  # a wrong mapping is reported before the database is opened
        if rows is not None:
            for line in preview_lines(mapping, directory, rows):
                typer.echo(line)
            return
        outcome = import_and_print(mapping, directory, report, dry_run=dry_run)
    except MappingError as error:
        fail("\n".join(f"{mapping}: {mistake}" for mistake in error.mistakes), NOT_BEGUN)
    except (RegisterError, OSError) as error:
        fail(str(error), NOT_BEGUN)
    raise typer.Exit(ROWS_FAILED if outcome.total.bad or outcome.missing else 0)


def import_and_print(mapping: Path, directory: Path, report: Path, *, dry_run: bool) -> Outcome:
    """Import into the database of the settings, and print the outcome."""

    async def work(database: Database) -> None:
        await migrate(database)
        outcomes.append(await import_files(database, mapping, directory, report, dry_run=dry_run))

    outcomes: list[tuple[Outcome, Report]] = []
    with_database(load_settings(), work)
    outcome, issues = outcomes[0]
    print_outcome(outcome, issues, report, dry_run=dry_run)
    return outcome


def print_suggestion(files: list[Path]) -> None:
    """Print a mapping for the files. It names the district of the database, if there is one."""
    district: tuple[str, str | None] | None = None
    filled: list[str] = []
    url = make_url(load_settings().database_url)
    if url.get_backend_name() != "sqlite" or Path(url.database or "").exists():
        with suppress(*UNREACHABLE):  # without a database, or in an empty one, there is no district to name
            district, filled = asyncio.run(database_contents(load_settings().database_url))
    try:
        typer.echo(suggest_mapping(files, district, filled), nl=False)
    except RegisterError as error:
        fail(str(error), NOT_BEGUN)
    if district is None:
        console.print("Write the name of the district into the mapping.", highlight=False)
    folder = common_folder(files)
    console.print(f"The files are in {folder}.", soft_wrap=True, markup=False, highlight=False)


async def database_contents(url: str) -> tuple[tuple[str, str | None] | None, list[str]]:
    """The district of a database, and its tables that have rows."""
    database = Database(url)
    try:
        async with database.read() as connection:
            return await contents(connection)
    finally:
        await database.close()


async def import_files(
    database: Database, mapping: Path, directory: Path, report: Path, *, dry_run: bool
) -> tuple[Outcome, Report]:
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
        return await run.execute(), rows


def print_outcome(outcome: Outcome, issues: Report, report: Path, *, dry_run: bool) -> None:
    for table, counts in [*outcome.tables.items(), ("all", outcome.total)]:
        console.print(
            f"{table}: {counts.read:,} read = {counts.new:,} new + {counts.changed:,} changed"
            f" + {counts.unchanged:,} unchanged + {counts.bad:,} bad"
            + (f"; {counts.skipped:,} skipped" if counts.skipped else ""),
            highlight=False,
        )
    if outcome.moved:
        console.print(f"{outcome.moved:,} enterprises were put into other zones, towns or rings.", highlight=False)
    if outcome.retired:
        console.print(f"{outcome.retired:,} enterprises are in no register any more and were retired.", highlight=False)
    if issues.count:
        console.print(f"{issues.count:,} rows to look at: {report}", soft_wrap=True, markup=False, highlight=False)
        for line in summary_lines(issues.summary()):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    if dry_run:
        console.print("A dry run: nothing was written.")


def summary_lines(groups: list[IssueGroup]) -> Iterator[str]:
    """One line for each kind of issue, with the first of its kind."""
    for group in groups[:KINDS_SHOWN]:
        first = group.first
        kind = first.severity if group.count == 1 else f"{first.severity}s"
        where = f"{group.file}, {first.column}" if first.column else group.file
        place = [f"line {first.line}"] if first.line else []  # an issue of the whole file has none
        example = ", ".join([*place, *([_printable(first.value)] if first.value else [])])
        yield f"  {group.count:,} {kind}: {where}: {first.reason}{f' ({example})' if example else ''}"
    if len(groups) > KINDS_SHOWN:
        rest = sum(group.count for group in groups[KINDS_SHOWN:])
        yield f"  {rest:,} of {len(groups) - KINDS_SHOWN:,} other kinds"


def preview_lines(mapping: Path, directory: Path, rows: int) -> Iterator[str]:
    """The first rows of each file: a line for each field, and one for each issue."""
    for row in preview(load_mapping(mapping), directory, rows, now()):
        yield f"{row.table}: {row.file}, line {row.line}"
        for name, text in row.values.items():
            yield f"  {name} = {'(no value)' if text is None else _printable(text)}"
        for issue in row.issues:
            value = f" {_printable(issue.value)}" if issue.value else ""
            yield f"  {issue.severity}: {issue.column}{value}: {issue.reason}"


def _printable(value: str) -> str:
    """A value on one line, without characters that would control the terminal."""
    text = "".join(c if c.isprintable() else " " for c in value[:100])
    return f"{text}…" if len(value) > 100 else text


def export(directory: Annotated[Path, typer.Argument(help="Directory for the files.")]) -> None:
    """Export the register as CSV files and a map, with the mapping that imports them again."""

    async def work(database: Database) -> None:
        for table, count in (await export_register(database, directory)).items():
            console.print(f"{table}: {count:,} rows", highlight=False)

    try:
        with_database(load_settings(), work)
    except (RegisterError, OSError) as error:
        fail(str(error), NOT_BEGUN)
