"""Legal messages in masses: pings, subscriptions, sockets that do nothing, readers that do not read."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

from tests.hostile.bounds import bodies_of, schema
from tests.hostile.case import COMMANDER, NOBODY, WALL, Case, Target, faults_of, operation
from tests.hostile.raw_http import NoAnswerError, connected
from tests.hostile.raw_socket import HANDSHAKE, PING, PROTOCOL, RawSocket, frame, message, opened
from tests.hostile.sizes import QUERIES
from tests.hostile.sockets import QUERY, UPDATES, subscribe

GROUP = "sockets"
EVENT = operation('mutation { warningIssue(input: { kind: RAINSTORM, level: BLUE, headline: "x" }) { __typename } }')
HANDSHAKE_OF_NOBODY = HANDSHAKE + PROTOCOL + b"\r\n"
ENDED = {"open", "closed 4410", "closed 4429", "closed 4403", "closed 1013"}
KNOWN = {"TOO_MANY", "BUSY", "UNAUTHENTICATED"}


def judged(target: Target, socket: RawSocket, outcome: str, allowed: set[str]) -> list[str]:
    """The faults of a socket after a storm: how it ended, and codes of errors that do not belong there."""
    target.count(outcome)
    wrong = socket.codes - KNOWN - allowed
    return ([] if outcome in ENDED else [outcome]) + [f"codes {sorted(wrong)}" for _ in [0] if wrong]


def flood(name: str, frames: list[bytes], *codes: str) -> Case:
    """All these frames at once on one socket."""

    async def attack(target: Target) -> list[str]:
        async with opened(target, WALL) as socket:
            socket.send(b"".join(frames))
            return judged(target, socket, await socket.outcome(), set(codes))

    return Case(GROUP, f"storm: {name}", attack)


FLOODS = {
    "20,000 pings of the protocol": [message({"type": "ping"})] * 20_000,
    "20,000 pings of frames": [frame(PING, b"a")] * 20_000,
    "20,000 pongs of the protocol": [message({"type": "pong"})] * 20_000,
    "pings of 900 kB": [message({"type": "ping", "payload": {"a": "b" * 900_000}})] * 8,
    "3,000 queries of one id each": [subscribe(str(n), QUERY) for n in range(3_000)],
    "3,000 subscriptions that end at once": [
        one
        for n in range(3_000)
        for one in (subscribe(str(n), {"query": UPDATES}), message({"id": str(n), "type": "complete"}))
    ],
    "3,000 queries that end at once": [
        one
        for n in range(3_000)
        for one in (
            subscribe(str(n), {"query": QUERIES["1,000 enterprises"]}),
            message({"id": str(n), "type": "complete"}),
        )
    ],
    "3,000 documents that do not parse": [subscribe(str(n), {"query": "{" * (n + 1)}) for n in range(3_000)],
    "200 subscriptions at once": [subscribe(str(n), {"query": UPDATES}) for n in range(200)],
    "500 portraits": [
        subscribe(str(n), {"query": f'subscription {{ portrait(of: "{n}") {{ hazardsOpen }} }}'}) for n in range(500)
    ],
    "20 queries of the largest size": [subscribe(str(n), {"query": QUERIES["1,000 enterprises"]}) for n in range(20)],
}
CODES = ("BAD_DOCUMENT", "BAD_ID", "TOO_COSTLY", "TOO_LARGE", "TIMEOUT")


async def distinct_documents(target: Target) -> list[str]:
    """1,000 different documents of one viewer, then events: another viewer must not feel them."""
    faults = []
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(target, WALL)) for _ in range(20)]
        for number, socket in enumerate(sockets):
            texts = (f"subscription {{ updates {{ a{number * 50 + n}: id kind }} }}" for n in range(50))
            socket.send(*(subscribe(str(n), {"query": text}) for n, text in enumerate(texts)))
            faults += judged(target, socket, await socket.outcome(), set())
        for _ in range(3):
            answer = await target.ask(EVENT, COMMANDER)
            faults += faults_of(answer.outcome, "200 data", "the event")
        for socket in sockets:
            faults += judged(target, socket, await socket.outcome(), set())
    return faults


async def idle_sockets(target: Target) -> list[str]:
    """300 sockets that never say who they are, and go."""
    faults = []
    async with AsyncExitStack() as stack:
        for _ in range(300):
            connection = await stack.enter_async_context(connected(target.port))
            connection.send(target.filled(HANDSHAKE_OF_NOBODY, NOBODY))
            try:
                target.count((await connection.answer()).outcome)
            except NoAnswerError as error:
                faults.append(f"no answer: {error}")
    return faults


async def never_initialised(target: Target) -> list[str]:
    """A socket that never says who it is ends by 4408."""
    async with opened(target, NOBODY, initialised=False) as socket:
        outcome = await socket.until(lambda: False)
        target.count(outcome)
        return [] if outcome == "closed 4408" else [outcome]


async def vanishing(target: Target) -> list[str]:
    """100 sockets with subscriptions and heavy queries whose clients vanish at once."""

    async def one() -> None:
        async with opened(target, WALL) as socket:
            socket.send(
                subscribe("1", {"query": UPDATES}),
                subscribe("2", {"query": QUERIES["1,000 enterprises"]}),
            )
            await asyncio.sleep(0.02)  # so that some of it is at the server; it need not be

    await asyncio.gather(*(one() for _ in range(100)))
    target.count("vanished")
    return []


async def never_reading(target: Target) -> list[str]:
    """Sockets that ask for megabytes and read nothing of them."""
    async with AsyncExitStack() as stack:
        for _ in range(10):
            socket = await stack.enter_async_context(opened(target, WALL))
            await socket.stop_reading()
            query = {"query": QUERIES["1,000 enterprises"]}
            socket.send(*(subscribe(str(n), query) for n in range(50)))
        answer = await target.ask(operation("{ zones { name } }"), COMMANDER)
        await asyncio.sleep(2)  # nothing is waited for: the server goes on while nobody reads
        target.count("not read")
        return faults_of(answer.outcome, "200 data", "another viewer's query")


async def half_handshakes(target: Target) -> list[str]:
    """200 connections that begin a handshake and leave it."""
    async with AsyncExitStack() as stack:
        for _ in range(200):
            connection = await stack.enter_async_context(connected(target.port))
            connection.send(target.filled(HANDSHAKE_OF_NOBODY, NOBODY)[:120])
        await asyncio.sleep(0.2)  # as above
        target.count("half")
    return []


def argument_case(name: str, argument: str) -> Case:
    """A subscription's argument with the values of `bounds`."""
    root = schema().subscription_type
    assert root is not None
    field = root.fields[name]

    async def attack(target: Target) -> list[str]:
        faults: list[str] = []
        for path, bodies in bodies_of("Subscription", name, field, argument):
            for body in bodies:
                async with opened(target, COMMANDER) as socket:
                    socket.send(message(b'{"id":"1","type":"subscribe","payload":' + body + b"}"))
                    # The answer to a query that is sent after it shows that it was looked at.
                    socket.send(subscribe("2", {"query": "{ zones { id } }"}))
                    outcome = await socket.until(lambda: any(one.get("id") == "2" for one in socket.messages))
                    target.count(outcome)
                    # A lone surrogate and a number beyond JSON's libraries are no message at all.
                    if outcome not in ("enough", "closed 4400") or "INTERNAL" in socket.codes:
                        faults.append(f"{path}: {outcome} {socket.codes} for {body[-100:]!r}")
        return faults

    return Case(GROUP, f"argument: {name}({argument})", attack)


def cases() -> Iterator[Case]:
    for name, frames in FLOODS.items():
        yield flood(name, frames, *CODES)
    yield Case(GROUP, "storm: 1,000 distinct live documents", distinct_documents)
    yield Case(GROUP, "storm: 300 idle sockets", idle_sockets)
    yield Case(GROUP, "storm: never initialised", never_initialised, long=True)
    yield Case(GROUP, "storm: 100 clients vanish", vanishing)
    yield Case(GROUP, "storm: never reading", never_reading)
    yield Case(GROUP, "storm: half a handshake", half_handshakes)
    root = schema().subscription_type
    assert root is not None
    for name, field in root.fields.items():
        for argument in field.args:
            yield argument_case(name, argument)
