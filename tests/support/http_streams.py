"""Clients of live streams over plain HTTP: parsers of server-sent events and of parts, and ways to open a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, LiveDistrict

EVENTS = "text/event-stream"
TOKEN = "x-graphql-event-stream-token"


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


@asynccontextmanager
async def reserved(live: LiveDistrict) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    async with client(live) as http:
        answer = await http.put("/graphql/stream")
        assert answer.status_code == 201
        yield http, {TOKEN: answer.text}


def named(id: Any, query: str = ALL, **variables: Any) -> dict[str, Any]:
    return {"query": query, "variables": variables, "extensions": {"operationId": id}}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("subscription {", {}, "BAD_DOCUMENT"),
    ("subscription { nothing }", {}, "BAD_DOCUMENT"),
    (ALL, {"after": 1}, "BAD_VARIABLES"),
    (ALL, {"after": "garbage"}, "BAD_CURSOR"),
    (ALL, {"after": "0123456789abcdef-1"}, "CURSOR_FOREIGN"),
    ('subscription { portrait(of: "x") { asOf } }', {}, "BAD_ID"),
]
