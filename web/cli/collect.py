"""The command that removes unused evidence."""

import datetime as dt
from typing import Annotated

import typer

from models.db.database import Database
from resolvers.actions import idempotency
from resolvers.evidence.store import open_store
from resolvers.evidence.uploads import ForeignStore, claim_store, collect_orphans
from web.cli.common import console, fail, load_settings, with_database


def collect(
    ours: Annotated[
        bool, typer.Option("--ours", help="Claim the store for this database: once after a restore.")
    ] = False,
) -> None:
    """Remove unused evidence and old idempotency keys. Refuses a store of another database."""

    async def work(database: Database) -> None:
        store = open_store(settings.evidence_url)
        if ours:
            await claim_store(database, store)
        now, waiting = dt.datetime.now(dt.UTC), dt.timedelta(days=settings.offline_days)
        async with database.write() as session:
            await idempotency.purge(session, now - waiting)
        removed = await collect_orphans(database, store, now, waiting)
        console.print(f"Removed {removed.rows} rows and {removed.files} files.")

    settings = load_settings()
    try:
        with_database(settings, work)
    except ForeignStore as error:
        owner = f"the database of epoch {error}" if error.others else "an unknown database"
        fail(
            f"The store of HUHANG_EVIDENCE_URL has evidence of {owner}; nothing was removed. "
            "If only this database uses it, as after a restore: python -m web collect --ours"
        )
