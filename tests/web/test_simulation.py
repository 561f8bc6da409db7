"""Whole simulated days: every life cycle is walked, nothing is refused that was not meant to be, the sums agree."""

import httpx
import sqlalchemy as sa

import models
from models import HAZARD_TERMINAL, lifecycle
from models.database import Database
from tests.conftest import NOW, Databases
from tests.web.conftest import SECRET
from web.app import create
from web.settings import Settings
from web.simulation import Day, Desk
from web.simulation.day import Summary
from web.tokens import Tokens

# What an ordinary day has no use for.
NOT_PLAYED = {
    "hazardReport",
    "inspectionReturn",
    "assistanceRequest",
    "enterpriseUpsert",
    "inspectorSetDuty",
    "teamSetStandby",
    "expertSetStandby",
}
DAYS = 3  # some ways are taken once in twenty times


async def whole_days(url: str) -> Summary:
    app = create(Settings(database_url=url, demo=True, secret=SECRET), lambda: NOW)
    transport = httpx.ASGITransport(app)
    summary = Summary()

    async def at_once() -> bool:
        return True

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://huhang.test", timeout=30) as client,
    ):
        desk = Desk(client, Tokens(SECRET.get_secret_value()), lambda: NOW)
        for seed in range(DAYS):
            await Day(desk, seed, lambda: NOW, summary).play(at_once)
    return summary


async def test_a_day_walks_every_life_cycle_and_is_refused_nothing(databases: Databases, demo_url: str) -> None:
    url = await databases.new(demo_url)
    summary = await whole_days(url)
    assert summary.refusals == []
    assert set(lifecycle.PERMITTED) - set(summary.calls) <= NOT_PLAYED
    database = Database(url)
    try:
        await agree(database)
    finally:
        await database.close()


async def agree(database: Database) -> None:
    """What is kept of an enterprise's hazards, and what the log says of their states, is what their rows say."""
    enterprise = models.Enterprise.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
    hazard = models.Hazard.__table__  # type: ignore[attr-defined]  # as above
    event = models.Event.__table__  # type: ignore[attr-defined]  # as above
    async with database.read() as connection:
        kept = (await connection.execute(sa.select(sa.func.sum(enterprise.c.open_hazards)))).scalar_one()
        running = sa.select(sa.func.count()).where(hazard.c.status.not_in(HAZARD_TERMINAL))
        assert kept == (await connection.execute(running)).scalar_one()
        last: dict[int, str] = {}
        told = sa.select(event.c.subject_id, event.c.to_status).where(
            event.c.subject == models.Subject.HAZARD, event.c.at >= NOW
        )
        for row in await connection.execute(told.order_by(event.c.id)):
            last[row.subject_id] = row.to_status
        states = {row.id: row.status.name for row in await connection.execute(sa.select(hazard.c.id, hazard.c.status))}
    assert last
    assert {key: states[key] for key in last} == last
