"""Outages and their names: of the real drivers' errors, and of made ones where a fault is hard to provoke."""

import asyncio
import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa

from models.db.database import Database
from models.db.outages import Outage, error_name, is_exhausted, is_outage, outage_of
from tests.conftest import Databases


def of_state(state: str) -> Exception:
    error: Exception = asyncpg.PostgresError.new({"C": state, "M": "a message"})
    return error


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (of_state("53100"), Outage.UNAVAILABLE),  # disk full
        (of_state("53300"), Outage.BUSY),  # too many connections
        (of_state("55P03"), Outage.BUSY),  # lock not available
        (of_state("57014"), Outage.BUSY),  # statement timeout
        (of_state("40P01"), Outage.BUSY),  # deadlock
        (of_state("57P01"), Outage.UNAVAILABLE),  # shutdown
        (of_state("08006"), Outage.UNAVAILABLE),
        (of_state("25006"), Outage.UNAVAILABLE),  # read-only
        (of_state("3D000"), Outage.UNAVAILABLE),  # no such database
        (of_state("42P01"), None),  # no such table
        (of_state("23505"), None),  # a unique key
        (asyncpg.InterfaceError("connection is closed"), Outage.UNAVAILABLE),
        (asyncpg.exceptions.DataError("a wrong argument"), None),
        (OSError(errno.ENOSPC, "no space"), Outage.UNAVAILABLE),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Outage.UNAVAILABLE),
        (TimeoutError(), Outage.UNAVAILABLE),
        (sa.exc.TimeoutError(), Outage.BUSY),
        (ValueError(), None),
        (None, None),
    ],
)
def test_outages_are_told_from_programming_errors(error: Exception | None, outage: Outage | None) -> None:
    assert outage_of(error) is outage
    assert is_outage(error) is (outage is not None)


def test_what_is_exhausted_may_work_with_what_is_open() -> None:
    assert is_exhausted(of_state("53300"))
    assert is_exhausted(OSError(errno.EMFILE, "too many"))
    assert not is_exhausted(of_state("53100"))
    assert not is_exhausted(OSError())


def sqlite_error(path: Path, statement: str) -> sqlite3.Error:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(statement).fetchall()
        return caught.value


def test_sqlite_s_own_errors_have_its_names(tmp_path: Path) -> None:
    damaged, locked = tmp_path / "damaged.db", tmp_path / "locked.db"
    damaged.write_bytes(b"no database, and long enough to tell" * 100)
    assert error_name(error := sqlite_error(damaged, "SELECT * FROM sqlite_master")) == "SQLITE_NOTADB"
    assert outage_of(error) is Outage.UNAVAILABLE
    with closing(sqlite3.connect(locked, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert error_name(error := sqlite_error(locked, "BEGIN IMMEDIATE")) == "SQLITE_BUSY"
        assert outage_of(error) is Outage.BUSY
    error = sqlite_error(locked, "SELECT * FROM nothing")
    assert (error_name(error), outage_of(error)) == ("SQLITE_ERROR", None)
    with pytest.raises(sqlite3.Error) as caught:
        sqlite3.connect(tmp_path / "no folder" / "a.db")
    assert (error_name(caught.value), outage_of(caught.value)) == ("SQLITE_CANTOPEN", Outage.UNAVAILABLE)


async def test_an_error_keeps_its_name_through_sqlalchemy(databases: Databases) -> None:
    database = Database(await databases.new())
    try:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            async with database.read() as connection:
                await connection.execute(sa.text("SELECT 1 FROM nothing"))
        assert error_name(caught.value) == ("SQLITE_ERROR" if database.sqlite else "42P01")
        assert outage_of(caught.value) is None
    finally:
        await database.close()


async def test_a_lock_that_is_not_free_in_time_is_busy(databases: Databases, migrated_url: str) -> None:
    url = await databases.new(migrated_url)
    holder, other = Database(url), Database(url, lock_timeout=0.1)
    lock = sa.text("UPDATE event_log SET epoch = epoch")
    try:
        async with holder.write() as session:
            await session.execute(lock)
            with pytest.raises(sa.exc.DBAPIError) as caught:
                async with other.write() as waiting:
                    await waiting.execute(lock)
        assert error_name(caught.value) == ("SQLITE_BUSY" if holder.sqlite else "55P03")
        assert outage_of(caught.value) is Outage.BUSY
        async with other.write() as session:
            await session.execute(lock)
    finally:
        await asyncio.gather(holder.close(), other.close())
