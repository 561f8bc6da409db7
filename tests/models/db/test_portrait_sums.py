"""The sums of portraits agree with the rows after actions and imports of every kind, moves, midnights and a restore."""

import datetime as dt
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models.db import portrait_sums
from models.db.database import Database
from models.db.enterprise_sets import SET
from models.db.migrate import migrate
from models.db.tables import table_of
from models.enterprise_set import SetKind
from schema.build import Graph
from tests.conftest import SHANGHAI, Databases, make_executor
from tests.support.actors import DUTY, Desk, contents, small_world
from tests.support.portrait_reference import KINDS, World, check_portraits
from tests.support.proof_mode import examples
from tests.support.random_history import WEIGHTS, RandomHistory

CHANGES, CHECKED_EVERY = 80, 20
DAY = dt.timedelta(days=1)
SUM = table_of(models.PortraitSum)


async def differences(database: Database) -> int:
    async with database.read() as connection:
        return await portrait_sums.differences(connection)


@pytest.mark.exhaustive
async def test_sums_and_portraits_follow_a_random_history(
    graph: Graph, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time passes by seconds to weeks, so deadlines pass, and many changes are close to midnight."""
    # It refuses to work after a restore, and nothing that it does is counted.
    monkeypatch.setitem(WEIGHTS, "collection", 0)
    desk = Desk(graph, database)
    world, random = await small_world(database), Random(11)
    history = RandomHistory(desk, world, random)
    try:
        for number in range(1, examples(CHANGES) + 1):
            await history.next()
            assert await differences(database) == 0, number
            if random.random() < 0.1:
                desk.later(random.choice([DAY, 3 * DAY, 20 * DAY, until_midnight(desk.now)]))
            if number % CHECKED_EVERY == 0:
                await compare(graph, database, desk.now, random)
    finally:
        history.close()
    assert len(history.successes) > 15


def until_midnight(now: dt.datetime) -> dt.timedelta:
    """The time until a second before the next midnight in the district."""
    tomorrow = now.astimezone(SHANGHAI).date() + DAY
    return dt.datetime.combine(tomorrow, dt.time(), SHANGHAI) - now - dt.timedelta(seconds=1)


async def compare(graph: Graph, database: Database, now: dt.datetime, random: Random) -> None:
    """The portraits of every row equal counting, for windows of the past, around today and to come."""
    today = now.astimezone(SHANGHAI).date()
    windows = [(today - 29 * DAY, today)]
    for _ in range(2):
        first = today - random.randrange(-5, 200) * DAY
        windows.append((first, first + random.choice([0, 1, 30, 200]) * DAY))
    rows = await contents(database, *(model for _, model in KINDS.values()))
    keys = {model: list(rows[model.__tablename__]) for _, model in KINDS.values()}
    await check_portraits(make_executor(graph, database, now), await World.read(database), keys, windows, now, SHANGHAI)


async def test_the_demo_has_its_sums(demo: Database) -> None:
    assert await differences(demo) == 0


async def test_a_set_that_others_wrote_is_found_and_repaired(own_demo: Database) -> None:
    async with own_demo.write() as session:
        removed = await session.execute(sa.delete(SET).where(SET.c.kind.in_([SetKind.ZONE, SetKind.MONTH])))
    assert await differences(own_demo) == removed.rowcount > 4  # type: ignore[attr-defined]  # a CursorResult has it
    async with own_demo.write() as session:
        await portrait_sums.rebuild(await session.connection())
    assert await differences(own_demo) == 0


async def test_rebuilding_repairs_what_others_wrote(own_demo: Database) -> None:
    async with own_demo.write() as session:
        await session.execute(
            sa.update(SUM).where(SUM.c.period == 0, SUM.c.scope == 1).values(hazards=SUM.c.hazards + 1)
        )
        await session.execute(sa.delete(SUM).where(SUM.c.scope == 2, SUM.c.period == 0))
    async with own_demo.read() as connection:
        rings = len({key for (key,) in await connection.execute(sa.select(SUM.c.key).where(SUM.c.scope == 2))})
        zones = await connection.scalar(sa.select(sa.func.count()).where(SUM.c.period == 0, SUM.c.scope == 1))
        assert await portrait_sums.differences(connection) == rings + (zones or 0) > 1
    async with own_demo.write() as session:
        await portrait_sums.rebuild(await session.connection())
    assert await differences(own_demo) == 0


@pytest.mark.parametrize("table", [SUM, SET], ids=str)
async def test_migrating_a_database_of_before_makes_what_it_lacks(
    databases: Databases, demo_url: str, table: sa.Table
) -> None:
    database = Database(await databases.new(demo_url))
    async with database.write() as session:
        await session.execute(sa.delete(table))
    await migrate(database)
    assert await differences(database) == 0
    await database.close()


async def test_days_at_the_end_of_the_calendar_count(own_demo: Database) -> None:
    """The local day of such an instant is beyond the last date that there is."""
    hazard: Any = table_of(models.Hazard)
    last = dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC)
    async with own_demo.write() as session:
        await session.execute(sa.update(hazard).values(deadline=last))
        await portrait_sums.rebuild(await session.connection())
    assert await differences(own_demo) == 0


async def test_an_enterprise_moves_with_its_history(graph: Graph, database: Database) -> None:
    """Out of the venue's rings, to another zone, and back."""
    desk = Desk(graph, database)
    world = await small_world(database)
    await desk.done(DUTY, "hazardReport", enterprise=world.id("enterprise"), level="MAJOR", description="d")
    for latitude, longitude in ((30.2, 120.3), (30.101, 120.101)):
        place = {"latitude": latitude, "longitude": longitude}
        await desk.done(DUTY, "enterpriseUpsert", externalId="e0", location=place)
        assert await differences(database) == 0
    await desk.done(DUTY, "enterpriseGrade", enterprise=world.id("enterprise"), riskGrade="RED")
    assert await differences(database) == 0
