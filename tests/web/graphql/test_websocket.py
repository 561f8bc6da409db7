"""graphql-transport-ws against the server as a process: the protocol, its bounds, and how sockets end."""

import asyncio
import datetime as dt
from pathlib import Path

import httpx
import orjson
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect

from models.visibility import Role
from tests.conftest import Databases
from tests.support.in_process_server import serve
from tests.support.patience import PATIENCE
from tests.support.stream_clients import (
    ALL,
    PLAN,
    PROTOCOL,
    SECRET,
    LiveDistrict,
    closed,
    ended,
    live_district,
    small_district,
)
from web.app import create
from web.graphql import close_codes
from web.settings import Settings

pytestmark = pytest.mark.database_independent

NAMES = "{ zones { name } }"
FOREVER = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)


# The protocol


async def test_events_have_their_cursors(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
        for cursor in await live.plan_inspections(3):
            assert await socket.next() == {
                "updates": {"kind": "INSPECTION_PLANNED", "enterprise": {"id": live.world.id("enterprise")}}
            }
            assert socket.cursor == cursor


async def test_each_subscription_of_a_socket_has_its_id(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        for id in ("1", '二 "'):
            await socket.subscribe(id, ALL)
        await socket.expect_quiet()
        await live.plan_inspections()
        received = [await socket.receive(), await socket.receive()]
        assert {message["id"] for message in received} == {"1", '二 "'}
        assert received[0]["payload"] == received[1]["payload"]


async def test_queries_and_mutations_run_over_a_socket(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        await socket.subscribe("q", NAMES)
        assert await socket.next("q") == {"zones": [{"name": "战区0"}, {"name": "战区1"}]}
        assert await socket.receive() == {"id": "q", "type": "complete"}
        given = {"enterprise": live.world.id("enterprise"), "kind": "ROUTINE", "plannedFor": FOREVER.isoformat()}
        await socket.subscribe("q", PLAN, input=given)  # the id is free again
        assert (await socket.next("q"))["inspectionPlan"]["__typename"] == "InspectionPlanned"
        assert await socket.receive() == {"id": "q", "type": "complete"}


async def test_errors_come_in_the_language_of_each_subscriber(live: LiveDistrict) -> None:
    """Also where an event is rendered once for all of them: the language is no part of what they share."""
    failing = "subscription { updates { kind enterprise { hazards(first: 5000) { totalCount } } } }"
    texts = []
    async with live.socket(init=False) as chinese, live.socket(additional_headers={"accept-language": "zh"}) as header:
        await chinese.init(Authorization=f"Bearer {live.token()}", acceptLanguage="zh-CN")
        async with live.socket() as english:
            for socket in (chinese, header, english):
                await socket.subscribe("1", "{ zones(")
                message = await socket.receive()
                assert message["payload"][0]["extensions"]["reason"] == "DOCUMENT_SYNTAX"
                await socket.subscribe("1", failing)
                await socket.expect_quiet()
            await live.plan_inspections()
            for socket in (chinese, header, english):
                message = await socket.receive()
                assert (message["type"], message["payload"]["data"]["updates"]["enterprise"]) == ("next", None)
                [error] = message["payload"]["errors"]
                parameters = {"argument": "first", "maximum": 1000}
                assert error["extensions"] == {"code": "BAD_PAGE", "reason": "PAGE_SIZE", "parameters": parameters}
                texts.append(error["message"])
    assert texts == ["`first` 须在 0 到 1,000 之间。"] * 2 + ["`first` must be from 0 to 1,000."]


async def test_nobody_known_is_not_told_the_cursor_of_the_log(databases: Databases, migrated_url: str) -> None:
    app = create(Settings(database_url=await databases.new(migrated_url), secret=SecretStr(SECRET)))
    async with serve(app, "on") as port:
        async with connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=[PROTOCOL], compression=None) as connection:
            await connection.send('{"type":"connection_init"}')
            assert orjson.loads(await connection.recv()) == {"type": "connection_ack"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"accept-language": "zh"}) as http:
            for method, path, status, reason in (
                ("GET", "/nothing", 404, "PATH_UNKNOWN"),
                ("PATCH", "/graphql", 405, "METHOD_UNSUPPORTED"),
                ("PATCH", "/graphql/stream", 405, "METHOD_UNSUPPORTED"),
                ("GET", "/auth/nothing", 404, "PATH_UNKNOWN"),
                ("POST", "/healthz", 405, "METHOD_UNSUPPORTED"),
            ):
                answer = await http.request(method, path)
                [error] = answer.json()["errors"]
                assert (answer.status_code, error["extensions"]["reason"]) == (status, reason), path
                assert not error["message"].isascii()
                if status == 405:
                    allowed = answer.headers["allow"].split(", ")
                    assert error["extensions"]["parameters"] == {"methods": allowed}
                    assert method not in allowed


async def test_an_error_ends_only_its_own_operation(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        await socket.subscribe("1", ALL)
        for query, code in [
            ("{", "BAD_DOCUMENT"),
            ("{ nothing }", "BAD_DOCUMENT"),
            ("query a { __typename } query b { __typename }", "BAD_DOCUMENT"),
            ('subscription { updates(filter: {zones: ["x"]}) { kind } }', "BAD_ID"),
            ("subscription($a: Int!) { updates { kind } portrait(of: $a) { asOf } }", "BAD_DOCUMENT"),
            ("subscription($after: [Int!]!) { updates { __typename @skip(if: false) } }", "BAD_DOCUMENT"),
            ('subscription { portrait(of: "x") { asOf } }', "BAD_ID"),
            ("subscription($i: [ID!]!) { updates(filter: {zones: $i}) { kind } }", "BAD_VARIABLES"),
            ("subscription { ... @skip(if: true) { updates { kind } } }", "BAD_DOCUMENT"),
        ]:
            await socket.subscribe("2", query)
            assert await socket.error_code("2") == code, query
        await live.plan_inspections()
        await socket.next("1")


async def test_complete_stops_delivery_and_frees_the_id(live: LiveDistrict) -> None:
    async with live.socket() as socket, live.socket() as other:
        await other.subscribe("1", ALL)
        await other.expect_quiet()
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
        await socket.complete("1")
        await socket.expect_quiet()
        await live.plan_inspections()
        # A subscriber who joins before the feed has sent an event gets it, too.
        await other.next("1")
        await socket.expect_quiet()
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
        await live.plan_inspections()
        await socket.next("1")
        await socket.expect_quiet()


async def test_a_subscription_completed_at_once_sends_nothing(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        for _ in range(20):
            await socket.subscribe("1", ALL)
            await socket.complete("1")
        await socket.complete("unknown")
        await socket.expect_quiet()
        await live.plan_inspections()
        await socket.expect_quiet()


async def test_a_ping_is_answered_with_its_payload(live: LiveDistrict) -> None:
    async with live.socket(init=False) as socket:
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        await socket.send({"type": "ping", "payload": {"a": [1]}})
        assert await socket.receive() == {"type": "pong", "payload": {"a": [1]}}
        await socket.send({"type": "pong"})


async def test_a_ping_moves_the_cursor_of_a_quiet_filter(live: LiveDistrict) -> None:
    other = live.world.id("other_enterprise")
    query = "subscription($f: UpdateFilter) { updates(filter: $f) { kind } }"
    async with live.socket() as socket:
        await socket.subscribe("1", query, f={"enterprises": [other]})
        await socket.expect_quiet()
        [cursor] = await live.plan_inspections()
        while True:
            said = await socket.receive(pings=True)
            assert said["type"] == "ping"
            if said.get("payload") == {"cursor": cursor, "operations": ["1"]}:
                break


async def test_a_ping_names_only_subscriptions_that_have_begun(live: LiveDistrict) -> None:
    """A subscription after an older cursor may be in preparation."""
    async with live.socket() as socket:
        assert "payload" not in await socket.receive(pings=True)
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
        assert (await socket.receive(pings=True))["payload"]["operations"] == ["1"]
        await socket.complete("1")
        await socket.expect_quiet()
        assert "payload" not in await socket.receive(pings=True)


async def test_a_pings_cursor_is_never_ahead_of_what_was_sent(live: LiveDistrict) -> None:
    """Not during a replay either, nor before a subscription has begun."""
    async with live.socket() as socket:
        await live.append_events(200)
        number = int(str(socket.cursor).split("-")[1])
        await socket.subscribe("1", ALL, after=socket.cursor)
        sent, seen = number, 0
        async with asyncio.timeout(PATIENCE):
            while seen < 2 or sent < number + 200:
                said = await socket.receive(pings=True)
                if said["type"] == "next":
                    sent = int(said["payload"]["extensions"]["cursor"].split("-")[1])
                elif "payload" in said:
                    assert int(said["payload"]["cursor"].split("-")[1]) <= sent
                    seen += 1


# Permissions


async def test_an_invalid_token_is_refused(live: LiveDistrict) -> None:
    for given in ("Bearer x", "Basic x", f"Bearer {live.token(seconds=-5)}"):
        async with live.socket(init=False) as socket:
            await socket.send({"type": "connection_init", "payload": {"authorization": given}})
            assert await ended(socket) == closed(close_codes.FORBIDDEN)


async def test_the_token_may_be_in_the_requests_header(live: LiveDistrict) -> None:
    headers = {"Authorization": f"Bearer {live.token()}"}
    async with live.socket(init=False, additional_headers=headers) as socket:
        await socket.init()
        await socket.subscribe("1", "{ viewer { role } }")
        assert await socket.next() == {"viewer": {"role": "COMMANDER"}}


async def test_an_enterprise_gets_only_its_own_events(live: LiveDistrict) -> None:
    async with live.socket(live.token(Role.ENTERPRISE, enterprise="e0")) as socket:
        await socket.subscribe("1", ALL)
        await socket.subscribe(
            "2",
            "subscription($f: UpdateFilter) { updates(filter: $f) { kind } }",
            f={"enterprises": [live.world.id("other_enterprise")]},
        )
        refused = await socket.receive()
        assert (refused["type"], refused["id"]) == ("error", "2")
        assert refused["payload"][0]["extensions"]["code"] == "NOT_FOUND"
        await socket.expect_quiet()
        await live.add_measures(2, "other_enterprise")
        await live.plan_inspections()
        [cursor] = await live.add_measures()
        assert (await socket.next("1"))["updates"]["enterprise"] == {"id": live.world.id("enterprise")}
        assert socket.cursor == cursor
        await socket.expect_quiet()


async def test_a_wall_never_gets_a_personal_value(live: LiveDistrict) -> None:
    query = """subscription { updates { actor { role name } changes { field to }
      ... on InspectionUpdate { inspection { inspectors { badge fullName phone }
        enterprise { legalRepresentative { name phone } } } } } }"""
    async with live.socket(live.token(Role.WALL)) as wall, live.socket() as commander:
        for socket in (wall, commander):
            await socket.subscribe("1", query)
            await socket.expect_quiet()
        await live.plan_inspections()
        seen, all_ = await wall.next(), await commander.next()
        assert seen["updates"]["actor"] == {"role": "COMMANDER", "name": None}
        assert seen["updates"]["inspection"]["enterprise"]["legalRepresentative"] is None
        assert all_["updates"]["inspection"]["enterprise"]["legalRepresentative"] == {"name": "法人", "phone": "1"}


# Resuming


@pytest.mark.parametrize(
    ("cursor", "code"),
    [
        ("garbage", "BAD_CURSOR"),
        ("0123456789abcdef-", "BAD_CURSOR"),
        ("0123456789abcdef-1", "CURSOR_FOREIGN"),
        ("{epoch}-2147483647", "CURSOR_AHEAD"),
    ],
)
async def test_a_cursor_that_cannot_be_resumed_from_is_a_coded_error(
    live: LiveDistrict, cursor: str, code: str
) -> None:
    async with live.socket() as socket:
        epoch = str(socket.cursor).split("-")[0]
        await socket.subscribe("1", ALL, after=cursor.replace("{epoch}", epoch))
        assert await socket.error_code() == code


async def test_a_long_replay_is_not_taken_for_a_slow_reader(live: LiveDistrict) -> None:
    """Small messages, all rendered before, so the replay waits for nothing but the reader."""
    query = "subscription($after: String) { updates(after: $after) { kind } }"
    async with live.socket() as socket:
        start = socket.cursor
        numbers = await live.append_events(1_500)
        for id in ("1", "2"):
            await socket.subscribe(id, query, after=start)
            for number in numbers:
                await socket.next(id)
                assert str(socket.cursor).endswith(f"-{number}")
            await socket.complete(id)


async def test_a_client_that_resumes_loses_nothing_over_a_restart(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    url, world = await small_district(databases, migrated_url)
    with live_district(scratch, url, world) as live:
        async with live.socket() as socket:
            await socket.subscribe("1", ALL)
            await socket.expect_quiet()
            made = await live.plan_inspections(3)
            await socket.next()
            seen = [socket.cursor]
            made += await live.plan_inspections(2)  # under way when the server stops
            assert await asyncio.to_thread(live.process.end) == 0
            after = seen[-1]
    with live_district(scratch, url, world) as live:
        made += await live.plan_inspections(2)
        async with live.socket() as socket:
            await socket.subscribe("1", ALL, after=after)
            made += await live.plan_inspections(2)
            while len(seen) < len(made):
                await socket.next()
                seen.append(socket.cursor)
            await socket.expect_quiet()
            assert seen == made


async def test_a_cursor_from_before_the_retention_is_refused(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    url, world = await small_district(databases, migrated_url)
    with live_district(scratch, url, world, HUHANG_RETENTION_DAYS="2") as live:
        async with live.socket() as socket:
            start = str(socket.cursor)
            old = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
            [number] = await live.append_events(1, at=old)
            await live.append_events(1)
            await socket.subscribe("1", ALL, after=start)
            assert await socket.error_code() == "CURSOR_TOO_OLD"
            await socket.subscribe("1", ALL, after=f"{start.split('-')[0]}-{number}")
            await socket.next()


# Vanishing clients


async def test_vanished_clients_do_not_disturb_others(live: LiveDistrict) -> None:
    for _ in range(20):
        async with live.socket() as socket:
            await socket.subscribe("1", ALL)
            await socket.subscribe("2", NAMES)
            socket.connection.transport.abort()
    async with live.socket() as socket:
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
        await live.plan_inspections()
        await socket.next()
