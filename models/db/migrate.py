"""Brings a database to the current schema with Alembic. Several processes may do so at once."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from models.db import portrait_sums
from models.db.database import Database
from models.db.revisions import REVISION_QUERY

MIGRATION_LOCK = 20230923  # key of PostgreSQL's advisory lock; any number that no other lock has


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(database: Database, revision: str = "head") -> None:
    """Run the missing migrations in one transaction: all of them or, after an error, none.

    Sums and sets of portraits that the database does not have yet are made of its rows, in the same transaction.

    Of two processes that migrate at once, the second waits for the first and finds nothing left to do.
    """

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


async def revision_of(database: Database) -> str | None:
    """The revision of a database's schema; None where it has none."""
    async with database.read() as connection:
        if not await connection.run_sync(lambda plain: sa.inspect(plain).has_table("alembic_version")):
            return None
        revision: str | None = (await connection.execute(sa.text(REVISION_QUERY))).scalar()
        return revision
