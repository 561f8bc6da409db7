"""Where the bytes of evidence lie, named by their SHA-256: a directory, or a bucket of a store that speaks S3."""

import asyncio
import contextlib
import datetime as dt
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import obstore
from obstore.store import S3Store

CHUNK = 262_144
NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)
UNFINISHED = "upload-"
# Who puts something there leaves a mark: an empty file, named by the database's epoch.
OWNERS = "owners"
OWNER = re.compile(r"owners/([0-9a-f]{16})", re.ASCII)


class Store(Protocol):
    """Bytes by name. What is put is there as a whole, or not at all."""

    async def has(self, name: str) -> bool: ...
    async def put(self, name: str, data: bytes) -> None: ...
    async def read(self, name: str) -> AsyncIterator[bytes] | None: ...
    async def remove(self, name: str) -> None: ...
    def names(self) -> AsyncIterator[tuple[str, dt.datetime]]:
        """What was put there, and what an upload left unfinished, and when it was written last; nothing else."""
        ...

    async def owners(self) -> set[str]:
        """The names of the marks."""
        ...


def open_store(url: str) -> Store:
    """`s3://bucket/prefix`, with the usual AWS_ variables for the rest, or a directory. Raises ValueError."""
    if url.startswith("s3://"):
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not bucket:
            raise ValueError("a store of evidence is s3://bucket, s3://bucket/prefix, or a directory")
        return BucketStore(S3Store(bucket, prefix=prefix or None))
    if "://" in url:
        raise ValueError("a store of evidence is s3://bucket, s3://bucket/prefix, or a directory")
    return DirectoryStore(Path(url))


class DirectoryStore:
    """Files under a directory, in folders by the first two digits of their names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _file(self, name: str) -> Path:
        return self.path / (name if OWNER.fullmatch(name) else f"{name[:2]}/{name}")

    async def has(self, name: str) -> bool:
        return await asyncio.to_thread(self._file(name).is_file)

    async def put(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._put, self._file(name), data)

    def _put(self, file: Path, data: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        number, temporary = tempfile.mkstemp(dir=file.parent, prefix=UNFINISHED)
        try:
            with open(number, "wb") as written:
                written.write(data)
                written.flush()
                os.fsync(written.fileno())
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise
        # The row that will name it must not outlive it, not even a loss of power.
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def read(self, name: str) -> AsyncIterator[bytes] | None:
        return _chunks(self._file(name)) if await self.has(name) else None

    async def remove(self, name: str) -> None:
        file = self._file(name) if NAME.fullmatch(name) else self.path / name
        await asyncio.to_thread(file.unlink, missing_ok=True)

    async def names(self) -> AsyncIterator[tuple[str, dt.datetime]]:
        for found in await asyncio.to_thread(lambda: list(self._walk())):
            yield found

    async def owners(self) -> set[str]:
        files = await asyncio.to_thread(lambda: list(self.path.glob(f"{OWNERS}/*")))
        return {name for file in files if OWNER.fullmatch(name := f"{OWNERS}/{file.name}")}

    def _walk(self) -> Iterator[tuple[str, dt.datetime]]:
        for file in self.path.glob("??/*"):
            finished = NAME.fullmatch(file.name) is not None
            # Another collection may be at work.
            with contextlib.suppress(FileNotFoundError):
                if finished or file.name.startswith(UNFINISHED):
                    written = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)
                    yield file.name if finished else f"{file.parent.name}/{file.name}", written


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


class BucketStore:
    """Objects of a bucket, all under one prefix."""

    def __init__(self, bucket: S3Store) -> None:
        self._bucket = bucket

    async def has(self, name: str) -> bool:
        try:
            await obstore.head_async(self._bucket, name)
        except FileNotFoundError:
            return False
        return True

    async def put(self, name: str, data: bytes) -> None:
        await obstore.put_async(self._bucket, name, data, use_multipart=False)

    async def read(self, name: str) -> AsyncIterator[bytes] | None:
        try:
            found = await obstore.get_async(self._bucket, name)
        except FileNotFoundError:
            return None

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in found.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)

        return chunks()

    async def remove(self, name: str) -> None:
        await obstore.delete_async(self._bucket, name)

    async def names(self) -> AsyncIterator[tuple[str, dt.datetime]]:
        async for batch in obstore.list(self._bucket):
            for found in batch:
                if NAME.fullmatch(found["path"]):
                    yield found["path"], found["last_modified"]

    async def owners(self) -> set[str]:
        batches = [batch async for batch in obstore.list(self._bucket, OWNERS)]
        return {found["path"] for batch in batches for found in batch if OWNER.fullmatch(found["path"])}
