"""Telling a database that is away, and may come back, from a statement that is wrong."""

import asyncpg
import sqlalchemy as sa

# SQLSTATE: connections, too few resources, and a server that ends or begins.
STATES = ("08", "53", "57P")


def is_outage(error: BaseException | None) -> bool:
    """Whether the same may succeed in a while, with nothing changed but the database's being there."""
    if isinstance(error, sa.exc.DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state.startswith(STATES) or "database is locked" in str(error.orig)
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(STATES)
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)
    # An OSError is also what a connection that is refused, or that takes too long, raises.
    return isinstance(error, OSError | sa.exc.TimeoutError)
