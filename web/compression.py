"""Compresses responses with gzip for clients that accept it, from one kilobyte on. Streams stay as they are."""

import asyncio
import zlib

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.graphql.negotiation import cached, weight

MINIMUM = 1_000  # bytes; a smaller response fits into one packet anyway
IN_THREAD = 32 << 10  # bytes; a larger body is compressed in a thread, because it takes longer than half a millisecond
LEVEL = 5
TEXTS = ("text/", "application/json", "application/graphql-response+json", "application/javascript", "image/svg+xml")
STREAM = "text/event-stream"


@cached
def accepts_gzip(accept_encoding: bytes | None) -> bool:
    """Whether an Accept-Encoding header allows gzip, by its name or else by `*`, with a weight above zero."""
    weights: dict[str, float] = {}
    for entry in (accept_encoding or b"").decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        weights["gzip" if name == "x-gzip" else name] = weight(parameters)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def accepted_encoding(scope: Scope) -> bytes | None:
    """The Accept-Encoding of a request, whose several lines are one list; None without any."""
    values = [value for name, value in scope["headers"] if name == b"accept-encoding"]
    return b",".join(values) if values else None


def is_text(content_type: str) -> bool:
    """Whether content of this type is worth compressing and is no stream."""
    return content_type.startswith(TEXTS) and not content_type.startswith(STREAM)


def gzipped(body: bytes) -> bytes:
    """Equal bodies give equal bytes: the header has no time."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(body) + compressor.flush()


class CompressionMiddleware:
    """Compresses texts that an application sends as a whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if is_text(headers.get("content-type", "")) and "content-encoding" not in headers:
                    start = message
                    return
            elif start is not None and message["type"] == "http.response.body":
                begun, start = start, None
                if not message.get("more_body", False):
                    message = {
                        **message,
                        "body": await compressed(begun, message.get("body", b""), accepted_encoding(scope)),
                    }
                await send(begun)
            await send(message)

        await self._app(scope, receive, sending)


async def compressed(start: Message, body: bytes, accept_encoding: bytes | None) -> bytes:
    """The body to send, and the headers of `start` to fit."""
    if len(body) < MINIMUM:
        return body
    headers = MutableHeaders(scope=start)
    headers.add_vary_header("Accept-Encoding")
    if not accepts_gzip(accept_encoding):
        return body
    body = gzipped(body) if len(body) <= IN_THREAD else await asyncio.to_thread(gzipped, body)
    headers["content-encoding"], headers["content-length"] = "gzip", str(len(body))
    if "etag" in headers:
        headers["etag"] = weak(headers["etag"])
    return body


def weak(tag: str) -> str:
    """The tag for a compressed response: its bytes differ from those that a strong one stands for."""
    return tag if tag.startswith("W/") else f"W/{tag}"
