"""The database's guarantees: times with zones, foreign keys, reads of one moment, writes in turn."""

import asyncio
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col

import models
from models.db.column_types import EARLIEST, LATEST, UtcTime
from models.db.database import Database, driver_url
from tests.conftest import NOW, Databases
from tests.support.released_processes import run_together, start_waiting

INCREMENTS = 150
WRITERS = 2

INCREMENTING = """
import asyncio, sys
import sqlalchemy as sa
import models
from models.db.database import Database

async def work():
    database = Database(sys.argv[1])
    sys.stdin.readline()
    for _ in range(int(sys.argv[2])):
        async with database.write() as session:
            read = sa.select(models.District)
            district = (await session.execute(read if database.sqlite else read.with_for_update())).scalar_one()
            district.name = str(int(district.name) + 1)
    await database.close()

asyncio.run(work())
"""


def warning(at: dt.datetime) -> models.Warning:
    return models.Warning(
        kind=models.WarningKind.RAINSTORM, level=models.WarningLevel.RED, headline="暴雨", issued_at=at
    )


@pytest.mark.parametrize(
    "at",
    [
        dt.datetime(2026, 6, 15, 12, 30, 15, 123456, tzinfo=dt.UTC),
        dt.datetime(2026, 6, 15, 12, 30, 15, 1, tzinfo=ZoneInfo("Asia/Shanghai")),
        dt.datetime(2026, 6, 15, 12, 30, tzinfo=dt.timezone(-dt.timedelta(hours=11, minutes=45))),
        dt.datetime(1, 1, 2, tzinfo=dt.UTC),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
    ],
)
async def test_a_time_is_read_as_the_same_instant_in_utc(database: Database, at: dt.datetime) -> None:
    async with database.write() as session:
        session.add(warning(at))
    async with database.read() as connection:
        stored = (await connection.execute(sa.select(col(models.Warning.issued_at)))).scalar_one()
    assert stored == at
    assert stored.utcoffset() == dt.timedelta(0)


async def test_a_time_without_its_zone_is_refused(database: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="a time without its zone"):
        async with database.write() as session:
            session.add(warning(dt.datetime(2026, 6, 15)))
    with pytest.raises(sa.exc.StatementError, match="a time without its zone"):
        async with database.read() as connection:
            await connection.execute(
                sa.select(col(models.Warning.id)).where(col(models.Warning.issued_at) < dt.datetime(2026, 6, 15))
            )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.datetimes(timezones=st.timezones(), min_value=dt.datetime(1, 1, 3)), min_size=2, max_size=2))
def test_times_stored_as_text_sort_as_times(times: list[dt.datetime]) -> None:
    dialect = sa.create_engine("sqlite://").dialect
    one, other = (UtcTime().process_bind_param(t, dialect) for t in times)
    assert (one < other) == (times[0].astimezone(dt.UTC) < times[1].astimezone(dt.UTC))
    assert EARLIEST.strip("'") < one < LATEST.strip("'") or times[0].year == 9999


async def test_a_foreign_key_without_a_row_is_refused(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        async with database.write() as session:
            session.add(models.DutyReport(enterprise_id=77, at=NOW, measures_in_place="", supplies=""))


async def test_a_failed_transaction_writes_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as session:
            session.add(warning(NOW))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count(col(models.Warning.id))))).scalar() == 0


async def test_a_read_sees_one_moment(database: Database) -> None:
    counting = sa.select(sa.func.count(col(models.Warning.id)))
    async with database.read() as connection:
        assert (await connection.execute(counting)).scalar() == 0
        async with database.write() as session:
            session.add(warning(NOW))
        assert (await connection.execute(counting)).scalar() == 0
    async with database.read() as connection:
        assert (await connection.execute(counting)).scalar() == 1


async def test_sqlite_uses_wal_and_foreign_keys(databases: Databases, database: Database) -> None:
    if not database.sqlite:
        pytest.skip("the settings are SQLite's")
    async with database.read() as connection:
        settings_read = {
            p: (await connection.exec_driver_sql(f"PRAGMA {p}")).scalar() for p in ("journal_mode", "foreign_keys")
        }
    assert settings_read == {"journal_mode": "wal", "foreign_keys": 1}


async def test_writes_of_two_processes_lose_nothing(database: Database) -> None:
    async with database.write() as session:
        session.add(models.District(id=1, name="0"))
    url = database.url.set(drivername=database.url.drivername.split("+")[0]).render_as_string(hide_password=False)
    await run_together([start_waiting(INCREMENTING, url, str(INCREMENTS)) for _ in range(WRITERS)])
    async with database.read() as connection:
        assert (await connection.execute(sa.select(col(models.District.name)))).scalar() == str(WRITERS * INCREMENTS)


async def test_writers_in_one_process_take_turns(database: Database) -> None:
    async with database.write() as session:
        session.add(models.District(id=1, name="0"))

    async def add() -> None:
        async with database.write() as session:
            read = sa.select(models.District)
            district = (await session.execute(read if database.sqlite else read.with_for_update())).scalar_one()
            await asyncio.sleep(0)
            district.name = str(int(district.name) + 1)

    await asyncio.gather(*(add() for _ in range(20)))
    async with database.read() as connection:
        assert (await connection.execute(sa.select(col(models.District.name)))).scalar() == "20"


@pytest.mark.parametrize("url", ["mysql://localhost/huhang", "sqlite+pysqlite:///x.db", "not an address", ""])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///"):
        driver_url(url)
