"""Whole simulated days, as fast as they go: every life cycle is walked, nothing is refused that was not meant to be.

The rows, the log and the portraits agree.
"""

from typing import Any

import httpx
import sqlalchemy as sa

import models
from models import EventKind, Subject, lifecycle
from models.database import Database
from schema import ids
from schema.execution import Operation
from schema.root import Graph
from tests.conftest import COMMANDER, NOW, SHANGHAI, TODAY, Databases, execution
from tests.resolvers.portraying import PORTRAIT, World
from tests.web.conftest import SECRET
from web.app import create
from web.settings import Settings
from web.simulation import Day, Desk
from web.simulation.day import Summary
from web.tokens import Tokens

# What an ordinary day has no use for; of the life cycles it has use for every step.
NOT_PLAYED = {"enterpriseUpsert", "inspectorSetDuty", "teamSetStandby", "expertSetStandby"}
CYCLES: dict[Subject, Any] = {
    Subject.HAZARD: models.Hazard,
    Subject.INSPECTION: models.Inspection,
    Subject.CASE: models.Case,
    Subject.DISPATCH: models.Dispatch,
    Subject.ASSISTANCE: models.AssistanceRequest,
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


async def test_a_day_walks_every_life_cycle_and_is_refused_nothing(
    graph: Graph, databases: Databases, demo_url: str
) -> None:
    url = await databases.new(demo_url)
    summary = await whole_days(url)
    assert summary.refusals == []
    assert set(lifecycle.PERMITTED) - set(summary.calls) <= NOT_PLAYED
    database = Database(url)
    try:
        async with database.read() as connection:
            event = models.Event.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
            told = list(await connection.execute(sa.select(event).order_by(event.c.id)))
        await the_log_tells_every_state(database, told)
        await portraits_agree(graph, database, told)
    finally:
        await database.close()


async def the_log_tells_every_state(database: Database, told: list[Any]) -> None:
    """The last that the log says of what was played with is what its row says."""
    async with database.read() as connection:
        for subject, model in CYCLES.items():
            table = model.__table__
            last = {one.subject_id: one.to_status for one in told if one.subject is subject and one.at >= NOW}
            states = {r.id: r.status.name for r in await connection.execute(sa.select(table.c.id, table.c.status))}
            assert last
            assert {key: states[key] for key in last} == last


async def portraits_agree(graph: Graph, database: Database, told: list[Any]) -> None:
    """What the graph says of the district and its zones is what counting the rows gives, and what the log tells."""
    window = f'(window: {{ from: "{TODAY}", to: "{TODAY}" }})'
    query = f"{{ district {{ id portrait{window} {{ ...P }} }} zones {{ id portrait{window} {{ ...P }} }} }} {PORTRAIT}"
    answer = await execution(graph, database).run(Operation(query), COMMANDER)
    assert answer.errors == []
    assert answer.data is not None
    district, zones = answer.data["district"], answer.data["zones"]
    world = await World.read(database)
    for kind, one in (("district", district), *(("zone", zone) for zone in zones)):
        portrait = {**one["portrait"], "asOf": NOW.isoformat()}
        del portrait["cursor"]
        assert portrait == world.portrait(kind, ids.decode(one["id"])[1], (TODAY, TODAY), NOW, SHANGHAI)
    assert sum(e.open_hazards for e in world.enterprises) == district["portrait"]["hazardsOpen"]

    def of_today(*kinds: EventKind) -> set[int]:
        return {o.subject_id for o in told if o.kind in kinds and o.at.astimezone(SHANGHAI).date() == TODAY}

    found = of_today(EventKind.HAZARD_FOUND, EventKind.HAZARD_REPORTED)
    dismissed = of_today(EventKind.HAZARD_DISMISSED)
    assert district["portrait"]["hazardsFound"] == len(found - dismissed)
    assert district["portrait"]["inspections"] == len(of_today(EventKind.INSPECTION_SUBMITTED))
    assert district["portrait"]["casesFiled"] == len(of_today(EventKind.CASE_FILED))
