"""The limits of rates and numbers hold for the viewer and the address that exceed them, and for nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.hostile.case import COMMANDER, NOBODY, WALL, Case, Target, faults_of, http, operation
from tests.hostile.raw_http import Answer, connected
from tests.hostile.raw_socket import message, opened
from tests.hostile.runner import run
from tests.hostile.sockets import subscribe
from tests.hostile.watch import Watch
from tests.support.patience import PATIENCE

SETTINGS = {
    "HUHANG_OPERATIONS_PER_MINUTE": "3000",  # another viewer of these tests asks 1,200 times a minute
    "HUHANG_ANONYMOUS_PER_MINUTE": "30",
    "HUHANG_FAILED_TOKENS_PER_MINUTE": "10",
    "HUHANG_STREAMS_PER_VIEWER": "20",
    "HUHANG_SUBSCRIPTIONS_PER_VIEWER": "50",
    "HUHANG_LIVE_DOCUMENTS_PER_VIEWER": "10",
}
ASK = operation("{ __typename }")
BAD_TOKEN = http(b"POST", b"/graphql", b"Content-Type: application/json", b"Authorization: Bearer x", body=b"{}")
ELSEWHERE = "127.0.0.2"  # another address of this machine


async def many(target: Target, request: bytes, viewer: str, count: int, source: str | None = None) -> list[Answer]:
    """The answers to so many equal requests on one connection."""
    async with connected(target.port, source) as connection:
        connection.send(target.filled(request, viewer) * count)
        answers = [await connection.answer() for _ in range(count)]
    for answer in answers:
        target.count(answer.outcome)
    return answers


def judged(answers: list[Answer], served: str) -> list[str]:
    """Some are served and some refused; the refused ones say when to come back."""
    faults = [one for answer in answers for one in faults_of(answer.outcome, f"{served}|429 TOO_MANY|503 BUSY")]
    refused = [answer for answer in answers if answer.status in (429, 503)]
    faults += [] if refused else ["nothing was refused"]
    faults += [] if len(refused) < len(answers) else ["everything was refused"]
    return faults[:3] + [f"no Retry-After: {one.outcome}" for one in refused if "retry-after" not in one.headers][:1]


async def still_served(target: Target, viewer: str = COMMANDER, source: str | None = None) -> list[str]:
    answers = await many(target, ASK, viewer, 1, source)
    return faults_of(answers[0].outcome, "200 data", f"{viewer} afterwards")


async def operations_of_a_viewer(target: Target) -> list[str]:
    return judged(await many(target, ASK, WALL, 4_000), "200 data") + await still_served(target)


async def operations_without_a_token(target: Target) -> list[str]:
    answers = await many(target, operation("{ __schema { queryType { name } } }"), NOBODY, 100, ELSEWHERE)
    faults = judged(answers, "200 data")
    other = await many(target, operation("{ __schema { queryType { name } } }"), NOBODY, 1)
    return faults + faults_of(other[0].outcome, "200 data", "another address") + await still_served(target)


async def invalid_tokens(target: Target) -> list[str]:
    """They are slowed down, and another viewer of the same address is not."""
    faults = judged(await many(target, BAD_TOKEN, NOBODY, 50, ELSEWHERE), "401 UNAUTHENTICATED")
    return faults + await still_served(target, source=ELSEWHERE) + await still_served(target)


async def sockets_of_a_viewer(target: Target) -> list[str]:
    refused = 0
    async with AsyncExitStack() as stack:
        for _ in range(30):
            socket = await stack.enter_async_context(opened(target, WALL, initialised=False))
            payload = {"Authorization": f"Bearer {target.tokens[WALL]}"}
            socket.send(message({"type": "connection_init", "payload": payload}))
            outcome = await socket.until(lambda: socket.messages)  # noqa: B023  # it is awaited here
            target.count(outcome)
            refused += outcome == "closed 4412"
        faults = await still_served(target)
    return faults if refused == 10 else [*faults, f"{refused} of 30 were refused"]


async def documents_of_a_viewer(target: Target) -> list[str]:
    async with opened(target, WALL) as socket:
        texts = (f"subscription {{ updates {{ a{number}: id }} }}" for number in range(30))
        socket.send(*(subscribe(str(number), {"query": text}) for number, text in enumerate(texts)))
        await socket.until(lambda: len(socket.messages) == 20)
        codes = [one["payload"][0]["extensions"]["code"] for one in socket.messages]
        target.count(await socket.outcome())
    faults = [] if codes == ["TOO_MANY"] * 20 else [str(codes)]
    return faults + await still_served(target)


async def subscriptions_of_a_viewer(target: Target) -> list[str]:
    async with opened(target, WALL) as socket:
        frames = (subscribe(str(number), {"query": "subscription { updates { id } }"}) for number in range(80))
        socket.send(*frames)
        await socket.until(lambda: len(socket.messages) == 30)
        target.count(await socket.outcome())
        return [] if socket.codes == {"TOO_MANY"} else [str(socket.codes)]


async def reservations_of_a_viewer(target: Target) -> list[str]:
    request = http(b"PUT", b"/graphql/stream")
    answers = [await target.ask(request, WALL) for _ in range(30)]
    return judged(answers, "201") + await still_served(target)


async def vanished_sockets(target: Target) -> list[str]:
    """Sockets whose clients are gone no longer count."""
    for _ in range(3):
        async with AsyncExitStack() as stack:
            for _ in range(15):
                await opened_at_last(target, stack)
    target.count("vanished")
    return []


async def opened_at_last(target: Target, stack: AsyncExitStack) -> None:
    """Open a socket as soon as those of clients that are gone do not count any more."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await stack.enter_async_context(opened(target, WALL))
                return
            except AssertionError:
                await asyncio.sleep(0.02)


LIMITS: dict[str, Callable[[Target], Awaitable[list[str]]]] = {
    "sockets": sockets_of_a_viewer,
    "vanished sockets": vanished_sockets,
    "different subscriptions": documents_of_a_viewer,
    "subscriptions": subscriptions_of_a_viewer,
    "reservations": reservations_of_a_viewer,
    "invalid tokens": invalid_tokens,
    "operations without a token": operations_without_a_token,
    "operations": operations_of_a_viewer,
}


@pytest.mark.parametrize("name", LIMITS)
async def test_a_limit_holds(name: str, target: Target, watch: Watch) -> None:
    report = await run([Case("limits", name, LIMITS[name])], target, watch)
    assert not report.faults, "\n".join(report.faults)
