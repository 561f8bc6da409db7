"""A real nginx with deploy/nginx.conf in front of a server."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.certificates import certificate
from tests.support.patience import PATIENCE
from tests.support.redis_server import free_port
from tests.support.server_process import Process, serving
from web.settings import ROOT

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@dataclass
class Proxy:
    """nginx in front of the demo. `secure` and `plain` are its addresses, `trust` its certificate's context."""

    secure: str
    plain: str
    trust: ssl.SSLContext
    server: Process

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.secure + path, verify=self.trust, timeout=PATIENCE)


def configuration(folder: Path, changes: dict[str, str]) -> Path:
    """deploy/nginx.conf with the paths of this test, and with `changes`."""
    text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    changes = {**changes, "/etc/nginx/tls": str(folder), "/var/log/nginx": str(folder)}
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(text.replace("http {\n", f"http {{\n{paths}", 1), "utf-8")
    return file


@contextmanager
def proxying(folder: Path, server: Process, **changes: str) -> Iterator[Proxy]:
    """nginx in front of a server, which is two of its three; the first of them is away."""
    folder.mkdir()
    folder.chmod(0o755)  # nginx gives up its rights and must still come in
    certificate(folder)
    address = server.address.removeprefix("http://").replace("localhost", "127.0.0.1")
    plain, secure = free_port(), free_port()
    changes |= {"server1:8000": f"127.0.0.1:{free_port()}", "server2:8000": address, "server3:8000": address}
    changes |= {"listen 80": f"listen 127.0.0.1:{plain}", "listen 443": f"listen 127.0.0.1:{secure}"}
    command = [str(NGINX), "-p", str(folder), "-c", str(configuration(folder, changes))]
    command += ["-g", f"pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert (tested.returncode, "[warn]" in tested.stderr) == (0, False), tested.stderr
    process = subprocess.Popen(command)
    try:
        trust = ssl.create_default_context(cafile=folder / "certificate.pem")
        proxy = Proxy(f"https://localhost:{secure}", f"http://localhost:{plain}", trust, server)
        wait_for(proxy)
        yield proxy
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def demo(scratch: Path) -> Iterator[Process]:
    with serving(scratch / "proxied.log", f"sqlite:///{scratch / 'proxied.db'}") as server:
        yield server


@pytest.fixture(scope="module")
def proxy(scratch: Path, demo: Process) -> Iterator[Proxy]:
    with proxying(scratch / "nginx", demo) as proxy:
        yield proxy


def wait_for(proxy: Proxy) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            proxy.get("/healthz")
            return
        time.sleep(0.02)
    raise AssertionError("nginx did not start")


def test_pages_and_the_graph_come_over_tls_though_one_server_is_away(proxy: Proxy) -> None:
    for _ in range(6):
        assert proxy.get("/readyz").status_code == 200
    for path in ("/", "/docs/guides/operators/", "/wall/"):
        assert proxy.get(path).status_code == 200
    body = {"query": "{ zones { name } }"}
    for _ in range(6):  # POST, too, since a server that is away has not accepted it
        answer = httpx.post(f"{proxy.secure}/graphql", json=body, verify=proxy.trust, timeout=PATIENCE)
        assert answer.json()["data"]["zones"]


def test_the_server_knows_that_tls_is_used(proxy: Proxy) -> None:
    assert "strict-transport-security" in proxy.get("/healthz").headers
    assert "strict-transport-security" not in httpx.get(f"{proxy.server.address}/healthz").headers


def test_http_is_redirected_to_https(proxy: Proxy) -> None:
    answer = httpx.get(f"{proxy.plain}/wall/?kiosk")
    assert (answer.status_code, answer.headers["location"]) == (301, "https://localhost/wall/?kiosk")


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "//metrics", "/metrics?x=1", "/./metrics", "/x/../metrics"])
def test_metrics_are_closed(proxy: Proxy, path: str) -> None:
    assert httpx.get(f"{proxy.server.address}/metrics").status_code == 200
    answer = raw_get(proxy, path)
    assert " 404 " in answer.splitlines()[0]
    assert "huhang_" not in answer


def raw_get(proxy: Proxy, path: str) -> str:
    """Send a path as it is, and return the answer."""
    host = proxy.secure.removeprefix("https://")
    name, port = host.split(":")
    with (
        socket.create_connection((name, int(port)), PATIENCE) as bare,
        proxy.trust.wrap_socket(bare, server_hostname=name) as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()


def test_the_demo_s_tokens_are_closed(proxy: Proxy) -> None:
    own = {"origin": proxy.server.address}
    assert httpx.get(f"{proxy.server.address}/graphiql/viewers.json", headers=own).json()["viewers"]
    assert proxy.get("/graphiql/viewers.json").json() == {"viewers": [], "notice": None}


def test_a_body_above_the_limit_is_refused_by_the_proxy(proxy: Proxy) -> None:
    answer = httpx.post(f"{proxy.secure}/graphql", content=b" " * (12 << 20), verify=proxy.trust, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["server"]) == (413, "nginx")


def test_a_flood_of_one_address_is_refused(scratch: Path, demo: Process) -> None:
    """At a rate that no machine is too slow to pass."""
    changes = {"rate=200r/s": "rate=1r/m", "burst=1000": "burst=5"}
    with proxying(scratch / "nginx-flood", demo, **changes) as proxy:
        assert {proxy.get("/healthz").status_code for _ in range(8)} == {200, 429}


def test_a_websocket_passes(proxy: Proxy) -> None:
    address = f"{proxy.secure.replace('https', 'wss')}/graphql"
    origin, protocols = {"origin": proxy.secure}, [Subprotocol("graphql-transport-ws")]
    with connect(address, ssl=proxy.trust, subprotocols=protocols, additional_headers=origin) as client:
        client.send('{"type": "connection_init"}')
        assert "connection_ack" in str(client.recv(PATIENCE))
