"""Uploads in pieces over HTTP: from any byte on, by whom, what they become, and refusals that leave nothing."""

import asyncio
import datetime as dt
import hashlib
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from starlette.types import Message

from models.db.database import Database
from models.visibility import Role
from resolvers.evidence import open_uploads
from resolvers.evidence.uploads import collect_orphans
from schema.build import Graph
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import NOW, Databases
from tests.support.evidence_clients import LIMIT, STATUS, Desk, code_of, desk
from tests.support.pictures import SECRET, bomb, photograph
from tests.support.tus_client import PIECE, TUS, TusClient, checksum
from web.auth.credentials import bearer

PHONE, TABLET = {"huhang-device": "phone-of-the-tests"}, {"huhang-device": "tablet-of-the-tests"}
DAY = dt.timedelta(days=1)


@pytest_asyncio.fixture
async def office(
    graph: Graph, databases: Databases, demo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    database = Database(await databases.new(demo_url))
    async with desk(graph, database, tmp_path_factory.mktemp("evidence")) as made:
        yield made
    await database.close()


async def tus(office: Desk, inspector: int = 1, device: dict[str, str] | None = None) -> TusClient:
    return TusClient(office.client, await office.inspector(inspector) | (device or {}))


async def status(office: Desk, client: TusClient, *data: bytes) -> list[tuple[str | None, str | None]]:
    hashes = [hashlib.sha256(each).hexdigest() for each in data]
    statuses = (await office.ask(STATUS, client.by, hashes=hashes))["evidenceStatus"]
    assert [each["sha256"] for each in statuses] == hashes
    return [(each["evidence"], each["keptUntil"]) for each in statuses]


async def test_a_photograph_in_pieces_becomes_the_evidence_that_it_becomes_in_one(office: Desk) -> None:
    client, data = await tus(office, device=PHONE), photograph(quality=71)
    path = await client.begin(len(data), filetype="image/jpeg", takenAt="2026-06-14T09:30:00+08:00", filename="å.jpg")
    response = await client.send(path, data, 300)
    whole = (await office.post(data, by=client.by)).json()
    assert response.headers["huhang-evidence"] == whole["id"]
    kept = (office.folder / whole["sha256"][:2] / whole["sha256"]).read_bytes()
    assert SECRET not in kept
    assert not [file for file in office.files() if file.startswith("pieces/")]
    assert (await office.rows())["upload_piece"] == 0
    result = await office.report(client.by, 1, whole["id"])
    assert [each["takenAt"] for each in result["hazard"]["evidence"]] == ["2026-06-14T01:30:00+00:00"]


async def test_the_headers_of_the_protocol(office: Desk) -> None:
    client, data = await tus(office), photograph(quality=70)
    abilities = await client.client.options("/uploads")
    assert (abilities.status_code, abilities.headers["tus-version"]) == (204, "1.0.0")
    assert abilities.headers["tus-extension"] == "creation,checksum,expiration,termination"
    assert abilities.headers["tus-checksum-algorithm"] == "sha256,sha1"
    assert abilities.headers["tus-max-size"] == str(LIMIT)
    created = await client.create(len(data), filetype="image/jpeg", filename="a.jpg")
    path = created.headers["location"]
    assert created.headers["upload-expires"] == "Mon, 22 Jun 2026 04:00:00 GMT"
    piece = await client.patch(path, 0, data[:100], **checksum(data[:100], "sha1"))
    head = await client.ask("HEAD", path)
    assert head.headers["cache-control"] == "no-store"
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("100", str(len(data)))
    assert head.headers["upload-metadata"] == created.request.headers["upload-metadata"]
    for response in (abilities, created, piece, head):
        assert response.headers["tus-resumable"] == "1.0.0"
    last = await client.send(path, data, len(data))
    again = await client.ask("HEAD", path)
    assert again.headers["huhang-evidence"] == last.headers["huhang-evidence"]
    # A repeat of the end is answered as the end was.
    assert (await client.patch(path, len(data), b"")).headers["huhang-evidence"] == last.headers["huhang-evidence"]


async def test_a_proxy_without_patch_and_delete(office: Desk) -> None:
    client, data = await tus(office), photograph(quality=69)
    path = await client.begin(len(data))
    override = {"x-http-method-override": "PATCH", "upload-offset": "0", **PIECE}
    assert (await client.ask("POST", path, content=data[:10], headers=override)).status_code == 204
    assert await client.offset(path) == 10
    for wrong in ({}, {"x-http-method-override": "GET"}):
        response = await client.ask("POST", path, headers=wrong)
        assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")
    assert (await client.ask("POST", path, headers={"x-http-method-override": "DELETE"})).status_code == 204
    assert (await client.ask("HEAD", path)).status_code == 404


HOSTILE: dict[str, tuple[str, dict[str, str], int, str]] = {
    "no version": ("POST", {"tus-resumable": "", "upload-length": "9"}, 412, "BAD_REQUEST"),
    "other version": ("POST", {"tus-resumable": "0.2.2", "upload-length": "9"}, 412, "BAD_REQUEST"),
    "no length": ("POST", {}, 400, "BAD_REQUEST"),
    "deferred length": ("POST", {"upload-defer-length": "1"}, 400, "BAD_REQUEST"),
    "negative": ("POST", {"upload-length": "-1"}, 400, "BAD_REQUEST"),
    "other digits": ("POST", {"upload-length": "1_0"}, 400, "BAD_REQUEST"),
    "huge number": ("POST", {"upload-length": "9" * 400}, 400, "BAD_REQUEST"),
    "too long": ("POST", {"upload-length": str(LIMIT + 1)}, 413, "TOO_LARGE"),
    "nothing": ("POST", {"upload-length": "0"}, 400, "BAD_INPUT"),
    "no Base64": ("POST", {"upload-length": "9", "upload-metadata": "filename ***"}, 400, "BAD_INPUT"),
    "no UTF-8": ("POST", {"upload-length": "9", "upload-metadata": "filename //8="}, 400, "BAD_INPUT"),
    "twice": ("POST", {"upload-length": "9", "upload-metadata": "a YQ==,a YQ=="}, 400, "BAD_INPUT"),
    "endless": ("POST", {"upload-length": "9", "upload-metadata": "a " + "YWFh" * 2_000}, 400, "BAD_INPUT"),
    "wrong time": ("POST", {"upload-length": "9", "upload-metadata": "takenAt YQ=="}, 400, "BAD_INPUT"),
    "wrong hash": ("POST", {"upload-length": "9", "upload-metadata": "sha256 YQ=="}, 400, "BAD_INPUT"),
    "wrong device": ("POST", {"upload-length": "9", "huhang-device": "x"}, 400, "BAD_REQUEST"),
    "no offset": ("PATCH", PIECE, 400, "BAD_REQUEST"),
    "offset before": ("PATCH", {**PIECE, "upload-offset": "0"}, 409, "BAD_REQUEST"),
    "offset behind": ("PATCH", {**PIECE, "upload-offset": "11"}, 409, "BAD_REQUEST"),
    "other offset": ("PATCH", {**PIECE, "upload-offset": "０"}, 400, "BAD_REQUEST"),
    "other type": ("PATCH", {"content-type": "image/jpeg", "upload-offset": "10"}, 415, "UNSUPPORTED_TYPE"),
    "compressed": ("PATCH", {**PIECE, "upload-offset": "10", "content-encoding": "gzip"}, 415, "UNSUPPORTED_TYPE"),
    "no checksum": ("PATCH", {**PIECE, "upload-offset": "10", "upload-checksum": "sha256"}, 400, "BAD_REQUEST"),
    "weak checksum": ("PATCH", {**PIECE, "upload-offset": "10", "upload-checksum": "md5 YQ=="}, 400, "BAD_REQUEST"),
    "wrong checksum": ("PATCH", {**PIECE, "upload-offset": "10", **checksum(b"other")}, 460, "BAD_REQUEST"),
    "more than the rest": ("PATCH", {**PIECE, "upload-offset": "10"}, 413, "TOO_LARGE"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_refused_request_changes_nothing(office: Desk, what: str) -> None:
    client, (method, headers, expected, code) = await tus(office), HOSTILE[what]
    path = await client.begin(40)
    await client.patch(path, 0, b"0123456789")
    before = await office.left()
    raw = {name.encode(): value.encode() for name, value in {**client.by, **TUS, **headers}.items() if value}
    body = b"x" * (400 if what == "more than the rest" else 20) if method == "PATCH" else b""
    target = path if method == "PATCH" else "/uploads"
    response = await client.client.request(method, target, headers=raw, content=body)
    assert (response.status_code, code_of(response)) == (expected, code)
    assert response.headers["tus-resumable"] == "1.0.0"
    assert await office.left() == before
    assert await client.offset(path) == 10


async def test_only_the_viewer_and_the_device_go_on(office: Desk) -> None:
    mine, data = await tus(office, 1, PHONE), photograph(quality=68)
    path = await mine.begin(len(data), filetype="image/jpeg")
    await mine.patch(path, 0, data[:50])
    commander = TusClient(office.client, office.commander)
    others = [await tus(office, 2), await tus(office, 2, TABLET), commander]
    for other in others:
        for method, body in (("HEAD", b""), ("PATCH", data[50:]), ("DELETE", b"")):
            headers = {**PIECE, "upload-offset": "50"}
            assert (await other.ask(method, path, headers=headers, content=body)).status_code == 404
    for headers, expected in (({}, 401), (office.bearer(Role.WALL) | PHONE, 403)):
        assert (await TusClient(office.client, headers).ask("HEAD", path)).status_code == expected
    assert (await (await tus(office, 1, TABLET)).patch(path, 50, data[50:60])).status_code == 204
    colleague = await tus(office, 2, PHONE)
    evidence = (await colleague.send(path, data, 10_000)).headers["huhang-evidence"]
    # Whoever finished it, both may use it on this phone, and nobody else.
    kept = "2026-07-15T04:00:00+00:00"
    assert await status(office, mine, data) == await status(office, colleague, data) == [(evidence, kept)]
    assert await status(office, await tus(office, 1), data) == [(evidence, kept)]
    for other in others:
        assert await status(office, other, data) == [(None, None)]
        assert (await office.report(other.by, 1, evidence))["__typename"] == "NotFound"
    assert (await office.report(colleague.by, 1, evidence))["__typename"] == "HazardReported"
    assert await status(office, mine, data) == [(evidence, None)]


async def test_the_status_of_files_sent_in_one_request(office: Desk) -> None:
    client, data, unknown = await tus(office), photograph(quality=67), photograph(quality=66)
    first = (await office.post(data, by=client.by)).json()
    # The stored bytes are others than those that were sent.
    assert first["sha256"] != hashlib.sha256(data).hexdigest()
    office.now = NOW + DAY
    assert (await office.post(data, by=await office.inspector(2))).json()["id"] == first["id"]
    known = (first["id"], "2026-07-16T04:00:00+00:00")
    assert await status(office, client, unknown, data, data) == [(None, None), known, known]
    for hashes in (["x"], [first["sha256"].upper()], ["0" * 64] * 1_001):
        viewer = await office.viewers.authenticate(bearer(client.by["authorization"]))
        answer = await office.execution.run(Operation(STATUS, {"hashes": hashes}), viewer)
        assert [error["extensions"]["code"] for error in answer.errors] == ["BAD_INPUT"]


async def test_a_file_that_is_refused_ends_its_upload(office: Desk) -> None:
    client, data = await tus(office), photograph(quality=65)
    refused = {
        "text": (b"a text of no picture" * 9, {}, 415),
        "other": (data, {"filetype": "image/png"}, 415),
        "bomb": (bomb(), {}, 413),
        "half": (data[:-400], {}, 400),
        "hash": (data, {"sha256": hashlib.sha256(b"").hexdigest()}, 460),
    }
    for body, pairs, expected in refused.values():
        path = await client.begin(len(body), **pairs)
        assert (await client.patch(path, 0, body[:100])).status_code == 204
        assert (await client.patch(path, 100, body[100:])).status_code == expected
        assert (await client.ask("HEAD", path)).status_code == 404
    assert not any(count for table, count in (await office.rows()).items() if table in ("open_upload", "upload_piece"))
    assert {file.split("/")[0] for file in office.files()} == {"owners"}


async def test_of_two_pieces_at_one_place_one_counts(office: Desk) -> None:
    client, data = await tus(office), photograph(quality=64)
    path = await client.begin(len(data))
    for start, end in ((0, 200), (200, len(data))):
        answers = await asyncio.gather(*(client.patch(path, start, data[start:end]) for _ in range(4)))
        assert sorted(response.status_code for response in answers) == [204, 409, 409, 409]
    assert (await status(office, client, data))[0][0] is not None
    assert not [file for file in office.files() if file.startswith("pieces/")]


@pytest.mark.parametrize("checked", [False, True])
async def test_the_beginning_of_a_piece_that_was_cut_off_counts_without_a_checksum(office: Desk, checked: bool) -> None:
    client, data = await tus(office), photograph(quality=60)
    path = await client.begin(len(data))
    fields = {**client.by, **TUS, **PIECE, "upload-offset": "0", "host": "localhost"}
    fields |= checksum(data) if checked else {}
    scope = {"type": "http", "method": "PATCH", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in fields.items()]
    came: Iterator[Message] = iter(
        [{"type": "http.request", "body": data[:50], "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Message:
        return next(came)

    async def send(message: Message) -> None:
        """Nobody listens any more."""

    await office.app(scope, receive, send)
    assert await client.offset(path) == (0 if checked else 50)
    await client.send(path, data, 10_000)


async def test_expired_uploads_are_gone_and_swept(office: Desk) -> None:
    client, data = await tus(office), photograph(quality=63)
    path, other = await client.begin(len(data)), await client.begin(len(data))
    office.now = NOW + 6 * DAY
    await client.patch(path, 0, data[:50])
    office.now = NOW + 8 * DAY
    assert await client.offset(path) == 50
    assert (await client.ask("HEAD", other)).status_code == 404
    assert (await collect_orphans(office.database, office.store, office.now)).rows == 1
    office.now = NOW + 13 * DAY
    for method in ("HEAD", "PATCH", "DELETE"):
        headers = {**PIECE, "upload-offset": "50"}
        assert (await client.ask(method, path, headers=headers)).status_code == 404
    # By the clock of the files, which is the machine's, they are new; a day later they are not.
    assert (await collect_orphans(office.database, office.store, dt.datetime.now(dt.UTC) + 400 * DAY)).files == 1
    rows, files = await office.left()
    assert (rows["open_upload"], rows["upload_piece"]) == (0, 0)
    assert {file.split("/")[0] for file in files} == {"owners"}


async def test_pieces_under_way_are_not_swept(office: Desk) -> None:
    client, data = await tus(office), photograph(quality=62)
    path = await client.begin(len(data))
    await client.patch(path, 0, data[:50])
    for file in (office.folder / "pieces").iterdir():
        os.utime(file, (0, 0))
    removed = await collect_orphans(office.database, office.store, office.now + 2 * DAY)
    assert (removed.rows, removed.files) == (0, 0)
    await client.send(path, data, 10_000)


async def test_the_shares_of_a_viewer(office: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_uploads, "OPEN_MAXIMUM", 3)
    monkeypatch.setattr(open_uploads, "OPEN_BYTES_MAXIMUM", 1_000)
    monkeypatch.setattr(open_uploads, "ALL_BYTES_MAXIMUM", 1_500)
    monkeypatch.setattr(open_uploads, "PIECES_MAXIMUM", 2)
    client, other = await tus(office), await tus(office, 2)
    paths = [await client.begin(300) for _ in range(3)]
    refused = await client.create(1)
    assert (refused.status_code, code_of(refused)) == (429, "TOO_MANY")
    assert (await client.ask("DELETE", paths[0])).status_code == 204
    assert (await client.create(401)).status_code == 429
    assert (await client.create(400)).status_code == 201
    full = await other.create(501)
    assert (full.status_code, code_of(full)) == (503, "UNAVAILABLE")
    assert (await other.create(500)).status_code == 201
    for offset in (0, 1):
        assert (await client.patch(paths[1], offset, b"x")).status_code == 204
    small = await client.patch(paths[1], 2, b"x")
    assert (small.status_code, code_of(small)) == (400, "BAD_REQUEST")
    office.now = NOW + 8 * DAY
    assert (await client.create(1_000)).status_code == 201


async def test_a_lost_piece_ends_the_upload(office: Desk) -> None:
    client, data = await tus(office), photograph(quality=61)
    path = await client.begin(len(data))
    await client.patch(path, 0, data[:50])
    for file in (office.folder / "pieces").iterdir():
        file.unlink()
    assert (await client.patch(path, 50, data[50:])).status_code == 404
    assert (await client.ask("HEAD", path)).status_code == 404
    assert node_id.decode((await client.send(await client.begin(len(data)), data, 10_000)).headers["huhang-evidence"])
