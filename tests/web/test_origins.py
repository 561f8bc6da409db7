"""Host and Origin are checked on every path, for requests and WebSockets; what a cookie alone may do; demo's tokens."""

import socket
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.server_process import Process
from tests.support.stream_clients import PROTOCOL
from tests.web.conftest import SECRET, talking
from web import demo
from web.origins import BAD_HOST, FOREIGN_ORIGIN, NO_ORIGIN, OriginPolicy, host_names, is_loopback, origins
from web.security_headers import SECURITY_HEADERS
from web.settings import Settings

Headers = list[tuple[str, str]]
POLICY = OriginPolicy({"huhang.example.org"}, {b"https://map.example.org"})
COOKIE = ("cookie", "theme=dark; __Host-huhang=abc")
BEARER = ("authorization", "Bearer abc")
OWN, FOREIGN = ("origin", "https://huhang.example.org"), ("origin", "https://evil.example")
EVENTS = ("accept", "text/event-stream")


def scope(*headers: tuple[str, str], host: str | None = "huhang.example.org", **more: Any) -> Any:
    named: Headers = [*([] if host is None else [("host", host)]), *headers]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in named]
    return {"type": "http", "method": "POST", "scheme": "http", "path": "/graphql", "headers": raw, **more}


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST",
        "huhang.localhost:8000",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]:8000",
        "192.168.1.5:8000",
        "[fe80::1]",
        "huhang.example.org",
        "Huhang.Example.org:8443",
    ],
)
def test_own_names_and_every_address_are_accepted_as_host(host: str) -> None:
    assert POLICY.check(scope(host=host)) is None
    assert POLICY.check(scope(host=host)) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8000",
        "huhang.example.org.evil.example",
        "evilhuhang.example.org",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "huhang.example.org:80:80",
        "huhang.example.org:x",
        "huhang.example.org:-1",
        "huhang.example.org@evil.example",
        "evil.example/huhang.example.org",
        "[::1",
        "[::1]x",
        "[127.0.0.1]",
        "[huhang.example.org]",
        "::1",
        "0x7f000001",
        "127.1",
        "1.2.3.4.5",
        "\xe9.example",
        "x" * 100_000,
    ],
)
def test_any_other_host_is_refused(host: str | None) -> None:
    assert POLICY.check(scope(host=host)) is BAD_HOST
    assert POLICY.check(scope(host=host, type="websocket", method=None)) is BAD_HOST


def test_two_hosts_are_refused_in_either_order() -> None:
    for first, second in (("localhost", "evil.example"), ("evil.example", "localhost"), ("localhost", "localhost")):
        assert POLICY.check(scope(("host", second), host=first)) is BAD_HOST


def test_accepted_hosts_are_not_kept_without_bound() -> None:
    policy = OriginPolicy()
    for number in range(5_000):
        assert policy.check(scope(host=f"{number}.localhost")) is None
    assert len(policy._accepted) <= 1_000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([OWN], None),
        ([("origin", "http://huhang.example.org")], None),
        ([("origin", "https://map.example.org")], None),
        ([FOREIGN], FOREIGN_ORIGIN),
        ([("origin", "null")], FOREIGN_ORIGIN),
        ([("origin", "")], FOREIGN_ORIGIN),
        ([("origin", "https://huhang.example.org:8443")], FOREIGN_ORIGIN),
        ([("origin", "https://map.example.org.evil.example")], FOREIGN_ORIGIN),
        ([OWN, FOREIGN], FOREIGN_ORIGIN),
        ([FOREIGN, OWN], FOREIGN_ORIGIN),
        ([COOKIE], NO_ORIGIN),
        ([COOKIE, OWN], None),
        ([COOKIE, ("origin", "https://map.example.org")], None),
        ([COOKIE, FOREIGN], FOREIGN_ORIGIN),
        ([COOKIE, ("sec-fetch-site", "same-origin")], None),
        ([COOKIE, ("sec-fetch-site", "same-site")], NO_ORIGIN),
        ([COOKIE, ("sec-fetch-site", "cross-site")], NO_ORIGIN),
        ([COOKIE, FOREIGN, ("sec-fetch-site", "same-origin")], FOREIGN_ORIGIN),
        ([("cookie", "a=b"), ("cookie", "huhang=abc")], NO_ORIGIN),
        ([("cookie", "theme=dark; nothuhang=1; x=huhang=2")], None),
        ([BEARER, FOREIGN], None),
        ([BEARER, COOKIE], None),
        ([("authorization", "Basic abc"), FOREIGN], FOREIGN_ORIGIN),
        ([("authorization", "Basic abc"), COOKIE], NO_ORIGIN),
    ],
)
def test_what_changes_or_streams_needs_an_own_or_listed_origin(headers: Headers, expected: object) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert POLICY.check(scope(*headers, method=method)) is expected
    assert POLICY.check(scope(*headers, type="websocket", method=None, scheme="ws")) is expected
    assert POLICY.check(scope(*headers, EVENTS, method="GET")) is expected
    assert POLICY.check(scope(*headers, ("accept", "multipart/mixed;subscriptionSpec=1.0"), method="GET")) is expected
    assert POLICY.check(scope(*headers, method="GET", path="/graphql/stream")) is expected
    for method in ("GET", "HEAD", "OPTIONS"):
        assert POLICY.check(scope(*headers, method=method)) is None


def test_over_tls_a_page_without_tls_is_foreign() -> None:
    for scheme in ("https", "wss"):
        assert POLICY.check(scope(COOKIE, OWN, scheme=scheme)) is None
        assert POLICY.check(scope(COOKIE, ("origin", "http://huhang.example.org"), scheme=scheme)) is FOREIGN_ORIGIN


def test_a_default_port_in_host_is_that_of_the_origin() -> None:
    assert POLICY.check(scope(COOKIE, OWN, host="huhang.example.org:443")) is None
    assert POLICY.check(scope(COOKIE, OWN, host="huhang.example.org:80")) is FOREIGN_ORIGIN


@pytest.mark.parametrize("hosts", ["https://huhang.example.org", "huhang.example.org:8000", "a/b", "*", "a b"])
def test_a_wrong_host_in_the_settings_is_named(hosts: str) -> None:
    with pytest.raises(ValueError, match="a host is a name"):
        host_names(hosts)


@pytest.mark.parametrize("listed", ["map.example.org", "https://map.example.org/", "ftp://a", "https://u@a", "*"])
def test_a_wrong_origin_in_the_settings_is_named(listed: str) -> None:
    with pytest.raises(ValueError, match="origins are separated by commas"):
        origins(listed)


def test_lists_in_the_settings_are_separated_by_commas() -> None:
    assert host_names(" A.example, b.example,,") == {"a.example", "b.example"}
    assert origins("https://A.example:8443 ,http://b.example") == {b"https://a.example:8443", b"http://b.example"}
    assert (host_names(None), origins("")) == (frozenset(), frozenset())


# -- on every path --


@pytest_asyncio.fixture
async def client(databases: Databases, demo_url: str) -> Any:
    settings = Settings(
        database_url=await databases.new(demo_url),
        demo=True,
        secret=SECRET,
        hosts="huhang.example.org",
        origins="https://map.example.org",
    )
    async with talking(settings) as client:
        yield client


PATHS = [("GET", "/"), ("GET", "/graphql?query={__typename}"), ("POST", "/graphql"), ("GET", "/healthz")]
PATHS += [("GET", "/graphiql/"), ("GET", "/metrics"), ("PUT", "/graphql/stream"), ("POST", "/evidence"), ("GET", "/no")]


async def test_host_and_origin_are_checked_on_every_path(client: httpx.AsyncClient) -> None:
    for method, path in PATHS:
        refused = await client.request(method, path, headers={"host": "evil.example"})
        assert (refused.status_code, code(refused)) == (421, "BAD_HOST")
        foreign = await client.request(method, path, headers={"origin": "https://evil.example"})
        if method in ("POST", "PUT"):
            assert (foreign.status_code, code(foreign)) == (403, "BAD_ORIGIN")
        else:
            assert '"code":"BAD_ORIGIN"' not in foreign.text
        for accepted in ({"host": "huhang.example.org"}, {"origin": "https://map.example.org"}):
            text = (await client.request(method, path, headers=accepted)).text
            assert '"code":"BAD_HOST"' not in text
            assert '"code":"BAD_ORIGIN"' not in text


def code(response: httpx.Response) -> str:
    result: str = response.json()["errors"][0]["extensions"]["code"]
    return result


async def test_a_cookie_alone_changes_nothing(client: httpx.AsyncClient) -> None:
    body, cookie = {"query": "{ __typename }"}, {"cookie": "huhang=abc"}
    assert (await client.post("/graphql", json=body, headers=cookie)).status_code == 403
    own = await client.post("/graphql", json=body, headers={**cookie, "origin": "http://localhost"})
    assert own.status_code != 403


@pytest.mark.parametrize("path", ["/no", "/graphql/no", "/graphiql/no.js", "/evidence/no/no"])
async def test_an_unknown_path_is_json_with_a_code(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert code(response) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/graphql"), ("POST", "/healthz"), ("PATCH", "/graphql/stream"), ("PUT", "/evidence")],
)
async def test_a_wrong_method_is_json_with_a_code(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"]
    assert code(response) == "BAD_REQUEST"


async def test_over_tls_the_cookie_without_a_prefix_does_not_count(client: httpx.AsyncClient) -> None:
    """Somebody who answers for the host over plain HTTP could have set it."""
    for scheme, status in (("http", 401), ("https", 200)):
        url = f"{scheme}://localhost/graphql?query={{__typename}}"
        response = await client.get(url, headers={"cookie": "huhang=theirs"})
        assert response.status_code == status


async def test_strict_transport_security_is_for_tls_only(client: httpx.AsyncClient) -> None:
    for path in ("/graphql?query={__typename}", "/healthz", "/no"):
        assert "strict-transport-security" not in (await client.get(path)).headers
        assert "max-age=" in (await client.get(f"https://localhost{path}")).headers["strict-transport-security"]


# -- a real server --


def test_every_response_has_the_security_headers(served: Process) -> None:
    def check(response: httpx.Response, status: int) -> None:
        assert response.status_code == status
        for name, value in SECURITY_HEADERS:
            assert value.decode() in response.headers.get_list(name.decode()), (response.url, name)
        assert "server" not in response.headers

    with httpx.Client(base_url=served.address, timeout=PATIENCE) as client:
        check(client.post("/graphql", json={"query": "{ __typename }"}), 200)
        check(client.post("/graphql", json={"query": "{"}), 200)
        check(client.get("/healthz"), 200)
        check(client.get("/no"), 404)
        check(client.delete("/graphql"), 405)
        check(client.get("/healthz", headers={"host": "evil.example"}), 421)
        check(client.post("/graphql", headers={"origin": "https://evil.example"}), 403)
    with socket.create_connection(("127.0.0.1", int(served.address.rsplit(":", 1)[1])), PATIENCE) as raw:
        raw.sendall(b"no request of HTTP\r\n\r\n")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert all(name + b": " + value + b"\r\n" in answer for name, value in SECURITY_HEADERS)


def test_a_handshake_is_refused_with_a_code(served: Process) -> None:
    def refused(path: str, **headers: str) -> Any:
        url = served.address.replace("http", "ws") + path
        with pytest.raises(InvalidStatus) as refusal:
            connect(url, subprotocols=[PROTOCOL], additional_headers=headers, open_timeout=PATIENCE)
        return refusal.value.response

    for path, headers, status, expected in (
        ("/graphql", {"Origin": "https://evil.example"}, 403, b"BAD_ORIGIN"),
        ("/graphql", {"Cookie": "huhang=abc"}, 403, b"BAD_ORIGIN"),
        ("/graphql", {"Host": "evil.example"}, 421, b"BAD_HOST"),
        ("/no", {}, 404, b"NOT_FOUND"),
    ):
        response = refused(path, **headers)
        assert (response.status_code, expected in response.body) == (status, True)
        assert response.headers["x-content-type-options"] == "nosniff"
    own = {"Origin": served.address, "Cookie": "huhang=abc"}
    with connect(served.address.replace("http", "ws") + "/graphql", subprotocols=[PROTOCOL], additional_headers=own):
        pass
    assert "completing handshake" not in served.log


# -- demo mode --


HERE: dict[str, Any] = {
    "client": ("127.0.0.1", 50_000),
    "server": ("127.0.0.1", 8000),
    "http_version": "1.1",
    "method": "GET",
}


@pytest.mark.parametrize(
    ("headers", "more", "expected"),
    [
        ([], {}, True),
        ([("sec-fetch-site", "same-origin")], {}, True),
        ([("origin", "http://localhost:8000")], {}, True),
        ([("origin", "http://localhost:3000")], {}, False),
        ([FOREIGN], {}, False),
        ([("sec-fetch-site", "cross-site")], {}, False),
        ([("sec-fetch-site", "same-site")], {}, False),
        ([("x-forwarded-for", "127.0.0.1")], {}, False),
        ([("x-real-ip", "127.0.0.1")], {}, False),
        ([("via", "1.1 proxy")], {}, False),
        ([("forwarded", "for=127.0.0.1")], {}, False),
        ([], {"http_version": "1.0"}, False),
        ([], {"client": ("192.168.1.7", 50_000)}, False),
        ([], {"client": ("::1", 50_000)}, True),
        ([], {"client": ("::ffff:127.0.0.1", 50_000)}, True),
        ([], {"client": None}, False),
        ([], {"host": "192.168.1.5:8000"}, False),
        ([], {"host": "huhang.example.org"}, False),
        ([], {"host": None}, False),
    ],
)
def test_only_own_pages_on_this_machine_get_tokens(headers: Headers, more: dict[str, Any], expected: bool) -> None:
    assert demo.asked_from_this_machine(scope(*headers, **{**HERE, "host": "localhost:8000", **more})) is expected


async def test_others_get_no_tokens(client: httpx.AsyncClient) -> None:
    assert (await client.get("/graphiql/viewers.json")).json()["viewers"][0]["label"] == "Commander"
    outside = (await client.get("/graphiql/viewers.json", headers={"host": "192.168.1.5:8000"})).json()
    assert outside["viewers"] == []


def test_a_demo_is_exposed_where_either_end_is_not_this_machine() -> None:
    assert not demo.is_exposed(scope(**HERE))
    assert demo.is_exposed(scope(**{**HERE, "server": ("192.168.1.5", 8000)}))
    assert demo.is_exposed(scope(**{**HERE, "client": ("192.168.1.7", 50_000)}))


@pytest.mark.parametrize("server", ["127.0.0.1", "192.168.1.5"])
def test_a_demo_says_who_gets_its_data(server: str) -> None:
    notice = demo.notice(scope(**{**HERE, "server": (server, 8000)}))
    assert notice is (demo.LOCAL if server == "127.0.0.1" else demo.EXPOSED)
    assert set(notice) == {"zh", "en"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1", "localhost", "a.localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback(f"{host}.example.org")
