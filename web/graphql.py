"""GraphQL over HTTP, as the specification of that name has it (graphql.github.io/graphql-over-http)."""

import hashlib
from typing import Any
from urllib.parse import parse_qsl

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
from web.streams import EVENTS, PARTS, offers, once, streamed
from web.viewers import GONE, Holding, Viewers

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
BEARER = {"www-authenticate": "Bearer"}
METHODS = ["GET", "POST", "OPTIONS"]  # and HEAD, which goes with GET


class GraphQLEndpoint:
    """Answers GET and POST at one path."""

    def __init__(self, execution: Executor, live: LiveStreams, viewers: Viewers, *, body_limit: int) -> None:
        self._execution, self._live, self._viewers, self._body_limit = execution, live, viewers, body_limit

    async def respond(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ", ".join(["HEAD", *METHODS])})
        accept = request.headers.get("accept")
        # A client that takes nothing but a stream gets a single answer as one.
        media = accepted(accept) or next((m for m in (EVENTS, PARTS) if offers(accept, m)), None)
        if media is None:
            return answered(
                error_response([coded_error(ErrorCode.BAD_REQUEST, f"Accept {GRAPHQL} or {JSON}.")]), GRAPHQL, 406
            )
        try:
            operation = await self.operation(request)
            viewer = await self.viewer(request)
            if self._execution.kind(operation) is OperationType.SUBSCRIPTION:
                return await self._stream(request, operation, viewer, media)
            response = await self._execute(operation, viewer, media, safe=request.method != "POST")
            return response if request.method == "POST" else validated(response, request.headers.get("if-none-match"))
        except RequestError as error:
            return turned_away(error, media)
        except Exception as error:  # the last chance to answer as GraphQL, and to keep what went wrong to the log
            return answered(error_response([format_error(GraphQLError("", original_error=error))]), media, 500)

    async def _execute(self, operation: Operation, viewer: Viewer | None, media: str, *, safe: bool) -> Response:
        if safe and self._execution.kind(operation) is OperationType.MUTATION:
            errors = [coded_error(ErrorCode.BAD_REQUEST, "A mutation is sent by POST.")]
            return answered(error_response(errors), media, 405, {"allow": "POST"})
        answer = await self._execution.run(operation, viewer)
        if viewer is None and not answer.started and answer.errors[0]["extensions"]["code"] == "UNAUTHENTICATED":
            return answered(answer, media, 401, BEARER)
        if media in (EVENTS, PARTS) and not answer.started:
            return answered(answer, JSON, 400)
        # A plain JSON client takes any other status for a fault of the network; the newer type tells them apart.
        status = 400 if not answer.started and media == GRAPHQL else 200
        return once(answer, media) if media in (EVENTS, PARTS) else answered(answer, media, status)

    async def _stream(self, request: Request, operation: Operation, viewer: Viewer | None, media: str) -> Response:
        accept = request.headers.get("accept")
        stream = next((m for m in (EVENTS, PARTS) if offers(accept, m)), None)
        if stream is None:
            errors = [
                coded_error(ErrorCode.BAD_REQUEST, f"A subscription needs a stream: a WebSocket, {EVENTS} or {PARTS}.")
            ]
            return answered(error_response(errors), media, 400)
        holding = None
        try:
            resume = request.headers.get("last-event-id") or None
            holding = await self.hold(request)
            prepared = await self._live.prepare(operation, viewer, resume)
            if holding.lost:
                raise RequestError(ErrorCode.UNAUTHENTICATED, GONE)
            # Nothing is awaited from here to where the stream says what ends it.
            return streamed(self._live, prepared, stream, holding, self.seconds_left(viewer))
        except BaseException as error:
            if holding is not None:
                holding.release()
            if not isinstance(error, RequestError):
                raise
            status = 401 if error.code is ErrorCode.UNAUTHENTICATED else 400
            plain = media if media in (JSON, GRAPHQL) else JSON
            return answered(error_response(stream_errors(error)), plain, status, BEARER if status == 401 else None)

    async def viewer(self, request: Request) -> Viewer | None:
        """Who asks. Raises Refused."""
        return await self._viewers.of(request.headers.get("authorization"))

    async def hold(self, request: Request) -> Holding:
        """Who asks, for as long as their stream goes on. Raises Refused."""
        return await self._viewers.hold(request.headers.get("authorization"))

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


class BadBody(RequestError):
    """The body cannot be taken, with the status that HTTP has for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, message)
        self.status = status


def turned_away(error: RequestError, media: str) -> Response:
    """A request that was not executed."""
    answer = error_response([coded_error(error.code, error.message)])
    if error.code is ErrorCode.UNAUTHENTICATED:
        return answered(answer, media, 401, BEARER)
    return answered(answer, media, error.status if isinstance(error, BadBody) else 400)


def answered(answer: GraphQLResponse, media: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    # A float that JSON cannot write does not occur in rows; dates are text before they come here.
    body = orjson.dumps(answer.body())
    return Response(body, status, headers, f"{media}; charset=utf-8")


def validated(response: Response, known: str | None) -> Response:
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


def is_json(content_type: str) -> bool:
    """Whether a body with this header is JSON, in UTF-8."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = {p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")}
    return name == JSON and charsets <= {"utf-8", "utf8"}


def accepted(header: str | None) -> str | None:
    """The media type to answer with, or None if the client takes neither; without a header plain JSON."""
    if not header:
        return JSON
    weights: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights[name] = weight(parameters)

    def wanted(media: str) -> float:
        # A type by its name counts before a range that holds it.
        return next((weights[name] for name in (media, "application/*", "*/*") if name in weights), 0.0)

    # Of two wanted alike, the one named first; plain JSON for who names none, since it may not know the other.
    named = [name for name in weights if name in (JSON, GRAPHQL)]
    best = max([*named, JSON, GRAPHQL], key=wanted)
    return best if wanted(best) > 0 else None


def weight(parameters: list[str]) -> float:
    """The q among a media range's parameters, from 0 to 1; a wrong one counts as a refusal."""
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                given = float(parameter[2:])
            except ValueError:
                return 0.0
            return min(given, 1.0) if given > 0 else 0.0
    return 1.0


def from_query(request: Request) -> Operation:
    """Raises Refused for whatever is not a request."""
    try:
        # Starlette would put replacement characters where the bytes are wrong, and a search would look for those.
        pairs = parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, "The address is not in UTF-8.") from None
    given: dict[str, Any] = dict(pairs)
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = loaded(given[name].encode(), f"`{name}`")
    return operation(given)


def loaded(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise RequestError(ErrorCode.BAD_REQUEST, f"{what} is not JSON in UTF-8.") from None


def operation(given: Any) -> Operation:
    """Raises Refused where a part has the wrong form."""
    if not isinstance(given, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, "A request is a JSON object; batches are not taken.")
    query, name, variables = given.get("query"), given.get("operationName"), given.get("variables")
    if not isinstance(query, str):
        raise RequestError(ErrorCode.BAD_REQUEST, "`query` must be there, as a string.")
    if name is not None and not isinstance(name, str):
        raise RequestError(ErrorCode.BAD_REQUEST, "`operationName` must be a string.")
    for part in ("variables", "extensions"):
        if given.get(part) is not None and not isinstance(given[part], dict):
            raise RequestError(ErrorCode.BAD_REQUEST, f"`{part}` must be an object.")
    return Operation(query, variables or {}, name, given.get("extensions") or {})
