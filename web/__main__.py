"""The command line: `python -m web`."""

import asyncio
import datetime as dt
import os
import sys
from typing import Annotated

import typer
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.database import Database
from models.migrate import migrate as migrate_database
from resolvers import districts
from resolvers.demo import DistrictExists
from resolvers.demo import seed as seed_demo
from schema.root import build
from web.app import PAGES
from web.logs import configure
from web.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Huhang: one graph of everything a district guards.")
seed_app = typer.Typer(no_args_is_help=True, help="Fill an empty database.")
app.add_typer(seed_app, name="seed")
console = Console(stderr=True)

ENTERPRISES = 2000


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    demo: Annotated[bool, typer.Option("--demo", help="For trying out: migrate, and seed an empty database.")] = False,
) -> None:
    """The server."""
    settings = Settings()
    if not (demo or settings.demo):
        console.print("Huhang has no rights yet, so it starts in demo mode only: python -m web serve --demo")
        raise typer.Exit(2)
    os.environ["HUHANG_DEMO"] = "true"
    configure(settings.log_level)
    asyncio.run(_prepare_demo(settings))
    base = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0', '::') else host}:{port}"
    if (PAGES / "graphiql" / "index.html").is_file():
        console.print(f"GraphiQL   {base}/graphiql/")
    else:
        console.print("GraphiQL   not built: it needs Node 20 or later, then `make run` again. The graph is served.")
    console.print(f"The graph  {base}/graphql\nThe schema {base}/schema.graphql\nCtrl-C stops the server.")
    uvicorn.run(
        "web.app:create",
        factory=True,
        host=host,
        port=port,
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
        timeout_graceful_shutdown=3,
    )


@app.command()
def migrate() -> None:
    """Bring the database up to date; safe to run twice, and by two processes at once."""

    async def run() -> None:
        database = Database(Settings().database_url)
        try:
            await migrate_database(database)
        finally:
            await database.close()

    asyncio.run(run())


@seed_app.command()
def demo(
    enterprises: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many enterprises.")] = ENTERPRISES,
) -> None:
    """The Xiaoshan demo: the same rows every time, dates relative to today."""

    async def run() -> None:
        database = Database(Settings().database_url)
        try:
            await _seed(database, enterprises)
        finally:
            await database.close()

    try:
        asyncio.run(run())
    except DistrictExists:
        console.print("The database has a district already; the demo is only for an empty one. Nothing was changed.")
        raise typer.Exit(1) from None


@app.command()
def schema() -> None:
    """The schema in SDL, on standard output."""
    sys.stdout.write(build().as_str() + "\n")


async def _prepare_demo(settings: Settings) -> None:
    database = Database(settings.database_url)
    try:
        await migrate_database(database)
        if await districts.time_zone(database) is None:
            await _seed(database, ENTERPRISES)
    finally:
        await database.close()


async def _seed(database: Database, enterprises: int) -> None:
    columns = (TextColumn("Seeding Xiaoshan"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=enterprises)
        await seed_demo(
            database,
            enterprises=enterprises,
            today=dt.datetime.now(districts.DEFAULT_ZONE).date(),
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


if __name__ == "__main__":
    app()
