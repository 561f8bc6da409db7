"""The stream of presence: commanders see what other desks have open, at once, and nobody else does."""

import asyncio
from typing import Any

import pytest

from resolvers.errors import ErrorCode, RequestError
from schema.live.sources import SOON
from tests.support.actors import DUTY, WALL, enterprise, inspector
from tests.support.live_streams import Scene, Sink
from tests.support.patience import PATIENCE

PRESENCE = """
subscription($desk: ID!, $item: ID) { presence(desk: $desk, item: $item) {
  desk name item { __typename ... on Hazard { id } ... on Inspection { id } } } }
"""


async def shown(town: Scene, sink: Sink) -> list[tuple[str, str, str | None]]:
    """The content of the next message: desk, name and row of each."""
    waiting = asyncio.create_task(sink.next())
    async with asyncio.timeout(PATIENCE):
        while not waiting.done():
            # Changes soon after a message are gathered.
            town.time.move(SOON)
            await asyncio.sleep(0)
    return [(each["desk"], each["name"], (each["item"] or {}).get("id")) for each in waiting.result()["presence"]]


async def test_another_desk_sees_what_is_open_until_it_is_left(town: Scene) -> None:
    hazard, inspection = await town.office.hazard(), await town.office.visit("PLANNED")
    mine, _ = await town.join(PRESENCE, desk="a")
    assert await shown(town, mine) == []
    theirs, first = await town.join(PRESENCE, desk="b", item=hazard)
    assert first.position is None
    assert await shown(town, theirs) == [("b", "值班长", hazard)]
    assert await shown(town, mine) == [("b", "值班长", hazard)]
    # The page subscribes for the next row before it leaves the one before.
    after, second = await town.join(PRESENCE, desk="b", item=inspection)
    for sink in (after, theirs, mine):
        assert await shown(town, sink) == [("b", "值班长", inspection)]
    first.leave()
    second.leave()
    second.leave()
    assert await shown(town, mine) == []


@pytest.mark.parametrize("who", ["inspector", "enterprise", "wall"])
async def test_only_commanders_may_know_what_desks_have_open(town: Scene, who: str) -> None:
    world = town.office.world
    viewer = {"inspector": inspector(world.inspector), "enterprise": enterprise(world.enterprise), "wall": WALL}[who]
    with pytest.raises(RequestError) as refused:
        await town.join(PRESENCE, viewer, desk="a", item=await town.office.hazard())
    assert refused.value.code is ErrorCode.FORBIDDEN
    assert town.live.presence.all() == ()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"desk": ""}, ErrorCode.BAD_ID),
        ({"desk": "x" * 65}, ErrorCode.BAD_ID),
        ({"desk": "a", "item": "nonsense"}, ErrorCode.BAD_ID),
        ({"desk": "a", "item": "zone"}, ErrorCode.BAD_ID),
        ({"desk": "a", "item": "SGF6YXJkOjk5OTk5"}, ErrorCode.NOT_FOUND),
    ],
)
async def test_a_row_that_cannot_be_opened_is_refused(town: Scene, given: dict[str, Any], code: ErrorCode) -> None:
    if given.get("item") == "zone":
        given = {**given, "item": town.office.world.id("zone")}
    with pytest.raises(RequestError) as refused:
        await town.join(PRESENCE, DUTY, **given)
    assert refused.value.code is code
    assert town.live.presence.all() == ()
