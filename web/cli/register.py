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
from models.reason import Language, Message, Reason, text_in
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
from resolvers.register.report import ERROR, Counts
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
LanguageOption = Annotated[
    Language | None,
    typer.Option(
        "--language", help="Language of the report and of messages; by default HUHANG_LANGUAGE or the locale's."
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
    language: LanguageOption = None,
) -> None:
    """Import a register from CSV files, spreadsheets or GeoJSON files. Safe to repeat."""
    speaks = chosen(language)
    if suggest:
        print_suggestion(paths, speaks)
        return
    if len(paths) != 2:
        raise typer.BadParameter(
            "needs a mapping and a directory, or --suggest and files", param_hint="MAPPING DIRECTORY"
        )
    mapping, directory = paths
    try:
        load_mapping(mapping)  # a wrong mapping is reported before the database is opened
        if rows is not None:
            for line in preview_lines(mapping, directory, rows, speaks):
                typer.echo(line)
            return
        outcome = import_and_print(mapping, directory, report, speaks, dry_run=dry_run)
    except MappingError as error:
        fail("\n".join(f"{mapping}: {mistake.text(speaks)}" for mistake in error.mistakes), NOT_BEGUN)
    except (RegisterError, OSError) as error:
        fail(said(error, speaks), NOT_BEGUN)
    raise typer.Exit(ROWS_FAILED if outcome.total.bad or outcome.missing else 0)


def chosen(option: Language | None) -> Language:
    """The language of the option, else of the settings, else of the locale."""
    if (language := option or load_settings().language) is not None:
        return language
    from babel import default_locale  # imported late, as in models/reason.py

    return Language.CHINESE if (default_locale("LC_MESSAGES") or "").startswith("zh") else Language.ENGLISH


def said(error: RegisterError | OSError, language: Language) -> str:
    return error.text(language) if isinstance(error, RegisterError) else str(error)


def import_and_print(mapping: Path, directory: Path, report: Path, language: Language, *, dry_run: bool) -> Outcome:
    """Import into the database of the settings, and print the outcome."""

    async def work(database: Database) -> None:
        await migrate(database)
        outcomes.append(await import_files(database, mapping, directory, report, language, dry_run=dry_run))

    outcomes: list[tuple[Outcome, Report]] = []
    with_database(load_settings(), work)
    outcome, issues = outcomes[0]
    print_outcome(outcome, issues, report, dry_run=dry_run)
    return outcome


def print_suggestion(files: list[Path], language: Language) -> None:
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
        fail(error.text(language), NOT_BEGUN)
    if district is None:
        show(Message("DISTRICT_TO_WRITE", "Write the name of the district into the mapping."), language)
    folder = str(common_folder(files))
    show(Message("FILES_FOLDER", "The files are in {folder}.", folder=folder), language)


async def database_contents(url: str) -> tuple[tuple[str, str | None] | None, list[str]]:
    """The district of a database, and its tables that have rows."""
    database = Database(url)
    try:
        async with database.read() as connection:
            return await contents(connection)
    finally:
        await database.close()


async def import_files(
    database: Database, mapping: Path, directory: Path, report: Path, language: Language, *, dry_run: bool
) -> tuple[Outcome, Report]:
    """Import with a progress bar. Raises RegisterError when the import cannot begin."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # The report repeats values from the files, people's names among them: it is for the bureau alone.
    with (
        report.open("w", newline="", encoding="utf-8") as file,
        Report(file, language) as rows,
        Bar(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task(Message("IMPORTING", "Importing").text(language), total=None)

        def progress(at: Progress) -> None:
            bar.update(task, description=f"{at.table} ({at.rate:,.0f}/s)", completed=at.done, total=at.total)

        run = ImportRun(database, load_mapping(mapping), directory, rows, dry_run=dry_run, progress=progress)
        return await run.execute(), rows


def show(message: Message, language: Language) -> None:
    console.print(message.text(language), soft_wrap=True, markup=False, highlight=False)


def print_outcome(outcome: Outcome, issues: Report, report: Path, *, dry_run: bool) -> None:
    language = issues.language
    all_tables = Message("ALL_TABLES", "all").text(language)
    for table, counts in [*outcome.tables.items(), (all_tables, outcome.total)]:
        show(_counts(table, counts), language)
    if outcome.moved:
        moved = Message(
            "ENTERPRISES_MOVED",
            "{enterprises:,} enterprises were put into other zones, towns or rings.",
            enterprises=outcome.moved,
        )
        show(moved, language)
    if outcome.retired:
        retired = Message(
            "ENTERPRISES_RETIRED",
            "{enterprises:,} enterprises are in no register any more and were retired.",
            enterprises=outcome.retired,
        )
        show(retired, language)
    if issues.count:
        show(
            Message("ROWS_TO_LOOK_AT", "{rows:,} rows to look at: {report}", rows=issues.count, report=str(report)),
            language,
        )
        for line in summary_lines(issues.summary(), language):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    if dry_run:
        show(Message("DRY_RUN", "A dry run: nothing was written."), language)


def _counts(table: str, counts: Counts) -> Message:
    numbers = {name: getattr(counts, name) for name in ("read", "new", "changed", "unchanged", "bad")}
    rows = Message(
        "ROWS_COUNTED",
        "{table}: {read:,} read = {new:,} new + {changed:,} changed + {unchanged:,} unchanged + {bad:,} bad",
        table=table,
        **numbers,
    )
    return (
        Message("ROWS_SKIPPED", "{rows}; {skipped:,} skipped", rows=rows, skipped=counts.skipped)
        if counts.skipped
        else rows
    )


def summary_lines(groups: list[IssueGroup], language: Language) -> Iterator[str]:
    """One line for each kind of issue, with the first of its kind."""
    for group in groups[:KINDS_SHOWN]:
        first = group.first
        is_error = first.severity == ERROR
        kind = (
            (Message("ONE_ERROR", "1 error") if is_error else Message("ONE_WARNING", "1 warning"))
            if group.count == 1
            else Message("ERRORS", "{count:,} errors", count=group.count)
            if is_error
            else Message("WARNINGS", "{count:,} warnings", count=group.count)
        )
        where = f"{group.file}, {first.column}" if first.column else group.file
        place = [_line(first.line).text(language)] if first.line else []  # an issue of the whole file has none
        example = ", ".join([*place, *([_printable(first.value)] if first.value else [])])
        reason = text_in(language, first.reason)
        yield f"  {kind.text(language)}: {where}: {reason}{f' ({example})' if example else ''}"
    if len(groups) > KINDS_SHOWN:
        rest = sum(group.count for group in groups[KINDS_SHOWN:])
        others = len(groups) - KINDS_SHOWN
        message = Message("OTHER_KINDS", "{rest:,} of {kinds:,} other kinds", rest=rest, kinds=others)
        yield f"  {message.text(language)}"


def _line(number: int) -> Reason:
    return Reason("LINE", "line {line}", line=number)


def preview_lines(mapping: Path, directory: Path, rows: int, language: Language) -> Iterator[str]:
    """The first rows of each file: a line for each field, and one for each issue."""
    nothing = Message("NO_VALUE", "(no value)").text(language)
    for row in preview(load_mapping(mapping), directory, rows, now()):
        yield f"{row.table}: {row.file}, {_line(row.line).text(language)}"
        for name, text in row.values.items():
            yield f"  {name} = {nothing if text is None else _printable(text_in(language, text))}"
        for issue in row.issues:
            value = f" {_printable(issue.value)}" if issue.value else ""
            severity, reason = text_in(language, issue.severity), text_in(language, issue.reason)
            yield f"  {severity}: {issue.column}{value}: {reason}"


def _printable(value: str) -> str:
    """A value on one line, without characters that would control the terminal."""
    text = "".join(c if c.isprintable() else " " for c in value[:100])
    return f"{text}…" if len(value) > 100 else text


def export(
    directory: Annotated[Path, typer.Argument(help="Directory for the files.")], language: LanguageOption = None
) -> None:
    """Export the register as CSV files and a map, with the mapping that imports them again."""
    speaks = chosen(language)

    async def work(database: Database) -> None:
        for table, count in (await export_register(database, directory)).items():
            show(Message("ROWS_EXPORTED", "{table}: {rows:,} rows", table=table, rows=count), speaks)

    try:
        with_database(load_settings(), work)
    except (RegisterError, OSError) as error:
        fail(said(error, speaks), NOT_BEGUN)
