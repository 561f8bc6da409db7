"""Streams of positions: all at first, then each change, at most once a second."""

from typing import Any

import pytest
import sqlalchemy as sa

import models
from models.db.tables import table_of
from resolvers.errors import RequestError
from schema.execution.operation import Operation
from schema.types import node_id
from subscriptions.state_stream import MANY
from tests.conftest import NOW
from tests.support.actors import DUTY, WALL, change, enterprise, insert, inspector
from tests.support.live_streams import Scene, Sink

POSITIONS = """
subscription($zone: ID) { positions(zone: $zone) { inspector { id fullName } position { latitude longitude } at } }
"""
INSPECTOR = table_of(models.Inspector)


async def moved(town: Scene, key: int, latitude: float | None, **more: Any) -> None:
    values = {"latitude": latitude, "longitude": latitude and 120.0, "position_at": town.time.now, **more}
    await change(town.office.database, sa.update(INSPECTOR).where(INSPECTOR.c.id == key).values(**values))


async def second(town: Scene) -> None:
    """Let a second pass and its positions be read."""
    await town.time.waited(changed=False)
    town.time.move(1)
    await town.time.waited(changed=False)


async def where(sink: Sink) -> tuple[str, float]:
    position = (await sink.next())["positions"]
    return position["inspector"]["id"], position["position"]["latitude"]


async def test_all_positions_are_sent_first_and_then_each_change(town: Scene) -> None:
    world = town.office.world
    one, two = (node_id.encode("Inspector", key) for key in (world.inspector, world.other_inspector))
    await moved(town, world.inspector, 30.1)
    await moved(town, world.other_inspector, 30.2)
    await moved(town, world.resting, 30.3)  # off duty
    sink, place = await town.join(POSITIONS)
    assert [await where(sink), await where(sink)] == [(one, 30.1), (two, 30.2)]
    assert place.position is None
    await second(town)
    assert sink.empty
    await moved(town, world.other_inspector, 30.25)
    await second(town)
    assert await where(sink) == (two, 30.25)
    late, _ = await town.join(POSITIONS)
    assert [await where(late), await where(late)] == [(one, 30.1), (two, 30.25)]
    await second(town)
    assert sink.empty


async def test_an_inspector_off_duty_has_no_position(town: Scene) -> None:
    world = town.office.world
    await moved(town, world.inspector, 30.1)
    await moved(town, world.other_inspector, 30.2)
    sink, _ = await town.join(POSITIONS)
    await where(sink)
    await where(sink)
    await moved(town, world.other_inspector, 30.3, on_duty=False)
    await second(town)
    late, _ = await town.join(POSITIONS)
    assert await where(late) == (node_id.encode("Inspector", world.inspector), 30.1)
    await second(town)
    assert sink.empty
    assert late.empty
    await moved(town, world.other_inspector, 30.3, on_duty=True)
    await second(town)
    assert (await where(sink))[1] == (await where(late))[1] == 30.3


async def test_positions_can_be_limited_to_a_zone(town: Scene) -> None:
    world = town.office.world
    await moved(town, world.inspector, 30.1)
    await moved(town, world.other_inspector, 30.2, zone_id=world.other_zone)
    sink, _ = await town.join(POSITIONS, zone=world.id("other_zone"))
    assert await where(sink) == (node_id.encode("Inspector", world.other_inspector), 30.2)
    await second(town)
    assert sink.empty
    with pytest.raises(RequestError):
        await town.join(POSITIONS, zone=world.id("venue"))


async def test_enterprises_see_no_positions_and_walls_no_names(town: Scene) -> None:
    world = town.office.world
    await moved(town, world.inspector, 30.1)
    with pytest.raises(RequestError):
        await town.join(POSITIONS, enterprise(world.enterprise))
    names = []
    for viewer in (WALL, inspector(world.inspector)):
        sink, _ = await town.join(POSITIONS, viewer)
        names.append((await sink.next())["positions"]["inspector"]["fullName"])
    assert names == [None, "检查员0"]


async def test_many_positions_come_at_the_readers_pace(town: Scene) -> None:
    """There are more at once than may wait for a client."""
    row = {"on_duty": True, "latitude": 30.1, "longitude": 120.1, "position_at": NOW, "full_name": "x"}
    await insert(town.office.database, models.Inspector, *({**row, "badge": f"m{n}"} for n in range(300)))

    class Slow(Sink):
        waiting = most = 0

        def send(self, message: Any) -> None:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            super().send(message)

        async def drained(self) -> None:
            await super().drained()
            self.waiting = 0

    for _ in range(2):
        sink = Slow()
        prepared = await town.live.prepare(await town.office.running.prepare(Operation(POSITIONS), DUTY), DUTY)
        prepared.join(sink)
        assert len({(await where(sink))[0] for _ in range(300)}) == 300
        assert sink.most <= MANY
