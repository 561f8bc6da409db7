"""Request lines, targets, methods and headers that no library sends."""

from collections.abc import Iterator

from tests.hostile.case import AUTHORIZATION, HOST, Case, http, operation, post, request_case

GROUP = "http"
BODY = b'{"query":"{__typename}"}'
TAIL = b"\r\nHost: " + HOST + b"\r\nContent-Type: application/json\r\nContent-Length: 24\r\n" + AUTHORIZATION + b"\r\n"
ANSWERED, BAD = "200 data", "400"
QUERY = b"/graphql?query=%7B__typename%7D"

LINES: dict[str, tuple[bytes, str]] = {
    "two empty lines first": (b"\r\n\r\nPOST /graphql HTTP/1.1", ANSWERED),
    "garbage": (b"GARBAGE", BAD),
    "spaces": (b"     ", BAD),
    "version 9.9": (b"POST /graphql HTTP/9.9", BAD),
    "version 2.0": (b"POST /graphql HTTP/2.0", "200 data|400|505"),
    "a version in lower case": (b"POST /graphql http/1.1", BAD),
    "a version of three digits": (b"POST /graphql HTTP/1.10", BAD),
    "no version": (b"POST /graphql", "200 data|400|505"),
    "another protocol": (b"POST /graphql RTSP/1.0", "200 data|400|505"),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", BAD),
    "a TLS greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n", BAD),
    "a method in lower case": (b"post /graphql HTTP/1.1", BAD),
    "an unknown method": (b"FOO /graphql HTTP/1.1", BAD),
    "a method of 20,000 letters": (b"A" * 20_000 + b" /graphql HTTP/1.1", BAD),
    "NUL in the method": (b"PO\0ST /graphql HTTP/1.1", BAD),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1", "400|404|405"),
    "TRACE": (b"TRACE /graphql HTTP/1.1", "400|405"),
    "PROPFIND": (b"PROPFIND /graphql HTTP/1.1", "400|405"),
    "PATCH": (b"PATCH /graphql HTTP/1.1", "405"),
    "DELETE": (b"DELETE /graphql HTTP/1.1", "405"),
    "PUT": (b"PUT /graphql HTTP/1.1", "405"),
    "tabs between the words": (b"POST\t/graphql\tHTTP/1.1", BAD),
    "two spaces between the words": (b"POST  /graphql  HTTP/1.1", "400|200 data"),
    "no target": (b"POST  HTTP/1.1", BAD),
    "a target without a slash": (b"POST graphql HTTP/1.1", BAD),
    "an asterisk": (b"POST * HTTP/1.1", "400|404|405"),
    "NUL in the target": (b"POST /graphql\0 HTTP/1.1", BAD),
    "a control character in the target": (b"POST /graph\x01ql HTTP/1.1", "400|404"),
    "a carriage return in the target": (b"POST /graph\rql HTTP/1.1", BAD),
    "raw UTF-8 in the target": ("POST /图 HTTP/1.1".encode(), "400|404"),
    "bytes that are not UTF-8 in the target": (b"POST /\xff\xfe HTTP/1.1", "400|404"),
    "a fragment in the target": (b"POST /graphql#x HTTP/1.1", "400|404|200 data"),
    "the target of a proxy": (b"POST http://evil.example/graphql HTTP/1.1", "400|404|421|200 data"),
    "a target with a user": (b"POST http://a:b@evil.example/graphql HTTP/1.1", "400|404|421|200 data"),
    "a target of another scheme": (b"POST file:///etc/passwd HTTP/1.1", "400|404|421"),
}

PATHS: dict[str, tuple[bytes, str]] = {
    "two slashes": (b"//graphql", "404|405"),
    "a slash at the end": (b"/graphql/", "404|405"),
    "dots in the path": (b"/graphql/../graphql", "404|405"),
    "a letter escaped": (b"/%67raphql?query=%7B__typename%7D", "200 data|404"),
    "NUL escaped": (b"/graphql%00", "404|405"),
    "half an escape": (b"/graphql%", "400|404"),
    "a wrong escape": (b"/graphql%zz", "400|404"),
    "an escape that is not UTF-8": (b"/%ff%fe", "400|404"),
    "parameters of a path": (b"/graphql;a=b", "404|405"),
    "a path of 60,000 characters": (b"/" + b"a" * 60_000, "404|414|400|431"),
    "a path of 2,000,000 characters": (b"/" + b"a" * 2_000_000, "414|400|431"),
    "a query string of 60,000 characters": (QUERY + b"&x=" + b"a" * 60_000, "200 data|414|400|431"),
    "100,000 parameters": (QUERY + b"&a=b" * 100_000, "414|400|431"),
    "a query string that is not UTF-8": (b"/graphql?query=%ff", BAD),
    "a query string with half an escape": (b"/graphql?query=%7B__typename%7D&x=%", "200 data|400"),
    "no query": (b"/graphql", BAD),
    "an empty query": (b"/graphql?query=", "400|200 BAD_DOCUMENT"),
    "two queries": (QUERY + b"&query=%7Bnothing%7D", "400|200 data|200 BAD_DOCUMENT"),
    "variables that are not JSON": (QUERY + b"&variables=%7B", BAD),
    "variables that are a list": (QUERY + b"&variables=%5B%5D", BAD),
    "variables of NUL": (QUERY + b"&variables=%00", BAD),
    "deep variables": (QUERY + b"&variables=" + b"%5B" * 5_000, BAD),
    "extensions that are a number": (QUERY + b"&extensions=1", BAD),
    "a mutation by GET": (b"/graphql?query=mutation%7B__typename%7D", "405|401 UNAUTHENTICATED"),
    "out of the pages": (b"/graphiql/../../../../../../etc/passwd", "404|400"),
    "out of the pages, escaped": (b"/graphiql/%2e%2e/%2e%2e/%2e%2e/pyproject.toml", "404|400"),
    "out of the pages, slashes escaped": (b"/graphiql/..%2f..%2f..%2fpyproject.toml", "404|400"),
    "out of the pages, twice escaped": (b"/graphiql/%252e%252e/pyproject.toml", "404|400"),
    "out of the pages, backslashes": (b"/graphiql/..\\..\\..\\pyproject.toml", "404|400"),
    "NUL in a page's name": (b"/graphiql/%00", "404|400"),
    "a surrogate in a page's name": (b"/graphiql/%ed%a0%80", "404|400"),
    "a page's name of 5,000 characters": (b"/graphiql/" + b"a" * 5_000, "404|400|414"),
    "a page's name of 300 folders": (b"/graphiql/" + b"a/" * 300, "404|400|414"),
    "out of the evidence": (b"/evidence/..%2f..%2fetc%2fpasswd", "403|404|400"),
    "evidence without a name": (b"/evidence/", "307|404|405|400"),
    "the metrics with parameters": (b"/metrics?a=" + b"b" * 10_000, "200|400|401|403|404"),
    "a page that does not exist": (b"/wp-admin/setup-config.php", "404"),
    "the repository": (b"/.git/config", "404"),
    "an event stream's token": (b"/graphql/stream?token=x", "404|401"),
}

OPTIONS: dict[str, tuple[bytes, str]] = {
    "OPTIONS": (http(b"OPTIONS", b"/graphql"), "204|405"),
    "OPTIONS of the server": (http(b"OPTIONS", b"*"), "200|204|400|404|405"),
    "a preflight of another origin": (
        http(
            b"OPTIONS",
            b"/graphql",
            b"Origin: https://evil.example",
            b"Access-Control-Request-Method: POST",
            b"Access-Control-Request-Headers: authorization",
        ),
        "204|400|403|405",
    ),
    "POST to the health check": (http(b"POST", b"/healthz", body=b"{}"), "405"),
    "DELETE of the schema": (http(b"DELETE", b"/schema.graphql"), "405|401"),
    "POST to the metrics": (http(b"POST", b"/metrics", body=b"a" * 100_000), "405|401|404"),
    "a body with GET": (http(b"GET", QUERY, b"Content-Type: application/json", body=BODY), "200 data|400"),
    "a body with OPTIONS": (http(b"OPTIONS", b"/graphql", body=b"a" * 1_000_000), "204|400|405|413"),
    "a range of the schema": (http(b"GET", b"/schema.graphql", b"Range: bytes=0-0"), "200|206|401"),
    "a range of nothing": (http(b"GET", b"/graphiql/", b"Range: bytes=5-1"), "200|206|400|404|416"),
    "a range beyond the end": (http(b"GET", b"/graphiql/", b"Range: bytes=9999999999-"), "200|206|400|404|416"),
    "a range of words": (http(b"GET", b"/graphiql/", b"Range: bytes=a-b,,,"), "200|206|400|404|416"),
    "a range of huge numbers": (
        http(b"GET", b"/graphiql/", b"Range: bytes=0-" + b"9" * 5_000),
        "200|206|400|404|416",
    ),
    "5,000 ranges": (
        http(b"GET", b"/graphiql/", b"Range: bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(5_000))),
        "200|206|400|404|416|431",
    ),
    "5,000 ranges that overlap": (
        http(b"GET", b"/graphiql/", b"Range: bytes=" + b",".join(b"0-%d" % n for n in range(5_000))),
        "200|206|400|404|416|431",
    ),
    "10,000 entity tags": (
        http(b"GET", QUERY, b"If-None-Match: " + b",".join(b'"%d"' % n for n in range(5_000))),
        "200 data|304|431",
    ),
    "an entity tag of bytes": (http(b"GET", QUERY, b'If-None-Match: W/"\xff\xfe'), "200 data"),
    "a date of nonsense": (http(b"GET", b"/graphiql/", b"If-Modified-Since: yesterday"), "200|400|404"),
    "a date of the year 99999": (
        http(b"GET", b"/graphiql/", b"If-Modified-Since: Fri, 31 Dec 99999 23:59:59 GMT"),
        "200|304|400|404",
    ),
}

# Line ends and headers without form.
HEADS: dict[str, tuple[bytes, str]] = {
    "line feeds alone": (
        b"POST /graphql HTTP/1.1\nHost: " + HOST + b"\nContent-Type: application/json\nContent-Length: 24\n\n" + BODY,
        "200 data|400",
    ),
    "carriage returns alone": (b"GET /healthz HTTP/1.1\rHost: a\r\r\r\n\r\n", BAD),
    "a header without a colon": (b"GET /healthz HTTP/1.1\r\nHost: " + HOST + b"\r\nGarbage\r\n\r\n", BAD),
    "a header without a name": (b"GET /healthz HTTP/1.1\r\nHost: " + HOST + b"\r\n: x\r\n\r\n", BAD),
    "a space before the colon": (b"GET /healthz HTTP/1.1\r\nHost : " + HOST + b"\r\n\r\n", BAD),
    "a folded header": (
        b"GET /healthz HTTP/1.1\r\nHost: " + HOST + b"\r\nX-A: a\r\n b\r\n\r\n",
        "200|400",
    ),
    "a first header that is folded": (b"GET /healthz HTTP/1.1\r\n X: a\r\nHost: " + HOST + b"\r\n\r\n", BAD),
    "NUL in a header": (b"GET /healthz HTTP/1.1\r\nHost: " + HOST + b"\r\nX-A: a\0b\r\n\r\n", BAD),
    "a control character in a header": (
        b"GET /healthz HTTP/1.1\r\nHost: " + HOST + b"\r\nX-A: a\x01b\r\n\r\n",
        "200|400",
    ),
    "a header in UTF-16": (b"GET /healthz HTTP/1.1\r\n" + "X: a".encode("utf-16") + b"\r\n\r\n", BAD),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", "200|400|421"),
    "no Host in version 1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", "200|400|421"),
}


def cases() -> Iterator[Case]:
    for name, (line, expected) in LINES.items():
        yield request_case(GROUP, name, line + TAIL + BODY, expected)
    for name, (path, expected) in PATHS.items():
        yield request_case(GROUP, name, http(b"GET", path), expected)
    for name, (request, expected) in OPTIONS.items():
        yield request_case(GROUP, name, request, expected)
    for name, (request, expected) in HEADS.items():
        yield request_case(GROUP, name, request, expected, viewers=["nobody"])
    for path in (QUERY, b"/", b"/graphiql/", b"/schema.graphql", b"/healthz", b"/readyz", b"/metrics", b"/nothing"):
        name = f"HEAD {path.decode()[:20]}"
        yield request_case(GROUP, name, http(b"HEAD", path), "200|307|302|401|404|405", head=True)
    yield request_case(GROUP, "the same request plainly", operation("{__typename}"), ANSWERED)
    yield request_case(GROUP, "a query string on POST", post(BODY, path=b"/graphql?query=%7Bnothing%7D"), ANSWERED)
