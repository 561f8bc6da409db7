"""The nearest inspectors are chosen by recent positions, and the choice says who was left out."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlmodel import col

import models
from models.db.database import Database
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI
from tests.support.actors import DUTY, change, insert
from tests.support.district import Office, open_office

MINUTE = dt.timedelta(minutes=1)
SENT = """... on AssistanceDispatched {
  inspection { inspectors { badge positionStale } } leftOut { reason inspector { badge positionAt positionStale } }
}"""
PLACES = {  # by badge: degrees north of the enterprise, the age of the position, on duty
    "moved on long ago": (0.001, dt.timedelta(days=9_000), True),
    "just too old": (0.002, 30 * MINUTE + dt.timedelta(microseconds=1), True),
    "just recent": (0.03, 30 * MINUTE, True),
    "recent": (0.02, dt.timedelta(seconds=1), True),
    "far": (2.0, dt.timedelta(), True),
    "never seen": (None, None, True),
    "off duty": (0.0, dt.timedelta(), False),
}


@pytest_asyncio.fixture
async def staffed(graph: Graph, database: Database) -> AsyncIterator[Office]:
    """An office with an enterprise at 30.101° north and the inspectors of PLACES, but for its own, who are off duty."""
    office = await open_office(graph, database)
    await change(database, sa.update(models.Inspector).values(on_duty=False))
    rows = [
        {"badge": badge, "full_name": badge, "on_duty": on_duty}
        | {"latitude": None if north is None else 30.101 + north, "longitude": None if north is None else 120.101}
        | {"position_at": None if age is None else NOW - age}
        for badge, (north, age, on_duty) in PLACES.items()
    ]
    await insert(database, models.Inspector, *rows)
    yield office


async def dispatch(office: Office, **given: Any) -> dict[str, Any]:
    request = await office.done(DUTY, "assistanceRequest", enterprise=office.enterprise, problem="进水")
    return await office.act(
        DUTY, "assistanceDispatch", SENT, assistanceRequest=request["assistanceRequest"]["id"], **given
    )


def badges(sent: dict[str, Any]) -> list[str]:
    return [each["badge"] for each in sent["inspection"]["inspectors"]]


async def test_old_positions_do_not_count_for_the_nearest(staffed: Office) -> None:
    sent = await dispatch(staffed, count=2)
    assert sorted(badges(sent)) == ["just recent", "recent"]
    assert sent["leftOut"] == [
        {
            "reason": "NO_POSITION" if age is None else "STALE_POSITION",
            "inspector": {
                "badge": badge,
                "positionAt": None if age is None else (NOW - age).isoformat(),
                "positionStale": None if age is None else True,
            },
        }
        for badge, (_, age, _) in PLACES.items()
        if badge in ("moved on long ago", "just too old", "never seen")
    ]
    # As many as there are, where more are asked for.
    assert sorted(badges(await dispatch(staffed, count=20))) == ["far", "just recent", "recent"]


async def test_inspectors_who_are_named_need_no_position(staffed: Office) -> None:
    async with staffed.database.read() as connection:
        column = col(models.Inspector.id)
        key = await connection.scalar(sa.select(column).where(col(models.Inspector.badge) == "never seen"))
    sent = await dispatch(staffed, inspectors=[node_id.encode("Inspector", key or 0)])
    assert (badges(sent), sent["leftOut"]) == (["never seen"], [])


async def test_nobody_is_chosen_where_nobody_is_known_to_be_near(staffed: Office) -> None:
    staffed.later(31 * MINUTE)
    refused = await dispatch(staffed)
    assert (refused["__typename"], refused["field"]) == ("InvalidInput", "inspectors")
    assert "None of the 6 inspectors on duty has a position of the last 30 minutes" in refused["message"]
    places = sa.update(models.Enterprise).values(latitude=None, longitude=None)
    await change(staffed.database, places)
    assert "has no location" in (await dispatch(staffed))["message"]
    await change(staffed.database, sa.update(models.Inspector).values(on_duty=False))
    await change(staffed.database, sa.update(models.Enterprise).values(latitude=30.0, longitude=120.0))
    assert (await dispatch(staffed))["message"] == "No inspector is on duty."


@pytest.mark.parametrize("planned", [True, False])
async def test_the_age_is_a_setting_and_a_repeat_gives_the_same_reasons(
    graph: Graph, staffed: Office, planned: bool
) -> None:
    executor = Executor(
        graph, staffed.database, SHANGHAI, lambda: NOW, planned=planned, position_age=dt.timedelta(minutes=10)
    )
    request = await staffed.done(DUTY, "assistanceRequest", enterprise=staffed.enterprise, problem="进水")
    query = f"mutation($input: AssistanceDispatchInput!) {{ assistanceDispatch(input: $input) {{ {SENT} }} }}"
    given = {"assistanceRequest": request["assistanceRequest"]["id"], "count": 2, "clientMutationId": "one"}
    answers = []
    for _ in range(2):
        response = await executor.run(Operation(query, {"input": given}), DUTY)
        assert response.errors == []
        data: Any = response.data
        answers.append(data["assistanceDispatch"])
    assert answers[0] == answers[1]
    assert sorted(badges(answers[0])) == ["far", "recent"]
    stale = [each["inspector"]["badge"] for each in answers[0]["leftOut"] if each["reason"] == "STALE_POSITION"]
    assert stale == ["moved on long ago", "just too old", "just recent"]
    response = await executor.run(Operation("{ district { positionMinutes } }", {}), DUTY)
    assert response.data == {"district": {"positionMinutes": 10}}
