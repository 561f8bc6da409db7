"""The command that creates and updates the database's tables."""

import secrets
from typing import Annotated

import typer

from models.db.database import Database
from models.db.migrate import migrate as migrate_database
from subscriptions.event_log import renew_epoch
from web.cli.common import console, load_settings, with_database


def migrate(
    restored: Annotated[
        bool, typer.Option("--restored", help="The database was restored from a backup: refuse all earlier cursors.")
    ] = False,
) -> None:
    """Bring the database up to date. Safe to run twice, also by two processes at once."""

    async def work(database: Database) -> None:
        await migrate_database(database)
        if restored:
            async with database.write() as session:
                await renew_epoch(session, secrets.token_hex(8))

    with_database(load_settings(), work)
    console.print("The database is up to date.")
