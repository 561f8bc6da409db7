"""Clients of live streams: a socket that speaks graphql-transport-ws, and a server on a small district."""

import asyncio
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
import sqlalchemy as sa
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

import models
from models.db.database import Database
from models.visibility import Role
from subscriptions import event_log
from tests.conftest import Databases
from tests.support.actors import World, small_world
from tests.support.patience import PATIENCE
from tests.support.server_process import Process, serving
from web.auth.tokens import Claims, Tokens
from web.graphql.close_codes import Close

SECRET = "a secret of the tests, of no use elsewhere"
PROTOCOL = Subprotocol("graphql-transport-ws")
ALL = "subscription($after: String) { updates(after: $after) { kind enterprise { id } } }"
PLAN = """
mutation($input: InspectionPlanInput!) {
  inspectionPlan(input: $input) { __typename ... on InspectionPlanned { cursor inspection { id } } }
}
"""
HURRIED = "tests.support.impatient_server"
SUCCESSES = {
    "inspectionPlan": "InspectionPlanned",
    "controlMeasureAdd": "ControlMeasureAdded",
    "hazardReport": "HazardReported",
}


class Closed(Exception):
    """The server has closed the socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class Socket:
    """One connection. `pings` are the payloads of the server's pings; `cursor` is the last one received."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.pings: list[dict[str, Any]] = []
        self.cursor: str | None = None

    async def send(self, message: Any) -> None:
        text = message if isinstance(message, str | bytes) else orjson.dumps(message).decode()
        await self.connection.send(text)

    async def receive(self, *, pings: bool = False) -> dict[str, Any]:
        """The next message, without pings unless they are wanted. Raises Closed."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    message: dict[str, Any] = orjson.loads(await self.connection.recv())
            except ConnectionClosed as error:
                close = error.rcvd
                raise Closed(close.code if close else 1006, close.reason if close else "") from None
            if message["type"] != "ping":
                return message
            self.pings.append(message.get("payload", {}))
            if pings:
                return message

    async def init(self, **payload: Any) -> Self:
        await self.send({"type": "connection_init", "payload": payload})
        message = await self.receive()
        assert message["type"] == "connection_ack", message
        self.cursor = message["payload"]["cursor"]
        return self

    async def subscribe(self, id: str, query: str, **variables: Any) -> None:
        await self.send({"id": id, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def complete(self, id: str) -> None:
        await self.send({"id": id, "type": "complete"})

    async def next(self, id: str = "1") -> Any:
        """The data of an operation's next result, which must have no errors."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", id), message
        assert "errors" not in message["payload"], message
        self.cursor = message["payload"].get("extensions", {}).get("cursor", self.cursor)
        return message["payload"]["data"]

    async def error_code(self, id: str = "1") -> str:
        """The code of the error that ends an operation."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("error", id), message
        code: str = message["payload"][0]["extensions"]["code"]
        return code

    async def expect_quiet(self) -> None:
        """Assert that no message is under way: the pong to our ping comes first."""
        await self.send({"type": "ping", "payload": {"marker": True}})
        assert await self.receive() == {"type": "pong", "payload": {"marker": True}}

    async def closed(self) -> Closed:
        """How the server closes the socket, whatever it sends before."""
        try:
            while True:
                await self.receive()
        except Closed as closed:
            return closed


def closed(close: Close) -> tuple[int, str]:
    """The value of `ended` for a socket that the server closed so."""
    return close.code, close.reason


async def ended(socket: Socket) -> tuple[int, str]:
    """The code and the reason with which the server closes a socket."""
    close = await socket.closed()
    return close.code, close.reason


@dataclass
class LiveDistrict:
    """A server on a small district."""

    process: Process
    url: str
    world: World

    @property
    def address(self) -> str:
        return self.process.address

    def token(
        self,
        role: Role = Role.COMMANDER,
        seconds: float = 3600,
        enterprise: str | None = None,
        inspector: str | None = None,
    ) -> str:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        claims = Claims(role, until, subject=role.value, enterprise=enterprise, inspector=inspector)
        return Tokens(SECRET).make(claims)

    @asynccontextmanager
    async def socket(
        self, token: str | None = None, *, init: bool = True, protocol: Subprotocol | None = PROTOCOL, **options: Any
    ) -> AsyncIterator[Socket]:
        address = self.address.replace("http", "ws", 1) + "/graphql"
        options |= {"subprotocols": [protocol] if protocol else None, "compression": None}
        # Neither a slow handshake nor a slow pong may end the connection.
        async with connect(address, open_timeout=PATIENCE, ping_interval=None, **options) as connection:
            socket = Socket(connection)
            if init:
                await socket.init(Authorization=f"Bearer {token or self.token()}")
            yield socket

    async def plan_inspections(self, number: int = 1, enterprise: str = "enterprise") -> list[str]:
        """Plan inspections, with one event each, which no enterprise sees. Returns the cursors of the events."""
        more = {"kind": "ROUTINE", "plannedFor": "2099-01-01T00:00:00Z"}
        return [await self._act("inspectionPlan", enterprise, more) for _ in range(number)]

    async def add_measures(self, number: int = 1, enterprise: str = "enterprise") -> list[str]:
        """Add control measures, with one event each, which the enterprise sees. Returns the cursors of the events."""
        more = {"kind": "ENGINEERING", "description": "围堰"}
        return [await self._act("controlMeasureAdd", enterprise, more) for _ in range(number)]

    async def report_hazards(self, number: int = 1, enterprise: str = "enterprise") -> list[str]:
        """Report hazards, with one event each. Returns the cursors of the events."""
        more = {"level": "GENERAL", "description": "积水"}
        return [await self._act("hazardReport", enterprise, more) for _ in range(number)]

    async def _act(self, mutation: str, enterprise: str, more: dict[str, str]) -> str:
        """Call a mutation about an enterprise as a commander. Returns the cursor of its event."""
        capital = mutation[0].upper() + mutation[1:]
        selection = f"... on {SUCCESSES[mutation]} {{ cursor }}"
        query = f"mutation($input: {capital}Input!) {{ {mutation}(input: $input) {{ {selection} }} }}"
        body = {"query": query, "variables": {"input": {"enterprise": self.world.id(enterprise), **more}}}
        headers = {"authorization": f"Bearer {self.token()}"}
        async with httpx.AsyncClient(base_url=self.address, headers=headers, timeout=PATIENCE) as client:
            cursor: str = (await client.post("/graphql", json=body)).json()["data"][mutation]["cursor"]
        return cursor

    async def append_events(self, number: int, **columns: Any) -> list[int]:
        """Append events without a notification. Returns their numbers."""
        kind = models.EventKind.INSPECTION_PLANNED
        at = dt.datetime.now(dt.UTC)
        row = {"at": at, "kind": kind, "subject": kind.subject, "subject_id": 1, "enterprise_id": self.world.enterprise}
        database = Database(self.url)
        try:
            async with database.write() as session:
                return await event_log.append(session, [{**row, **columns}] * number)
        finally:
            await database.close()

    async def execute(self, statement: sa.Executable) -> None:
        database = Database(self.url)
        try:
            async with database.write() as session:
                await session.execute(statement)
        finally:
            await database.close()


NUMBERS = itertools.count()


async def small_district(databases: Databases, migrated_url: str) -> tuple[str, World]:
    """The URL of a new database with a small district, and its rows."""
    url = await databases.new(migrated_url)
    database = Database(url)
    world = await small_world(database)
    await database.close()
    return url, world


@contextmanager
def live_district(
    scratch: Path, url: str, world: World, *arguments: str, program: str = "web", **more: str
) -> Iterator[LiveDistrict]:
    """A server on a district. Nothing in it may raise an unexpected exception."""
    output = scratch / f"district-{next(NUMBERS)}.log"
    with serving(output, url, *arguments, program=program, HUHANG_SECRET=SECRET, **more) as process:
        yield LiveDistrict(process, url, world)
        assert "Traceback" not in process.log, process.log
        assert "Exception in ASGI" not in process.log, process.log
