"""Stores evidence in a directory and a bucket, and removes orphans and nothing else, also during uploads."""

import asyncio
import datetime as dt
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.clock import now as clock
from models.db.database import Database
from models.db.outages import Outage, outage_of
from models.db.tables import table_of
from resolvers.evidence import store as stores
from resolvers.evidence.content_types import PDF, Content
from resolvers.evidence.store import UNFINISHED, DirectoryStore, Store, open_store
from resolvers.evidence.uploads import (
    ForeignStore,
    RemovedOrphans,
    Sender,
    StoredEvidence,
    claim_store,
    collect_orphans,
    find_evidence,
    store_upload,
)
from subscriptions.event_log import renew_epoch
from tests.conftest import Databases
from tests.support.pictures import paper
from tests.support.s3_bucket import s3_bucket

COMMANDER, OTHER = Sender("one"), Sender("other")
HOUR = dt.timedelta(hours=1)
EVIDENCE = table_of(models.Evidence)


def numbered(number: int) -> Content:
    return Content(PDF, paper() + b"%" + str(number).encode(), "0" * 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


@pytest_asyncio.fixture(params=["directory", "bucket"])
async def store(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    if request.param == "directory":
        yield open_store(str(folder))
        return
    async with s3_bucket() as address:
        variables = {"ENDPOINT_URL": address, "ALLOW_HTTP": "true", "REGION": "us-east-1"}
        variables |= {"ACCESS_KEY_ID": "tests", "SECRET_ACCESS_KEY": "of no use elsewhere"}
        for name, value in variables.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield open_store("s3://evidence/of/a/district")


async def names(store: Store) -> set[str]:
    return {name async for name, _ in store.names()}


async def rows(database: Database) -> set[str]:
    async with database.read() as connection:
        return set((await connection.execute(sa.select(EVIDENCE.c.sha256))).scalars())


async def attach(database: Database, evidence: StoredEvidence) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.update(EVIDENCE).where(EVIDENCE.c.id == evidence.id).values(attached=True))


async def read(store: Store, name: str) -> bytes | None:
    chunks = await store.read(name)
    return None if chunks is None else b"".join([chunk async for chunk in chunks])


async def test_a_store_returns_what_was_put(store: Store) -> None:
    before = clock()
    assert await names(store) == set()
    data = os.urandom(700_000)
    name = hashlib.sha256(data).hexdigest()
    assert (await store.has(name), await read(store, name)) == (False, None)
    await store.put(name, data)
    await store.put(name, data)
    assert (await store.has(name), await read(store, name)) == (True, data)
    [(stored_name, modified)] = [one async for one in store.names()]
    assert stored_name == name
    assert before - HOUR < modified < clock() + HOUR
    await store.remove(name)
    await store.remove(name)
    assert await names(store) == set()


async def test_evidence_waits_for_an_act_without_a_network_and_a_file_without_a_row_does_not(
    database: Database, store: Store
) -> None:
    now, waiting = clock(), 30 * 24 * HOUR
    stored = await store_upload(database, store, COMMANDER, now, numbered(1))
    await store.put("a" * 64, b"a file without a row")
    assert await collect_orphans(database, store, now + 25 * HOUR, waiting) == RemovedOrphans(0, 1)
    assert await collect_orphans(database, store, now + waiting, waiting) == RemovedOrphans(0, 0)
    assert await names(store) == {stored.sha256}
    assert await collect_orphans(database, store, now + waiting + HOUR, waiting) == RemovedOrphans(1, 1)


async def test_orphans_are_removed_after_a_day(database: Database, store: Store) -> None:
    now = clock()
    attached, waiting, again = [await store_upload(database, store, COMMANDER, now, numbered(n)) for n in range(3)]
    await attach(database, attached)
    await store.put("a" * 64, b"a file without a row")
    every = {attached.sha256, waiting.sha256, again.sha256}
    assert await collect_orphans(database, store, now + 23 * HOUR) == RemovedOrphans(0, 0)
    assert await names(store) == every | {"a" * 64}
    # Another viewer uploads the same bytes again.
    assert await store_upload(database, store, OTHER, now + 20 * HOUR, numbered(2)) == again
    assert await collect_orphans(database, store, now + 25 * HOUR) == RemovedOrphans(1, 2)
    assert await rows(database) == await names(store) == every - {waiting.sha256}
    assert await find_evidence(database, waiting.sha256) is None
    assert await collect_orphans(database, store, now + 1_000 * HOUR) == RemovedOrphans(1, 1)
    assert await rows(database) == await names(store) == {attached.sha256}
    assert await find_evidence(database, attached.sha256) == attached
    # Removed evidence can be uploaded again.
    assert (await store_upload(database, store, COMMANDER, now, numbered(1))).sha256 == waiting.sha256
    assert await read(store, waiting.sha256) == numbered(1).data


async def test_nothing_is_removed_from_a_store_that_another_database_uses(
    database: Database, databases: Databases, migrated_url: str, store: Store
) -> None:
    now = clock()
    other = Database(await databases.new(migrated_url))
    try:
        async with other.write() as session:
            await renew_epoch(session, "0123456789abcdef")  # copies of one database share an epoch
        theirs, mine = await store_upload(other, store, COMMANDER, now, numbered(1)), numbered(2)
        await attach(other, theirs)
        later = now + 1_000 * HOUR
        with pytest.raises(ForeignStore) as caught:
            await collect_orphans(database, store, later)
        assert caught.value.others == ["0123456789abcdef"]
        # Neither of two databases that use it removes anything.
        evidence = await store_upload(database, store, COMMANDER, now, mine)
        for one in (database, other):
            with pytest.raises(ForeignStore):
                await collect_orphans(one, store, later)
        assert await names(store) == {theirs.sha256, evidence.sha256}
        assert await rows(database) == {evidence.sha256}
        await claim_store(database, store)
        assert await collect_orphans(database, store, later) == RemovedOrphans(1, 2)
    finally:
        await other.close()


async def test_nothing_is_removed_from_a_store_with_files_and_no_mark(database: Database, store: Store) -> None:
    assert await collect_orphans(database, store, clock()) == RemovedOrphans(0, 0)
    await store.put("a" * 64, b"of an unknown database")
    with pytest.raises(ForeignStore):
        await collect_orphans(database, store, clock() + 25 * HOUR)
    assert await names(store) == {"a" * 64}
    await claim_store(database, store)
    assert await collect_orphans(database, store, clock() + 25 * HOUR) == RemovedOrphans(0, 1)


async def test_files_of_interrupted_uploads_are_removed_too(database: Database, folder: Path) -> None:
    store = DirectoryStore(folder)
    evidence = await store_upload(database, store, COMMANDER, clock(), numbered(1))
    await attach(database, evidence)
    unfinished, foreign = folder / evidence.sha256[:2] / f"{UNFINISHED}x", folder / evidence.sha256[:2] / "README"
    for file in (unfinished, foreign):
        file.write_bytes(b"x")
    assert await collect_orphans(database, store, clock()) == RemovedOrphans(0, 0)
    assert await collect_orphans(database, store, clock() + 25 * HOUR) == RemovedOrphans(0, 1)
    # Other files are not touched.
    assert [unfinished.exists(), foreign.exists()] == [False, True]
    assert await find_evidence(database, evidence.sha256) == evidence


async def test_a_failed_write_leaves_nothing(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        await store_upload(database, DirectoryStore(folder), COMMANDER, clock(), numbered(1))
    assert await names(DirectoryStore(folder)) == set()
    assert await rows(database) == set()


async def test_removing_orphans_during_uploads_loses_nothing(database: Database, folder: Path) -> None:
    """Old orphans are uploaded again while two removals run. Every upload that succeeded is there."""
    store, now = DirectoryStore(folder), clock()
    old = now - 48 * HOUR
    for n in range(12):
        evidence = await store_upload(database, store, COMMANDER, old, numbered(n))
        os.utime(folder / evidence.sha256[:2] / evidence.sha256, (old.timestamp(), old.timestamp()))

    async def upload(number: int) -> StoredEvidence:
        return await store_upload(database, store, OTHER, now, numbered(number))

    work = [upload(n) for n in range(6)]
    results = await asyncio.gather(collect_orphans(database, store, now), *work, collect_orphans(database, store, now))
    stored = [one for one in results if isinstance(one, StoredEvidence)]
    assert len(stored) == 6
    for evidence in stored:
        assert await find_evidence(database, evidence.sha256) == evidence
        assert await store.has(evidence.sha256)
    await collect_orphans(database, store, now)
    assert await rows(database) == await names(store) == {evidence.sha256 for evidence in stored}


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "http://huhang.test/evidence", "gs://bucket"])
def test_a_store_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket"):
        open_store(url)


@pytest.mark.database_independent
async def test_a_bucket_that_cannot_be_used_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "RETRY_TIMEOUT", dt.timedelta(0))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    variables = {"ENDPOINT_URL": f"http://127.0.0.1:{port}", "ALLOW_HTTP": "true", "REGION": "us-east-1"}
    variables |= {"ACCESS_KEY_ID": "tests", "SECRET_ACCESS_KEY": "of no use elsewhere"}
    for name, value in variables.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    store = open_store("s3://evidence")
    name = "0" * 64
    for use in (store.has(name), store.put(name, b""), store.read(name)):
        with pytest.raises(ConnectionError) as caught:
            await use
        assert outage_of(caught.value) is Outage.UNAVAILABLE
