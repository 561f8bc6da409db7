"""Streams over plain HTTP, from the server as a process: server-sent events in both modes, and multipart.

Long, because the transports are compared side by side.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from models.visibility import Role
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, HURRIED, LiveDistrict, live_district, small_district

pytestmark = pytest.mark.database_independent

EVENTS = "text/event-stream"
PARTS = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
APOLLO = "application/graphql-response+json,application/json;q=0.9"
NAMES = "{ viewer { role } }"
TOKEN = "x-graphql-event-stream-token"


@pytest_asyncio.fixture(scope="module")
async def live(databases: Databases, migrated_url: str, scratch: Path) -> AsyncIterator[LiveDistrict]:
    with live_district(scratch, *await small_district(databases, migrated_url), program=HURRIED) as district:
        yield district


@dataclass
class Event:
    """One server-sent event, parsed as in the HTML standard."""

    kind: str = ""
    id: str | None = None
    data: str = ""

    @property
    def payload(self) -> Any:
        return orjson.loads(self.data)


@dataclass
class Stream:
    """A streamed response. `ids` are the ids of all events, also of those without data."""

    response: httpx.Response
    ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chunks = self.response.aiter_raw()
        self._text = b""

    async def until(self, mark: bytes) -> bytes:
        """The bytes before the mark. Raises StopAsyncIteration at the end."""
        async with asyncio.timeout(PATIENCE):
            while mark not in self._text:
                self._text += await anext(self._chunks)
        before, self._text = self._text.split(mark, 1)
        return before

    async def event(self, *, silent: bool = False) -> Event:
        """The next event with data, or also one with only an id when `silent`."""
        while True:
            event = Event()
            for line in (await self.until(b"\n\n")).decode().split("\n"):
                name, _, value = line.partition(": ")
                match name:
                    case "event":
                        event.kind = value
                    case "id":
                        event.id = value
                    case "data":
                        event.data += value
            if event.id is not None:
                self.ids.append(event.id)
            if event.kind or (silent and event.id):
                return event

    async def part(self) -> Any:
        """The next complete part. A boundary line ends it."""
        while True:
            part = await self.until(b"\r\n--graphql")
            if b"\r\n\r\n" in part and (body := orjson.loads(part.split(b"\r\n\r\n", 1)[1])):
                return body

    async def rest(self) -> bytes:
        """Everything until the end, which must be orderly."""
        async with asyncio.timeout(PATIENCE):
            async for chunk in self._chunks:
                self._text += chunk
        return self._text


@asynccontextmanager
async def client(live: LiveDistrict, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {token or live.token()}"}
    async with httpx.AsyncClient(base_url=live.address, headers=headers, timeout=PATIENCE) as client:
        yield client


@asynccontextmanager
async def streaming(
    live: LiveDistrict,
    query: str = ALL,
    *,
    accept: str = EVENTS,
    token: str | None = None,
    headers: Any = None,
    **variables: Any,
) -> AsyncIterator[Stream]:
    body = {"query": query, "variables": variables}
    async with (
        client(live, token) as http,
        http.stream("POST", "/graphql", json=body, headers={"accept": accept, **(headers or {})}) as response,
    ):
        assert response.status_code == 200, await response.aread()
        yield Stream(response)


async def ask(live: LiveDistrict, query: str, accept: str, **more: Any) -> httpx.Response:
    async with client(live) as http:
        return await http.post("/graphql", json={"query": query, **more}, headers={"accept": accept})


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


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("subscription {", {}, "BAD_DOCUMENT"),
    ("subscription { nothing }", {}, "BAD_DOCUMENT"),
    (ALL, {"after": 1}, "BAD_VARIABLES"),
    (ALL, {"after": "garbage"}, "BAD_CURSOR"),
    (ALL, {"after": "0123456789abcdef-1"}, "CURSOR_FOREIGN"),
    ('subscription { portrait(of: "x") { asOf } }', {}, "BAD_ID"),
]


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
        assert error["extensions"] == {"code": "BAD_CURSOR", "reason": "LOG_CURSOR_MALFORMED"}
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


# Single connection mode


@asynccontextmanager
async def reserved(live: LiveDistrict) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    async with client(live) as http:
        answer = await http.put("/graphql/stream")
        assert answer.status_code == 201
        yield http, {TOKEN: answer.text}


def named(id: Any, query: str = ALL, **variables: Any) -> dict[str, Any]:
    return {"query": query, "variables": variables, "extensions": {"operationId": id}}


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
