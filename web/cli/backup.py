"""The commands that back up and restore the database and the evidence."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from models.db.database import Database
from models.db.dumps import DumpError
from resolvers import backup as backups
from resolvers.evidence.store import open_store
from web.cli.common import UNREACHABLE, console, fail, load_settings, with_database


def backup(target: Annotated[Path, typer.Argument(help="A folder that is new or empty.")]) -> None:
    """Back up the database and the evidence while the servers run."""
    settings = load_settings()

    async def work(database: Database) -> None:
        url, now = sa.make_url(settings.database_url), dt.datetime.now(dt.UTC)
        made = await backups.back_up(database, url, open_store(settings.evidence_url), target, now)
        console.print(f"{target} has the database up to cursor {made.manifest.cursor}", end="", soft_wrap=True)
        console.print(f" and {made.manifest.evidence} files of evidence.", soft_wrap=True)
        if made.missing:
            console.print(f"WARNING: the store lacks {len(made.missing)} files of evidence that the database names:")
            for name in made.missing:
                console.print(f"  {name}", soft_wrap=True)

    try:
        with_database(settings, work)
    except DumpError as error:
        fail(str(error))


def restore(
    source: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Delete what the database has now.")] = False,
) -> None:
    """Restore a backup while no server runs. Refuses a database that is not empty, unless --replace is given."""
    settings = load_settings()
    store = open_store(settings.evidence_url)
    try:
        manifest = asyncio.run(backups.restore(settings.database_url, store, source, replace=replace))
    except DumpError as error:
        fail(str(error))
    except UNREACHABLE as error:
        fail(f"The database of HUHANG_DATABASE_URL does not answer: {str(error) or type(error).__name__}")
    moment = f"{manifest.at:%Y-%m-%d %H:%M:%S}"
    console.print(f"The database is as it was at {moment} UTC. Start the servers.", soft_wrap=True)
    console.print("If no other database uses this store of evidence: python -m web collect --ours", soft_wrap=True)
