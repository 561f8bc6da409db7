"""Evidence from its upload to its removal, with the server as a process: HTTP, the graph and `collect`."""

import asyncio
import datetime as dt
import hashlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest_asyncio
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from tests.conftest import Databases
from tests.support.actors import DAY, change
from tests.support.evidence_clients import STATUS, TABLES
from tests.support.patience import PATIENCE
from tests.support.pictures import GPS, bomb, opened, photograph
from tests.support.server_process import Process, serving, web
from tests.support.tus_client import TusClient, checksum

REPORT = """mutation($enterprise: ID!, $evidence: [ID!]!) {
  hazardReport(input: { enterprise: $enterprise, level: GENERAL, description: "油气泄漏", evidence: $evidence }) {
    __typename
    ... on HazardReported { hazard { id } }
  }
}"""
FILE = "query($id: ID!) { node(id: $id) { ... on Hazard { evidence { id mediaType bytes sha256 url } } } }"


@dataclass
class Office:
    """The server, its database and its store, and the folder for uploads under way."""

    server: Process
    url: str
    database: Database
    folder: Path
    scratch: Path
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def post(self, data: bytes, media_type: str = "image/jpeg") -> httpx.Response:
        headers = {"content-type": media_type, **self.bearer}
        return httpx.post(f"{self.server.address}/evidence", content=data, headers=headers, timeout=PATIENCE)

    def ask(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.server.address}/graphql", json=body, headers=self.bearer, timeout=PATIENCE).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def read(self, address: str) -> httpx.Response:
        """Without a token, which a signed URL does not need."""
        return httpx.get(f"{self.server.address}{address}", timeout=PATIENCE)

    async def left(self) -> tuple[dict[str, int], set[Path]]:
        """Every row and file that an upload could leave."""
        async with self.database.read() as connection:
            counts = {t: int(await connection.scalar(sa.text(f"SELECT count(*) FROM {t}")) or 0) for t in TABLES}
        folders = (self.folder, self.scratch)
        return counts, {file for folder in folders for file in folder.rglob("*") if file.is_file()}


@pytest_asyncio.fixture
async def office(databases: Databases, demo_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    url = await databases.new(demo_url)
    folder, scratch = tmp_path / "evidence", tmp_path / "scratch"
    scratch.mkdir()
    settings = {"HUHANG_EVIDENCE_URL": str(folder), "TMPDIR": str(scratch)}
    database = Database(url)
    with serving(tmp_path / "log", url, **settings) as server:
        yield Office(server, url, database, folder, scratch, commander(server.address))
    await database.close()


def commander(address: str) -> str:
    """The commander's token of the demo."""
    viewers = httpx.get(f"{address}/graphiql/viewers.json", timeout=PATIENCE).json()["viewers"]
    [token] = [str(one["token"]) for one in viewers if one["label"] == "Commander"]
    return token


async def test_evidence_is_uploaded_attached_read_and_collected(office: Office) -> None:
    proof, orphan = photograph(quality=71), photograph(quality=72)
    kept, waiting = office.post(proof).json(), office.post(orphan).json()
    again = office.post(proof)
    assert (again.status_code, again.json()["id"]) == (201, kept["id"])

    [enterprise] = office.ask("{ enterprises(first: 1) { nodes { id } } }")["enterprises"]["nodes"]
    result = office.ask(REPORT, enterprise=enterprise["id"], evidence=[kept["id"]])["hazardReport"]
    assert result["__typename"] == "HazardReported"
    [piece] = office.ask(FILE, id=result["hazard"]["id"])["node"]["evidence"]
    assert (piece["id"], piece["bytes"], piece["sha256"]) == (kept["id"], kept["bytes"], kept["sha256"])
    seen = office.read(piece["url"])
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/jpeg")
    assert hashlib.sha256(seen.content).hexdigest() == piece["sha256"]
    assert opened(seen.content).tobytes() == opened(proof).tobytes()
    assert not opened(seen.content).getexif().get_ifd(GPS)
    assert office.read(piece["url"].split("?")[0]).status_code == 403

    # Orphans stay for thirty days and are removed then. Attached evidence stays for ever.
    assert "Removed 0 rows and 0 files." in collect(office)
    await a_month_passes(office)
    assert "Removed 1 rows and 1 files." in collect(office)
    assert office.read(waiting["url"]).status_code == 404
    assert office.read(piece["url"]).status_code == 200
    rows, files = await office.left()
    marks = set((office.folder / "owners").iterdir())
    assert files == {office.folder / kept["sha256"][:2] / kept["sha256"], *marks}
    assert len(marks) == 1
    assert rows["evidence_upload"] == 1


async def test_an_upload_goes_on_at_another_server_after_one_is_killed(office: Office, tmp_path: Path) -> None:
    data, size = photograph("PNG", compress_level=0), 100_000
    settings = {"HUHANG_EVIDENCE_URL": str(office.folder), "TMPDIR": str(office.scratch)}
    async with httpx.AsyncClient(base_url=office.server.address, timeout=PATIENCE) as http:
        first = TusClient(http, office.bearer)
        path = await first.begin(len(data), filetype="image/png")
        assert (await first.patch(path, 0, data[:size], **checksum(data[:size]))).status_code == 204
        under_way = asyncio.create_task(first.patch(path, size, data[size:], **checksum(data[size:])))
        # The server dies with it, or before or after it; the answer is lost.
        office.server.end(signal.SIGKILL)
        await asyncio.gather(under_way, return_exceptions=True)
    with serving(tmp_path / "second", office.url, **settings) as server:
        async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE) as http:
            second = TusClient(http, office.bearer)
            assert await second.offset(path) in (size, len(data))
            last = await second.send(path, data, size)
            ask = {"query": STATUS, "variables": {"hashes": [hashlib.sha256(data).hexdigest()]}}
            [status] = (await http.post("/graphql", json=ask, headers=office.bearer)).json()["data"]["evidenceStatus"]
    assert status["evidence"] == last.headers["huhang-evidence"]
    [kept] = office.folder.glob("??/*")
    assert opened(kept.read_bytes()).tobytes() == opened(data).tobytes()


async def test_evidence_of_another_database_is_not_collected(office: Office, tmp_path: Path) -> None:
    kept = office.post(photograph()).json()
    await a_month_passes(office)
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert web("migrate", url=other).returncode == 0
    before = await office.left()
    done = web("collect", url=other, HUHANG_EVIDENCE_URL=str(office.folder))
    [epoch] = [file.name for file in (office.folder / "owners").iterdir()]
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"The store of HUHANG_EVIDENCE_URL has evidence of the database of epoch {epoch}; nothing was removed. "
        "If only this database uses it, as after a restore: python -m web collect --ours\n"
    )
    assert await office.left() == before
    assert office.read(kept["url"]).status_code == 200

    # A restored database counts as another one until `collect --ours`.
    assert web("migrate", "--restored", url=office.url).returncode == 0
    assert web("collect", url=office.url, HUHANG_EVIDENCE_URL=str(office.folder)).returncode == 1
    done = web("collect", "--ours", url=office.url, HUHANG_EVIDENCE_URL=str(office.folder))
    assert (done.returncode, done.stderr) == (0, "Removed 1 rows and 1 files.\n")
    assert "Removed 0 rows and 0 files." in collect(office)


def collect(office: Office) -> str:
    done = web("collect", url=office.url, HUHANG_EVIDENCE_URL=str(office.folder))
    assert done.returncode == 0, done.stderr
    return done.stderr


async def a_month_passes(office: Office) -> None:
    """Make all uploads a month older."""
    upload = table_of(models.EvidenceUpload)
    await change(office.database, sa.update(upload).values(at=dt.datetime.now(dt.UTC) - 31 * DAY))
    for file in office.folder.rglob("*"):
        if file.is_file():
            before = file.stat().st_mtime - 31 * DAY.total_seconds()
            os.utime(file, (before, before))


async def test_refused_and_interrupted_uploads_leave_nothing(office: Office) -> None:
    before = await office.left()
    text = b"This is a text, whatever its name says.\n" * 40
    refused = {
        "30 megabytes": office.post(photograph() + bytes(30 * 2**20)),
        "a text named .jpg": office.post(text),
        "a bomb": office.post(bomb(), "image/png"),
    }
    assert {what: answer.status_code for what, answer in refused.items()} == {
        "30 megabytes": 413,
        "a text named .jpg": 415,
        "a bomb": 413,
    }
    cut_off(office)
    # When a later upload is answered and the server has stopped, nothing of the first is under way.
    assert office.post(text).status_code == 415
    assert office.server.end() == 0
    assert await office.left() == before


def cut_off(office: Office) -> None:
    """Send half of an upload and drop the connection."""
    data = photograph("PNG", compress_level=0) * 50
    place = urlsplit(office.server.address)
    head = ["POST /evidence HTTP/1.1", "host: localhost", "content-type: image/png", f"content-length: {len(data)}"]
    head += [f"{name}: {value}" for name, value in office.bearer.items()]
    with socket.create_connection((place.hostname, place.port or 80)) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + data[: len(data) // 2])
