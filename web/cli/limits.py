"""Warnings of `serve` at its start where PostgreSQL or the system has less room than the settings need."""

import resource

import sqlalchemy as sa

from models.db.database import Database
from web.allowed_connections import FILES_KEPT, connection_limits
from web.cli.common import console
from web.settings import Settings

# Connections that anybody may have, and those that others have now. The second reserve came with PostgreSQL 16.
ROOM = sa.text(
    "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0),"
    " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())"
)
OF_CHECKS = 1  # connection of each process for /readyz, besides its pools


async def tell_connections(database: Database, settings: Settings, processes: int) -> None:
    """Say where all servers together may need more connections than PostgreSQL allows, or than are free now."""
    if (shortage := await connections_shortage(database, settings, processes)) is not None:
        say(shortage)


async def connections_shortage(database: Database, settings: Settings, processes: int) -> str | None:
    """The warning that PostgreSQL allows too few connections, with the remedy; None where it allows enough."""
    if database.sqlite:
        return None
    async with database.read() as connection:
        allowed, others = (await connection.execute(ROOM)).one()
    own = processes * (settings.pool_size + OF_CHECKS)
    if settings.servers * own > allowed:
        return (
            f"PostgreSQL allows {allowed:,} connections, and {settings.servers:,} servers × {processes:,} processes"
            f" × (HUHANG_POOL_SIZE {settings.pool_size:,} + {OF_CHECKS}) may need {settings.servers * own:,}."
            " Raise its max_connections, or lower HUHANG_POOL_SIZE."
        )
    if own + others > allowed:
        return (
            f"PostgreSQL allows {allowed:,} connections. Others have {others:,} now, and this server may need {own:,}."
            " Raise its max_connections, or lower HUHANG_POOL_SIZE."
        )
    return None


def tell_files(settings: Settings) -> None:
    """Say where a process may have fewer open files than connections."""
    if (shortage := files_shortage(settings)) is not None:
        say(shortage)


def files_shortage(settings: Settings) -> str | None:
    """How many files may be open, and what to do; None where it is enough."""
    maximum = connection_limits(settings).maximum
    if maximum >= settings.connections:
        return None
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        f"Only {files:,} files may be open, so each process takes {maximum:,} connections instead of"
        f" {settings.connections:,}. Raise the limit (LimitNOFILE, ulimit -n) to"
        f" {settings.connections + FILES_KEPT:,}, or lower HUHANG_CONNECTIONS."
    )


def say(warning: str) -> None:
    console.print(f"WARNING: {warning}", soft_wrap=True, markup=False, highlight=False)
