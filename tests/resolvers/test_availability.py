"""Resources near a point that can be sent, by both executors."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import models
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from schema.build import Graph
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER, NOW, Databases, make_executor

RESOURCES = """query($resources: NearbyFilter, $kinds: [NearbyKind!]!) {
  nearby(point: {latitude: 30.2, longitude: 120.3}, kinds: $kinds, resources: $resources) {
    item { ... on Node { id } }
  }
}"""
KINDS = ["EXPERT", "TEAM", "WAREHOUSE", "INSPECTOR"]
EVERY = {
    "Expert:1",
    "Expert:2",
    "Team:1",
    "Team:2",
    "Team:3",
    "Warehouse:1",
    "Warehouse:2",
    "Inspector:1",
    "Inspector:2",
}
AVAILABLE = {"Expert:1", "Team:1", "Warehouse:1", "Inspector:1"}
NEED = {"code": "2010101", "quantity": 5}


@pytest_asyncio.fixture(scope="module")
async def depot(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    """Resources of each kind at one place."""
    database = Database(await databases.new(migrated_url))
    place: Any = {"latitude": 30.2, "longitude": 120.3}
    now, old = NOW - dt.timedelta(minutes=30), NOW - dt.timedelta(minutes=31)
    fire, medical = models.TeamKind.FIRE, models.TeamKind.MEDICAL
    async with database.write() as session:
        session.add_all(
            [
                models.Team(id=1, name="A", kind=fire, strength=1, on_standby=True, **place),
                models.Team(id=2, name="B", kind=medical, strength=1, on_standby=True, **place),
                models.Team(id=3, name="C", kind=fire, strength=1, on_standby=False, **place),
                models.Expert(id=1, full_name="A", specialties=["危化"], on_standby=True, **place),
                models.Expert(id=2, full_name="B", specialties=["电气"], on_standby=False, **place),
                models.Inspector(id=1, badge="1", full_name="A", on_duty=True, position_at=now, **place),
                models.Inspector(id=2, badge="2", full_name="B", on_duty=False, position_at=now, **place),
                models.Inspector(id=3, badge="3", full_name="C", on_duty=True, position_at=old, **place),
                models.Warehouse(id=1, name="A", **place),
                models.Warehouse(id=2, name="B", **place),
            ]
        )
        await session.flush()
        session.add_all(
            [
                models.StockItem(warehouse_id=1, code="2010101", name="水泵", unit="台", quantity=9, reserved=4),
                models.StockItem(warehouse_id=2, code="2010101", name="水泵", unit="台", quantity=9, reserved=9),
                models.Dispatch(
                    status=models.DispatchStatus.EN_ROUTE, purpose="", team_id=2, requested_at=NOW, **place
                ),
            ]
        )
    yield database
    await database.close()


def but(kind: str, *kept: str) -> set[str]:
    """All rows near the point, but of this kind only those that are kept."""
    return {row for row in EVERY if not row.startswith(kind)} | set(kept)


@pytest.mark.parametrize("planned", [True, False])
async def test_resources_are_filtered_by_kind(graph: Graph, depot: Database, planned: bool) -> None:
    """Available is what can be sent, as in lists and for dispatchAssign. Inspectors need a recent position."""
    executor = make_executor(graph, depot, planned=planned)
    for resources, expected in (
        (None, EVERY),
        ({}, EVERY),
        ({"available": True}, AVAILABLE),
        ({"available": False}, EVERY - AVAILABLE),
        ({"teams": {"teamKinds": ["FIRE"]}}, but("Team", "Team:1", "Team:3")),
        ({"teams": {"available": True, "not": {"teamKinds": ["MEDICAL"]}}}, but("Team", "Team:1")),
        ({"experts": {"specialty": "危化"}}, but("Expert", "Expert:1")),
        ({"warehouses": {"stock": NEED}}, but("Warehouse", "Warehouse:1")),
        ({"warehouses": {"stock": {**NEED, "quantity": 6}}}, but("Warehouse")),
        ({"warehouses": {"stockCode": "2010101"}}, EVERY),
        ({"inspectors": {"available": True}}, but("Inspector", "Inspector:1")),
    ):
        response = await executor.run(Operation(RESOURCES, {"resources": resources, "kinds": KINDS}), COMMANDER)
        assert response.errors == []
        data: Any = response.data
        ids = {":".join(map(str, node_id.decode(near["item"]["id"]))) for near in data["nearby"]}
        assert ids == expected, resources


async def test_filters_of_resources_that_do_not_fit_are_refused(graph: Graph, depot: Database) -> None:
    executor = make_executor(graph, depot)
    for resources, viewer, code in (
        ({"experts": {"teamKinds": ["FIRE"]}}, COMMANDER, "BAD_INPUT"),
        ({"warehouses": {"stock": {"code": "201010", "quantity": 1}}}, COMMANDER, "BAD_INPUT"),
        ({"warehouses": {"stock": {"code": "2010101", "quantity": 0}}}, COMMANDER, "BAD_INPUT"),
        ({"teams": {"zoneCodes": ["NOWHERE"]}}, COMMANDER, "NOT_FOUND"),
        ({"available": True}, Viewer(Visibility(Role.ENTERPRISE, enterprise=1)), "FORBIDDEN"),
    ):
        response = await executor.run(Operation(RESOURCES, {"resources": resources, "kinds": KINDS}), viewer)
        assert [error["extensions"]["code"] for error in response.errors] == [code]
