"""The commands that check and rebuild the sums and sets of portraits."""

import typer

from models.db import portrait_sums
from models.db.database import Database
from subscriptions import event_log
from web.cli.common import console, fail, load_settings, with_database

app = typer.Typer(no_args_is_help=True, help="Check or rebuild the sums and sets from which portraits are read.")


@app.command()
def check() -> None:
    """Compare the sums and sets with the rows that they count. Ends with 1 if any differ. Nobody waits for it."""

    async def work(database: Database) -> None:
        async with database.read() as connection:
            different = await portrait_sums.differences(connection)
        if different:
            fail(f"{different:,} sums or sets differ from their rows: run `python -m web portraits rebuild`.")
        console.print("All sums and sets agree with their rows.")

    with_database(load_settings(), work)


@app.command()
def rebuild() -> None:
    """Make all sums and sets anew of the rows that they count, in one transaction. Writers wait until it has ended."""

    async def work(database: Database) -> None:
        async with database.write() as session:
            connection = await session.connection()
            await event_log.take_turn(connection)
            number = await portrait_sums.rebuild(connection)
        console.print(f"Made {number:,} sums.")

    with_database(load_settings(), work)
