"""What the commands share: settings, the database, progress on standard error, and errors without a traceback."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import asyncpg
import sqlalchemy as sa
import typer
from pydantic import ValidationError
from rich.console import Console

from models.db.database import Database
from models.private_files import make_private
from web.settings import VAR, Settings

console = Console(stderr=True)

# What the drivers raise when a database cannot be reached: SQLAlchemy wraps most of it, but not all.
UNREACHABLE = (OSError, sa.exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)


def load_settings() -> Settings:
    """The settings from the environment. Ends the command, naming each wrong one."""
    make_private(VAR)
    try:
        return Settings()
    except ValidationError as error:
        wrong = [(f"HUHANG_{e['loc'][0]}".upper(), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        fail("\n".join(f"{name}: {reason}" for name, reason in wrong))


def fail(reason: str, status: int = 1) -> NoReturn:
    """End the command with a reason that a person can act on, and no traceback."""
    # Neither broken into lines nor read as markup, because it may hold a URL.
    console.print(reason, soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(status)


def with_database(settings: Settings, work: Callable[[Database], Awaitable[object]]) -> None:
    """Do some work with the database of the settings. Ends the command when the database does not answer."""

    async def run() -> None:
        try:
            database = Database(settings.database_url, pool_size=settings.pool_size)
            async with database.read() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except UNREACHABLE as error:
            cause = getattr(error, "orig", None) or error
            fail(f"The database of HUHANG_DATABASE_URL does not answer: {str(cause) or type(cause).__name__}")
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())
