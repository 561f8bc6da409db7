"""WebSockets in the protocol graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md).

Queries and mutations run one by one; a subscription is a place in the feed, whose messages are written past ASGI: the
payload is the same bytes for all who see the same, with each client's own operation id before it.
"""

import asyncio
from functools import partial
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from models.db.outages import is_outage
from models.visibility import Viewer
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import coded_error, format_error, origin, request_errors
from schema.execution.executor import Executor
from schema.execution.operation import PreparedOperation
from schema.live.streams import LiveStreams, StreamMembership
from subscriptions.feed import Message
from web.auth.sessions import Authenticator, Session
from web.graphql import close_codes
from web.graphql.close_codes import (
    DRAIN_SECONDS,
    ID_MAXIMUM,
    INIT_SECONDS,
    OPERATIONS_MAXIMUM,
    PING_SECONDS,
    WAITING_BYTES,
    WAITING_MESSAGES,
)
from web.graphql.request import operation
from web.graphql.uvicorn_protocols import EXTENSION, WebSocketProtocol, text_frame

log = structlog.get_logger(__name__)

PROTOCOL = "graphql-transport-ws"


class SocketSink:
    """One subscription of one socket."""

    __slots__ = ("_end", "_prefix", "_socket", "_wire")

    def __init__(self, socket: "Socket", wire: WebSocketProtocol, id: str) -> None:
        self._socket, self._wire = socket, wire
        self._prefix = b'{"id":%s,"type":"next","payload":' % orjson.dumps(id)
        self._end = id

    def send(self, message: Message) -> None:
        # Clients mostly give the same ids, so the frame of one serves for many.
        kept = message.frame
        if kept is None or kept[0] != self._prefix:
            kept = message.frame = (self._prefix, text_frame(self._prefix + message.payload + b"}"))
        count, size = self._wire.write(kept[1])
        if count > WAITING_MESSAGES or (size > WAITING_BYTES and self._wire.beyond() > WAITING_BYTES):
            self._socket.close(close_codes.TOO_SLOW)

    async def drained(self) -> None:
        if not await self._wire.room(DRAIN_SECONDS):
            self._socket.close(close_codes.TOO_SLOW)

    def fail(self) -> None:
        errors = [coded_error(ErrorCode.INTERNAL, "The stream failed; go on after the last cursor.")]
        self._wire.write(text_frame(orjson.dumps({"id": self._end, "type": "error", "payload": errors})))
        self._socket.places.pop(self._end, None)


class Socket:
    """One connection."""

    def __init__(self, endpoint: "SocketEndpoint", scope: Scope, receive: Receive) -> None:
        self._endpoint, self._scope, self._receive = endpoint, scope, receive
        self._wire: WebSocketProtocol = scope["extensions"][EXTENSION]
        self._acknowledged = self._initialised = False
        self._header: str | None = None
        self._holding: Session | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.places: dict[str, StreamMembership] = {}

    def close(self, how: close_codes.Close) -> None:
        if self._wire.open:
            log.info("socket closed", code=how.code)
        self._leave()
        self._wire.close_within(how.code, how.reason)

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(INIT_SECONDS, self._unless_acknowledged))
        try:
            while (message := await self._receive())["type"] == "websocket.receive":
                if (how := await self._hear(message)) is not None:
                    self.close(how)
        except Exception as error:  # the last chance to say that it was not the client
            self._failed(error)
        finally:
            self._leave()

    def _failed(self, error: BaseException) -> None:
        log.error("socket failed", error=type(error).__name__, where=origin(error))
        self.close(close_codes.AWAY if is_outage(error) else close_codes.FAILED)

    def _unless_acknowledged(self) -> None:
        if not self._initialised:
            self.close(close_codes.INIT_TIMEOUT)

    def _leave(self) -> None:
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks.values():
            task.cancel()
        for place in self.places.values():
            place.leave()
        if self._holding is not None:
            self._holding.release()
        self._timers.clear()
        self._tasks.clear()
        self.places.clear()

    async def _say(self, message: dict[str, Any]) -> None:
        """Behind what waits; a client who takes nothing is not waited for long."""
        if await self._wire.room(DRAIN_SECONDS):
            self._wire.write(text_frame(orjson.dumps(message)))
        else:
            self.close(close_codes.TOO_SLOW)

    async def _hear(self, message: AsgiMessage) -> close_codes.Close | None:
        """Answer one message; how to close, where it breaks the protocol."""
        try:
            said = orjson.loads(message.get("text") or b"")
        except orjson.JSONDecodeError:
            return close_codes.BAD_MESSAGE
        if not isinstance(said, dict):
            return close_codes.BAD_MESSAGE
        payload = said.get("payload")
        match said.get("type"):
            case "connection_init":
                return await self._init(payload)
            case "ping":
                await self._say({"type": "pong", **({"payload": payload} if isinstance(payload, dict) else {})})
            case "pong":
                pass
            case "subscribe" if isinstance(said.get("id"), str) and 0 < len(said["id"]) <= ID_MAXIMUM:
                return await self._subscribe(said["id"], payload)
            case "complete" if isinstance(said.get("id"), str):
                self._complete(said["id"])
            case _:
                return close_codes.BAD_MESSAGE
        return None

    async def _init(self, payload: Any) -> close_codes.Close | None:
        if self._initialised:
            return close_codes.INIT_AGAIN
        self._initialised = True
        given = payload if isinstance(payload, dict) else {}
        header = next((v for k, v in given.items() if k.lower() == "authorization" and isinstance(v, str)), None)
        if header is None:
            headers = dict(self._scope["headers"])
            header = headers[b"authorization"].decode("latin-1") if b"authorization" in headers else None
        try:
            self._header, self._holding = header, await self._endpoint.viewers.open_session(header)
        except RequestError:
            return close_codes.FORBIDDEN
        self._holding.on_revoked = partial(self.close, close_codes.FORBIDDEN)
        loop = asyncio.get_running_loop()
        if (left := self._endpoint.viewers.seconds_left(self._holding.viewer)) is not None:
            self._timers.append(loop.call_later(left, self.close, close_codes.EXPIRED))
        self._acknowledged = True
        await self._say({"type": "connection_ack", "payload": {"cursor": self._endpoint.live.cursor()}})
        self._timers.append(loop.call_later(PING_SECONDS, self._ping))
        return None

    def _ping(self) -> None:
        """The cursor goes with it, so that a client whose filter is quiet can resume from late on."""
        said: dict[str, Any] = {"type": "ping"}
        # It is said for whom: a subscription that is on its way here, or has no place yet, may begin earlier.
        if self.places:
            cursor = self._endpoint.live.cursor(self.places.values())
            said["payload"] = {"cursor": cursor, "operations": list(self.places)}
        self._wire.write(text_frame(orjson.dumps(said)))
        self._timers[-1] = asyncio.get_running_loop().call_later(PING_SECONDS, self._ping)

    async def _subscribe(self, id: str, payload: Any) -> close_codes.Close | None:
        if not self._acknowledged:
            return close_codes.UNAUTHORIZED
        if id in self.places or id in self._tasks:
            return close_codes.Close(close_codes.EXISTS.code, f"Subscriber for {id} already exists")
        if len(self.places) + len(self._tasks) >= OPERATIONS_MAXIMUM:
            await self._refuse(
                id, [coded_error(ErrorCode.TOO_MANY, f"At most {OPERATIONS_MAXIMUM} operations at once.")]
            )
            return None
        try:
            asked = operation(payload)
        except RequestError as error:
            await self._refuse(id, [coded_error(error.code, error.message)])
            return None
        try:
            # As over HTTP: the holder may have gone since, without an event to tell.
            viewer = await self._endpoint.viewers.authenticate(self._header)
        except RequestError:
            return close_codes.FORBIDDEN
        try:
            prepared = self._endpoint.execution.prepare(asked)
        except RequestError as error:
            await self._refuse(id, request_errors(error))
            return None
        run = self._stream if prepared.parsed.kind is OperationType.SUBSCRIPTION else self._run
        task = self._tasks[id] = asyncio.create_task(run(id, prepared, viewer))
        task.add_done_callback(lambda done: self._done(id, done))
        return None

    def _done(self, id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(id) is task:
            del self._tasks[id]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if is_outage(error):
            self._failed(error)  # clients come back by themselves after that
        else:
            errors = [format_error(GraphQLError("", original_error=error if isinstance(error, Exception) else None))]
            self._wire.write(text_frame(orjson.dumps({"id": id, "type": "error", "payload": errors})))

    async def _run(self, id: str, operation: PreparedOperation, viewer: Viewer | None) -> None:
        answer = await self._endpoint.execution.execute(operation, viewer)
        if not answer.started:
            await self._refuse(id, answer.errors)
            return
        await self._say({"id": id, "type": "next", "payload": answer.body()})
        await self._say({"id": id, "type": "complete"})
        # The id is free as soon as the client may know of it.
        self._tasks.pop(id, None)

    async def _stream(self, id: str, operation: PreparedOperation, viewer: Viewer | None) -> None:
        try:
            prepared = await self._endpoint.live.prepare(operation, viewer)
        except RequestError as error:
            await self._refuse(id, request_errors(error))
            return
        # Nothing is awaited from here on: a `complete` meanwhile would have cancelled this.
        self.places[id] = prepared.join(SocketSink(self, self._wire, id))
        del self._tasks[id]

    async def _refuse(self, id: str, errors: list[dict[str, Any]]) -> None:
        await self._say({"id": id, "type": "error", "payload": errors})

    def _complete(self, id: str) -> None:
        if (task := self._tasks.pop(id, None)) is not None:
            task.cancel()
        if (place := self.places.pop(id, None)) is not None:
            place.leave()


class SocketEndpoint:
    """Takes sockets at one path."""

    def __init__(self, execution: Executor, live: LiveStreams, viewers: Authenticator) -> None:
        self.execution, self.live, self.viewers = execution, live, viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            how = close_codes.BAD_PROTOCOL
            await send({"type": "websocket.close", "code": how.code, "reason": how.reason})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        await Socket(self, scope, receive).serve()
