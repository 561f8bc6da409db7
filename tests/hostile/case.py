"""A case of the hostile corpus: what is sent to the server, and what must come back."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from tests.hostile.raw_http import Answer, NoAnswerError, connected

GRAPHQL = b"application/graphql-response+json"
NOBODY, WALL, COMMANDER, ENTERPRISE = "nobody", "wall", "commander", "enterprise"
# Replaced when a request is sent.
HOST, AUTHORIZATION = b"@HOST@", b"@AUTHORIZATION@"
REFUSED = "401 UNAUTHENTICATED"
# A server that is full or ends says so in these words; every other status from 500 on is a fault.
INSIDE = (b"Traceback", b"sqlalchemy", b"asyncpg", b"sqlite3", b"SELECT ", b'.py"', b"site-packages")
UNAVAILABLE = {"503 BUSY", "503 ENDING", "503 UNAVAILABLE", "503 TOO_MANY"}


@dataclass
class Target:
    """The server under attack, and what was seen of it."""

    port: int
    tokens: Mapping[str, str]  # by viewer; none for NOBODY
    requests: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def filled(self, request: bytes, viewer: str) -> bytes:
        """A request with the server's address, and with the viewer's token if there is one."""
        token = self.tokens.get(viewer)
        line = b"" if token is None else b"Authorization: Bearer " + token.encode() + b"\r\n"
        return request.replace(HOST, self.host.encode()).replace(AUTHORIZATION, line)

    def count(self, outcome: str) -> None:
        self.requests += 1
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    async def ask(self, request: bytes, viewer: str = NOBODY, *, head: bool = False) -> Answer:
        """Send one request on a connection of its own. Raises NoAnswerError."""
        async with connected(self.port) as connection:
            connection.send(self.filled(request, viewer))
            return await connection.answer(head=head)


Attack = Callable[[Target], Awaitable[list[str]]]


@dataclass(frozen=True)
class Case:
    """`attack` returns the faults of the server. `long` cases run in `make prove` only."""

    group: str
    name: str
    attack: Attack
    long: bool = False


def fits(outcome: str, expected: str) -> bool:
    """Whether an outcome is expected, such as `200 data|400 BAD_ID`. A bare status stands for any code."""
    wanted = expected.split("|")
    return outcome in wanted or outcome.split(" ")[0] in wanted


def faults_of(outcome: str, expected: str, who: str = "") -> list[str]:
    """What is wrong with an outcome."""
    if outcome[:1] == "5" and outcome not in UNAVAILABLE:
        return [f"{who}: {outcome}"]
    if "INTERNAL" in outcome or not fits(outcome, expected):
        return [f"{who}: {outcome}, expected {expected}"]
    return []


def leaks(answer: Answer) -> list[str]:
    """What an answer tells of the inside of the server."""
    return [f"it tells {word.decode()!r}" for word in INSIDE if word in answer.body]


async def send(target: Target, request: bytes, expected: str, viewer: str, *, head: bool = False) -> list[str]:
    """Send a request and compare the answer."""
    try:
        answer = await target.ask(request, viewer, head=head)
    except NoAnswerError as error:
        target.count("no answer")
        return [f"{viewer}: no answer: {error}"]
    target.count(answer.outcome)
    return faults_of(answer.outcome, expected, viewer) + leaks(answer)


def request_case(
    group: str,
    name: str,
    request: bytes,
    expected: str,
    *,
    viewers: Iterable[str] = (NOBODY, WALL),
    nobody: str | None = None,
    head: bool = False,
    long: bool = False,
) -> Case:
    """A single request. `nobody` is what a client without a token gets; by default the same, or a refusal."""
    without = f"{expected}|{REFUSED}" if nobody is None else nobody

    async def attack(target: Target) -> list[str]:
        faults = []
        for viewer in viewers:
            wanted = without if viewer == NOBODY else expected
            faults += await send(target, request, wanted, viewer, head=head)
        return faults

    return Case(group, name, attack, long)


def http(method: bytes, path: bytes, *headers: bytes, body: bytes | None = None, length: bool = True) -> bytes:
    """A request with these header lines."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: " + HOST, *headers]
    if body is not None and length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n" + AUTHORIZATION + b"\r\n" + (body or b"")


def post(body: bytes, *headers: bytes, path: bytes = b"/graphql") -> bytes:
    """A request of GraphQL over HTTP."""
    return http(b"POST", path, b"Content-Type: application/json", b"Accept: " + GRAPHQL, *headers, body=body)


def operation(query: str, **more: object) -> bytes:
    return post(orjson.dumps({"query": query, **more}))
