"""Compressed responses: exactly where a client accepts gzip, from a size on, with validators that stay right."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

import web.pages as web_pages
from tests.conftest import Databases
from tests.web.conftest import SECRET, talking
from web.compression import MINIMUM, CompressionMiddleware, accepts_gzip
from web.settings import Settings

LARGE = {"query": "{ enterprises(first: 100) { nodes { id name address riskGrade } } }"}
SMALL = {"query": "{ district { name } }"}


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False),
        (b"", False),
        (b"gzip", True),
        (b"GZIP", True),
        (b"x-gzip", True),
        (b"deflate, gzip;q=0.5, br", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000, *", False),
        (b"gzip; q=0, deflate", False),
        (b"*", True),
        (b"*;q=0", False),
        (b"*;q=0, gzip", True),
        (b"identity", False),
        (b"br", False),
        (b"gzip;q=nonsense", False),
    ],
)
def test_gzip_is_used_exactly_where_it_is_accepted(header: bytes | None, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


async def raw(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> tuple[httpx.Response, bytes]:
    """The response with its body as it was sent."""
    async with client.stream(method, path, **options) as response:
        return response, b"".join([part async for part in response.aiter_raw()])


async def test_large_answers_are_compressed_and_small_ones_not(client: httpx.AsyncClient) -> None:
    plain, body = await raw(client, "POST", "/graphql", json=LARGE, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers["vary"].lower()
    assert len(body) > 10 * MINIMUM
    packed, bytes_sent = await raw(client, "POST", "/graphql", json=LARGE, headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-length"] == str(len(bytes_sent))
    assert len(bytes_sent) < len(body) / 2
    assert gzip.decompress(bytes_sent) == body
    assert "accept-encoding" in packed.headers["vary"].lower()
    small, _ = await raw(client, "POST", "/graphql", json=SMALL, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers


async def test_a_validator_is_weak_for_a_compressed_answer_and_works_for_both(client: httpx.AsyncClient) -> None:
    tags = {}
    for encoding in ("gzip", "identity"):
        got, _ = await raw(client, "GET", "/graphql", params=LARGE, headers={"accept-encoding": encoding})
        head, _ = await raw(client, "HEAD", "/graphql", params=LARGE, headers={"accept-encoding": encoding})
        assert {n: head.headers[n] for n in ("etag", "content-length", "vary")} == {
            n: got.headers[n] for n in ("etag", "content-length", "vary")
        }
        tags[encoding] = got.headers["etag"]
        assert {"accept", "authorization", "accept-encoding"} <= set(got.headers["vary"].lower().split(", "))
    assert tags["gzip"] == f"W/{tags['identity']}"
    for tag in tags.values():
        for encoding in ("gzip", "identity"):
            headers = {"accept-encoding": encoding, "if-none-match": tag}
            again, body = await raw(client, "GET", "/graphql", params=LARGE, headers=headers)
            assert (again.status_code, body, again.headers["etag"]) == (304, b"", tag)


async def test_streams_are_not_compressed(client: httpx.AsyncClient) -> None:
    for accept in ("text/event-stream", "multipart/mixed"):
        headers = {"accept": accept, "accept-encoding": "gzip"}
        response, body = await raw(client, "POST", "/graphql", json=LARGE, headers=headers)
        assert response.headers["content-type"].startswith(accept)
        assert "content-encoding" not in response.headers
        assert b"enterprises" in body


async def test_pages_and_the_schema_are_compressed(
    monkeypatch: pytest.MonkeyPatch, demo_url: str, databases: Databases, tmp_path: Path
) -> None:
    script = "const answer = 42\n" * 20_000
    for folder in ("graphiql", "pages/start", "pages/signin", "pages/assets"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "index.html").write_text("<!doctype html>")
    (tmp_path / "pages/assets/a-1234.js").write_text(script)
    (tmp_path / "pages/assets/b-1234.png").write_bytes(bytes(5_000))
    monkeypatch.setattr(web_pages, "PAGES", tmp_path)
    async with talking(Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET)) as client:
        accepting = {"accept-encoding": "gzip, br"}
        response, body = await raw(client, "GET", "/assets/a-1234.js", headers=accepting)
        assert gzip.decompress(body).decode() == script
        assert "javascript" in response.headers["content-type"]
        assert "immutable" in response.headers["cache-control"]
        assert "default-src 'self'" in response.headers["content-security-policy"]
        tag = response.headers["etag"]
        again = await client.get("/assets/a-1234.js", headers={**accepting, "if-none-match": tag})
        assert again.status_code == 304
        plain, body = await raw(client, "GET", "/assets/a-1234.js", headers={"accept-encoding": "gzip;q=0"})
        assert body.decode() == script
        assert {plain.headers["vary"], response.headers["vary"]} == {"Accept-Encoding"}
        part = await client.get("/assets/a-1234.js", headers={"accept-encoding": "identity", "range": "bytes=0-4"})
        assert (part.status_code, part.content) == (206, b"const")
        _, body = await raw(client, "GET", "/assets/b-1234.png", headers=accepting)
        assert body == bytes(5_000)
        schema, body = await raw(client, "GET", "/schema.graphql", headers=accepting)
        assert schema.headers["content-length"] == str(len(body))
        assert b"type Query" in zlib.decompress(body, zlib.MAX_WBITS | 16)


async def test_the_middleware_leaves_parts_and_encoded_bodies_alone() -> None:
    async def parts() -> Any:
        yield b"a" * 5_000
        yield b"b" * 5_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/parts":
            await StreamingResponse(parts(), media_type="text/plain")(scope, receive, send)
        else:
            headers = {"content-encoding": "br"} if path == "/encoded" else {}
            await PlainTextResponse("c" * 5_000, headers=headers)(scope, receive, send)

    transport = httpx.ASGITransport(CompressionMiddleware(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        sizes = {}
        for path in ("/parts", "/encoded", "/whole"):
            response, body = await raw(client, "GET", path, headers={"accept-encoding": "gzip"})
            sizes[path] = len(body), response.headers.get("content-encoding")
    assert sizes["/parts"] == (10_000, None)
    assert sizes["/encoded"] == (5_000, "br")
    assert sizes["/whole"][1] == "gzip"
