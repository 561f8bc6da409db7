"""graphql-transport-ws against the server as a process: the protocol, its bounds, and how sockets end.

Long, because the protocol is one and is read from its beginning to its end.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.typing import Subprotocol

from models.visibility import Role
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, HURRIED, PLAN, Socket, Town, settled, town
from web.graphql import close_codes

pytestmark = pytest.mark.database_independent

NAMES = "{ zones { name } }"
FOREVER = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)


@pytest_asyncio.fixture(scope="module")
async def live(databases: Databases, migrated_url: str, scratch: Path) -> AsyncIterator[Town]:
    with town(scratch, *await settled(databases, migrated_url), program=HURRIED) as found:
        yield found


def closed(how: close_codes.Close) -> tuple[int, str]:
    return how.code, how.reason


async def ended(socket: Socket) -> tuple[int, str]:
    found = await socket.closed()
    return found.code, found.reason


# The protocol


async def test_events_come_with_their_cursors(live: Town) -> None:
    async with live.socket() as socket:
        await socket.ask("1", ALL)
        await socket.quiet()
        for cursor in await live.plan(3):
            assert await socket.next() == {
                "updates": {"kind": "INSPECTION_PLANNED", "enterprise": {"id": live.world.id("enterprise")}}
            }
            assert socket.cursor == cursor


async def test_two_subscriptions_on_one_socket_have_their_own_ids(live: Town) -> None:
    async with live.socket() as socket:
        for id in ("1", '二 "'):
            await socket.ask(id, ALL)
        await socket.quiet()
        await live.plan()
        heard = [await socket.hear(), await socket.hear()]
        assert {said["id"] for said in heard} == {"1", '二 "'}
        assert heard[0]["payload"] == heard[1]["payload"]


async def test_queries_and_mutations_run_over_it(live: Town) -> None:
    async with live.socket() as socket:
        await socket.ask("q", NAMES)
        assert await socket.next("q") == {"zones": [{"name": "战区0"}, {"name": "战区1"}]}
        assert await socket.hear() == {"id": "q", "type": "complete"}
        given = {"enterprise": live.world.id("enterprise"), "kind": "ROUTINE", "plannedFor": FOREVER.isoformat()}
        await socket.ask("q", PLAN, input=given)  # the id is free again
        assert (await socket.next("q"))["inspectionPlan"]["__typename"] == "InspectionPlanned"
        assert await socket.hear() == {"id": "q", "type": "complete"}


async def test_errors_of_one_operation_leave_the_others(live: Town) -> None:
    async with live.socket() as socket:
        await socket.ask("1", ALL)
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
            await socket.ask("2", query)
            assert await socket.refused("2") == code, query
        for payload in (None, 1, {}, {"query": 1}, {"query": NAMES, "variables": []}):
            await socket.send({"id": "2", "type": "subscribe", "payload": payload})
            assert await socket.refused("2") == "BAD_REQUEST"
        await live.plan()
        await socket.next("1")


async def test_complete_stops_delivery_and_frees_the_id(live: Town) -> None:
    async with live.socket() as socket:
        await socket.ask("1", ALL)
        await socket.quiet()
        await socket.complete("1")
        await socket.quiet()
        await live.plan()
        await socket.quiet()
        await socket.ask("1", ALL)
        await socket.quiet()
        await live.plan()
        await socket.next("1")
        await socket.quiet()


async def test_complete_at_once_is_no_subscription(live: Town) -> None:
    async with live.socket() as socket:
        for _ in range(20):
            await socket.ask("1", ALL)
            await socket.complete("1")
        await socket.complete("unknown")
        await socket.quiet()
        await live.plan()
        await socket.quiet()


async def test_a_ping_is_answered_with_its_payload(live: Town) -> None:
    async with live.socket(init=False) as socket:
        await socket.send({"type": "ping"})
        assert await socket.hear() == {"type": "pong"}
        await socket.send({"type": "ping", "payload": {"a": [1]}})
        assert await socket.hear() == {"type": "pong", "payload": {"a": [1]}}
        await socket.send({"type": "pong"})


async def test_a_ping_brings_a_quiet_filters_client_on(live: Town) -> None:
    other = live.world.id("other_enterprise")
    query = "subscription($f: UpdateFilter) { updates(filter: $f) { kind } }"
    async with live.socket() as socket:
        await socket.ask("1", query, f={"enterprises": [other]})
        await socket.quiet()
        [cursor] = await live.plan()
        while True:
            said = await socket.hear(pings=True)
            assert said["type"] == "ping"
            if said.get("payload") == {"cursor": cursor, "operations": ["1"]}:
                break


async def test_a_ping_speaks_for_none_but_those_that_have_their_place(live: Town) -> None:
    """What the client has asked for meanwhile, after an older cursor, may be on its way."""
    async with live.socket() as socket:
        assert "payload" not in await socket.hear(pings=True)
        await socket.ask("1", ALL)
        await socket.quiet()
        assert (await socket.hear(pings=True))["payload"]["operations"] == ["1"]
        await socket.complete("1")
        await socket.quiet()
        assert "payload" not in await socket.hear(pings=True)


async def test_the_pings_cursor_is_never_ahead_of_what_was_sent(live: Town) -> None:
    """Also not while a replay is under way, nor before a subscription has its place."""
    async with live.socket() as socket:
        await live.append(200)
        number = int(str(socket.cursor).split("-")[1])
        await socket.ask("1", ALL, after=socket.cursor)
        sent, seen = number, 0
        async with asyncio.timeout(PATIENCE):
            while seen < 2 or sent < number + 200:
                said = await socket.hear(pings=True)
                if said["type"] == "next":
                    sent = int(said["payload"]["extensions"]["cursor"].split("-")[1])
                elif "payload" in said:
                    assert int(said["payload"]["cursor"].split("-")[1]) <= sent
                    seen += 1


# What breaks it


async def test_init_comes_once(live: Town) -> None:
    async with live.socket() as socket:
        await socket.send({"type": "connection_init"})
        assert await ended(socket) == closed(close_codes.INIT_AGAIN)


async def test_subscribe_comes_after_the_acknowledgement(live: Town) -> None:
    async with live.socket(init=False) as socket:
        await socket.ask("1", ALL)
        assert await ended(socket) == closed(close_codes.UNAUTHORIZED)


@pytest.mark.parametrize("id", ["1", "一" * 200])
async def test_an_id_is_used_once_at_a_time(live: Town, id: str) -> None:
    async with live.socket() as socket:
        await socket.ask(id, ALL)
        await socket.ask(id, ALL)
        code, reason = await ended(socket)
        assert code == close_codes.EXISTS.code
        assert reason.startswith(f"Subscriber for {id[0]}")


@pytest.mark.parametrize("protocol", [None, Subprotocol("graphql-ws")])
async def test_another_protocol_is_told_so(live: Town, protocol: Subprotocol | None) -> None:
    async with live.socket(protocol=protocol, init=False) as socket:
        assert await ended(socket) == closed(close_codes.BAD_PROTOCOL)


@pytest.mark.parametrize(
    "said",
    [
        "null",
        "[]",
        "1",
        '"text"',
        "",
        "{",
        "{}",
        '{"type":"next"}',
        '{"type":1}',
        '{"type":["ping"]}',
        '{"type":"subscribe","id":1,"payload":{"query":"{a}"}}',
        '{"type":"subscribe","id":["1"],"payload":{"query":"{a}"}}',
        '{"type":"subscribe","id":"","payload":{"query":"{a}"}}',
        '{"type":"subscribe","id":"%s","payload":{"query":"{a}"}}' % ("i" * 201),
        '{"type":"subscribe","payload":{"query":"{a}"}}',
        '{"type":"complete"}',
        '{"type":"ping","payload":"\\ud800"}',
        '{"type":"ping","payload":{"n":%s}}' % ("9" * 5_000),
        '{"type":"ping","payload":%s}' % ("[" * 100_000 + "]" * 100_000),
        b'{"type":"ping"}',
        b"\x00\xff",
    ],
    ids=lambda said: repr(said)[:40],
)
async def test_a_bad_message_closes_with_its_code(live: Town, said: str | bytes) -> None:
    async with live.socket() as socket:
        await socket.send(said)
        assert await ended(socket) == closed(close_codes.BAD_MESSAGE)


async def test_text_that_is_not_utf8_closes_with_1007(live: Town) -> None:
    async with live.socket() as socket:
        socket.connection.protocol.send_text(b'{"type":"ping","payload":{"a":"\xff"}}')
        socket.connection.transport.write(b"".join(socket.connection.protocol.data_to_send()))
        assert (await ended(socket))[0] == 1007


async def test_a_message_that_is_too_long_closes_with_1009(live: Town) -> None:
    async with live.socket() as socket:
        await socket.send('{"type":"ping","payload":{"a":"%s"}}' % ("a" * (1 << 20)))
        assert (await ended(socket))[0] == 1009


async def test_a_long_message_that_is_not_too_long_is_taken(live: Town) -> None:
    async with live.socket() as socket:
        await socket.ask("1", NAMES, other="a" * 900_000)
        assert (await socket.next())["zones"]


async def test_so_many_operations_at_once_and_no_more(live: Town) -> None:
    async with live.socket() as socket:
        for number in range(close_codes.OPERATIONS_MAXIMUM):
            await socket.ask(str(number), ALL)
        await socket.ask("more", ALL)
        assert await socket.refused("more") == "TOO_MANY"
        await socket.complete("0")
        await socket.ask("more", ALL)
        await socket.quiet()
        await live.plan()
        heard = {(await socket.hear())["id"] for _ in range(close_codes.OPERATIONS_MAXIMUM)}
        assert heard == {"more", *map(str, range(1, close_codes.OPERATIONS_MAXIMUM))}


# Who may what


async def test_a_token_that_is_not_good_is_refused(live: Town) -> None:
    for given in ("Bearer x", "Basic x", f"Bearer {live.token(seconds=-5)}"):
        async with live.socket(init=False) as socket:
            await socket.send({"type": "connection_init", "payload": {"authorization": given}})
            assert await ended(socket) == closed(close_codes.FORBIDDEN)


async def test_the_token_may_come_with_the_request(live: Town) -> None:
    headers = {"Authorization": f"Bearer {live.token()}"}
    async with live.socket(init=False, additional_headers=headers) as socket:
        await socket.init()
        await socket.ask("1", "{ viewer { role } }")
        assert await socket.next() == {"viewer": {"role": "COMMANDER"}}


async def test_an_enterprise_gets_its_own_events_only(live: Town) -> None:
    async with live.socket(live.token(Role.ENTERPRISE, enterprise="e0")) as socket:
        await socket.ask("1", ALL)
        await socket.ask(
            "2",
            "subscription($f: UpdateFilter) { updates(filter: $f) { kind } }",
            f={"enterprises": [live.world.id("other_enterprise")]},
        )
        await socket.quiet()
        await live.plan(2, "other_enterprise")
        [cursor] = await live.plan()
        assert (await socket.next("1"))["updates"]["enterprise"] == {"id": live.world.id("enterprise")}
        assert socket.cursor == cursor
        await socket.quiet()


async def test_a_wall_never_gets_a_personal_value(live: Town) -> None:
    query = """subscription { updates { actor { role name } changes { field to }
      ... on InspectionUpdate { inspection { inspectors { badge fullName phone }
        enterprise { legalRepresentative { name phone } } } } } }"""
    async with live.socket(live.token(Role.WALL)) as wall, live.socket() as commander:
        for socket in (wall, commander):
            await socket.ask("1", query)
            await socket.quiet()
        await live.plan()
        seen, all_ = await wall.next(), await commander.next()
        assert seen["updates"]["actor"] == {"role": "COMMANDER", "name": None}
        assert seen["updates"]["inspection"]["enterprise"]["legalRepresentative"] is None
        assert all_["updates"]["inspection"]["enterprise"]["legalRepresentative"] == {"name": "法人", "phone": "1"}


# Coming back


@pytest.mark.parametrize(
    ("cursor", "code"),
    [
        ("garbage", "BAD_CURSOR"),
        ("0123456789abcdef-", "BAD_CURSOR"),
        ("0123456789abcdef-1", "CURSOR_FOREIGN"),
        ("{epoch}-2147483647", "CURSOR_AHEAD"),
    ],
)
async def test_a_cursor_that_cannot_be_gone_on_from_is_a_coded_error(live: Town, cursor: str, code: str) -> None:
    async with live.socket() as socket:
        epoch = str(socket.cursor).split("-")[0]
        await socket.ask("1", ALL, after=cursor.replace("{epoch}", epoch))
        assert await socket.refused() == code


async def test_a_long_replay_is_not_taken_for_a_slow_reader(live: Town) -> None:
    """Small messages, all of them rendered before: nothing but the reader is waited for."""
    query = "subscription($after: String) { updates(after: $after) { kind } }"
    async with live.socket() as socket:
        start = socket.cursor
        numbers = await live.append(1_500)
        for id in ("1", "2"):
            await socket.ask(id, query, after=start)
            for number in numbers:
                await socket.next(id)
                assert str(socket.cursor).endswith(f"-{number}")
            await socket.complete(id)


async def test_who_goes_on_after_a_cursor_loses_nothing_over_a_restart(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    url, world = await settled(databases, migrated_url)
    with town(scratch, url, world) as live:
        async with live.socket() as socket:
            await socket.ask("1", ALL)
            await socket.quiet()
            made = await live.plan(3)
            await socket.next()
            seen = [socket.cursor]
            made += await live.plan(2)  # on their way when the server ends
            assert await asyncio.to_thread(live.process.end) == 0
            after = seen[-1]
    with town(scratch, url, world) as live:
        made += await live.plan(2)
        async with live.socket() as socket:
            await socket.ask("1", ALL, after=after)
            made += await live.plan(2)
            while len(seen) < len(made):
                await socket.next()
                seen.append(socket.cursor)
            await socket.quiet()
            assert seen == made


async def test_a_cursor_from_before_the_retention_is_refused(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    url, world = await settled(databases, migrated_url)
    with town(scratch, url, world, HUHANG_RETENTION_DAYS="2") as live:
        async with live.socket() as socket:
            start = str(socket.cursor)
            old = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
            [number] = await live.append(1, at=old)
            await live.append(1)
            await socket.ask("1", ALL, after=start)
            assert await socket.refused() == "CURSOR_TOO_OLD"
            await socket.ask("1", ALL, after=f"{start.split('-')[0]}-{number}")
            await socket.next()


# Clients that go


async def test_clients_that_vanish_leave_nothing_behind(live: Town) -> None:
    for _ in range(20):
        async with live.socket() as socket:
            await socket.ask("1", ALL)
            await socket.ask("2", NAMES)
            socket.connection.transport.abort()
    async with live.socket() as socket:
        await socket.ask("1", ALL)
        await socket.quiet()
        await live.plan()
        await socket.next()
