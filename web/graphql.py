"""GraphQL over HTTP, as the specification of that name has it (graphql.github.io/graphql-over-http)."""

from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from models.visibility import Viewer
from resolvers.refusals import Code, Refused
from schema.execution import Answer, Execution, Operation, error_of, refused

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


class GraphQLEndpoint:
    """Answers GET and POST at one path."""

    def __init__(self, execution: Execution, viewer: Viewer, *, body_limit: int) -> None:
        self._execution, self._viewer, self._body_limit = execution, viewer, body_limit

    async def __call__(self, request: Request) -> Response:
        media = accepted(request.headers.get("accept"))
        if media is None:
            return answered(refused([error_of(Code.BAD_REQUEST, f"Accept {GRAPHQL} or {JSON}.")]), GRAPHQL, 406)
        try:
            operation = from_query(request) if request.method == "GET" else await self._from_body(request)
        except Refused as error:
            status = error.status if isinstance(error, BadBody) else 400
            return answered(refused([error_of(error.code, error.message)]), media, status)
        kind = self._execution.kind(operation)
        if request.method == "GET" and kind is OperationType.MUTATION:
            errors = [error_of(Code.BAD_REQUEST, "A mutation is sent by POST.")]
            return answered(refused(errors), media, 405, {"allow": "POST"})
        if kind is OperationType.SUBSCRIPTION:
            errors = [error_of(Code.BAD_REQUEST, "A subscription needs a stream: a WebSocket or server-sent events.")]
            return answered(refused(errors), media, 400)
        answer = await self._execution.run(operation, self._viewer)
        # A plain JSON client takes any other status for a fault of the network; the newer type tells them apart.
        status = 400 if not answer.started and media == GRAPHQL else 200
        return answered(answer, media, status)

    async def _from_body(self, request: Request) -> Operation:
        """Raises Refused for whatever is not a request."""
        name, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
        charsets = {p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")}
        if name != JSON or not charsets <= {"utf-8", "utf8"}:
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


class BadBody(Refused):
    """The body cannot be taken, with the status that HTTP has for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.status = status


def answered(answer: Answer, media: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    # A float that JSON cannot write does not occur in rows; dates are text before they come here.
    body = orjson.dumps(answer.body())
    return Response(body, status, headers, f"{media}; charset=utf-8")


def accepted(header: str | None) -> str | None:
    """The media type to answer with, or None if the client takes neither; without a header plain JSON."""
    if not header:
        return JSON
    best: tuple[float, str] | None = None
    for entry in header.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        media = {JSON: JSON, GRAPHQL: GRAPHQL, "application/*": JSON, "*/*": JSON}.get(name)
        quality = weight(parameters)
        if media and quality > 0 and (best is None or quality > best[0]):
            best = (quality, media)
    return best and best[1]


def weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def from_query(request: Request) -> Operation:
    """Raises Refused for whatever is not a request."""
    given: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = loaded(given[name].encode("utf-8", "surrogatepass"), f"`{name}`")
    return operation(given)


def loaded(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Refused(Code.BAD_REQUEST, f"{what} is not JSON in UTF-8.") from None


def operation(given: Any) -> Operation:
    """Raises Refused where a part has the wrong form."""
    if not isinstance(given, dict):
        raise Refused(Code.BAD_REQUEST, "A request is a JSON object; batches are not taken.")
    query, name, variables = given.get("query"), given.get("operationName"), given.get("variables")
    if not isinstance(query, str):
        raise Refused(Code.BAD_REQUEST, "`query` must be there, as a string.")
    if name is not None and not isinstance(name, str):
        raise Refused(Code.BAD_REQUEST, "`operationName` must be a string.")
    for part in ("variables", "extensions"):
        if given.get(part) is not None and not isinstance(given[part], dict):
            raise Refused(Code.BAD_REQUEST, f"`{part}` must be an object.")
    return Operation(query, variables or {}, name)
