"""Tells a database that is unavailable for a while from a statement that is wrong."""

import asyncpg
import sqlalchemy as sa

# Classes of SQLSTATE: connection exceptions, insufficient resources, and shutdown or startup of the server.
STATES = ("08", "53", "57P")


def is_outage(error: BaseException | None) -> bool:
    """Whether the same operation may succeed later, once the database is available again."""
    if isinstance(error, sa.exc.DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state.startswith(STATES) or "database is locked" in str(error.orig)
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(STATES)
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)
    # A connection that is refused or takes too long raises an OSError as well.
    return isinstance(error, OSError | sa.exc.TimeoutError)
