"""Server-sent events and multipart: streams that are reserved, opened, filled and left without being read."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import orjson

from tests.hostile.case import (
    COMMANDER,
    GRAPHQL,
    NOBODY,
    WALL,
    Case,
    Target,
    faults_of,
    fits,
    http,
    operation,
    post,
    request_case,
)
from tests.hostile.raw_http import connected
from tests.hostile.sizes import QUERIES
from tests.hostile.sockets import UPDATES
from tests.support.patience import PATIENCE

GROUP = "streams"
EVENTS, PARTS = b"text/event-stream", b"multipart/mixed"
STREAM = b"/graphql/stream"
REFUSED = "400|401 UNAUTHENTICATED"
TOKEN = b"X-GraphQL-Event-Stream-Token: "
LIMITED = "201|429 TOO_MANY|503 TOO_MANY|503 BUSY"
CURSORS = (b"x", b"-1", b"9" * 5_000, b"\xff\xfe", b"0" * 16 + b"-1", b"'; DROP TABLE event; --", "１-１".encode())


def streaming(query: str, media: bytes, *headers: bytes) -> bytes:
    return post(orjson.dumps({"query": query}), *headers).replace(GRAPHQL, media)


def single(method: bytes, token: bytes = b"x", body: bytes | None = None, more: bytes = b"") -> bytes:
    return http(method, STREAM + more, b"Content-Type: application/json", TOKEN + token, body=body)


def operation_of(id: object, query: str = UPDATES) -> bytes:
    return orjson.dumps({"query": query, "extensions": {"operationId": id}})


async def reserve(target: Target, viewer: str = WALL) -> bytes:
    """The token of a new reserved stream."""
    answer = await target.ask(http(b"PUT", STREAM), viewer)
    target.count(str(answer.status))
    return answer.body if answer.status == 201 else b"refused"


def left_case(name: str, request: bytes, count: int, seconds: float) -> Case:
    """So many streams that are opened, never read, and left after a while."""

    async def attack(target: Target) -> list[str]:
        async with AsyncExitStack() as stack:
            for _ in range(count):
                connection = await stack.enter_async_context(connected(target.port))
                connection.send(target.filled(request, WALL))
                target.count("left")
            answer = await target.ask(operation("{ zones { name } }"), COMMANDER)
            await asyncio.sleep(seconds)  # nothing is waited for: the server goes on while nobody reads
            return faults_of(answer.outcome, "200 data", "another viewer's query")

    return Case(GROUP, name, attack)


def scripted(name: str, attack: Callable[[Target], Awaitable[list[str]]], *, long: bool = False) -> Case:
    return Case(GROUP, name, attack, long)


async def many_reservations(target: Target) -> list[str]:
    faults = []
    for _ in range(500):
        answer = await target.ask(http(b"PUT", STREAM), WALL)
        outcome = str(answer.status) if answer.status == 201 else answer.outcome
        target.count(outcome)
        faults += faults_of(outcome, LIMITED)
    return faults[:3]


async def operations_without_opening(target: Target) -> list[str]:
    """300 operations on a stream that nobody opens."""
    token, faults = await reserve(target, COMMANDER), []
    for number in range(300):
        answer = await target.ask(single(b"POST", token, operation_of(str(number))), COMMANDER)
        target.count(answer.outcome)
        faults += faults_of(answer.outcome, "202|429|503 BUSY|404 NOT_FOUND")
    return faults[:3]


async def large_answers_without_reading(target: Target) -> list[str]:
    """Megabytes for a stream that is opened and not read."""
    token, faults = await reserve(target, COMMANDER), []
    async with connected(target.port) as connection:
        connection.send(target.filled(http(b"GET", STREAM, b"Accept: " + EVENTS, TOKEN + token), COMMANDER))
        for number in range(60):
            body = operation_of(str(number), QUERIES["1,000 enterprises"])
            answer = await target.ask(single(b"POST", token, body), COMMANDER)
            target.count(answer.outcome)
            faults += faults_of(answer.outcome, "202|429|503 BUSY|404 NOT_FOUND")
    return faults[:3]


async def a_stranger(target: Target) -> list[str]:
    """Another viewer and nobody use a stream that is not theirs."""
    token, faults = await reserve(target, COMMANDER), []
    for viewer in (WALL, NOBODY):
        for request in (
            single(b"POST", token, operation_of("1")),
            single(b"DELETE", token, more=b"?operationId=1"),
            http(b"GET", STREAM, b"Accept: " + EVENTS, TOKEN + token[:-1]),
        ):
            answer = await target.ask(request, viewer)
            target.count(answer.outcome)
            faults += faults_of(answer.outcome, "404 NOT_FOUND|401 UNAUTHENTICATED", viewer)
    return faults


async def opened_twice(target: Target) -> list[str]:
    token, faults = await reserve(target, COMMANDER), []
    request = target.filled(http(b"GET", STREAM, b"Accept: " + EVENTS, TOKEN + token), COMMANDER)
    async with connected(target.port) as first, connected(target.port) as second:
        first.send(request)
        await first.reader.readuntil(b"\r\n\r\n")
        second.send(request)
        outcome = (await second.answer()).outcome
        target.count(outcome)
        faults += faults_of(outcome, "409 BAD_REQUEST|404 NOT_FOUND")
    return faults


async def wrong_operations(target: Target) -> list[str]:
    token, faults = await reserve(target, COMMANDER), []
    ids: tuple[object, ...] = (None, 1, [], {}, "", "a" * 100_000, "\0")
    bodies = [operation_of(id) for id in ids]
    bodies += [b"{}", b"[]", b"null", b"{", b"\xff", operation_of("2", "{"), operation_of("3", "{ nothing }")]
    for body in bodies:
        answer = await target.ask(single(b"POST", token, body), COMMANDER)
        target.count(answer.outcome)
        if not fits(answer.outcome, "202|400|404 NOT_FOUND|409"):
            faults.append(f"{answer.outcome} for {body[:100]!r}")
    return faults


async def streams_of_events(target: Target) -> list[str]:
    """50 streams whose clients read the head and vanish."""
    faults = []
    for media in (EVENTS, PARTS):
        for _ in range(25):
            async with connected(target.port) as connection:
                connection.send(target.filled(streaming(UPDATES, media), WALL))
                try:
                    head = await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), PATIENCE)
                except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
                    faults.append(f"no answer: {error!r}")
                    continue
                target.count(head.split(b" ")[1].decode())
                if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 429", b"HTTP/1.1 503")):
                    faults.append(head[:100].decode("latin-1"))
    return faults


def single_cases() -> Iterator[Case]:
    for method in (b"GET", b"POST", b"DELETE"):
        for token in (b"", b"x", b"a" * 50_000, b"\xff\xfe", b"../.."):
            name = f"{method.decode()} of a stream {token[:10]!r}"
            expected = f"404 NOT_FOUND|{REFUSED}"
            yield request_case(GROUP, name, single(method, token, body=operation_of("1")), expected)
    yield request_case(
        GROUP, "PUT with a body of 4 MiB", single(b"PUT", body=b"a" * (4 << 20)), f"{LIMITED}|413|{REFUSED}"
    )
    yield request_case(GROUP, "PATCH of a stream", single(b"PATCH"), "405|401 UNAUTHENTICATED")
    yield scripted("500 reservations of one viewer", many_reservations)
    yield scripted("300 operations on a stream that is not open", operations_without_opening)
    yield scripted("60 large answers on a stream that is not read", large_answers_without_reading)
    yield scripted("a stranger's stream", a_stranger)
    yield scripted("a stream opened twice", opened_twice)
    yield scripted("operations of the wrong form", wrong_operations)


def cases() -> Iterator[Case]:
    for media in (EVENTS, PARTS):
        name = media.decode()
        for query in (
            "{",
            "subscription { nothing }",
            "subscription { __typename }",
            "subscription { updates { id } } x",
        ):
            yield request_case(GROUP, f"{name}: {query}", streaming(query, media), f"{REFUSED}|200 BAD_DOCUMENT")
        yield request_case(GROUP, f"{name}: a query", streaming("{ __typename }", media), "200|401 UNAUTHENTICATED")
        mutation = streaming("mutation { __typename }", media)
        yield request_case(GROUP, f"{name}: a mutation", mutation, "200|401 UNAUTHENTICATED")
        for cursor in CURSORS:
            request = streaming(UPDATES, media, b"Last-Event-ID: " + cursor)
            expected = f"{REFUSED}|200 BAD_CURSOR|200 CURSOR_FOREIGN"
            yield request_case(GROUP, f"{name}: the cursor {cursor[:20]!r}", request, expected)
        yield left_case(f"{name}: 30 streams that nobody reads", streaming(UPDATES, media), 30, 1)
    without = http(b"GET", b"/graphql?query=subscription%7Bupdates%7Bid%7D%7D", b"Accept: application/json")
    yield request_case(GROUP, "a subscription without a stream", without, REFUSED)
    yield scripted("50 streams whose clients vanish", streams_of_events)
    yield from single_cases()
