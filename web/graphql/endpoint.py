"""GraphQL over HTTP, as the specification of that name has it (graphql.github.io/graphql-over-http)."""

import hashlib

import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from models.visibility import Viewer
from resolvers.errors import ErrorCode, RequestError
from schema.execution.errors import coded_error, error_response, format_error
from schema.execution.executor import Executor
from schema.execution.operation import GraphQLResponse, Operation
from schema.live.streams import LiveStreams, stream_errors
from web.auth.sessions import HOLDER_GONE, Authenticator, Session
from web.graphql.negotiation import GRAPHQL, JSON, accepted, is_json
from web.graphql.request import BadBody, from_query, loaded, operation
from web.graphql.sse import EVENTS, PARTS, offers, once, streamed

BEARER = {"www-authenticate": "Bearer"}
METHODS = ["GET", "POST", "OPTIONS"]  # and HEAD, which goes with GET


class GraphQLEndpoint:
    """Answers GET and POST at one path."""

    def __init__(self, execution: Executor, live: LiveStreams, viewers: Authenticator, *, body_limit: int) -> None:
        self._execution, self._live, self._viewers, self._body_limit = execution, live, viewers, body_limit

    async def respond(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ", ".join(["HEAD", *METHODS])})
        accept = request.headers.get("accept")
        # A client that takes nothing but a stream gets a single answer as one.
        media = accepted(accept) or next((m for m in (EVENTS, PARTS) if offers(accept, m)), None)
        if media is None:
            return http_response(
                error_response([coded_error(ErrorCode.BAD_REQUEST, f"Accept {GRAPHQL} or {JSON}.")]), GRAPHQL, 406
            )
        try:
            operation = await self.operation(request)
            viewer = await self.viewer(request)
            if self._execution.kind(operation) is OperationType.SUBSCRIPTION:
                return await self._stream(request, operation, viewer, media)
            response = await self._execute(operation, viewer, media, safe=request.method != "POST")
            return response if request.method == "POST" else conditional(response, request.headers.get("if-none-match"))
        except RequestError as error:
            return error_response_to(error, media)
        except Exception as error:  # the last chance to answer as GraphQL, and to keep what went wrong to the log
            return http_response(error_response([format_error(GraphQLError("", original_error=error))]), media, 500)

    async def _execute(self, operation: Operation, viewer: Viewer | None, media: str, *, safe: bool) -> Response:
        if safe and self._execution.kind(operation) is OperationType.MUTATION:
            errors = [coded_error(ErrorCode.BAD_REQUEST, "A mutation is sent by POST.")]
            return http_response(error_response(errors), media, 405, {"allow": "POST"})
        answer = await self._execution.run(operation, viewer)
        if viewer is None and not answer.started and answer.errors[0]["extensions"]["code"] == "UNAUTHENTICATED":
            return http_response(answer, media, 401, BEARER)
        if media in (EVENTS, PARTS) and not answer.started:
            return http_response(answer, JSON, 400)
        # A plain JSON client takes any other status for a fault of the network; the newer type tells them apart.
        status = 400 if not answer.started and media == GRAPHQL else 200
        return once(answer, media) if media in (EVENTS, PARTS) else http_response(answer, media, status)

    async def _stream(self, request: Request, operation: Operation, viewer: Viewer | None, media: str) -> Response:
        accept = request.headers.get("accept")
        stream = next((m for m in (EVENTS, PARTS) if offers(accept, m)), None)
        if stream is None:
            errors = [
                coded_error(ErrorCode.BAD_REQUEST, f"A subscription needs a stream: a WebSocket, {EVENTS} or {PARTS}.")
            ]
            return http_response(error_response(errors), media, 400)
        holding = None
        try:
            resume = request.headers.get("last-event-id") or None
            holding = await self.hold(request)
            prepared = await self._live.prepare(operation, viewer, resume)
            if holding.revoked:
                raise RequestError(ErrorCode.UNAUTHENTICATED, HOLDER_GONE)
            # Nothing is awaited from here to where the stream says what ends it.
            return streamed(self._live, prepared, stream, holding, self.seconds_left(viewer))
        except BaseException as error:
            if holding is not None:
                holding.release()
            if not isinstance(error, RequestError):
                raise
            status = 401 if error.code is ErrorCode.UNAUTHENTICATED else 400
            plain = media if media in (JSON, GRAPHQL) else JSON
            return http_response(error_response(stream_errors(error)), plain, status, BEARER if status == 401 else None)

    async def viewer(self, request: Request) -> Viewer | None:
        """Who asks. Raises Refused."""
        return await self._viewers.authenticate(request.headers.get("authorization"))

    async def hold(self, request: Request) -> Session:
        """Who asks, for as long as their stream goes on. Raises Refused."""
        return await self._viewers.open_session(request.headers.get("authorization"))

    def seconds_left(self, viewer: Viewer | None) -> float | None:
        return self._viewers.seconds_left(viewer)

    async def operation(self, request: Request) -> Operation:
        """What is asked. Raises Refused."""
        return await self._from_body(request) if request.method == "POST" else from_query(request)

    async def _from_body(self, request: Request) -> Operation:
        """Raises Refused for whatever is not a request."""
        if not is_json(request.headers.get("content-type", "")):
            raise BadBody(415, f"Send the request as {JSON}, in UTF-8.")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise BadBody(415, "Send the request without compression.")
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > self._body_limit:
                    raise BadBody(413, f"The body is longer than {self._body_limit:,} bytes.")
        except ClientDisconnect:
            raise BadBody(400, "The body ended early.") from None
        return operation(loaded(bytes(body), "The body"))


def error_response_to(error: RequestError, media: str) -> Response:
    """A request that was not executed."""
    answer = error_response([coded_error(error.code, error.message)])
    if error.code is ErrorCode.UNAUTHENTICATED:
        return http_response(answer, media, 401, BEARER)
    return http_response(answer, media, error.status if isinstance(error, BadBody) else 400)


def http_response(
    answer: GraphQLResponse, media: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    # A float that JSON cannot write does not occur in rows; dates are text before they come here.
    body = orjson.dumps(answer.body())
    return Response(body, status, headers, f"{media}; charset=utf-8")


def conditional(response: Response, known: str | None) -> Response:
    """An answer to GET with a validator of its bytes (RFC 9110, section 8.8.3), or that the client has it already."""
    if response.status_code != 200 or isinstance(response, StreamingResponse):
        return response
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "accept, authorization"}
    tags = {one.strip().removeprefix("W/") for one in known.split(",")} if known else set()
    if tags & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
