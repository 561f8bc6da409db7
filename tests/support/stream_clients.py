"""Clients of live streams, for tests: a socket that speaks graphql-transport-ws, and a district to be told of."""

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

SECRET = "a secret of the tests, of no use elsewhere"
PROTOCOL = Subprotocol("graphql-transport-ws")
ALL = "subscription($after: String) { updates(after: $after) { kind enterprise { id } } }"
PLAN = """
mutation($input: InspectionPlanInput!) {
  inspectionPlan(input: $input) { __typename ... on InspectionPlanned { cursor inspection { id } } }
}
"""
HURRIED = "tests.support.impatient_server"


class Closed(Exception):
    """The server has closed the socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class Socket:
    """One connection. `pings` are the payloads of the server's pings, `cursor` is where to go on from."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.pings: list[dict[str, Any]] = []
        self.cursor: str | None = None

    async def send(self, said: Any) -> None:
        await self.connection.send(said if isinstance(said, str | bytes) else orjson.dumps(said).decode())

    async def hear(self, *, pings: bool = False) -> dict[str, Any]:
        """The next message, pings aside. Raises Closed."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    found: dict[str, Any] = orjson.loads(await self.connection.recv())
            except ConnectionClosed as error:
                close = error.rcvd
                raise Closed(close.code if close else 1006, close.reason if close else "") from None
            if found["type"] != "ping":
                return found
            self.pings.append(found.get("payload", {}))
            if pings:
                return found

    async def init(self, **payload: Any) -> Self:
        await self.send({"type": "connection_init", "payload": payload})
        found = await self.hear()
        assert found["type"] == "connection_ack", found
        self.cursor = found["payload"]["cursor"]
        return self

    async def ask(self, id: str, query: str, **variables: Any) -> None:
        await self.send({"id": id, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def complete(self, id: str) -> None:
        await self.send({"id": id, "type": "complete"})

    async def next(self, id: str = "1") -> Any:
        """The next result of an operation, which must be without errors: its data."""
        found = await self.hear()
        assert (found["type"], found["id"]) == ("next", id), found
        assert "errors" not in found["payload"], found
        self.cursor = found["payload"].get("extensions", {}).get("cursor", self.cursor)
        return found["payload"]["data"]

    async def refused(self, id: str = "1") -> str:
        """The code of the error that an operation ends with."""
        found = await self.hear()
        assert (found["type"], found["id"]) == ("error", id), found
        code: str = found["payload"][0]["extensions"]["code"]
        return code

    async def quiet(self) -> None:
        """Nothing is on its way: a ping of ours is answered before anything else."""
        await self.send({"type": "ping", "payload": {"marker": True}})
        assert await self.hear() == {"type": "pong", "payload": {"marker": True}}

    async def closed(self) -> Closed:
        """How the server closes, whatever it says before."""
        try:
            while True:
                await self.hear()
        except Closed as closed:
            return closed


@dataclass
class Town:
    """A server in a small district."""

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
        protocols = [protocol] if protocol else None
        async with connect(address, subprotocols=protocols, compression=None, **options) as connection:
            socket = Socket(connection)
            if init:
                await socket.init(Authorization=f"Bearer {token or self.token()}")
            yield socket

    async def plan(self, number: int = 1, enterprise: str = "enterprise") -> list[str]:
        """Plan inspections, one event each; their cursors."""
        found = []
        headers = {"authorization": f"Bearer {self.token()}"}
        given = {"enterprise": self.world.id(enterprise), "kind": "ROUTINE", "plannedFor": "2099-01-01T00:00:00Z"}
        async with httpx.AsyncClient(base_url=self.address, headers=headers) as client:
            for _ in range(number):
                answer = await client.post("/graphql", json={"query": PLAN, "variables": {"input": given}})
                found.append(answer.json()["data"]["inspectionPlan"]["cursor"])
        return found

    async def append(self, number: int, **given: Any) -> list[int]:
        """Events that no server rings for; their numbers."""
        kind = models.EventKind.INSPECTION_PLANNED
        at = dt.datetime.now(dt.UTC)
        row = {"at": at, "kind": kind, "subject": kind.subject, "subject_id": 1, "enterprise_id": self.world.enterprise}
        database = Database(self.url)
        try:
            async with database.write() as session:
                return await event_log.append(session, [{**row, **given}] * number)
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


async def settled(databases: Databases, migrated_url: str) -> tuple[str, World]:
    """A database with a small district."""
    url = await databases.new(migrated_url)
    database = Database(url)
    world = await small_world(database)
    await database.close()
    return url, world


@contextmanager
def town(scratch: Path, url: str, world: World, *arguments: str, program: str = "web", **more: str) -> Iterator[Town]:
    """A server in that district. It must not fail at anything."""
    output = scratch / f"town-{next(NUMBERS)}.log"
    with serving(output, url, *arguments, program=program, HUHANG_SECRET=SECRET, **more) as process:
        yield Town(process, url, world)
        assert "Traceback" not in process.said, process.said
