"""Streams over plain HTTP, from the server as a process: server-sent events in both modes, and multipart."""

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.visibility import Role
from tests.conftest import Databases
from tests.support.http_streams import EVENTS, REFUSED, Stream, ask, client, reserved, streaming
from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, LiveDistrict, live_district, small_district

pytestmark = pytest.mark.database_independent

PARTS = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
APOLLO = "application/graphql-response+json,application/json;q=0.9"
NAMES = "{ viewer { role } }"


# Distinct connections mode


async def test_events_have_their_cursors_as_ids(live: LiveDistrict) -> None:
    async with streaming(live) as stream:
        assert stream.response.headers["content-type"].startswith(EVENTS)
        assert stream.response.headers["cache-control"] == "no-cache, no-transform"
        for cursor in await live.plan_inspections(3):
            event = await stream.event()
            assert (event.kind, event.id) == ("next", cursor)
            assert event.payload["data"]["updates"]["kind"] == "INSPECTION_PLANNED"
            assert event.payload["extensions"] == {"cursor": cursor}


async def test_lines_end_with_a_line_feed_alone(live: LiveDistrict) -> None:
    async with streaming(live) as stream:
        await live.plan_inspections()
        assert b"\r" not in await stream.until(b"data: ")


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_stream_resumes_after_the_last_id(live: LiveDistrict, by_header: bool) -> None:
    first, *later = await live.plan_inspections(3)
    given: Any = {"headers": {"last-event-id": first}} if by_header else {"after": first}
    async with streaming(live, **given) as stream:
        later += await live.plan_inspections()
        assert [(await stream.event()).id for _ in later] == later


async def test_the_last_id_takes_precedence_over_after(live: LiveDistrict) -> None:
    first, second, third = await live.plan_inspections(3)
    async with streaming(live, after=first, headers={"last-event-id": second}) as stream:
        assert (await stream.event()).id == third


async def test_a_browsers_event_source_can_subscribe(live: LiveDistrict) -> None:
    async with (
        client(live) as http,
        http.stream(
            "GET", "/graphql", params={"query": "subscription { updates { kind } }"}, headers={"accept": EVENTS}
        ) as r,
    ):
        stream = Stream(r)
        [cursor] = await live.plan_inspections()
        assert (await stream.event()).id == cursor


async def test_a_quiet_stream_sends_keep_alives_that_move_the_cursor(live: LiveDistrict) -> None:
    other = live.world.id("other_enterprise")
    query = "subscription($f: UpdateFilter) { updates(filter: $f) { kind } }"
    async with streaming(live, query, f={"enterprises": [other]}) as stream:
        [cursor] = await live.plan_inspections()
        while (event := await stream.event(silent=True)).id != cursor:
            assert event.data == ""


@pytest.mark.parametrize("accept", [URQL, PARTS, f"{EVENTS};q=0, application/json"])
async def test_a_refused_subscription_is_answered_as_json(live: LiveDistrict, accept: str) -> None:
    for query, variables, code in REFUSED if ";q=0" not in accept else [(ALL, {}, "BAD_REQUEST")]:
        answer = await ask(live, query, accept, variables=variables)
        assert answer.headers["content-type"].startswith("application/")
        assert [e["extensions"]["code"] for e in answer.json()["errors"]] == [code]
        assert "data" not in answer.json()


def ended_with(text: str) -> Any:
    """The result of a stream that sent one and completed."""
    assert text.startswith("event: next\ndata: "), text
    assert text.endswith("\n\nevent: complete\ndata: \n\n"), text
    return orjson.loads(text.split("\n")[1].removeprefix("data: "))


async def test_a_client_of_events_gets_a_refusal_as_an_event(live: LiveDistrict) -> None:
    """As PROTOCOL.md of graphql-sse has it: a browser's EventSource tells nothing of another status."""
    for query, variables, code in [*REFUSED, ("{ nothing }", {}, "BAD_DOCUMENT")]:
        answer = await ask(live, query, EVENTS, variables=variables)
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{EVENTS}; charset=utf-8")
        result = ended_with(answer.text)
        assert [e["extensions"]["code"] for e in result["errors"]] == [code]
        assert "data" not in result
    async with client(live) as http:
        headers = {"accept": EVENTS, "last-event-id": "x", "accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
        answer = await http.post("/graphql", json={"query": ALL}, headers=headers)
        [error] = ended_with(answer.text)["errors"]
        id = answer.headers["x-request-id"]
        assert error["extensions"] == {"code": "BAD_CURSOR", "reason": "LOG_CURSOR_MALFORMED", "requestId": id}
        assert error["message"] == "这不是事件日志的游标。"
        # A body that is no operation, or has no valid token, keeps its HTTP status.
        for answer, status in (
            (await http.post("/graphql", json={}, headers={"accept": EVENTS}), 400),
            (await http.post("/graphql", json={"query": ALL}, headers={**headers, "authorization": "Bearer x"}), 401),
        ):
            assert answer.status_code == status
            assert answer.headers["content-type"].startswith("application/json")


async def test_an_enterprise_gets_only_its_own_events(live: LiveDistrict) -> None:
    async with streaming(live, token=live.token(Role.ENTERPRISE, enterprise="e0")) as stream:
        await live.add_measures(1, "other_enterprise")
        await live.plan_inspections()
        [cursor] = await live.add_measures()
        assert (await stream.event()).id == cursor


# Queries and negotiation


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (URQL, "application/graphql-response+json"),
        (APOLLO, "application/graphql-response+json"),
        (PARTS, "application/json"),
        ("application/json, text/event-stream", "application/json"),
        ("text/event-stream, */*", "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
    ],
)
async def test_queries_are_answered_in_the_negotiated_media_type(live: LiveDistrict, accept: str, media: str) -> None:
    answer = await ask(live, NAMES, accept)
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"
    assert answer.json() == {"data": {"viewer": {"role": "COMMANDER"}}}
    assert "content-length" in answer.headers


async def test_a_client_that_accepts_only_events_gets_a_response_as_events(live: LiveDistrict) -> None:
    answer = await ask(live, NAMES, EVENTS)
    assert answer.headers["content-type"].startswith(EVENTS)
    assert answer.text == ('event: next\ndata: {"data":{"viewer":{"role":"COMMANDER"}}}\n\nevent: complete\ndata: \n\n')


async def test_a_client_that_accepts_only_parts_gets_a_response_as_parts(live: LiveDistrict) -> None:
    answer = await ask(live, NAMES, "multipart/mixed")
    assert answer.text == (
        "\r\n--graphql\r\ncontent-type: application/json\r\n\r\n"
        '{"data":{"viewer":{"role":"COMMANDER"}}}\r\n--graphql--\r\n'
    )


async def test_urql_gets_its_subscription_as_events(live: LiveDistrict) -> None:
    async with streaming(live, accept=URQL) as stream:
        await live.plan_inspections()
        assert (await stream.event()).payload["data"]["updates"]


@pytest.mark.parametrize("accept", ["application/json", APOLLO, "*/*"])
async def test_a_subscription_without_a_stream_is_refused(live: LiveDistrict, accept: str) -> None:
    answer = await ask(live, ALL, accept)
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


# Multipart


async def test_a_part_is_complete_as_soon_as_its_event(live: LiveDistrict) -> None:
    async with streaming(live, accept=PARTS) as stream:
        media = stream.response.headers["content-type"]
        assert re.fullmatch(r'multipart/mixed; ?boundary="?graphql"?; ?subscriptionSpec="?1.0"?', media)
        for cursor in await live.plan_inspections(2):
            said = await stream.part()
            assert said["payload"]["extensions"] == {"cursor": cursor}
            assert said["payload"]["data"]["updates"]["kind"] == "INSPECTION_PLANNED"


async def test_a_quiet_multipart_stream_sends_keep_alives(live: LiveDistrict) -> None:
    async with streaming(live, accept=PARTS) as stream:
        assert b"{}" in await stream.until(b"{}\r\n--graphql") + b"{}"


# Ends


async def test_a_stalled_reader_is_cut(live: LiveDistrict) -> None:
    fields = " ".join(f"a{n}: enterprise {{ name address }}" for n in range(40))
    port = int(live.address.rsplit(":", 1)[1])
    body = orjson.dumps({"query": f"subscription {{ updates {{ cursor {fields} }} }}"})
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (live.token().encode(), len(body), body)
    )
    with contextlib.closing(writer):
        await reader.readuntil(b":\n\n")
        async with streaming(live, "subscription { updates { cursor } }") as other:
            # In batches that may wait for one client, so that the other reader cannot be too slow.
            for _ in range(6):
                for number in await live.append_events(150):
                    assert str((await other.event()).id).endswith(f"-{number}")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.read(), PATIENCE)


@pytest.mark.parametrize("accept", [EVENTS, PARTS])
async def test_sigterm_ends_streams_without_complete(
    databases: Databases, migrated_url: str, scratch: Path, accept: str
) -> None:
    """A `complete` would tell clients not to reconnect."""
    with live_district(scratch, *await small_district(databases, migrated_url)) as live:
        async with (
            streaming(live, accept=accept) as stream,
            reserved(live) as (http, headers),
            http.stream("GET", "/graphql/stream", headers=headers) as single,
        ):
            ending = asyncio.create_task(asyncio.to_thread(live.process.end))
            for each in (stream, Stream(single)):
                body = await each.rest()
                assert b"complete" not in body
                assert b"--graphql--" not in body
            assert await ending == 0
