"""Servers of the version before and of this one work on one database, so that they can be replaced one by one."""

import asyncio
import io
import signal
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from websockets.asyncio.client import connect

import models
from models.db.database import Database
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.server_process import Process, environment, listening
from tests.support.stream_clients import ALL, PROTOCOL, Closed, Socket
from web.settings import ROOT

pytestmark = pytest.mark.skipif(not PROVING, reason="it takes a minute: make prove")

# The last commit of 0.1.0.
BEFORE = "f6587cb"
FOLDERS = ("models", "subscriptions", "resolvers", "schema", "web")
TITLE = "Servers of 0.1.0 and of this version on one database, replaced while work goes on"
SIMULATION = ("--seconds", "8", "--rate", "8")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the code of the version before."""
    archive = subprocess.run(("git", "archive", BEFORE, *FOLDERS), cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the commit {BEFORE} is not in this clone")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


class Version:
    """One version's code on a database."""

    def __init__(self, code: Path, url: str, scratch: Path) -> None:
        self._code, self._url, self._scratch = code, url, scratch
        secret = "a secret of the tests, of no use elsewhere"
        self._environment = environment(url, HUHANG_SECRET=secret, HUHANG_EVIDENCE_URL=str(scratch / "evidence"))

    def start(self, output: Path, *arguments: str) -> subprocess.Popen[bytes]:
        with output.open("wb") as file:
            words = (sys.executable, "-m", "web", *arguments)
            return subprocess.Popen(words, cwd=self._code, env=self._environment, stdout=file, stderr=file)

    def run(self, *arguments: str) -> None:
        output = self._scratch / f"{arguments[0]}.log"
        assert self.start(output, *arguments).wait(PATIENCE) == 0, output.read_text()

    async def simulate(self, server: Process) -> None:
        """Play a part of a working day at a server. It fails if a call is refused unexpectedly."""
        await asyncio.to_thread(self.run, "simulate", "--url", server.address, *SIMULATION)

    @contextmanager
    def serving(self, name: str) -> Iterator[Process]:
        output = self._scratch / f"{name}.log"
        with listening(self.start(output, "serve", "--demo", "--port", "0"), output) as process:
            yield process
            assert "Traceback" not in process.log, process.log


def token(server: Process) -> str:
    viewers = httpx.get(f"{server.address}/graphiql/viewers.json", timeout=PATIENCE).json()["viewers"]
    commander: str = next(viewer["token"] for viewer in viewers if viewer["label"] == "Commander")
    return commander


class Follower:
    """Follows all events at a server, and takes its place in the log along to another one."""

    def __init__(self) -> None:
        self.cursors: list[str] = []
        self._grown = asyncio.Condition()

    @asynccontextmanager
    async def at(self, server: Process) -> AsyncIterator[asyncio.Task[Closed]]:
        """The task ends with the reason for which the server closed the socket."""
        address = server.address.replace("http", "ws", 1) + "/graphql"
        async with connect(address, subprotocols=[PROTOCOL], open_timeout=PATIENCE, ping_interval=None) as connection:
            socket = await Socket(connection).init(Authorization=f"Bearer {await asyncio.to_thread(token, server)}")
            after = self.cursors[-1] if self.cursors else socket.cursor
            await socket.subscribe("1", ALL, after=after)
            task = asyncio.create_task(self._follow(socket))
            try:
                yield task
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _follow(self, socket: Socket) -> Closed:
        while True:
            try:
                await socket.next()
            except Closed as closed:
                return closed
            assert socket.cursor is not None
            self.cursors.append(socket.cursor)
            async with self._grown:
                self._grown.notify_all()

    async def reach(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE), self._grown:
            await self._grown.wait_for(lambda: len(self.cursors) >= number)


async def zones(server: Process) -> Any:
    headers = {"authorization": f"Bearer {await asyncio.to_thread(token, server)}"}
    query = {"query": "{ zones { name enterprises(first: 3) { totalCount nodes { name hazards { totalCount } } } } }"}
    async with httpx.AsyncClient(timeout=PATIENCE, headers=headers) as client:
        answer = (await client.post(f"{server.address}/graphql", json=query)).json()
    assert "errors" not in answer, answer
    return answer["data"]["zones"]


async def logged(url: str) -> int:
    database = Database(url)
    try:
        async with database.read() as connection:
            return (await connection.execute(sa.select(sa.func.count()).select_from(models.Event))).scalar_one()
    finally:
        await database.close()


def compare(follower: Follower, events: int) -> None:
    """Nothing that was logged was lost or repeated."""
    assert len(set(follower.cursors)) == len(follower.cursors) == events


def row(url: str, follower: Follower, events: int, together: int) -> dict[str, object]:
    different = len(set(follower.cursors))
    return {
        "database": "SQLite" if url.startswith("sqlite") else "PostgreSQL",
        "events": events,
        "events while both served": together,
        "lost": events - different,
        "repeated": len(follower.cursors) - different,
    }


async def test_queries_mutations_and_streams_go_on_during_an_upgrade(
    databases: Databases, before: Path, tmp_path: Path, record_proof: RecordProof
) -> None:
    url = await databases.new()
    old, new = Version(before, url, tmp_path), Version(ROOT, url, tmp_path)
    staying, moving = Follower(), Follower()
    with old.serving("old") as first:
        start = await logged(url)
        async with staying.at(first) as stopped:
            await old.simulate(first)
            # In threads, so that the streams answer the servers' pings meanwhile.
            await asyncio.to_thread(new.run, "migrate")
            # The code before goes on, and writes to the tables as they are now.
            await old.simulate(first)
            with ExitStack() as later:
                second = await asyncio.to_thread(later.enter_context, new.serving("new"))
                async with moving.at(second):
                    joined = await logged(url)
                    # In turns: two of them at once compete for the same teams, and one is refused.
                    await old.simulate(first)
                    await new.simulate(second)
                    assert await zones(first) == await zones(second)
                    first.popen.send_signal(signal.SIGTERM)
                    assert (await stopped).code == 1012
                    async with staying.at(second):
                        await new.simulate(second)
                        end = await logged(url)
                        await staying.reach(end - start)
                        await moving.reach(end - joined)
    compare(staying, end - start)
    compare(moving, end - joined)
    assert set(moving.cursors) <= set(staying.cursors)
    record_proof("upgrade", TITLE, row(url, staying, end - start, end - joined))
