"""Tells a database that is unavailable for a while from a statement that is wrong."""

import enum
import errno
import sqlite3

import asyncpg
import sqlalchemy as sa

# SQLSTATEs and their classes (PostgreSQL's documentation, appendix A): too many connections, a lock that was not free
# in time, a statement that took too long, and transactions that stood in each other's way.
BUSY_STATES = ("53300", "55P03", "57014", "40001", "40P01")
# Connection exceptions, insufficient resources such as a full disk, shutdown or startup of the server, errors of its
# files, a database that is read-only, missing or damaged, and a role that may not connect.
UNAVAILABLE_STATES = ("08", "53", "57P", "58", "25006", "3D000", "28", "XX001", "XX002")
LOST_STATES = ("08", "57P")  # the connection has ended
# Result codes of SQLite (sqlite.org/rescode.html), of which each has longer ones.
BUSY_CODES = ("SQLITE_BUSY", "SQLITE_LOCKED")
UNAVAILABLE_CODES = (
    "SQLITE_FULL",
    "SQLITE_READONLY",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_NOTADB",
    "SQLITE_CORRUPT",
    "SQLITE_PERM",
    "SQLITE_NOMEM",
    "SQLITE_PROTOCOL",
)
# Of PostgreSQL, and of this process's own files: no further connection can be opened.
EXHAUSTED = ("53300", "EMFILE", "ENFILE")


class Outage(enum.Enum):
    """Why the same operation may succeed later."""

    UNAVAILABLE = "UNAVAILABLE"  # the database, or a file, cannot be used
    BUSY = "BUSY"  # others keep it too busy


class CommitUnanswered(ConnectionError):
    """The connection was lost during a commit, which may have taken effect or not."""


def outage_of(error: BaseException | None) -> Outage | None:
    """Why an operation failed that may succeed later; None for any other error."""
    if error is None or (isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)):
        return None
    if isinstance(error, sa.exc.TimeoutError):  # every connection of the pool is in use
        return Outage.BUSY
    if (name := error_name(error)) is not None:
        if name.startswith(BUSY_STATES + BUSY_CODES):
            return Outage.BUSY
        if name.startswith(UNAVAILABLE_STATES + UNAVAILABLE_CODES):
            return Outage.UNAVAILABLE
    # A connection that is refused or takes too long raises an OSError, which a full disk does as well.
    lost = isinstance(error, OSError | asyncpg.InterfaceError) or is_disconnect(error)
    return Outage.UNAVAILABLE if lost else None


def is_outage(error: BaseException | None) -> bool:
    """Whether the same operation may succeed later, once the database is available again."""
    return outage_of(error) is not None


def error_name(error: BaseException) -> str | None:
    """The SQLSTATE of an error, SQLite's or the system's name for it, such as 53100, SQLITE_FULL or ENOSPC."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorname", None)
    if isinstance(cause, OSError):
        return None if cause.errno is None else errno.errorcode.get(cause.errno)
    state = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else None


def is_disconnect(error: BaseException) -> bool:
    """Whether SQLAlchemy found that an error has ended its connection."""
    return isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated


def is_exhausted(error: BaseException) -> bool:
    """Whether no further connection can be opened, while those that are open work."""
    return error_name(error) in EXHAUSTED


def loses_answer(error: Exception) -> bool:
    """Whether an error at a commit leaves open if it took effect: nothing but the lost connection was heard."""
    lost = isinstance(error, OSError | asyncpg.InterfaceError) or is_disconnect(error)
    return lost or (error_name(error) or "").startswith(LOST_STATES)
