"""Brings a database to the current schema with Alembic. Several processes may do so at once."""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from models.db import portrait_sums
from models.db.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATION_LOCK = 20230923  # key of PostgreSQL's advisory lock; any number that no other lock has


def configuration() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(database: Database, revision: str = "head") -> None:
    """Run the missing migrations in one transaction: all of them or, after an error, none.

    Sums and sets of portraits that the database does not have yet are made of its rows, in the same transaction.

    Of two processes that migrate at once, the second waits for the first and finds nothing left to do.
    """

    from alembic import command  # late: `serve` needs it for a demo only, and it takes long to import

    def run(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(run)
        if revision == "head" and await portrait_sums.are_missing(connection):
            await portrait_sums.rebuild(connection)
