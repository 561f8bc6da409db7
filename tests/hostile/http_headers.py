"""Headers: too many, too large, contradictory; content types, hosts, origins, cookies; framing and smuggling."""

import gzip
import zlib
from collections.abc import Iterator

from tests.hostile.case import AUTHORIZATION, GRAPHQL, HOST, NOBODY, WALL, Case, Target, faults_of, post, request_case
from tests.hostile.raw_http import NoAnswerError, connected

GROUP = "http"
BODY = b'{"query":"{__typename}"}'
START = b"POST /graphql HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Type: application/json\r\n" + AUTHORIZATION
FULL = "400|413|431"
ANSWERED = "200 data"

HEADERS: dict[str, tuple[list[bytes], str]] = {
    "1,000 headers": ([b"X-%d: a" % n for n in range(1_000)], f"{ANSWERED}|{FULL}"),
    "20,000 headers": ([b"X-%d: a" % n for n in range(20_000)], FULL),
    "20,000 equal headers": ([b"X: a"] * 20_000, FULL),
    "a header of 30 KiB": ([b"X-A: " + b"a" * 30_000], ANSWERED),
    "a header of 100 KiB": ([b"X-A: " + b"a" * 100_000], FULL),
    "a header of 4 MiB": ([b"X-A: " + b"a" * (4 << 20)], FULL),
    "a header's name of 30 KiB": ([b"X" * 30_000 + b": a"], f"{ANSWERED}|{FULL}"),
    "200 headers of 1 KiB": ([b"X-%d: " % n + b"a" * 1_000 for n in range(200)], FULL),
    "an empty header": ([b"X-A:"], ANSWERED),
    "bytes that are not UTF-8 in a header": ([b"X-A: \xff\xfe"], ANSWERED),
    "two hosts": ([b"Host: evil.example"], f"{ANSWERED}|400|421"),
    "two content types": ([b"Content-Type: text/plain"], f"{ANSWERED}|400|415"),
    "two tokens": ([b"Authorization: Bearer x"], f"{ANSWERED}|400|401 UNAUTHENTICATED"),
    "forwarded from elsewhere": (
        [b"X-Forwarded-For: " + b"1.2.3.4, " * 500, b"X-Forwarded-Host: evil.example", b"Forwarded: for=_x;host=y"],
        ANSWERED,
    ),
    "an override of the method": ([b"X-HTTP-Method-Override: DELETE", b"X-Original-URL: /admin"], ANSWERED),
    "a cookie of 30 KiB": ([b"Cookie: a=" + b"b" * 30_000], ANSWERED),
    "3,000 cookies": ([b"Cookie: " + b"; ".join(b"a%d=b" % n for n in range(3_000))], ANSWERED),
    "a cookie of nonsense": ([b'Cookie: =;;;=a; "; \xff=\xfe; a'], ANSWERED),
    "connection close and keep-alive": ([b"Connection: close, keep-alive, x"], ANSWERED),
    "an upgrade to HTTP/2": (
        [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA"],
        "200 data|400|426",
    ),
    "an upgrade to nonsense": ([b"Connection: Upgrade", b"Upgrade: nonsense/9"], f"{ANSWERED}|400|426"),
    "an expectation": ([b"Expect: 100-continue"], ANSWERED),
    "an expectation of nonsense": ([b"Expect: the-moon"], f"{ANSWERED}|417"),
    "accepting a web page": ([b"Accept: text/html"], f"{ANSWERED}|406 BAD_REQUEST"),
    "a cursor without a stream": ([b"Last-Event-ID: " + b"9" * 1_000], ANSWERED),
    "a traceparent of nonsense": ([b"traceparent: 00-zz", b"tracestate: " + b"a=b," * 500], ANSWERED),
}
# Instead of the usual Accept and Content-Type.
ACCEPT: dict[str, tuple[bytes, str]] = {
    "accepting nothing known": (b"text/html", "406 BAD_REQUEST"),
    "accepting nonsense": (b";;;,,,/;q=", "406 BAD_REQUEST"),
    "accepting with a weight of nan": (b"application/json;q=nan", "406 BAD_REQUEST"),
    "accepting with an infinite weight": (b"application/json;q=1e999", ANSWERED),
    "accepting with a weight of full width": (b"application/json;q=\xef\xbc\x91", f"{ANSWERED}|406 BAD_REQUEST"),
    "accepting 8,000 types": (b",".join(b"a/%d" % n for n in range(8_000)) + b",*/*", f"{ANSWERED}|{FULL}"),
    "accepting bytes": (b"\xff\xfe", "406 BAD_REQUEST"),
    "accepting streams alone": (b"text/event-stream", "200|401 UNAUTHENTICATED"),
    "accepting parts alone": (b"multipart/mixed", "200|401 UNAUTHENTICATED"),
}
TYPES: dict[str, tuple[bytes | None, bytes, str]] = {
    "no content type": (None, BODY, "415 BAD_REQUEST"),
    "an empty content type": (b"", BODY, "415 BAD_REQUEST"),
    "plain text": (b"text/plain", BODY, "415 BAD_REQUEST"),
    "a form": (b"application/x-www-form-urlencoded", b"query=%7B__typename%7D", "415 BAD_REQUEST"),
    "a form with files": (b"multipart/form-data; boundary=x", b"--x\r\n\r\n", "415 BAD_REQUEST"),
    "a form without a boundary": (b"multipart/form-data", b"--x", "415 BAD_REQUEST"),
    "a GraphQL document": (b"application/graphql", b"{__typename}", "415 BAD_REQUEST"),
    "XML": (b"application/xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "415 BAD_REQUEST"),
    "JSON in UTF-16": (b"application/json; charset=utf-16", BODY.decode().encode("utf-16"), "415 BAD_REQUEST"),
    "JSON in UTF-7": (b"application/json; charset=utf-7", BODY, "415 BAD_REQUEST"),
    "JSON in UTF-8 by name": (b'application/json; charset="UTF-8"', BODY, ANSWERED),
    "JSON in capitals": (b"APPLICATION/JSON", BODY, ANSWERED),
    "JSON with a suffix": (b"application/vnd.api+json", BODY, "415 BAD_REQUEST"),
    "JSON among others": (b"application/json, text/plain", BODY, "415 BAD_REQUEST"),
    "a content type of 30 KiB": (b"application/json;" + b"a=b;" * 7_000, BODY, f"{ANSWERED}|415 BAD_REQUEST"),
    "a content type of bytes": (b"\xff\xfe", BODY, "415 BAD_REQUEST"),
}
CODINGS = {
    "gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "br": BODY,
    "zstd": BODY,
    "gzip, gzip": gzip.compress(gzip.compress(BODY)),
    "nonsense": BODY,
}


def chunked(*chunks: bytes) -> bytes:
    return START + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def chunk(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x" % len(body) + extension + b"\r\n" + body + b"\r\n"


def with_length(*lengths: bytes) -> bytes:
    return START + b"".join(b"Content-Length: " + length + b"\r\n" for length in lengths) + b"\r\n" + BODY


LAST = b"0\r\n\r\n"
SECOND = b"GET /metrics HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n"
FRAMING: dict[str, tuple[bytes, str]] = {
    "one byte a chunk": (chunked(*(chunk(BODY[n : n + 1]) for n in range(24)), LAST), ANSWERED),
    "a chunk extension": (chunked(chunk(BODY, b";a=b"), LAST), ANSWERED),
    "a chunk extension of 1 MiB": (chunked(chunk(BODY, b";a=" + b"b" * (1 << 20)), LAST), f"{ANSWERED}|400|413|431"),
    "trailers": (chunked(chunk(BODY), b"0\r\nContent-Length: 5\r\nHost: evil\r\n\r\n"), f"{ANSWERED}|400"),
    "20,000 trailers": (chunked(chunk(BODY), b"0\r\n", b"X: a\r\n" * 20_000, b"\r\n"), f"{ANSWERED}|400|413|431"),
    "a chunk's size of nonsense": (chunked(b"zz\r\n" + BODY + b"\r\n", LAST), "400"),
    "a negative chunk": (chunked(b"-18\r\n" + BODY + b"\r\n", LAST), "400"),
    "a chunk of 0x18": (chunked(b"0x18\r\n" + BODY + b"\r\n", LAST), "400"),
    "a chunk of 2^72 bytes": (chunked(b"1" + b"0" * 18 + b"\r\n" + BODY + b"\r\n", LAST), "400|413"),
    "a chunk of 2^60 bytes": (chunked(b"f" * 15 + b"\r\n" + b"a" * (2 << 20)), "400|413"),
    "a chunk without its line end": (chunked(b"18\r\n" + BODY + b"XX", LAST), "400"),
    "chunks and a length": (
        START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(BODY) + LAST,
        "400|200 data",
    ),
    "a coding of xchunked": (START + b"Transfer-Encoding: xchunked\r\n\r\n" + chunk(BODY) + LAST, "400|501"),
    "chunked, identity": (START + b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunk(BODY) + LAST, "400|501"),
    "gzip, chunked": (
        START + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk(gzip.compress(BODY)) + LAST,
        "400|501",
    ),
    "chunked twice": (
        START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(BODY) + LAST,
        f"400|501|{ANSWERED}",
    ),
    "a space before chunked's colon": (START + b"Transfer-Encoding : chunked\r\n\r\n" + chunk(BODY) + LAST, "400"),
    "a tab before chunked": (START + b"Transfer-Encoding:\tchunked\r\n\r\n" + chunk(BODY) + LAST, f"{ANSWERED}|400"),
    "chunked in version 1.0": (
        START.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(BODY) + LAST,
        f"400|{ANSWERED}",
    ),
    "two equal lengths": (with_length(b"24", b"24"), f"400|{ANSWERED}"),
    "two lengths": (with_length(b"24", b"5"), "400"),
    "a list of lengths": (with_length(b"24, 24"), f"400|{ANSWERED}"),
    "a negative length": (with_length(b"-1"), "400"),
    "a length with a sign": (with_length(b"+24"), "400"),
    "a length of 0x18": (with_length(b"0x18"), "400"),
    "a length of 2.4e1": (with_length(b"2.4e1"), "400"),
    "a length of nothing": (with_length(b""), "400"),
    "a length in words": (with_length(b"twenty-four"), "400"),
    "a length of 2^64": (with_length(b"18446744073709551616"), "400|413"),
    "a length of 2^63": (with_length(b"9223372036854775808"), "400|413"),
    "a length of 1,000 digits": (with_length(b"9" * 1_000), "400|413"),
    "a length of full-width digits": (with_length("２４".encode()), "400"),
    "a length shorter than the body": (with_length(b"5"), "400"),
    "no length": (START + b"\r\n" + BODY, "400"),
    "a length of 0": (START + b"Content-Length: 0\r\n\r\n", "400 BAD_REQUEST"),
}


def pipelined(count: int) -> Case:
    """So many requests at once on one connection, all answered in order."""

    async def attack(target: Target) -> list[str]:
        faults = []
        request = target.filled(post(BODY), WALL)
        async with connected(target.port) as connection:
            connection.send(request * count)
            try:
                for number in range(count):
                    outcome = (await connection.answer()).outcome
                    target.count(outcome)
                    faults += faults_of(outcome, ANSWERED, f"answer {number}")
            except NoAnswerError as error:
                faults.append(f"answer {number}: no answer: {error}")
        return faults

    return Case(GROUP, f"{count} requests in one go", attack)


def cases() -> Iterator[Case]:
    for name, (lines, expected) in HEADERS.items():
        yield request_case(GROUP, name, post(BODY, *lines), expected)
    for name, (accept, expected) in ACCEPT.items():
        yield request_case(GROUP, name, post(BODY).replace(GRAPHQL, accept), expected)
    for name, (kind, body, expected) in TYPES.items():
        line = b"" if kind is None else b"Content-Type: " + kind + b"\r\n"
        yield request_case(GROUP, name, post(body).replace(b"Content-Type: application/json\r\n", line), expected)
    for name, body in CODINGS.items():
        request = post(body, b"Content-Encoding: " + name.encode())
        yield request_case(GROUP, f"a body in {name}", request, "415 BAD_REQUEST")
    for name, (request, expected) in FRAMING.items():
        yield request_case(GROUP, name, request, expected)
    smuggled = START + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(BODY) + LAST + SECOND
    yield request_case(GROUP, "a second request behind chunks", smuggled, "400|200 data", viewers=[NOBODY])
    for count in (2, 300):
        yield pipelined(count)
    for host in (b"evil.example", b"", b"a b", b"127.0.0.1:99999", b"[::1", b"127.0.0.1:@evil", b"\xff", b"a" * 5_000):
        request = post(BODY).replace(HOST, host)
        yield request_case(GROUP, f"Host {host.decode('latin-1')[:20]!r}", request, "200 data|400|403|421")
    for origin in (b"null", b"https://evil.example", b"http://" + HOST + b".evil.example", b"\xff", b"a" * 5_000):
        request = post(BODY, b"Origin: " + origin)
        yield request_case(GROUP, f"Origin {origin.decode('latin-1')[:30]!r}", request, "200 data|400|403")
