"""Servers of one stream in Python: Huhang's own feed without and with a database, plain Strawberry, raw uvicorn.

`python -m bench.peers.fanout NAME PORT [URL]`. GET /publish?event=… publishes an event in process and returns the
number of subscribers. With the URL of a database, Huhang writes the event to the log and reads it from there.
"""

import asyncio
import datetime as dt
import gc
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from models import EventKind, Subject
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from schema.build import build
from schema.execution.executor import Executor
from schema.live.streams import LiveStreams
from subscriptions import event_log
from subscriptions.event_log import DatabaseLog
from subscriptions.feed import Feed
from subscriptions.notifier import Notifier
from web.admission import Admission, FailedTokens
from web.auth.sessions import Authenticator
from web.auth.tokens import Tokens
from web.graphql.http_protocol import HttpProtocol
from web.graphql.trusted_documents import TrustedDocuments
from web.graphql.uvicorn_protocols import WebSocketProtocol
from web.graphql.websocket import SocketEndpoint
from web.operations import Operations
from web.shares import ShareLimits, Shares

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = 1_000_000  # from here on, all cursors have the same length


@dataclass
class EventRow:
    """The columns of an event in the log."""

    id: int
    from_status: str
    at: dt.datetime
    kind: EventKind = EventKind.INSPECTION_SUBMITTED
    subject: Subject = Subject.INSPECTION
    subject_id: int = 1
    to_status: str = "SUBMITTED"
    enterprise_id: int | None = None
    zones: frozenset[int] = frozenset()
    rings: frozenset[int] = frozenset()
    venues: frozenset[int] = frozenset()
    risk: None = None
    major: bool = False


class ListLog(DatabaseLog):
    """A log in a list instead of a database."""

    events: list[Any]

    async def head(self) -> int:
        self.events = []
        self.epoch = "0" * 16
        return FIRST

    async def after(self, number: int, limit: int) -> Sequence[Any]:
        return self.events[number - FIRST : number - FIRST + limit]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def huhang() -> Starlette:
    """The feed with a log in a list."""
    database = Database(f"sqlite:///{tempfile.mkdtemp()}/unused.db")
    executor = Executor(build(), database, ZONE, now)
    log = ListLog(database)
    live = LiveStreams(executor, database, log, Feed(log), now)
    notifier = Notifier("memory://", live.feed.notify)

    async def publish(event: Any) -> None:
        log.events.append(EventRow(FIRST + len(log.events) + 1, event["from"], now()))
        live.feed.notify()

    return _application(executor, live, notifier, database, publish)


def huhang_with_log() -> Starlette:
    """As in production: a transaction writes the event to the log, the feed is notified, and reads the log."""
    database = Database(sys.argv[3])
    executor = Executor(build(), database, ZONE, now)
    log = DatabaseLog(database)
    live = LiveStreams(executor, database, log, Feed(log), now)
    notifier = Notifier("memory://", live.feed.notify)

    async def publish(event: Any) -> None:
        kind = EventKind.INSPECTION_SUBMITTED
        row = {"at": now(), "kind": kind, "subject": kind.subject, "subject_id": 1}
        async with database.write() as session:
            await event_log.append(session, [{**row, "from_status": event["from"], "to_status": event["to"]}])
        notifier.notify()

    return _application(executor, live, notifier, database, publish)


def _application(
    executor: Executor,
    live: LiveStreams,
    notifier: Notifier,
    database: Database,
    publish: Callable[[Any], Awaitable[None]],
) -> Starlette:
    viewers = Authenticator(Tokens("x" * 32), database, now, Viewer(Visibility(Role.WALL)))

    everything = ShareLimits(0, 0, 10**6, 10**6, 10**6, 10**6, 10**6)
    admission = Admission(viewers, Shares(everything, 4), FailedTokens(20, "memory://"))
    operations = Operations(executor, live, admission.shares)

    async def published(request: Request) -> PlainTextResponse:
        if "event" in request.query_params:
            await publish(json.loads(request.query_params["event"]))
        return PlainTextResponse(str(len(live.feed.memberships)))

    async def life(app: Starlette) -> AsyncIterator[None]:
        await live.feed.start()
        notifier.start()
        yield
        await notifier.stop()
        await live.stop()
        await database.close()

    routes = [
        Route("/publish", published),
        WebSocketRoute("/graphql", SocketEndpoint(operations, live, admission, TrustedDocuments())),
    ]
    return Starlette(routes=routes, lifespan=asynccontextmanager(life))


queues: set["asyncio.Queue[Any]"] = set()


@strawberry.type
class Update:
    kind: str
    at: str
    from_: str | None = strawberry.field(name="from")
    to: str | None
    text: str


@strawberry.type
class Query:
    ok: bool = True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def updates(self) -> AsyncIterator[Update]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        queues.add(queue)
        try:
            while True:
                event = await queue.get()
                yield Update(
                    kind=event["kind"], at=event["at"], from_=event["from"], to=event["to"], text=event["text"]
                )
        finally:
            queues.discard(queue)


def plain() -> Starlette:
    async def publish(request: Request) -> PlainTextResponse:
        if "event" in request.query_params:
            event = json.loads(request.query_params["event"])
            for queue in queues:
                queue.put_nowait(event)
        return PlainTextResponse(str(len(queues)))

    view: Any = GraphQL(
        strawberry.Schema(Query, subscription=Subscription), subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL]
    )
    return Starlette(routes=[Route("/publish", publish), WebSocketRoute("/graphql", view)])


def raw() -> Starlette:
    sockets: set[WebSocket] = set()

    async def publish(request: Request) -> PlainTextResponse:
        if "event" in request.query_params:
            event = json.loads(request.query_params["event"])
            text = json.dumps(
                {"id": "1", "type": "next", "payload": {"data": {"updates": event}}}, separators=(",", ":")
            )
            for socket in list(sockets):
                await socket.send_text(text)
        return PlainTextResponse(str(len(sockets)))

    async def serve(socket: WebSocket) -> None:
        await socket.accept("graphql-transport-ws")
        try:
            while True:
                message = await socket.receive_json()
                if message["type"] == "connection_init":
                    await socket.send_json({"type": "connection_ack"})
                else:
                    sockets.add(socket)
        except WebSocketDisconnect:
            sockets.discard(socket)

    return Starlette(routes=[Route("/publish", publish), WebSocketRoute("/graphql", serve)])


SERVERS = {"huhang": huhang, "huhang-log": huhang_with_log, "strawberry": plain, "uvicorn": raw}

if __name__ == "__main__":
    name, port = sys.argv[1], int(sys.argv[2])
    own: dict[str, Any] = (
        {"ws": WebSocketProtocol, "http": HttpProtocol} if name.startswith("huhang") else {"ws": "websockets-sansio"}
    )
    app = SERVERS[name]()
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app, port=port, log_level="warning", access_log=False, ws_per_message_deflate=False, backlog=8192, **own
    )
