"""graphql-transport-ws against the server as a process: what a client must not send, and how its socket closes."""

import pytest
from websockets.typing import Subprotocol

from tests.support.stream_clients import ALL, LiveDistrict, closed, ended
from web.graphql import close_codes

pytestmark = pytest.mark.database_independent

NAMES = "{ zones { name } }"


async def test_init_comes_once(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        await socket.send({"type": "connection_init"})
        assert await ended(socket) == closed(close_codes.INIT_AGAIN)


async def test_subscribe_comes_after_the_acknowledgement(live: LiveDistrict) -> None:
    async with live.socket(init=False) as socket:
        await socket.subscribe("1", ALL)
        assert await ended(socket) == closed(close_codes.UNAUTHORIZED)


@pytest.mark.parametrize("id", ["1", "一" * 200])
async def test_an_id_is_used_once_at_a_time(live: LiveDistrict, id: str) -> None:
    async with live.socket() as socket:
        await socket.subscribe(id, ALL)
        await socket.subscribe(id, ALL)
        code, reason = await ended(socket)
        assert code == close_codes.EXISTS.code
        assert reason.startswith(f"Subscriber for {id[0]}")


@pytest.mark.parametrize("protocol", [None, Subprotocol("graphql-ws")])
async def test_another_subprotocol_is_refused(live: LiveDistrict, protocol: Subprotocol | None) -> None:
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
        # The forms that graphql-ws's own server refuses.
        '{"id":"1","type":"connection_ack"}',
        '{"type":"pong","payload":"text"}',
        '{"id":"1","type":"complete","payload":1}',
        '{"id":"","type":"complete"}',
        '{"id":"1","type":"subscribe"}',
        '{"id":"1","type":"subscribe","payload":null}',
        '{"id":"1","type":"subscribe","payload":["{a}"]}',
        '{"id":"1","type":"subscribe","payload":{}}',
        '{"id":"1","type":"subscribe","payload":{"query":1}}',
        '{"id":"1","type":"subscribe","payload":{"query":"{a}","variables":"{}"}}',
        '{"id":"1","type":"subscribe","payload":{"query":"{a}","operationName":1}}',
        '{"id":"1","type":"subscribe","payload":{"query":"{a}","extensions":[]}}',
        b'{"type":"ping"}',
        b"\x00\xff",
    ],
    ids=lambda said: repr(said)[:40],
)
async def test_a_bad_message_closes_with_its_code(live: LiveDistrict, said: str | bytes) -> None:
    async with live.socket() as socket:
        await socket.send(said)
        code, reason = await ended(socket)
        assert (code, reason.split(": ")[0]) == closed(close_codes.BAD_MESSAGE)


async def test_text_that_is_not_utf8_closes_with_1007(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        socket.connection.protocol.send_text(b'{"type":"ping","payload":{"a":"\xff"}}')
        socket.connection.transport.write(b"".join(socket.connection.protocol.data_to_send()))
        assert (await ended(socket))[0] == 1007
    # A client's mistake is no error of the server.
    assert '"level": "error"' not in live.process.log


async def test_too_many_fragments_close_with_1009(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        protocol, transport = socket.connection.protocol, socket.connection.transport
        protocol.send_text(b'{"type":"ping"}', fin=False)
        for _ in range(5_000):
            protocol.send_continuation(b"", fin=False)
        transport.write(b"".join(protocol.data_to_send()))
        assert (await ended(socket))[0] == 1009


async def test_too_long_a_message_closes_with_1009(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        await socket.send('{"type":"ping","payload":{"a":"%s"}}' % ("a" * (1 << 20)))
        assert (await ended(socket))[0] == 1009


async def test_a_message_just_below_the_limit_is_accepted(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        await socket.subscribe("1", NAMES, other="a" * 900_000)
        assert (await socket.next())["zones"]


async def test_the_number_of_operations_at_once_is_bounded(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        for number in range(close_codes.OPERATIONS_MAXIMUM):
            await socket.subscribe(str(number), ALL)
        await socket.subscribe("more", ALL)
        assert await socket.error_code("more") == "TOO_MANY"
        await socket.complete("0")
        await socket.subscribe("more", ALL)
        await socket.expect_quiet()
        await live.plan_inspections()
        received = {(await socket.receive())["id"] for _ in range(close_codes.OPERATIONS_MAXIMUM)}
        assert received == {"more", *map(str, range(1, close_codes.OPERATIONS_MAXIMUM))}
