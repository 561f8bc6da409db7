"""The command line: `python -m web`."""

import asyncio
import datetime as dt
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn

import asyncpg
import httpx
import sqlalchemy as sa
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.db.database import Database
from models.db.migrate import migrate as migrate_database
from models.visibility import Role, Scope
from resolvers import geography
from resolvers.demo import DistrictExists
from resolvers.demo import seed as seed_demo
from resolvers.evidence.store import open_store
from resolvers.evidence.uploads import ForeignStore, claim_store
from resolvers.evidence.uploads import collect_orphans as collect_evidence
from resolvers.register import MappingError, RegisterError, load_mapping
from schema.build import build
from subscriptions.event_log import renew_epoch
from web import server
from web import workers as processes
from web.app import PAGES
from web.auth.tokens import SECRET_MINIMUM, Claims
from web.cli.register import REFUSED, export_register, import_register
from web.logging import configure
from web.settings import Settings, tokens
from web.simulation import play
from web.simulation.calls import Refusal

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show what variables hold
    help="Huhang: one graph of everything a district guards.",
)
seed_app = typer.Typer(no_args_is_help=True, help="Fill an empty database.")
app.add_typer(seed_app, name="seed")
console = Console(stderr=True)

GENTLE_RATE = 0.7  # calls a second
ENTERPRISES: int = Settings.model_fields["demo_enterprises"].default
# What the drivers raise where a database cannot be had: SQLAlchemy wraps most of it, and not all.
UNREACHABLE = (OSError, sa.exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    demo: Annotated[bool, typer.Option("--demo", help="For trying out: migrate, and seed an empty database.")] = False,
    simulated: Annotated[
        bool, typer.Option("--simulate/--no-simulate", help="In demo mode, play a working day on it, gently.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that serve at this address.")] = 1,
) -> None:
    """The server."""
    settings = _settings()
    if demo:
        # Also for the settings that the application reads for itself.
        os.environ["HUHANG_DEMO"] = "true"
        settings = _settings()
    if not settings.demo and settings.secret is None:
        _refuse(
            f"HUHANG_SECRET is needed: at least {SECRET_MINIMUM} characters that nobody can guess. Or try --demo.", 2
        )
    if workers > 1:
        _several(settings)
    configure(settings.log_level)
    # Before the demo is made, which takes a while: who cannot have the address is told at once.
    try:
        taken = server.bound(host, port)
    except OSError as error:
        _refuse(f"Cannot listen on {host} port {port}: {error.strerror}.")
    if settings.demo:
        _run(settings, lambda database: _prepare_demo(database, settings.demo_enterprises))
    if not _served(taken, workers, settings.log_level, simulated):
        raise typer.Exit(1)


def _served(taken: socket.socket, workers: int, log_level: str, simulated: bool) -> bool:
    """Serve until told to end, with a day played beside it where that is wanted; whether all went well."""
    playing: list[subprocess.Popen[bytes]] = []

    def listening() -> None:
        base = server.address(taken)
        _tell(base)
        if simulated:
            playing.append(_played(base))
            console.print("A working day is being played, so that something happens.")
            console.print("Without it: make run ARGS=--no-simulate")

    def stop() -> None:
        for process in playing:
            process.terminate()
            process.wait()

    try:
        if workers > 1:
            return processes.run(workers, taken, listening, log_level=log_level)
        server.run(taken, listening, log_level=log_level, hung=stop)
        return True
    finally:
        stop()


def _several(settings: Settings) -> None:
    """Several processes hear of each other's events over a bus, or else by looking each second."""
    if settings.bus_url.startswith("memory:"):
        if not settings.database_url.startswith("sqlite:"):
            _refuse("Several processes need a bus: HUHANG_BUS_URL=redis://…", 2)
        console.print("The processes look for each other's events each second; HUHANG_BUS_URL=redis://… tells at once.")


def _played(base: str) -> "subprocess.Popen[bytes]":
    """The simulation in a process of its own, gently."""
    command = [sys.executable, "-m", "web", "simulate", "--url", base, "--rate", str(GENTLE_RATE)]
    # In a group of its own, so that Ctrl-C ends the server first and the simulation by it.
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


@app.command()
def migrate(
    restored: Annotated[
        bool, typer.Option("--restored", help="The database was restored from a backup: refuse cursors of before.")
    ] = False,
) -> None:
    """Bring the database up to date; safe to run twice, and by two processes at once."""

    async def work(database: Database) -> None:
        await migrate_database(database)
        if restored:
            async with database.write() as session:
                await renew_epoch(session, secrets.token_hex(8))

    _run(_settings(), work)
    console.print("The database is up to date.")


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="In which role.", case_sensitive=False)],
    inspector: Annotated[str | None, typer.Option(help="An inspector's badge.")] = None,
    enterprise: Annotated[str | None, typer.Option(help="An enterprise's credit code or external id.")] = None,
    scopes: Annotated[str | None, typer.Option(help="What a program is allowed, with commas.")] = None,
    name: Annotated[str | None, typer.Option(help="Who holds it, for the log.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is good, such as 30m, 8h or 7d.")] = "8h",
) -> None:
    """A bearer token, alone on the last line of standard output."""
    settings = _settings()
    # Without a secret of one's own it is the demo's, which lies under var/.
    signing = tokens(settings) or tokens(settings.model_copy(update={"demo": True}))
    assert signing is not None
    if (role is Role.INSPECTOR) != (inspector is not None) or (role is Role.ENTERPRISE) != (enterprise is not None):
        _refuse("An inspector's token needs --inspector, an enterprise's --enterprise, and no other has either.", 2)
    try:
        allowed = frozenset(Scope(s.strip()) for s in (scopes or "").split(",") if s.strip())
        until = dt.datetime.now(dt.UTC) + _span(ttl)
    except ValueError as error:
        _refuse(str(error), 2)
    if allowed and role is not Role.INTEGRATOR:
        _refuse("Scopes are for a program: --role integrator.", 2)
    subject = inspector or enterprise or name or role.value
    claims = Claims(role, until, subject, name, inspector, enterprise, allowed)
    sys.stdout.write(signing.make(claims) + "\n")


@app.command()
def simulate(
    url: Annotated[str, typer.Option(help="The server, of the demo.")] = "http://127.0.0.1:8000",
    rate: Annotated[float, typer.Option(min=0.01, help="Calls a second.")] = 5.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long; without it until it is stopped.")] = None,
    seed: Annotated[int, typer.Option(help="Which day; the same one plays alike.")] = 0,
) -> None:
    """A working day in the field, played through the public API. Ctrl-C stops it."""
    settings = _settings()
    signing = tokens(settings) or tokens(settings.model_copy(update={"demo": True}))
    assert signing is not None
    try:
        summary = asyncio.run(play(url, signing, rate=rate, seconds=seconds, seed=seed))
    except httpx.HTTPError as error:
        _refuse(f"{url} does not answer: {type(error).__name__}. Start it with: python -m web serve --demo")
    except Refusal as refusal:
        _refuse(f"{url} answers, and refuses: {refusal}")
    console.print(f"{summary.calls.total()} calls, {len(summary.refusals)} refused without being meant to.")
    for reason in summary.refusals[:10]:
        console.print(f"  {reason}", soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(1 if summary.refusals else 0)


@app.command("import")
def import_(
    mapping: Annotated[Path, typer.Argument(help="What the files hold: a TOML file, see docs/guides/register.md.")],
    directory: Annotated[Path, typer.Argument(help="Where the files are.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do all but write.")] = False,
    report: Annotated[Path, typer.Option(help="Where the rows that are bad, or doubtful, are listed.")] = Path(
        "import-report.csv"
    ),
) -> None:
    """A register from CSV, XLSX or GeoJSON files; safe to repeat."""

    async def work(database: Database) -> None:
        await migrate_database(database)
        status.append(await import_register(database, mapping, directory, report, dry=dry_run, console=console))

    status: list[int] = []
    try:
        load_mapping(mapping)  # before the database is asked for
        _run(_settings(), work)
    except MappingError as refused:
        _refuse("\n".join(f"{mapping}: {mistake}" for mistake in refused.mistakes), REFUSED)
    except (RegisterError, OSError) as refused:
        _refuse(str(refused), REFUSED)
    raise typer.Exit(status[0])


@app.command()
def export(directory: Annotated[Path, typer.Argument(help="Where to write the files.")]) -> None:
    """The register as CSV files and a map, with the mapping that imports them again."""
    try:
        _run(_settings(), lambda database: export_register(database, directory, console))
    except (RegisterError, OSError) as refused:
        _refuse(str(refused), REFUSED)


@app.command()
def collect(
    ours: Annotated[
        bool, typer.Option("--ours", help="Nobody else uses the store, whatever it says: once after a restore.")
    ] = False,
) -> None:
    """Remove evidence that was uploaded and never used. Not from a store that another database uses."""

    async def work(database: Database) -> None:
        store = open_store(settings.evidence_url)
        if ours:
            await claim_store(database, store)
        found = await collect_evidence(database, store, dt.datetime.now(dt.UTC))
        console.print(f"Removed {found.rows} rows and {found.files} files.")

    settings = _settings()
    try:
        _run(settings, work)
    except ForeignStore as refused:
        whose = f"the database of epoch {refused}" if refused.others else "nobody knows whom"
        _refuse(
            f"The store of HUHANG_EVIDENCE_URL has evidence of {whose}; nothing was removed. "
            "If nobody but this database uses it, as after a restore: python -m web collect --ours"
        )


def _span(text: str) -> dt.timedelta:
    """`30m`, `8h` or `7d`. Raises ValueError."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not (number.isascii() and number.isdigit()) or not 0 < int(number) <= 100_000:
        raise ValueError(f"{text}: a time is a number with m, h or d, such as 8h")
    return dt.timedelta(**{units[unit]: int(number)})


@seed_app.command()
def demo(
    enterprises: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many enterprises.")] = ENTERPRISES,
) -> None:
    """The Xiaoshan demo: the same rows every time, dates relative to today. Brings the database up to date first."""

    async def fill(database: Database) -> None:
        await migrate_database(database)
        await _seed(database, enterprises)

    try:
        _run(_settings(), fill)
    except DistrictExists:
        _refuse("The database has a district already; the demo is only for an empty one. Nothing was changed.")


@app.command()
def schema() -> None:
    """The schema in SDL, on standard output."""
    sys.stdout.write(build().as_str() + "\n")


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        wrong = [(f"HUHANG_{e['loc'][0]}".upper(), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        _refuse("\n".join(f"{name}: {reason}" for name, reason in wrong))


def _refuse(reason: str, status: int = 1) -> NoReturn:
    """End with a reason that a person can act on, and no traceback."""
    # Neither broken into lines nor read as markup: it may hold an address.
    console.print(reason, soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(status)


def _tell(base: str) -> None:
    """Where to go, once somebody is there to answer."""
    if (PAGES / "graphiql" / "index.html").is_file():
        console.print(f"GraphiQL   {base}/graphiql/", soft_wrap=True)
    else:
        reason = "not built: that needs Node 20.19 or later, and then `make run` again."
        console.print(f"GraphiQL   {reason}", soft_wrap=True)
    console.print(f"The graph  {base}/graphql\nThe schema {base}/schema.graphql", soft_wrap=True)
    console.print("Ctrl-C stops the server.")


def _run(settings: Settings, work: Callable[[Database], Awaitable[object]]) -> None:
    """Do something with the database that the settings name, if it answers."""

    async def run() -> None:
        try:
            database = Database(settings.database_url, pool_size=settings.pool_size)
            async with database.read() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except UNREACHABLE as error:
            cause = getattr(error, "orig", None) or error
            _refuse(f"The database of HUHANG_DATABASE_URL does not answer: {str(cause) or type(cause).__name__}")
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())


async def _prepare_demo(database: Database, enterprises: int) -> None:
    await migrate_database(database)
    if await geography.time_zone(database) is None:
        await _seed(database, enterprises)


async def _seed(database: Database, enterprises: int) -> None:
    columns = (TextColumn("Seeding Xiaoshan"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # A bar in a log is noise.
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=enterprises)
        await seed_demo(
            database,
            enterprises=enterprises,
            today=dt.datetime.now(geography.DEFAULT_ZONE).date(),
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"Seeded the demo with {enterprises:,} enterprises.")


if __name__ == "__main__":
    app()
