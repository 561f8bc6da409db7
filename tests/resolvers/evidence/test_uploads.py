"""Orphans are collected and nothing else, beside uploads too; and a bucket keeps evidence as a directory does."""

import asyncio
import datetime as dt
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.clock import now as clock
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role, Viewer, Visibility
from resolvers.evidence.content_types import PDF, Content
from resolvers.evidence.store import UNFINISHED, DirectoryStore, Store, open_store
from resolvers.evidence.uploads import (
    ForeignStore,
    RemovedOrphans,
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

COMMANDER, OTHER = (Viewer(Visibility(Role.COMMANDER), subject=subject) for subject in ("one", "other"))
HOUR = dt.timedelta(hours=1)
EVIDENCE = table_of(models.Evidence)


def numbered(number: int) -> Content:
    return Content(PDF, paper() + b"%" + str(number).encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


@pytest_asyncio.fixture(params=["directory", "bucket"])
async def store(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    if request.param == "directory":
        yield open_store(str(folder))
        return
    async with s3_bucket() as address:
        given = {"ENDPOINT_URL": address, "ALLOW_HTTP": "true", "REGION": "us-east-1"}
        given |= {"ACCESS_KEY_ID": "tests", "SECRET_ACCESS_KEY": "of no use elsewhere"}
        for name, value in given.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield open_store("s3://evidence/of/a/district")


async def names(store: Store) -> set[str]:
    return {name async for name, _ in store.names()}


async def rows(database: Database) -> set[str]:
    async with database.read() as connection:
        return set((await connection.execute(sa.select(EVIDENCE.c.sha256))).scalars())


async def attach(database: Database, kept: StoredEvidence) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(sa.update(EVIDENCE).where(EVIDENCE.c.id == kept.id).values(attached=True))


async def read(store: Store, name: str) -> bytes | None:
    chunks = await store.read(name)
    return None if chunks is None else b"".join([chunk async for chunk in chunks])


async def test_a_store_gives_back_what_was_put(store: Store) -> None:
    before = clock()
    assert await names(store) == set()
    data = os.urandom(700_000)
    name = hashlib.sha256(data).hexdigest()
    assert (await store.has(name), await read(store, name)) == (False, None)
    await store.put(name, data)
    await store.put(name, data)
    assert (await store.has(name), await read(store, name)) == (True, data)
    [(found, written)] = [one async for one in store.names()]
    assert found == name
    assert before - HOUR < written < clock() + HOUR
    await store.remove(name)
    await store.remove(name)
    assert await names(store) == set()


async def test_orphans_go_after_a_day(database: Database, store: Store) -> None:
    now = clock()
    attached, waiting, again = [await store_upload(database, store, COMMANDER, now, numbered(n)) for n in range(3)]
    await attach(database, attached)
    await store.put("a" * 64, b"a file without a row")
    every = {attached.sha256, waiting.sha256, again.sha256}
    assert await collect_orphans(database, store, now + 23 * HOUR) == RemovedOrphans(0, 0)
    assert await names(store) == every | {"a" * 64}
    # Somebody else uploads it once more.
    assert await store_upload(database, store, OTHER, now + 20 * HOUR, numbered(2)) == again
    assert await collect_orphans(database, store, now + 25 * HOUR) == RemovedOrphans(1, 2)
    assert await rows(database) == await names(store) == every - {waiting.sha256}
    assert await find_evidence(database, waiting.sha256) is None
    assert await collect_orphans(database, store, now + 1_000 * HOUR) == RemovedOrphans(1, 1)
    assert await rows(database) == await names(store) == {attached.sha256}
    assert await find_evidence(database, attached.sha256) == attached
    # Whoever still has it may upload it anew.
    assert (await store_upload(database, store, COMMANDER, now, numbered(1))).sha256 == waiting.sha256
    assert await read(store, waiting.sha256) == numbered(1).data


async def test_nothing_is_collected_where_another_database_has_evidence(
    database: Database, databases: Databases, migrated_url: str, store: Store
) -> None:
    now = clock()
    other = Database(await databases.new(migrated_url))
    try:
        async with other.write() as session:
            await renew_epoch(session, "0123456789abcdef")  # copies of one database have one
        theirs, mine = await store_upload(other, store, COMMANDER, now, numbered(1)), numbered(2)
        await attach(other, theirs)
        later = now + 1_000 * HOUR
        with pytest.raises(ForeignStore) as caught:
            await collect_orphans(database, store, later)
        assert caught.value.others == ["0123456789abcdef"]
        # Nor when both have, by either.
        kept = await store_upload(database, store, COMMANDER, now, mine)
        for one in (database, other):
            with pytest.raises(ForeignStore):
                await collect_orphans(one, store, later)
        assert await names(store) == {theirs.sha256, kept.sha256}
        assert await rows(database) == {kept.sha256}
        await claim_store(database, store)
        assert await collect_orphans(database, store, later) == RemovedOrphans(1, 2)
    finally:
        await other.close()


async def test_nothing_is_collected_where_nobody_knows_whose_it_is(database: Database, store: Store) -> None:
    assert await collect_orphans(database, store, clock()) == RemovedOrphans(0, 0)
    await store.put("a" * 64, b"of whom?")
    with pytest.raises(ForeignStore):
        await collect_orphans(database, store, clock() + 25 * HOUR)
    assert await names(store) == {"a" * 64}
    await claim_store(database, store)
    assert await collect_orphans(database, store, clock() + 25 * HOUR) == RemovedOrphans(0, 1)


async def test_what_an_upload_left_unfinished_goes_too(database: Database, folder: Path) -> None:
    store = DirectoryStore(folder)
    kept = await store_upload(database, store, COMMANDER, clock(), numbered(1))
    await attach(database, kept)
    unfinished, foreign = folder / kept.sha256[:2] / f"{UNFINISHED}x", folder / kept.sha256[:2] / "README"
    for file in (unfinished, foreign):
        file.write_bytes(b"x")
    assert await collect_orphans(database, store, clock()) == RemovedOrphans(0, 0)
    assert await collect_orphans(database, store, clock() + 25 * HOUR) == RemovedOrphans(0, 1)
    # What was never ours is left alone.
    assert [unfinished.exists(), foreign.exists()] == [False, True]
    assert await find_evidence(database, kept.sha256) == kept


async def test_a_file_that_cannot_be_written_leaves_nothing(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        await store_upload(database, DirectoryStore(folder), COMMANDER, clock(), numbered(1))
    assert await names(DirectoryStore(folder)) == set()
    assert await rows(database) == set()


async def test_collecting_beside_uploads_loses_nothing(database: Database, folder: Path) -> None:
    """Old orphans are uploaded anew while two collections run: whatever an upload was answered is there."""
    store, now = DirectoryStore(folder), clock()
    old = now - 48 * HOUR
    for n in range(12):
        kept = await store_upload(database, store, COMMANDER, old, numbered(n))
        os.utime(folder / kept.sha256[:2] / kept.sha256, (old.timestamp(), old.timestamp()))

    async def upload(number: int) -> StoredEvidence:
        return await store_upload(database, store, OTHER, now, numbered(number))

    work = [upload(n) for n in range(6)]
    found = await asyncio.gather(collect_orphans(database, store, now), *work, collect_orphans(database, store, now))
    answered = [one for one in found if isinstance(one, StoredEvidence)]
    assert len(answered) == 6
    for kept in answered:
        assert await find_evidence(database, kept.sha256) == kept
        assert await store.has(kept.sha256)
    await collect_orphans(database, store, now)
    assert await rows(database) == await names(store) == {kept.sha256 for kept in answered}


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "http://huhang.test/evidence", "gs://bucket"])
def test_a_store_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket"):
        open_store(url)
