"""WebSockets: handshakes, frames and messages that break a protocol, and storms of legal ones."""

from collections.abc import Iterable, Iterator
from typing import Any

from tests.hostile.case import AUTHORIZATION, NOBODY, WALL, Case, Target, request_case
from tests.hostile.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    HANDSHAKE,
    PING,
    PONG,
    PROTOCOL,
    TEXT,
    frame,
    head,
    message,
    opened,
)
from tests.hostile.texts import repeated

GROUP = "sockets"
OPEN, BAD, PROTOCOL_ERROR = "open", "closed 4400", "closed 1002"
QUERY = {"query": "{ __typename }"}
UPDATES = "subscription { updates { id } }"


def subscribe(id: Any, payload: Any) -> bytes:
    return message({"id": id, "type": "subscribe", "payload": payload})


# The end of the handshake's headers.
HANDSHAKES: dict[str, tuple[bytes, str]] = {
    "no protocol": (b"", "101"),
    "another protocol": (b"Sec-WebSocket-Protocol: graphql-ws\r\n", "101"),
    "3,000 protocols": (
        b"Sec-WebSocket-Protocol: " + b",".join(b"p%d" % n for n in range(3_000)) + b"\r\n",
        "101|400|431",
    ),
    "nonsense as protocol": (b"Sec-WebSocket-Protocol: ,,;\xff\r\n", "101|400"),
    "compression with nonsense": (
        PROTOCOL
        + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99; x="
        + b"y" * 5_000
        + b"\r\n",
        "101|400",
    ),
    "another version": (PROTOCOL + b"Sec-WebSocket-Version: 99\r\n", "101|400|426"),
    "a second key": (PROTOCOL + b"Sec-WebSocket-Key: AAAA\r\n", "101|400"),
    "a body": (PROTOCOL + b"Content-Length: 5\r\n", "101|400"),
    "another origin": (PROTOCOL + b"Origin: https://evil.example\r\n", "101|403"),
    "a token of nonsense": (PROTOCOL + b"Authorization: Bearer x\r\n", "101|401|403"),
    "100 cookies": (PROTOCOL + b"Cookie: " + b"; ".join(b"a%d=b" % n for n in range(100)) + b"\r\n", "101"),
}
HANDSHAKE_LINES: dict[str, tuple[bytes, bytes, str]] = {
    "no key": (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"", "400"),
    "a key of nonsense": (b"dGhlIHNhbXBsZSBub25jZQ==", b"x" * 5_000, "400"),
    "version 8": (b"Version: 13", b"Version: 8", "400|426"),
    "no version": (b"Sec-WebSocket-Version: 13\r\n", b"", "400|426"),
    "POST": (b"GET ", b"POST ", "400|405"),
    "version 1.0 of HTTP": (b"HTTP/1.1", b"HTTP/1.0", "400|101"),
    "another path": (b"/graphql", b"/nothing", "403|404"),
    "the path of streams": (b"/graphql", b"/graphql/stream", "403|404"),
    "the path of evidence": (b"/graphql", b"/evidence", "403|404"),
    "no connection header": (b"Connection: Upgrade\r\n", b"", "400|406|426"),
}
# Sent by a client that has not initialised.
BEFORE: dict[str, tuple[list[bytes], str]] = {
    "nothing but a ping": ([message({"type": "ping"})], OPEN),
    "not JSON": ([message(b"nonsense")], BAD),
    "an empty message": ([message(b"")], BAD),
    "null": ([message(None)], BAD),
    "a list": ([message([])], BAD),
    "a number": ([message(1)], BAD),
    "an object without a type": ([message({})], BAD),
    "a type that is a number": ([message({"type": 1})], BAD),
    "a type that is a list": ([message({"type": ["ping"]})], BAD),
    "an unknown type": ([message({"type": "start"})], BAD),
    "a message of the server": ([message({"type": "connection_ack"})], BAD),
    "subscribing first": ([subscribe("1", QUERY)], "closed 4401"),
    "completing first": ([message({"id": "1", "type": "complete"})], OPEN),
    "initialising twice": ([message({"type": "connection_init"})] * 2, "closed 4429"),
    "a payload of a list": ([message({"type": "connection_init", "payload": [1]})], BAD),
    "a payload of a number": ([message({"type": "connection_init", "payload": 1})], BAD),
    "a token that is a number": ([message({"type": "connection_init", "payload": {"Authorization": 1}})], OPEN),
    "a token of nonsense": (
        [message({"type": "connection_init", "payload": {"Authorization": "Bearer x"}})],
        "closed 4403",
    ),
    "a token without a scheme": (
        [message({"type": "connection_init", "payload": {"Authorization": "x"}})],
        "closed 4403",
    ),
    "a token of 900 kB": (
        [message({"type": "connection_init", "payload": {"Authorization": "Bearer " + "a" * 900_000}})],
        "closed 4403",
    ),
    "50,000 tokens": (
        [message({"type": "connection_init", "payload": {f"authorization{n}": "x" for n in range(20_000)}})],
        OPEN,
    ),
    "a deep payload": ([message(b'{"type":"connection_init","payload":' + b"[" * 900 + b"]" * 900 + b"}")], BAD),
    "too deep a payload": ([message(b'{"type":"ping","payload":' + b"[" * 100_000)], BAD),
    "binary JSON": ([frame(BINARY, b'{"type":"ping"}')], BAD),
    "text that is not UTF-8": ([frame(TEXT, b'{"type":"\xff"}')], "closed 1007"),
    "a lone surrogate": ([message(b'{"type":"\\ud800"}')], BAD),
    "a message of 2 MiB": ([frame(TEXT, b" " * (2 << 20))], "closed 1009"),
    "a frame that promises 2^62 bytes": ([head(TEXT, 1 << 62) + b"a" * 1_000], "closed 1009|closed 1002"),
    "a frame that promises 2^63 bytes": ([head(TEXT, 1 << 63) + b"a" * 1_000], "closed 1009|closed 1002"),
    "fragments of 2 MiB": ([frame(TEXT, b" ", fin=False), *[frame(0, b" " * 65_536, fin=False)] * 32], "closed 1009"),
    "5,000 fragments of nothing": (
        [frame(TEXT, b'{"type":"ping"}', fin=False), *[frame(CONTINUATION, fin=False)] * 5_000, frame(CONTINUATION)],
        f"{OPEN}|closed 1009",
    ),
    "a continuation of nothing": ([frame(CONTINUATION, b"a")], PROTOCOL_ERROR),
    "a message within another": ([frame(TEXT, b"{", fin=False), frame(TEXT, b"}")], PROTOCOL_ERROR),
    "a fragmented ping": ([frame(PING, b"a", fin=False)], PROTOCOL_ERROR),
    "a ping of 126 bytes": ([frame(PING, b"a" * 126)], PROTOCOL_ERROR),
    "a pong that nobody asked for": ([frame(PONG, b"a")] * 1_000, OPEN),
    "a reserved bit": ([frame(TEXT, b"{}", rsv=4)], PROTOCOL_ERROR),
    "a reserved opcode": ([frame(3, b"a")], PROTOCOL_ERROR),
    "a reserved control opcode": ([frame(11, b"a")], PROTOCOL_ERROR),
    "a frame without a mask": ([frame(TEXT, b'{"type":"ping"}', masked=False)], PROTOCOL_ERROR),
    "a close without a code": ([frame(CLOSE)], "closed 0|closed 1005|closed 1000"),
    "a close of one byte": ([frame(CLOSE, b"a")], PROTOCOL_ERROR),
    "a close with code 999": ([frame(CLOSE, (999).to_bytes(2, "big"))], PROTOCOL_ERROR),
    "a close with code 1006": ([frame(CLOSE, (1006).to_bytes(2, "big"))], PROTOCOL_ERROR),
    "a close that is not UTF-8": ([frame(CLOSE, b"\x03\xe8\xff\xfe")], "closed 1007|closed 1002|closed 1000"),
    "messages after a close": ([frame(CLOSE, b"\x03\xe8"), message({"type": "ping"})], "closed 1000"),
}
# Sent by a client that has initialised.
AFTER: dict[str, tuple[list[bytes], str]] = {
    "no id": ([message({"type": "subscribe", "payload": QUERY})], BAD),
    "an id that is a number": ([subscribe(1, QUERY)], BAD),
    "an id that is null": ([subscribe(None, QUERY)], BAD),
    "an empty id": ([subscribe("", QUERY)], BAD),
    "an id of 201 characters": ([subscribe("a" * 201, QUERY)], BAD),
    "an id of NUL": ([subscribe("\0", QUERY)], OPEN),
    "an id of every quote": ([subscribe("\"'\\</script>", QUERY)], OPEN),
    "no payload": ([message({"id": "1", "type": "subscribe"})], BAD),
    "a payload of a list": ([subscribe("1", [])], BAD),
    "a payload of a text": ([subscribe("1", "{ __typename }")], BAD),
    "no query": ([subscribe("1", {})], BAD),
    "a query that is a number": ([subscribe("1", {"query": 1})], BAD),
    "variables that are a list": ([subscribe("1", {**QUERY, "variables": [1]})], BAD),
    "a name that is a number": ([subscribe("1", {**QUERY, "operationName": 1})], BAD),
    "a document that does not parse": ([subscribe("1", {"query": "{"})], OPEN),
    "a lone surrogate in the document": ([message(b'{"id":"1","type":"subscribe","payload":{"query":"\\ud800"}}')], f"{BAD}|{OPEN}"),
    "a document of 900 kB": ([subscribe("1", {"query": "{ __typename }" + " " * 900_000})], OPEN),
    "a subscription to nothing": ([subscribe("1", {"query": "subscription { nothing }"})], OPEN),
    "two fields in a subscription": ([subscribe("1", {"query": "subscription { updates { id } positions { inspector { id } } }"})], OPEN),
    "introspection in a subscription": ([subscribe("1", {"query": "subscription { __typename }"})], OPEN),
    "a subscription that is skipped": ([subscribe("1", {"query": "subscription { updates @skip(if: true) { id } }"})], OPEN),
    "completing what is not there": ([message({"id": "nothing", "type": "complete"})] * 1_000, OPEN),
    "completing without an id": ([message({"type": "complete"})], BAD),
    "completing a number": ([message({"id": 1, "type": "complete"})], BAD),
    "a result from the client": ([message({"id": "1", "type": "next", "payload": {}})], BAD),
    "an error from the client": ([message({"id": "1", "type": "error", "payload": []})], BAD),
    "a filter of 3,000 zones": (
        [subscribe("1", {"query": "subscription { updates(filter: { zones: [" + "1 " * 3_000 + "] }) { id } }"})],
        OPEN,
    ),
    "a subscription of 2,000 aliases": (
        [subscribe("1", {"query": "subscription { updates { " + repeated("a#: id", 2_000) + " } }"})],
        OPEN,
    ),
    "a subscription of everything": (
        [subscribe("1", {"query": "subscription { updates { enterprise { hazards(first: 1000) { nodes { enterprise {"
                         " inspections(first: 1000) { nodes { id } } } } } } } }"})],
        OPEN,
    ),
}  # fmt: skip


def frames_case(
    name: str, frames: Iterable[bytes], expected: str, *, initialised: bool, viewers: Iterable[str]
) -> Case:
    async def attack(target: Target) -> list[str]:
        faults = []
        for viewer in viewers:
            async with opened(target, viewer, initialised=initialised) as socket:
                socket.send(*frames)
                outcome = await socket.outcome()
                target.count(outcome)
                if outcome not in expected.split("|"):
                    faults.append(f"{viewer}: {outcome}, expected {expected}")
                if "INTERNAL" in socket.codes:
                    faults.append(f"{viewer}: INTERNAL")
        return faults

    return Case(GROUP, name, attack)


def handshake_cases() -> Iterator[Case]:
    for name, (lines, expected) in HANDSHAKES.items():
        request = HANDSHAKE + AUTHORIZATION + lines + b"\r\n"
        yield request_case(GROUP, f"handshake: {name}", request, expected)
    for name, (line, other, expected) in HANDSHAKE_LINES.items():
        request = HANDSHAKE.replace(line, other) + PROTOCOL + b"\r\n"
        yield request_case(GROUP, f"handshake: {name}", request, expected, viewers=[NOBODY])


def cases() -> Iterator[Case]:
    yield from handshake_cases()
    for name, (frames, expected) in BEFORE.items():
        yield frames_case(f"before: {name}", frames, expected, initialised=False, viewers=[NOBODY])
    for name, (frames, expected) in AFTER.items():
        yield frames_case(f"after: {name}", frames, expected, initialised=True, viewers=[NOBODY, WALL])
    twice = [subscribe("1", {"query": UPDATES})] * 2
    yield frames_case("after: the same id twice", twice, "closed 4409", initialised=True, viewers=[WALL])
    # The first one is refused, and the second may come before or after that.
    yield frames_case("after: the same refused id twice", twice, "closed 4409|open", initialised=True, viewers=[NOBODY])
