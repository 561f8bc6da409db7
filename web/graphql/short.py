"""A short way for what is asked most: a query whose plan is known, by POST, of a viewer who is known.

It makes every check of web/graphql.py, by the same functions, and leaves out what lies between: routing, and objects
for request and response, which together take longer than a small query. Whatever else comes goes the whole way.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.errors import RequestError
from schema.execution.executor import Executor
from schema.plan.fallback import FallbackRequired
from web.auth.sessions import Authenticator
from web.graphql.negotiation import GRAPHQL, JSON, accepted, is_json
from web.graphql.request import loaded, operation

# Headers that the short way knows how to take; of others that matter here the whole way takes care.
SENT = frozenset({b"content-type", b"accept", b"authorization"})
LONG = 500  # bytes; longer headers are not kept


class ShortWay:
    """The application, with the short way before it."""

    def __init__(self, app: ASGIApp, execution: Executor, viewers: Authenticator, *, body_limit: int) -> None:
        self._app, self._execution, self._viewers, self._body_limit = app, execution, viewers, body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != "/graphql":
            await self._app(scope, receive, send)
            return
        headers = taken(scope["headers"])
        if headers is None:
            await self._app(scope, receive, send)
            return
        media, authorization = headers
        message = await receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body") and len(body) <= self._body_limit:
            data = await self._data(body, authorization)
            if data is not None:
                await send(started(media, len(data) + 9))
                await send({"type": "http.response.body", "body": b'{"data":' + data + b"}"})
                return
        await self._app(scope, again(message, receive), send)

    async def _data(self, body: bytes, authorization: bytes | None) -> bytes | None:
        """The answer's data; None where the whole way must be gone."""
        try:
            asked = operation(loaded(body, "The body"))
            known = self._execution.known(asked)
            if known is None or self._execution.plans is None:
                return None
            viewer = self._viewers.cached_viewer(None if authorization is None else authorization.decode("latin-1"))
            if viewer is None:
                return None
            return await self._execution.plans.data(known, asked.variables, self._execution.moment(viewer))
        except (RequestError, FallbackRequired):
            return None


def taken(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, bytes | None] | None:
    """The media type of the answer, and who asks; None where the headers need a longer look."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name == b"content-encoding" or (name in SENT and name in found):
            return None
        found[name] = value
    if len(found.get(b"content-type", b"")) > LONG or len(found.get(b"accept", b"")) > LONG:
        return None
    if not sends_json(found.get(b"content-type", b"")):
        return None
    media = answers(found.get(b"accept"))
    return None if media is None else (media, found.get(b"authorization"))


def again(message: Message, receive: Receive) -> Receive:
    """`receive`, with a message before the others."""
    before = [message]

    async def first_that() -> Message:
        return before.pop() if before else await receive()

    return first_that


@lru_cache(maxsize=100)
def sends_json(content_type: bytes) -> bool:
    return is_json(content_type.decode("latin-1"))


@lru_cache(maxsize=1000)
def answers(accept: bytes | None) -> str | None:
    media = accepted(None if accept is None else accept.decode("latin-1"))
    return media if media in (JSON, GRAPHQL) else None


@lru_cache(maxsize=10)
def content_type(media: str) -> bytes:
    return f"{media}; charset=utf-8".encode()


def started(media: str, length: int) -> dict[str, Any]:
    headers = [(b"content-length", str(length).encode()), (b"content-type", content_type(media))]
    return {"type": "http.response.start", "status": 200, "headers": headers}
