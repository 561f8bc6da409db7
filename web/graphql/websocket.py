"""WebSockets in the protocol graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md).

Queries and mutations run one by one. A subscription is a membership of a stream, and its messages are written without
ASGI: the payload is the same bytes for all who see the same, with each client's own operation id before it.
"""

import asyncio
from functools import partial
from time import monotonic
from typing import Any

import orjson
import structlog
from graphql import GraphQLError, OperationType
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from models.db.outages import is_outage
from models.failures import FAILURES, origin
from models.metrics import SOCKETS_CLOSED
from models.request_record import logged_request
from models.visibility import Viewer
from resolvers.errors import ErrorCode, RequestError, ThrottledError
from schema.execution.errors import coded_error, format_error, request_errors, translated
from schema.execution.operation import PreparedOperation
from schema.live.renderer import payload_in
from schema.live.streams import LiveStreams, failed_stream
from subscriptions.feed import Message
from web.admission import Admission, host_of
from web.auth.credentials import Credentials, bearer, credentials
from web.auth.sessions import Session
from web.graphql import close_codes
from web.graphql.close_codes import (
    DRAIN_SECONDS,
    INIT_SECONDS,
    OPERATIONS_MAXIMUM,
    PING_SECONDS,
    TOO_MANY_OPERATIONS,
    WAITING_BYTES,
    WAITING_MESSAGES,
)
from web.graphql.negotiation import language
from web.graphql.request import checked_device, device_of, language_of, operation
from web.graphql.socket_messages import fault
from web.graphql.trusted_documents import TrustedDocuments
from web.graphql.uvicorn_protocols import EXTENSION, WebSocketProtocol, text_frame
from web.headers import read_headers
from web.operations import Operations, sent
from web.shares import CountedMembership, Party, Place

log = structlog.get_logger(__name__)


class SocketSink:
    """One subscription of one socket."""

    __slots__ = ("_id", "_prefix", "_protocol", "_socket")

    def __init__(self, socket: "Socket", protocol: WebSocketProtocol, id: str) -> None:
        self._socket, self._protocol = socket, protocol
        self._prefix = b'{"id":%s,"type":"next","payload":' % orjson.dumps(id)
        self._id = id

    def send(self, message: Message) -> None:
        # Most clients choose the same ids, so one client's frame serves many others.
        cached = message.frame
        if (payload := payload_in(self._socket.language, message.payload)) is not message.payload:
            cached = (b"", text_frame(self._prefix + payload + b"}"))
        elif cached is None or cached[0] != self._prefix:
            cached = message.frame = (self._prefix, text_frame(self._prefix + payload + b"}"))
        count, size = self._protocol.write(cached[1])
        if count > WAITING_MESSAGES or (size > WAITING_BYTES and self._protocol.beyond() > WAITING_BYTES):
            self._socket.close(close_codes.TOO_SLOW)

    async def drained(self) -> None:
        if not await self._protocol.room(DRAIN_SECONDS):
            self._socket.close(close_codes.TOO_SLOW)

    def fail(self, error: Exception) -> None:
        self._socket.write_errors(self._id, failed_stream(error))
        self._socket.forget(self._id)


class Socket:
    """One connection."""

    def __init__(self, endpoint: "SocketEndpoint", scope: Scope, receive: Receive, place: Place) -> None:
        self._endpoint, self._scope, self._receive, self._place = endpoint, scope, receive, place
        self._protocol: WebSocketProtocol = scope["extensions"][EXTENSION]
        self._acknowledged = self._initialised = False
        self._opened = monotonic()
        self._closed: int | None = None  # the code with which the server has closed it
        self.language = language_of(read_headers(scope))
        self._device: str | None = None
        self._credentials: Credentials | None = None
        self._session: Session | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.memberships: dict[str, CountedMembership] = {}

    def close(self, close: close_codes.Close) -> None:
        if self._protocol.open and self._closed is None:
            self._closed = close.code
            SOCKETS_CLOSED.labels(close.code).inc()
        self._leave()
        self._protocol.close_within(close.code, close.reason)

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(INIT_SECONDS, self._check_initialised))
        code = None
        try:
            while (message := await self._receive())["type"] == "websocket.receive":
                if (close := await self._handle(message)) is not None:
                    self.close(close)
            code = message.get("code")
        except Exception as error:  # the client must learn that the fault was not its own
            self._fail(error)
        finally:
            self._leave()
            self._log_end(code)

    def _log_end(self, code: int | None) -> None:
        """Log the end of the socket if the server has closed it, or if requests are logged."""
        if self._closed is not None or logged_request() is not None:
            viewer = None if self._session is None else self._session.viewer
            log.info(
                "socket closed",
                code=self._closed or code,
                seconds=round(monotonic() - self._opened, 1),
                viewer=None if viewer is None else viewer.identity,
            )

    def _fail(self, error: BaseException) -> None:
        if is_outage(error):
            FAILURES.note("socket failed", error)
            self.close(close_codes.AWAY)
        else:
            log.error("socket failed", error=type(error).__name__, where=origin(error))
            self.close(close_codes.FAILED)

    def _check_initialised(self) -> None:
        if not self._initialised:
            self.close(close_codes.INIT_TIMEOUT)

    def _leave(self) -> None:
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks.values():
            task.cancel()
        for membership in self.memberships.values():
            membership.leave()
        if self._session is not None:
            self._session.release()
        self._place.leave()
        self._timers.clear()
        self._tasks.clear()
        self.memberships.clear()

    async def _send(self, message: dict[str, Any]) -> None:
        """Send after what waits. Closes the socket when the client takes nothing for DRAIN_SECONDS."""
        if await self._protocol.room(DRAIN_SECONDS):
            self._write(message)
        else:
            self.close(close_codes.TOO_SLOW)

    def _write(self, message: dict[str, Any]) -> None:
        self._protocol.write(text_frame(orjson.dumps(message)))

    async def _handle(self, message: AsgiMessage) -> close_codes.Close | None:
        """Handle one message. Returns how to close the socket when the message breaks the protocol."""
        try:
            content = orjson.loads(message.get("text") or b"")
        except orjson.JSONDecodeError:
            return close_codes.bad_message("it is not JSON")
        if (wrong := fault(content)) is not None:
            return close_codes.bad_message(wrong)
        id, payload = content.get("id"), content.get("payload")
        match content["type"]:
            case "connection_init":
                return await self._init(payload)
            case "ping":
                await self._send({"type": "pong", **({"payload": payload} if isinstance(payload, dict) else {})})
            case "subscribe":
                return await self._subscribe(id, payload)
            case "complete":
                self._complete(id)
        return None

    async def _init(self, payload: Any) -> close_codes.Close | None:
        if self._initialised:
            return close_codes.INIT_AGAIN
        self._initialised = True
        fields = payload if isinstance(payload, dict) else {}
        header = next((v for k, v in fields.items() if k.lower() == "authorization" and isinstance(v, str)), None)
        if isinstance(asked := fields.get("acceptLanguage"), str):
            self.language = language(asked.encode())
        try:
            headers = read_headers(self._scope)
            self._device = checked_device(fields["device"]) if "device" in fields else device_of(headers)
        except RequestError as error:
            return close_codes.bad_message(str(error.reason))
        try:
            self._credentials = credentials(headers) if header is None else bearer(header)
            _, party = await self._endpoint.admission.admit_as(self._credentials, host_of(self._scope))
            self._place.take(party)
            self._session = await self._endpoint.authenticator.open_session(self._credentials)
        except ThrottledError:
            return close_codes.TOO_MANY
        except RequestError:
            return close_codes.FORBIDDEN
        self._session.on_revoked = partial(self.close, close_codes.FORBIDDEN)
        loop = asyncio.get_running_loop()
        if (seconds := self._endpoint.authenticator.seconds_left(self._session.viewer)) is not None:
            self._timers.append(loop.call_later(seconds, self.close, close_codes.EXPIRED))
        self._acknowledged = True
        acknowledgement: dict[str, Any] = {"type": "connection_ack"}
        if self._session.viewer is not None:
            acknowledgement["payload"] = {"cursor": self._endpoint.live.cursor()}
        await self._send(acknowledgement)
        self._timers.append(loop.call_later(PING_SECONDS, self._ping))
        return None

    def _ping(self) -> None:
        """Send a ping with a cursor, so that a client whose filter matches little can resume from late in the log."""
        ping: dict[str, Any] = {"type": "ping"}
        # It names its operations, because one that is still being prepared may begin at an earlier cursor.
        if self.memberships:
            cursor = self._endpoint.live.cursor(self.memberships.values())
            ping["payload"] = {"cursor": cursor, "operations": list(self.memberships)}
        self._write(ping)
        self._timers[-1] = asyncio.get_running_loop().call_later(PING_SECONDS, self._ping)

    async def _subscribe(self, id: str, payload: Any) -> close_codes.Close | None:
        if not self._acknowledged:
            return close_codes.UNAUTHORIZED
        if id in self.memberships or id in self._tasks:
            return close_codes.Close(close_codes.EXISTS.code, f"Subscriber for {id} already exists")
        if len(self.memberships) + len(self._tasks) >= OPERATIONS_MAXIMUM:
            await self._send_errors(id, [coded_error(ErrorCode.TOO_MANY, TOO_MANY_OPERATIONS)])
            return None
        try:
            requested = operation(payload, self._endpoint.trusted, self.language, self._device)
        except RequestError as error:
            await self._send_errors(id, request_errors(error))
            return None
        try:
            # Checked for each operation, as over HTTP: the holder may have been removed since without an event.
            viewer, party = await self._endpoint.admission.admit_as(self._credentials, host_of(self._scope))
        except ThrottledError as error:
            await self._send_errors(id, request_errors(error))
            return None
        except RequestError:
            return close_codes.FORBIDDEN
        try:
            # Awaited before the next message is read, so that the client's messages take effect in their order.
            prepared = await self._endpoint.shares.prepare(party, self._endpoint.operations.executor, requested, viewer)
        except RequestError as error:
            await self._send_errors(id, request_errors(error))
            return None
        task = self._tasks[id] = asyncio.create_task(self._operate(id, prepared, viewer, party))
        task.add_done_callback(lambda done: self._done(id, done))
        return None

    async def _operate(self, id: str, prepared: PreparedOperation, viewer: Viewer | None, party: Party) -> None:
        run = self._stream if prepared.parsed.kind is OperationType.SUBSCRIPTION else self._run
        try:
            await run(id, prepared, viewer, party)
        except RequestError as error:
            await self._send_errors(id, request_errors(error))

    def _done(self, id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(id) is task:
            del self._tasks[id]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if is_outage(error):
            self._fail(error)  # clients reconnect by themselves after that
        else:
            errors = [format_error(GraphQLError("", original_error=error if isinstance(error, Exception) else None))]
            self.write_errors(id, errors)

    async def _run(self, id: str, operation: PreparedOperation, viewer: Viewer | None, party: Party) -> None:
        response = await self._endpoint.operations.execute(party, operation, viewer)
        if not response.started:
            await self._send_errors(id, response.errors)
            return
        await self._send({"id": id, "type": "next", "payload": response.body()})
        await self._send({"id": id, "type": "complete"})
        # The client may use the id again as soon as it has read this.
        self._tasks.pop(id, None)

    async def _stream(self, id: str, operation: PreparedOperation, viewer: Viewer | None, party: Party) -> None:
        endpoint = self._endpoint
        prepared = await endpoint.operations.subscribe(party, operation, viewer)
        # No await from here on: a `complete` in the meantime would have cancelled this task.
        self.memberships[id] = endpoint.shares.join(party, prepared, SocketSink(self, self._protocol, id))
        del self._tasks[id]

    async def _send_errors(self, id: str, errors: list[dict[str, Any]]) -> None:
        await self._send({"id": id, "type": "error", "payload": sent(translated(errors, self.language))})

    def write_errors(self, id: str, errors: list[dict[str, Any]]) -> None:
        """End an operation with errors, without waiting."""
        self._write({"id": id, "type": "error", "payload": sent(translated(errors, self.language))})

    def _complete(self, id: str) -> None:
        if (task := self._tasks.pop(id, None)) is not None:
            task.cancel()
        self.forget(id)

    def forget(self, id: str) -> None:
        """Leave a subscription, if there is one with this id."""
        if (membership := self.memberships.pop(id, None)) is not None:
            membership.leave()


class SocketEndpoint:
    """Accepts sockets at one path."""

    def __init__(
        self, operations: Operations, live: LiveStreams, admission: Admission, trusted: TrustedDocuments
    ) -> None:
        self.operations, self.live, self.admission, self.trusted = operations, live, admission, trusted
        self.authenticator, self.shares = admission.authenticator, admission.shares
        self.open = 0  # sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        if close_codes.PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            SOCKETS_CLOSED.labels(close_codes.BAD_PROTOCOL.code).inc()
            await send(closing(close_codes.BAD_PROTOCOL))
            return
        await send({"type": "websocket.accept", "subprotocol": close_codes.PROTOCOL})
        try:
            place = self.shares.connect(host_of(scope))
        except ThrottledError:
            SOCKETS_CLOSED.labels(close_codes.TOO_MANY.code).inc()
            await send(closing(close_codes.TOO_MANY))
            return
        if logged_request() is not None:
            log.info("socket opened")
        self.open += 1
        try:
            await Socket(self, scope, receive, place).serve()
        finally:
            self.open -= 1


def closing(close: close_codes.Close) -> dict[str, Any]:
    return {"type": "websocket.close", "code": close.code, "reason": close.reason}
