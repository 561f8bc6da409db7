"""The server as a process: its start, its output, what it serves and its end."""

import asyncio
import re
import signal
import socket
import time
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio
import sqlalchemy as sa

from models.db.database import Database
from models.db.revisions import head
from schema.build import Graph
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.server_process import FEW, executed, serving
from tests.support.server_process import web as run
from tests.web.conftest import SECRET, talking
from web import pages as web_pages
from web.settings import Settings

COUNT = {"query": "{ enterprises(first: 1) { totalCount } }"}


@pytest_asyncio.fixture
async def url(databases: Databases) -> str:
    """The URL of an empty database without tables."""
    return await databases.new()


def test_the_demo_is_seeded_once_and_served(url: str, graph: Graph, tmp_path: Path) -> None:
    with executed(tmp_path / "first", url) as server:
        assert f"Seeded the demo with {FEW} enterprises." in server.log
        assert httpx.get(f"{server.address}/healthz", timeout=PATIENCE).json() == {"status": "ok"}
        assert httpx.get(f"{server.address}/readyz", timeout=PATIENCE).json()["status"] == "ok"
        assert httpx.get(f"{server.address}/schema.graphql", timeout=PATIENCE).text == graph.as_str() + "\n"
        first = httpx.post(f"{server.address}/graphql", json=COUNT, timeout=PATIENCE).json()
        assert first == {"data": {"enterprises": {"totalCount": FEW}}}
        assert server.end() == 0
        assert "Traceback" not in server.log
    with serving(tmp_path / "second", url) as server:
        assert "Seeded" not in server.log
        assert httpx.post(f"{server.address}/graphql", json=COUNT, timeout=PATIENCE).json() == first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_stops_in_order_while_clients_are_connected(number: signal.Signals, tmp_path: Path) -> None:
    with (
        executed(tmp_path / "log", f"sqlite:///{tmp_path / 'huhang.db'}") as server,
        httpx.Client(timeout=PATIENCE) as client,
    ):
        # One client keeps its connection, and one has not finished its request.
        client.get(f"{server.address}/healthz")
        with socket.create_connection(("127.0.0.1", int(server.address.rsplit(":", 1)[1]))) as half:
            half.sendall(
                b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 99\r\n\r\n{"
            )
            assert server.end(number) == 0
        assert "Traceback" not in server.log


def until_something_happens(address: str) -> None:
    """Wait until a mutation has been carried out."""
    end = time.monotonic() + PATIENCE
    while not re.search(r"^huhang_mutations_total\{.*\} [1-9]", httpx.get(f"{address}/metrics").text, re.MULTILINE):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_the_simulation_ends_with_a_server_that_is_killed(url: str, tmp_path: Path) -> None:
    with executed(tmp_path / "killed", url, "--simulate") as server:
        process = psutil.Process(server.popen.pid)
        [simulation] = [child for child in process.children(recursive=True) if "simulate" in child.cmdline()]
        until_something_happens(server.address)
        process.kill()
        psutil.wait_procs([simulation], timeout=PATIENCE)
        assert not simulation.is_running()


def test_without_demo_mode_a_secret_is_needed(tmp_path: Path) -> None:
    done = run("serve", "--port", "0", url=f"sqlite:///{tmp_path / 'huhang.db'}")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "HUHANG_SECRET is needed: at least 32 characters that nobody can guess. Or try --demo."
    ]


def test_a_database_that_is_not_migrated_is_refused_with_the_command_to_run(url: str) -> None:
    done = run("serve", "--port", "0", url=url, HUHANG_SECRET=SECRET.get_secret_value())
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"The database has no tables, and this version needs revision {head()}. Run: python -m web migrate"
    ]
    assert run("migrate", url=url).returncode == 0
    database = Database(url)

    async def set_back() -> None:
        async with database.write() as session:
            await session.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
        await database.close()

    asyncio.run(set_back())
    done = run(
        "serve",
        "--port",
        "0",
        "--workers",
        "2",
        url=url,
        HUHANG_SECRET=SECRET.get_secret_value(),
        HUHANG_BUS_URL="redis://nowhere",
    )
    assert done.returncode == 1
    assert "The database is at revision 0001, and this version needs revision" in done.stderr


def test_a_port_in_use_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "huhang.db"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("serve", "--demo", "--port", str(port), url=f"sqlite:///{file}")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"Cannot listen on 127.0.0.1 port {port}: Address already in use."]
    assert not file.exists()


async def test_without_introspection_the_schema_is_not_served(migrated_url: str) -> None:
    settings = Settings(database_url=migrated_url, secret=SECRET, introspection=False)
    async with talking(settings) as client:
        for path in ("/schema.graphql", "/possible-types.json"):
            response = await client.get(path)
            assert response.status_code == 404
            extensions = response.json()["errors"][0]["extensions"]
            assert (extensions["code"], extensions["reason"]) == ("NOT_FOUND", "SCHEMA_HIDDEN")


async def test_without_built_pages_the_graph_is_served_and_the_page_gives_the_reason(
    monkeypatch: pytest.MonkeyPatch, demo_url: str, databases: Databases, tmp_path: Path
) -> None:
    monkeypatch.setattr(web_pages, "PAGES", tmp_path)
    async with talking(Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET)) as client:
        for path in ("/", "/signin/", "/graphiql/"):
            page = await client.get(path)
            assert page.status_code == 404
            assert "Node" in page.text
        assert (await client.post("/graphql", json=COUNT)).status_code == 200


async def test_pages_have_security_headers_and_their_assets_are_cached(
    monkeypatch: pytest.MonkeyPatch, demo_url: str, databases: Databases, tmp_path: Path
) -> None:
    for folder in ("graphiql", "pages/start", "pages/signin"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "index.html").write_text(f"<!doctype html>{folder}")
    for folder in ("graphiql/assets", "pages/assets"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a-1234.js").write_text("1")
    monkeypatch.setattr(web_pages, "PAGES", tmp_path)
    async with talking(Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET)) as client:
        for path, folder in (("/", "pages/start"), ("/signin/", "pages/signin"), ("/graphiql/", "graphiql")):
            page = await client.get(path)
            assert page.text == f"<!doctype html>{folder}"
            assert page.headers["cache-control"] == "no-cache"
            assert "default-src 'self'" in page.headers["content-security-policy"]
        for path in ("/assets/a-1234.js", "/graphiql/assets/a-1234.js"):
            part = await client.get(path)
            assert "immutable" in part.headers["cache-control"]
            assert "default-src 'self'" in part.headers["content-security-policy"]
        again = await client.get("/graphiql/", headers={"if-none-match": page.headers["etag"]})
        assert again.status_code == 304
        assert (await client.get("/graphiql/../settings.py")).status_code == 404
