"""Server-sent events in single connection mode: one stream that carries many operations."""

import asyncio

import httpx
import pytest

from models.visibility import Role
from tests.support.http_streams import EVENTS, REFUSED, TOKEN, Stream, client, named, reserved
from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, LiveDistrict

pytestmark = pytest.mark.database_independent

NAMES = "{ viewer { role } }"


async def test_one_stream_carries_many_operations(live: LiveDistrict) -> None:
    async with reserved(live) as (http, headers), http.stream("GET", "/graphql/stream", headers=headers) as response:
        stream = Stream(response)
        for id, query in (("s", ALL), ("q", NAMES)):
            assert (await http.post("/graphql/stream", json=named(id, query), headers=headers)).status_code == 202
        event = await stream.event()
        assert event.kind == "next"
        assert event.payload == {"id": "q", "payload": {"data": {"viewer": {"role": "COMMANDER"}}}}
        assert ((event := await stream.event()).kind, event.payload) == ("complete", {"id": "q"})
        [cursor] = await live.plan_inspections()
        event = await stream.event()
        assert (event.kind, event.id, event.payload["id"]) == ("next", cursor, "s")
        ended = await http.delete("/graphql/stream", params={"operationId": "s"}, headers=headers)
        assert ended.status_code == 200
        await live.plan_inspections()
        await http.post("/graphql/stream", json=named("s", NAMES), headers=headers)
        assert (await stream.event()).payload["payload"] == {"data": {"viewer": {"role": "COMMANDER"}}}


async def test_operations_may_begin_before_the_stream_is_opened(live: LiveDistrict) -> None:
    async with reserved(live) as (http, headers):
        assert (await http.post("/graphql/stream", json=named("q", NAMES), headers=headers)).status_code == 202
        async with http.stream("GET", "/graphql/stream", params={"token": headers[TOKEN]}) as response:
            assert (await Stream(response).event()).payload["id"] == "q"


async def test_the_single_connection_mode_resumes_after_a_cursor(live: LiveDistrict) -> None:
    first, second = await live.plan_inspections(2)
    async with reserved(live) as (http, headers), http.stream("GET", "/graphql/stream", headers=headers) as response:
        await http.post("/graphql/stream", json=named("s", after=first), headers=headers)
        assert (await Stream(response).event()).id == second


async def test_a_quiet_stream_of_many_operations_moves_the_cursor(live: LiveDistrict) -> None:
    query = "subscription($f: UpdateFilter) { updates(filter: $f) { kind } }"
    quiet = named("s", query, f={"enterprises": [live.world.id("other_enterprise")]})
    async with reserved(live) as (http, headers), http.stream("GET", "/graphql/stream", headers=headers) as response:
        await http.post("/graphql/stream", json=quiet, headers=headers)
        [cursor] = await live.plan_inspections()
        stream = Stream(response)
        while (event := await stream.event(silent=True)).id != cursor:
            assert event.data == ""


async def test_an_operation_id_is_used_once_at_a_time(live: LiveDistrict) -> None:
    async with reserved(live) as (http, headers), http.stream("GET", "/graphql/stream", headers=headers) as response:
        asked = [http.post("/graphql/stream", json=named("s"), headers=headers) for _ in range(5)]
        assert sorted(answer.status_code for answer in await asyncio.gather(*asked)) == [202, 409, 409, 409, 409]
        stream = Stream(response)
        first, second = await live.plan_inspections(2)
        assert [(await stream.event()).id, (await stream.event()).id] == [first, second]


async def test_requests_in_single_connection_mode_that_are_none_are_answered_as_json(live: LiveDistrict) -> None:
    async with reserved(live) as (http, headers):
        for body in (named(None), named(""), {"query": NAMES}, {"extensions": {"operationId": "1"}}):
            answer = await http.post("/graphql/stream", json=body, headers=headers)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        answer = await http.delete("/graphql/stream", headers=headers)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["reason"] == "OPERATION_ID_NEEDED"


async def test_a_refusal_in_single_connection_mode_comes_on_the_stream(live: LiveDistrict) -> None:
    async with reserved(live) as (http, headers), http.stream("GET", "/graphql/stream", headers=headers) as response:
        stream = Stream(response)
        for number, (query, variables, code) in enumerate(REFUSED):
            for id in (str(number), str(number)):  # the id is free again
                body = named(id, query, **variables)
                answer = await http.post("/graphql/stream", json=body, headers={**headers, "accept-language": "zh"})
                assert (answer.status_code, answer.content) == (202, b"")
                event = await stream.event()
                assert (event.kind, event.payload["id"]) == ("next", id)
                [error] = event.payload["payload"]["errors"]
                assert error["extensions"]["code"] == code
                assert error["message"].isascii() == (code in ("BAD_DOCUMENT", "BAD_VARIABLES"))
                event = await stream.event()
                assert (event.kind, event.payload) == ("complete", {"id": id})


async def test_a_stream_belongs_to_its_viewer_and_is_opened_once(live: LiveDistrict) -> None:
    async with httpx.AsyncClient(base_url=live.address, timeout=PATIENCE) as browser, reserved(live) as (http, headers):
        # The token is all that a browser's EventSource can send.
        where = f"/graphql/stream?token={headers[TOKEN]}"
        for accept in ("application/json", f"{EVENTS};q=0, */*"):
            assert (await browser.get(where, headers={"accept": accept})).status_code == 406
        async with browser.stream("GET", where, headers={"accept": EVENTS}) as response:
            assert response.status_code == 200
            assert (await browser.get(where)).status_code == 409
            assert (await http.post("/graphql/stream", json=named("1", NAMES), headers=headers)).status_code == 202
            assert (await Stream(response).event()).payload["id"] == "1"
            assert (await browser.post(where, json=named("2", NAMES))).status_code == 404
    async with reserved(live) as (http, headers), http.stream("GET", "/graphql/stream", headers=headers):
        assert (await http.get("/graphql/stream", headers=headers)).status_code == 409
        assert (await http.get("/graphql/stream", headers={TOKEN: "x"})).status_code == 404
        assert (await http.post("/graphql/stream", json=named("1"))).status_code == 404
        async with client(live, live.token(Role.WALL)) as other:
            assert (await other.post("/graphql/stream", json=named("1"), headers=headers)).status_code == 404


async def test_a_stream_ends_with_its_connection(live: LiveDistrict) -> None:
    async with reserved(live) as (http, headers):
        async with http.stream("GET", "/graphql/stream", headers=headers):
            await http.post("/graphql/stream", json=named("s"), headers=headers)
        async with asyncio.timeout(PATIENCE):
            while (await http.delete("/graphql/stream", headers=headers)).status_code != 404:
                pass
