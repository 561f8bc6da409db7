"""The command that fills an empty database with the demo."""

import datetime as dt
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.db.database import Database
from models.db.migrate import migrate
from resolvers import geography
from resolvers.demo import DistrictExists, seed
from web.cli.common import console, fail, load_settings, with_database
from web.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Fill an empty database.")

ENTERPRISES: int = Settings.model_fields["demo_enterprises"].default


@app.command()
def demo(
    enterprises: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of enterprises.")] = ENTERPRISES,
) -> None:
    """Seed the Xiaoshan demo: equal rows each time, with dates relative to today. Migrates the database first."""

    async def work(database: Database) -> None:
        await migrate(database)
        await seed_demo(database, enterprises)

    try:
        with_database(load_settings(), work)
    except DistrictExists:
        fail("The database has a district already; the demo is only for an empty one. Nothing was changed.")


async def prepare_demo(database: Database, enterprises: int) -> None:
    """Migrate a database, and seed it if it is empty."""
    await migrate(database)
    if await geography.time_zone(database) is None:
        await seed_demo(database, enterprises)


async def seed_demo(database: Database, enterprises: int) -> None:
    """Seed with a progress bar. Raises DistrictExists."""
    columns = (TextColumn("Seeding Xiaoshan"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # The bar is for a terminal; in a log file it is noise.
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=enterprises)
        await seed(
            database,
            enterprises=enterprises,
            today=dt.datetime.now(geography.DEFAULT_ZONE).date(),
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"Seeded the demo with {enterprises:,} enterprises.")
