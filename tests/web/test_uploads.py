"""Evidence over HTTP: uploads, refusals that leave nothing, who may attach evidence and who may read it."""

import asyncio
import datetime as dt
import gzip
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from models.access import AccessKind
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from schema.build import Graph
from schema.types import node_id
from tests.conftest import NOW, Databases
from tests.support.evidence_clients import LIMIT, Desk, code_of, desk, listening
from tests.support.patience import PATIENCE
from tests.support.pictures import GPS, SECRET, bomb, opened, paper, photograph


@pytest_asyncio.fixture(scope="module")
async def office(
    graph: Graph, databases: Databases, demo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    database = Database(await databases.new(demo_url))
    async with desk(graph, database, tmp_path_factory.mktemp("evidence")) as made:
        yield made
    await database.close()


def numbered(number: int) -> bytes:
    """A photograph that differs for each number."""
    return photograph(quality=40 + number)


async def test_an_upload_is_stored_without_positions(office: Desk) -> None:
    data = numbered(1)
    response = await office.post(data, options={"takenAt": "2026-06-14T09:30:00+08:00"})
    assert response.status_code == 201
    answer = response.json()
    assert answer.keys() == {"id", "mediaType", "bytes", "sha256", "url"}
    assert node_id.decode(answer["id"])[0] == "Evidence"
    kept = (office.folder / answer["sha256"][:2] / answer["sha256"]).read_bytes()
    assert hashlib.sha256(kept).hexdigest() == answer["sha256"]
    assert (answer["mediaType"], answer["bytes"]) == ("image/jpeg", len(kept))
    assert not opened(kept).getexif().get_ifd(GPS)
    assert SECRET not in kept
    assert opened(kept).tobytes() == opened(data).tobytes()


async def test_positions_are_kept_on_request(office: Desk) -> None:
    data = numbered(2)
    stripped = (await office.post(data)).json()
    whole = (await office.post(data, options={"positions": "keep"})).json()
    assert whole["sha256"] == hashlib.sha256(data).hexdigest() != stripped["sha256"]
    assert whole["id"] != stripped["id"]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (photograph("PNG"), "image/png"),
        (photograph("WEBP"), "image/webp"),
        (paper(), "application/pdf"),
        (photograph("PNG", compress_level=1), "application/octet-stream"),
        (photograph(quality=20), "Image/JPEG; charset=binary"),
    ],
)
async def test_every_media_type_can_be_read_back(office: Desk, data: bytes, media_type: str) -> None:
    answer = (await office.post(data, media_type)).json()
    response = await office.client.get(answer["url"])
    assert response.status_code == 200
    assert hashlib.sha256(response.content).hexdigest() == answer["sha256"]
    assert response.headers["content-type"] == answer["mediaType"]
    assert response.headers["content-length"] == str(answer["bytes"])
    how = "attachment" if media_type == "application/pdf" else "inline"
    assert response.headers["content-disposition"].startswith(f"{how}; filename=")
    assert response.headers["cache-control"].startswith("private, max-age=6")
    assert "sandbox" in response.headers["content-security-policy"]
    assert (None, (AccessKind.EVIDENCE, answer["sha256"])) in {
        (e.identity, e.disclosure) for e in office.access_log._pending
    }
    head = await office.client.head(answer["url"])
    assert (head.status_code, head.headers["content-length"]) == (200, str(answer["bytes"]))
    again = await office.client.get(answer["url"], headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


TEXT = b"This is a text, whatever its name says.\n" * 40
REFUSED: dict[str, tuple[bytes, str, dict[str, str], int, str]] = {
    "a text named .jpg": (TEXT, "image/jpeg", {}, 415, "UNSUPPORTED_TYPE"),
    "a text": (TEXT, "text/plain", {}, 415, "UNSUPPORTED_TYPE"),
    "a page": (b"<!doctype html><script>alert(1)</script>", "application/pdf", {}, 415, "UNSUPPORTED_TYPE"),
    "a drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", {}, 415, "UNSUPPORTED_TYPE"),
    "another kind": (photograph("PNG"), "image/jpeg", {}, 415, "UNSUPPORTED_TYPE"),
    "no kind": (photograph(), "", {}, 415, "UNSUPPORTED_TYPE"),
    "a form": (photograph(), "multipart/form-data; boundary=x", {}, 415, "UNSUPPORTED_TYPE"),
    "a bomb": (bomb(), "image/png", {}, 413, "TOO_LARGE"),
    "too long": (photograph() + bytes(LIMIT), "image/jpeg", {}, 413, "TOO_LARGE"),
    "half of it": (photograph()[:-400], "image/jpeg", {}, 400, "BAD_INPUT"),
    "half a paper": (paper()[:40], "application/pdf", {}, 400, "BAD_INPUT"),
    "nothing": (b"", "image/jpeg", {}, 400, "BAD_REQUEST"),
    "a day": (photograph(), "image/jpeg", {"takenAt": "yesterday"}, 400, "BAD_INPUT"),
    "no offset": (photograph(), "image/jpeg", {"takenAt": "2026-06-14T09:30:00"}, 400, "BAD_INPUT"),
    "to come": (photograph(), "image/jpeg", {"takenAt": "2026-07-14T09:30:00Z"}, 400, "BAD_INPUT"),
    "long ago": (photograph(), "image/jpeg", {"takenAt": "0001-01-01T00:00:00+08:00"}, 400, "BAD_INPUT"),
    "positions": (photograph(), "image/jpeg", {"positions": "yes"}, 400, "BAD_INPUT"),
    "misspelt": (photograph(), "image/jpeg", {"taken_at": "2026-06-14T09:30:00Z"}, 400, "BAD_INPUT"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_refused_upload_leaves_nothing(office: Desk, what: str) -> None:
    data, media_type, options, status, code = REFUSED[what]
    before = await office.left()
    response = await office.post(data, media_type, options=options)
    assert (response.status_code, code_of(response)) == (status, code)
    assert await office.left() == before


async def test_a_compressed_upload_is_refused(office: Desk) -> None:
    headers = {**office.commander, "content-type": "image/jpeg", "content-encoding": "gzip"}
    response = await office.client.post("/evidence", content=gzip.compress(photograph()), headers=headers)
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_TYPE")


async def test_who_may_upload(office: Desk) -> None:
    answers = {}
    for by in ({}, {"authorization": "Bearer x"}, office.bearer(Role.WALL), office.integrator):
        before = await office.left()
        response = await office.post(numbered(3), by=by)
        answers[response.status_code, code_of(response)] = response.headers.get("www-authenticate")
        assert await office.left() == before
    assert answers == {(401, "UNAUTHENTICATED"): "Bearer", (403, "FORBIDDEN"): None}
    for by in (office.commander, await office.inspector(1), await office.enterprise(1)):
        assert (await office.post(numbered(3), by=by)).status_code == 201


async def test_the_demos_anonymous_wall_may_not_upload(graph: Graph, demo: Database, tmp_path: Path) -> None:
    async with desk(graph, demo, tmp_path, anonymous=Viewer(Visibility(Role.WALL))) as office:
        response = await office.post(numbered(3), by={})
    assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")


@pytest.mark.parametrize("announced", [True, False])
async def test_an_upload_of_30_megabytes_is_refused(office: Desk, announced: bool) -> None:
    """Over a real socket, with and without a Content-Length."""
    before = await office.left()

    async def body() -> AsyncIterator[bytes]:
        yield photograph()
        for _ in range(30):
            yield bytes(2**20)

    headers = {**office.commander, "content-type": "image/jpeg"}
    headers |= {"content-length": str(len(photograph()) + 30 * 2**20)} if announced else {}
    async with (
        listening(office.app) as (host, port),
        httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=PATIENCE) as client,
    ):
        response = await client.post("/evidence", content=body(), headers=headers)
        assert (response.status_code, code_of(response)) == (413, "TOO_LARGE")
        assert await office.left() == before
        # The server goes on.
        assert (await client.post("/evidence", content=numbered(4), headers=named(office))).status_code == 201


def named(office: Desk) -> dict[str, str]:
    return {**office.commander, "content-type": "image/jpeg"}


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_interrupted_upload_leaves_nothing(office: Desk, chunked: bool) -> None:
    before = await office.left()
    data = photograph("PNG", compress_level=0) * 100
    head = ["POST /evidence HTTP/1.1", "host: localhost", "content-type: image/png"]
    head += [f"authorization: {office.commander['authorization']}"]
    head += ["transfer-encoding: chunked"] if chunked else [f"content-length: {len(data)}"]
    start = f"{len(data):x}\r\n".encode() if chunked else b""
    async with listening(office.app) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write("\r\n".join([*head, "", ""]).encode() + start + data[: len(data) // 2])
        await writer.drain()
        writer.transport.abort()
        # A later request is answered after the server has seen the end of the first.
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=PATIENCE) as client:
            answer = await client.post("/evidence", content=TEXT, headers=named(office))
        assert answer.status_code == 415
    # The server has stopped, so nothing is under way.
    assert await office.left() == before


async def test_equal_uploads_are_one_row_and_one_file(office: Desk) -> None:
    rows, files = await office.left()
    uploaders = [office.commander, await office.inspector(1), await office.enterprise(1), await office.enterprise(2)]
    data = numbered(5)
    at_once = await asyncio.gather(*(office.post(data, by=by) for by in uploaders * 2))
    later = await office.post(data, by=uploaders[0], options={"takenAt": "2026-06-14T09:30:00Z"})
    assert {response.status_code for response in (*at_once, later)} == {201}
    assert len({response.json()["id"] for response in (*at_once, later)}) == 1
    after, now = await office.left()
    assert after["evidence"] == rows["evidence"] + 1
    assert after["evidence_upload"] == rows["evidence_upload"] + 4
    # The first upload to a store leaves the mark of its owner too.
    assert len([file for file in now - files if not file.startswith("owners/")]) == 1
    # Each uploader may attach it, and sees the first one's claims.
    for key, by in ((1, uploaders[2]), (2, uploaders[3])):
        result = await office.report(by, key, at_once[0].json()["id"])
        assert [e["takenAt"] for e in result["hazard"]["evidence"]] == [None]


NODE = "query($id: ID!) { node(id: $id) { ... on Evidence { id url } } }"


async def test_an_upload_is_visible_to_its_uploader_only_until_it_is_attached(office: Desk) -> None:
    mine, others = await office.enterprise(1), [await office.enterprise(2), await office.inspector(1), office.commander]
    others += [await office.inspector(2), office.bearer(Role.COMMANDER, subject="another")]
    [piece] = [(await office.post(numbered(6), by=mine)).json()["id"]]
    for by in (mine, *others):
        assert (await office.ask(NODE, by, id=piece))["node"] is None
    for key, by in zip((2, 1, 1, 1, 1), others, strict=True):
        assert (await office.report(by, key, piece))["__typename"] == "NotFound"
    result = await office.report(mine, 1, piece, piece)
    [attached] = result["hazard"]["evidence"]
    assert attached["id"] == piece
    # Then everybody sees it who sees the row that it proves.
    seen = {by["authorization"]: (await office.ask(NODE, by, id=piece))["node"] for by in (mine, *others)}
    assert [evidence is not None for evidence in seen.values()] == [True, False, True, True, True, True]
    for by in (office.bearer(Role.WALL), office.bearer(Role.INTEGRATOR, scopes=frozenset())):
        assert (await office.ask(NODE, by, id=piece))["node"] is None
    assert (await office.ask(NODE, office.integrator, id=piece))["node"] is not None
    # Attached evidence may prove more rows, for viewers who see it. The other enterprise does not.
    assert (await office.report(others[1], 1, piece))["__typename"] == "HazardReported"
    assert (await office.report(others[0], 2, piece))["__typename"] == "NotFound"


async def test_an_unknown_id_is_not_found(office: Desk) -> None:
    for key in (2**31 - 1, 999_999):
        result = await office.report(office.commander, 1, node_id.encode("Evidence", key))
        assert result["__typename"] == "NotFound"


async def test_the_graph_gives_a_url_for_stored_evidence(office: Desk) -> None:
    by = await office.enterprise(3)
    answer = (await office.post(numbered(7), by=by, options={"takenAt": "2026-06-14T01:30:00Z"})).json()
    [piece] = (await office.report(by, 3, answer["id"]))["hazard"]["evidence"]
    assert piece.pop("takenAt").startswith("2026-06-14T01:30:00")
    assert piece == answer
    response = await office.client.get(piece["url"])
    assert hashlib.sha256(response.content).hexdigest() == answer["sha256"]
    # The demo's evidence has no bytes.
    query = "{ hazards(first: 200) { nodes { id evidence { id url } } } }"
    pieces = [e for h in (await office.ask(query, office.commander))["hazards"]["nodes"] for e in h["evidence"]]
    assert {e["url"] is None for e in pieces if node_id.decode(e["id"])[1] < node_id.decode(answer["id"])[1] - 20} == {
        True
    }


async def test_a_url_is_valid_for_ten_minutes(office: Desk) -> None:
    url = (await office.post(numbered(8))).json()["url"]
    try:
        # It is a full minute now. Otherwise the URL would be valid until the next one.
        for seconds, status in ((0, 200), (599, 200), (600, 403), (1_000_000, 403)):
            office.now = NOW + dt.timedelta(seconds=seconds)
            response = await office.client.get(url)
            assert response.status_code == status
        assert code_of(response) == "FORBIDDEN"
        # The URL is the same within a minute, so that browsers can cache the bytes.
        office.now = NOW + dt.timedelta(seconds=59)
        later = (await office.post(numbered(8))).json()["url"]
        office.now = NOW + dt.timedelta(seconds=1)
        assert later == (await office.post(numbered(8))).json()["url"] != url
    finally:
        office.now = NOW


async def test_a_forged_url_is_refused(office: Desk) -> None:
    one, other = [(await office.post(numbered(n))).json() for n in (9, 10)]
    path, query = one["url"].split("?")
    expires, signature = (part.split("=")[1] for part in query.split("&"))
    wrong = [
        path,
        f"{path}?expires={expires}",
        f"{path}?expires={int(expires) + 60}&signature={signature}",
        f"{path}?expires=0{expires}&signature={signature}x",
        f"{path}?expires={'9' * 400}&signature={signature}",
        f"{path}?expires=-1&signature={signature}",
        f"{path}?expires=１&signature=é",
        f"{path}?expires={expires}&signature={'0' * 64}",
        f"/evidence/{other['sha256']}?{query}",
        f"/evidence/{one['sha256'].upper()}?{query}",
        f"/evidence/{'0' * 64}?{query}",
        f"/evidence/..%2F..%2Fetc%2Fpasswd?{query}",
        f"/evidence/x?{query}",
    ]
    for address in wrong:
        response = await office.client.get(address)
        assert response.status_code in (403, 404), address
        assert response.status_code == 404 or code_of(response) == "FORBIDDEN"


async def test_missing_bytes_are_not_found(office: Desk) -> None:
    answer = (await office.post(numbered(11))).json()
    (office.folder / answer["sha256"][:2] / answer["sha256"]).unlink()
    response = await office.client.get(answer["url"])
    assert (response.status_code, code_of(response)) == (404, "NOT_FOUND")
    # Uploading the same bytes again repairs it.
    assert (await office.post(numbered(11))).json() == answer
    assert (await office.client.get(answer["url"])).status_code == 200
    signed = office.signer.url("0" * 64, NOW)
    assert code_of(await office.client.get(signed)) == "NOT_FOUND"


async def test_a_full_store_is_an_outage(
    office: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def full(name: str, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(office.folder / name))

    monkeypatch.setattr(office.store, "put", full)
    before = await office.left()
    response = await office.post(numbered(12))
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert code_of(response) == "UNAVAILABLE"
    logged = capfd.readouterr()
    for text in (response.text, logged.out, logged.err):
        assert str(office.folder) not in text
    assert await office.left() == before
