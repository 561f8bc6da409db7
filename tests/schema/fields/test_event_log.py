"""Filters of events, in lists and in streams: by ids and by codes alike, and never by what does not exist."""

from typing import Any

import pytest

from models.db.database import Database
from resolvers.errors import RequestError
from schema.build import Graph
from schema.execution.operation import Operation
from schema.live.streams import PreparedEventStream, PreparedStream
from schema.types import node_id
from tests.conftest import COMMANDER, NOW, make_executor
from tests.support.live_streams import make_streams

PLACES = "{ zones { id code venues { id code rings { id grade } } } }"
LIST = "query($f: UpdateFilter) { events(last: 1000, filter: $f) { totalCount nodes { id } } }"
STREAM = "subscription($f: UpdateFilter) { updates(filter: $f) { kind } }"
REFUSED: dict[str, list[dict[str, Any]]] = {
    "NOT_FOUND": [
        {"zoneCodes": ["NOWHERE"]},
        {"venueCodes": ["NOWHERE"]},
        {"ringCodes": ["NOWHERE/STRICT"]},
        {"zones": [node_id.encode("Zone", 99)]},
        {"enterprises": [node_id.encode("Enterprise", 2**31 - 1)]},
    ],
    "BAD_INPUT": [{"zones": [], "zoneCodes": []}, {"zoneCodes": ["a\0b"]}],
    "BAD_ID": [{"zones": [node_id.encode("Venue", 1)]}],
}


@pytest.mark.parametrize("planned", [True, False])
async def test_events_by_codes_are_those_by_ids(graph: Graph, demo: Database, planned: bool) -> None:
    executor = make_executor(graph, demo, planned=planned)
    places: Any = (await executor.run(Operation(PLACES), COMMANDER)).data
    [zone, *_] = [zone for zone in places["zones"] if zone["venues"]]
    venue = zone["venues"][0]
    counts = []
    for by_id, by_code in (
        ({"zones": [zone["id"]]}, {"zoneCodes": [zone["code"]]}),
        ({"venues": [venue["id"]]}, {"venueCodes": [venue["code"]]}),
        (
            {"rings": [ring["id"] for ring in venue["rings"]]},
            {"ringCodes": [f"{venue['code']}/{ring['grade']}" for ring in venue["rings"]]},
        ),
    ):
        one, other = [await executor.run(Operation(LIST, {"f": filter}), COMMANDER) for filter in (by_id, by_code)]
        assert one.errors == other.errors == []
        assert one.data == other.data
        assert one.data is not None
        counts.append(one.data["events"]["totalCount"])
    assert all(counts)


@pytest.mark.parametrize("planned", [True, False])
async def test_a_filter_of_events_names_what_exists(graph: Graph, demo: Database, planned: bool) -> None:
    executor = make_executor(graph, demo, planned=planned)
    for code, filters in REFUSED.items():
        for filter in filters:
            response = await executor.run(Operation(LIST, {"f": filter}), COMMANDER)
            assert [error["extensions"]["code"] for error in response.errors] == [code], filter


async def test_the_filters_of_streams_are_those_of_lists(graph: Graph, demo: Database) -> None:
    executor = make_executor(graph, demo)
    live = make_streams(executor, demo, lambda: NOW)
    places: Any = (await executor.run(Operation("{ zones { id code } }"), COMMANDER)).data

    async def prepare(query: str, **variables: Any) -> PreparedStream:
        return await live.prepare(await executor.prepare(Operation(query, variables), COMMANDER), COMMANDER)

    prepared = await prepare(STREAM, f={"zoneCodes": [zone["code"] for zone in places["zones"]]})
    assert isinstance(prepared, PreparedEventStream)
    keys = frozenset(node_id.key_of(zone["id"], "Zone") for zone in places["zones"])
    assert prepared.event_filter.zones == keys
    for code, filters in REFUSED.items():
        for filter in filters:
            with pytest.raises(RequestError) as refused:
                await prepare(STREAM, f=filter)
            assert refused.value.code.value == code
    with pytest.raises(RequestError) as refused:
        await prepare(f'subscription {{ positions(zone: "{node_id.encode("Zone", 99)}") {{ at }} }}')
    assert refused.value.code.value == "NOT_FOUND"
