"""Pages of other origins: what CORS lets those of HUHANG_ORIGINS do, in a browser and by headers."""

import functools
import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.conftest import Databases
from tests.support.browser import open_browser
from tests.support.patience import PATIENCE
from tests.support.server_process import Process, serving
from tests.web.conftest import SECRET, talking
from web.settings import Settings

LISTED, UNLISTED = "https://map.example.org", "https://evil.example"
EXPOSED = (
    "ETag, Retry-After, WWW-Authenticate, X-Request-Id, Location, Upload-Offset, Upload-Length, Upload-Expires,"
    " Tus-Resumable, Huhang-Evidence"
)
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-client",
}


@pytest_asyncio.fixture(scope="module")
async def shared(databases: Databases, demo_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that lists another origin."""
    settings = Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET, origins=LISTED)
    async with talking(settings) as client:
        yield client


def sharing(response: httpx.Response) -> dict[str, str]:
    return {k: v for k, v in response.headers.items() if k.startswith("access-control-")}


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream", "/evidence", "/uploads", "/auth/session", "/nothing"])
async def test_a_preflight_is_granted_to_listed_origins_only(shared: httpx.AsyncClient, path: str) -> None:
    granted = await shared.options(path, headers={"origin": LISTED, **PREFLIGHT})
    assert granted.status_code == 200
    headers = sharing(granted)
    assert headers["access-control-allow-origin"] == LISTED
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(headers["access-control-allow-methods"].split(", "))
    refused = await shared.options(path, headers={"origin": UNLISTED, **PREFLIGHT})
    assert refused.status_code in (400, 403)
    assert "access-control-allow-origin" not in sharing(refused)


async def test_every_answer_to_a_listed_origin_may_be_read(shared: httpx.AsyncClient) -> None:
    ask = {"query": "{ zones { name } }"}
    listed = {"origin": LISTED}
    for response, status in (
        (await shared.post("/graphql", json=ask, headers=listed), 200),
        (await shared.get("/graphql", params=ask, headers=listed), 200),
        (await shared.post("/graphql", json=ask, headers={**listed, "authorization": "Bearer x"}), 401),
        (await shared.post("/graphql", content=b"{", headers={**listed, "content-type": "application/json"}), 400),
        (await shared.put("/graphql/stream", headers=listed), 201),
        (await shared.get("/nothing", headers=listed), 404),
    ):
        assert response.status_code == status
        assert sharing(response) == {
            "access-control-allow-origin": LISTED,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": EXPOSED,
        }
        assert "Origin" in response.headers["vary"]
    unlisted = await shared.post("/graphql", json=ask, headers={"origin": UNLISTED})
    assert (unlisted.status_code, sharing(unlisted)) == (403, {})
    # The same answers without an origin: nothing of one request stays for the next.
    alone = await shared.post("/graphql", json=ask)
    assert sharing(alone) == {}
    assert alone.headers["vary"] == "Origin"


async def test_without_listed_origins_nothing_is_shared(client: httpx.AsyncClient) -> None:
    answer = await client.options("/graphql", headers={"origin": LISTED, **PREFLIGHT})
    assert (answer.status_code, sharing(answer)) == (204, {})


async def test_the_demos_tokens_are_for_its_own_pages_alone(shared: httpx.AsyncClient) -> None:
    own = await shared.get("/graphiql/viewers.json", headers={"sec-fetch-site": "same-origin"})
    assert len(own.json()["viewers"]) > 0
    for headers in ({"origin": LISTED}, {"origin": UNLISTED}, {"sec-fetch-site": "same-site"}):
        assert (await shared.get("/graphiql/viewers.json", headers=headers)).json()["viewers"] == []


async def test_a_browser_at_the_endpoint_is_sent_to_graphiql(shared: httpx.AsyncClient) -> None:
    page = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for query, location in (
        ("", "/graphiql/"),
        ("?query=%7Bzones%7Bname%7D%7D", "/graphiql/?query=%7Bzones%7Bname%7D%7D"),
    ):
        response = await shared.get(f"/graphql{query}", headers=page)
        assert (response.status_code, response.headers["location"]) == (303, location)
        assert response.headers["vary"].startswith("accept")
    for accept in ("*/*", "application/json", "application/graphql-response+json"):
        response = await shared.get("/graphql?query=%7Bzones%7Bname%7D%7D", headers={"accept": accept})
        assert response.status_code == 200
    assert (await shared.post("/graphql", json={"query": "{ zones { name } }"}, headers=page)).status_code == 200


# -- in a browser --


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere(scratch: Path) -> Iterator[tuple[str, str]]:
    """Two other origins, with an empty page each."""
    folder = scratch / "elsewhere"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><link rel=icon href=data:,><title>elsewhere</title>")
    handler = functools.partial(Silent, directory=str(folder))
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    one, other = [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    yield one, other
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def sharing_server(scratch: Path, elsewhere: tuple[str, str]) -> Iterator[Process]:
    url = f"sqlite:///{scratch / 'sharing.db'}"
    with serving(scratch / "sharing.log", url, "--simulate", HUHANG_ORIGINS=elsewhere[0]) as process:
        yield process


# Attempts of a page of another origin; each gives a short text.
ATTEMPTS = """
async ([address, token]) => {
  const attempt = async (work) => { try { return await work(); } catch (error) { return error.name; } };
  const bearer = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = (query) => JSON.stringify({ query });
  const post = (query, headers) =>
    fetch(`${address}/graphql`, { method: 'POST', headers, body: body(query), credentials: 'include' });
  const query = await attempt(async () => (await (await post('{ viewer { role } }', bearer)).json()).data.viewer.role);
  const etag = await attempt(async () => {
    const answer = await fetch(`${address}/graphql?query=%7Bzones%7Bname%7D%7D`);
    return typeof answer.headers.get('etag');
  });
  const events = await attempt(async () => {
    const answer = await post('subscription { updates { kind } }', { ...bearer, accept: 'text/event-stream' });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('event: next')) text += (await reader.read()).value;
    await reader.cancel();
    return 'events';
  });
  const socket = await attempt(
    () =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
        socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init', payload: bearer }));
        socket.onmessage = ({ data }) => resolve(JSON.parse(data).type);
        socket.onclose = () => resolve('closed');
      }),
  );
  const tokens = await attempt(async () => {
    const { viewers } = await (await fetch(`${address}/graphiql/viewers.json`)).json();
    return `${viewers.length} tokens`;
  });
  return { query, etag, events, socket, tokens };
}
"""


async def tried(page: Page, origin: str, server: Process, token: str) -> Any:
    await page.goto(f"{origin}/index.html")
    return await page.evaluate(ATTEMPTS, [server.address, token])


@pytest.mark.database_independent
async def test_a_page_of_a_listed_origin_may_do_everything_and_no_other_anything(
    sharing_server: Process, elsewhere: tuple[str, str]
) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        offered = (await http.get(f"{sharing_server.address}/graphiql/viewers.json")).json()["viewers"]
    token = next(viewer["token"] for viewer in offered if viewer["label"] == "Commander")
    async with open_browser() as browser:
        page = await browser.new_page()
        listed = {"query": "COMMANDER", "etag": "string", "events": "events", "socket": "connection_ack"}
        assert await tried(page, elsewhere[0], sharing_server, token) == {**listed, "tokens": "0 tokens"}
        refused = dict.fromkeys(("query", "etag", "events", "tokens"), "TypeError")
        assert await tried(page, elsewhere[1], sharing_server, token) == {**refused, "socket": "closed"}
