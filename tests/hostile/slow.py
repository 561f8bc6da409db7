"""Clients that are slow on purpose: heads and bodies byte by byte, connections that say nothing, answers never read.

The server ends each of them within a time; nobody else notices. They wait for the server's own clocks, so they run in
proofs only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

from tests.hostile.case import AUTHORIZATION, COMMANDER, HOST, NOBODY, WALL, Case, Target, faults_of, operation
from tests.hostile.raw_http import Connection, NoAnswerError, connected
from tests.hostile.raw_socket import HANDSHAKE
from tests.hostile.sizes import QUERIES

GROUP = "slow"
ENDED_SECONDS = 90.0  # after which no slow client may have its connection any more
COUNT = 100
HEAD = b"POST /graphql HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Type: application/json\r\n" + AUTHORIZATION
UPLOAD = b"POST /evidence HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Type: image/png\r\n" + AUTHORIZATION
SIGN_IN = b"POST /auth/sign-in HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Type: application/json\r\n"
LENGTH, CHUNKED = b"Content-Length: 1000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"

# What is sent at once, and then again and again each second; and who sends it.
DRIPS: dict[str, tuple[bytes, bytes, str]] = {
    "a request line letter by letter": (b"P", b"O", NOBODY),
    "a head letter by letter": (HEAD + b"X-A: ", b"a", WALL),
    "headers line by line": (HEAD, b"X-A: a\r\n", WALL),
    "empty lines before the request": (b"\r\n", b"\r\n", NOBODY),
    "a body byte by byte": (HEAD + LENGTH, b" ", WALL),
    "a body of nobody byte by byte": (HEAD + LENGTH, b" ", NOBODY),
    "chunk by chunk": (HEAD + CHUNKED, b"1\r\n \r\n", WALL),
    "a chunk's size digit by digit": (HEAD + CHUNKED, b"0", WALL),
    "a chunk's extension": (HEAD + CHUNKED + b"1;", b"a", WALL),
    "trailers line by line": (HEAD + CHUNKED + b"1\r\n \r\n0\r\n", b"X: a\r\n", WALL),
    "an upload byte by byte": (UPLOAD + LENGTH, b"a", COMMANDER),
    "a sign-in byte by byte": (SIGN_IN + LENGTH, b" ", NOBODY),
    "a handshake line by line": (HANDSHAKE, b"X-A: a\r\n", NOBODY),
}
# What is sent and then nothing.
SILENT: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", NOBODY),
    "half a request line": (b"POST /gra", NOBODY),
    "a head without its end": (HEAD, WALL),
    "a head without its body": (HEAD + LENGTH, WALL),
    "a head that expects to be continued": (HEAD + b"Expect: 100-continue\r\n" + LENGTH, WALL),
    "half a body": (HEAD + LENGTH + b'{"query":', WALL),
    "half a chunk": (HEAD + CHUNKED + b"ffff\r\nabc", WALL),
    "an answered request": (operation("{ __typename }"), WALL),
}


def waiting_case(name: str, begin: bytes, again: bytes, viewer: str) -> Case:
    """So many such clients at once. The server ends each, by an answer where a request has begun."""

    async def one(target: Target) -> str:
        async with connected(target.port) as connection:
            connection.send(target.filled(begin, viewer))
            dripping = asyncio.create_task(drip(connection, again))
            try:
                async with asyncio.timeout(ENDED_SECONDS):
                    return await until_closed(connection)
            except TimeoutError:
                return "never ended"
            finally:
                dripping.cancel()

    async def attack(target: Target) -> list[str]:
        outcomes = await asyncio.gather(*(one(target) for _ in range(COUNT)))
        for outcome in outcomes:
            target.count(outcome)
        answer = await target.ask(operation("{ zones { name } }"), COMMANDER)
        faults = faults_of(answer.outcome, "200 data", "another viewer's query")
        allowed = ("closed", "408", "413", "431", "400", "401", "200")
        return faults + sorted({outcome for outcome in outcomes if not outcome.startswith(allowed)})

    return Case(GROUP, name, attack, long=True)


async def drip(connection: Connection, again: bytes) -> None:
    while again:
        await asyncio.sleep(1)
        connection.send(again)


async def until_closed(connection: Connection) -> str:
    """The last answer until the server closes, or `closed` without one."""
    outcome = "closed"
    try:
        while True:
            outcome = (await connection.answer()).outcome
    except NoAnswerError:
        closed = await connection.closed()
        return outcome if closed else "never ended"


async def readers(target: Target, query: str, viewer: str, count: int) -> list[str]:
    """Clients that ask for megabytes on one connection and read a byte each second."""

    async def one() -> str:
        async with connected(target.port) as connection:
            connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
            connection.send(target.filled(operation(query), viewer) * 30)
            await asyncio.sleep(ENDED_SECONDS / 2)
            connection.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
            try:
                async with asyncio.timeout(ENDED_SECONDS):
                    return "closed" if await connection.closed() else "never ended"
            except TimeoutError:
                return "never ended"

    outcomes = await asyncio.gather(*(one() for _ in range(count)))
    for outcome in outcomes:
        target.count(outcome)
    return sorted({outcome for outcome in outcomes if outcome != "closed"})


async def large_answers(target: Target) -> list[str]:
    return await readers(target, QUERIES["1,000 enterprises"], WALL, 20)


async def idle_connections(target: Target) -> list[str]:
    """1,000 connections that say nothing: others still get one."""
    async with AsyncExitStack() as stack:
        for _ in range(1_000):
            await stack.enter_async_context(connected(target.port))
        answers = [await target.ask(operation("{ __typename }"), COMMANDER) for _ in range(20)]
    for answer in answers:
        target.count(answer.outcome)
    return [one for answer in answers for one in faults_of(answer.outcome, "200 data")]


SCRIPTS: dict[str, Callable[[Target], Awaitable[list[str]]]] = {
    "large answers that nobody reads": large_answers,
    "1,000 idle connections": idle_connections,
}


def cases() -> Iterator[Case]:
    for name, (begin, again, viewer) in DRIPS.items():
        yield waiting_case(name, begin, again, viewer)
    for name, (begin, viewer) in SILENT.items():
        yield waiting_case(f"then silence: {name}", begin, b"", viewer)
    for name, attack in SCRIPTS.items():
        yield Case(GROUP, name, attack, long=True)
