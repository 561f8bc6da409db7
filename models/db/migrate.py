"""Bringing a database up to date with Alembic. Two processes may do it at once: the second finds nothing to do."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from models.db.database import Database

MIGRATION_LOCK = 20230923  # the key of PostgreSQL's advisory lock; any number that nothing else uses


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def migrate(database: Database, revision: str = "head") -> None:
    """Run what is missing, in one transaction: all of it or, after an error, nothing."""

    def run(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with database.write() as session:
        await (await session.connection()).run_sync(run)
