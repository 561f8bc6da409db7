"""Stores for the bytes of evidence, named by their SHA-256, and for pieces of uploads.

A store is a directory, or a bucket of a store that speaks S3.
"""

import asyncio
import contextlib
import datetime as dt
import itertools
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from models.private_files import make_private, private_folder

CHUNK = 262_144
RETRY_TIMEOUT = dt.timedelta(seconds=5)  # a bucket that does not answer is asked again for so long
NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)
UNFINISHED = "upload-"
# Each database that uses a store marks it with an empty file, named by the epoch of the database's log.
OWNERS = "owners"
OWNER = re.compile(r"owners/([0-9a-f]{16})", re.ASCII)
# Pieces of uploads under way have random names.
PIECES = "pieces"
PIECE = re.compile(r"pieces/[0-9a-f]{32}", re.ASCII)


class Store(Protocol):
    """Bytes by name. An object is stored as a whole or not at all, and survives a loss of power once `put` returns."""

    async def has(self, name: str) -> bool: ...

    async def put(self, name: str, data: bytes) -> None: ...

    async def read(self, name: str) -> AsyncIterator[bytes] | None:
        """The bytes in chunks; None if there is no such object."""
        ...

    async def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        ...

    def names(self) -> AsyncIterator[tuple[str, dt.datetime]]:
        """The names of evidence, of pieces and of files that a dead server left, with their last modification."""
        ...

    async def owners(self) -> set[str]:
        """The names of the marks of databases."""
        ...


def open_store(url: str) -> Store:
    """Open `s3://bucket/prefix`, which reads everything else from the usual AWS_ variables, or a directory.

    Raises ValueError.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return DirectoryStore(Path(url))
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError("a store of evidence is s3://bucket, s3://bucket/prefix, or a directory")
    return BucketStore(S3Store(bucket, prefix=prefix or None, retry_config={"retry_timeout": RETRY_TIMEOUT}))


class DirectoryStore:
    """Files in a directory, in folders named by the first two digits of the files' names.

    This is not obstore's LocalStore, which neither calls fsync nor lists files that an interrupted upload has left, and
    which cannot list a directory that contains an unreadable one such as lost+found.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Whoever cannot enter it reads none of its files, whatever their modes are.
        make_private(path)

    def _file(self, name: str) -> Path:
        return self.path / (f"{name[:2]}/{name}" if NAME.fullmatch(name) else name)

    async def has(self, name: str) -> bool:
        return await asyncio.to_thread(self._file(name).is_file)

    async def put(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._put, self._file(name), data)

    def _put(self, file: Path, data: bytes) -> None:
        private_folder(file.parent)
        # Only its owner can read a file of mkstemp, and renaming keeps that.
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=UNFINISHED)
        try:
            with open(descriptor, "wb") as unfinished:
                unfinished.write(data)
                unfinished.flush()
                os.fsync(unfinished.fileno())
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise
        # Make the file's entry in its folder durable too: a row will refer to the file.
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def read(self, name: str) -> AsyncIterator[bytes] | None:
        return _chunks(self._file(name)) if await self.has(name) else None

    async def remove(self, name: str) -> None:
        await asyncio.to_thread(self._file(name).unlink, missing_ok=True)

    async def names(self) -> AsyncIterator[tuple[str, dt.datetime]]:
        for name_and_time in await asyncio.to_thread(lambda: list(self._walk())):
            yield name_and_time

    async def owners(self) -> set[str]:
        files = await asyncio.to_thread(lambda: list(self.path.glob(f"{OWNERS}/*")))
        return {name for file in files if OWNER.fullmatch(name := f"{OWNERS}/{file.name}")}

    def _walk(self) -> Iterator[tuple[str, dt.datetime]]:
        for file in itertools.chain(self.path.glob("??/*"), self.path.glob(f"{PIECES}/*")):
            finished, inside = NAME.fullmatch(file.name) is not None, f"{file.parent.name}/{file.name}"
            # Another process may be removing files at the same time.
            with contextlib.suppress(FileNotFoundError):
                if finished or PIECE.fullmatch(inside) or file.name.startswith(UNFINISHED):
                    modified = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)
                    yield file.name if finished else inside, modified


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


@contextmanager
def answers() -> Iterator[None]:
    """Raises ConnectionError where a bucket does not answer, or does not let us in."""
    try:
        yield
    except (GenericError, PermissionDeniedError, UnauthenticatedError) as error:
        raise ConnectionError("the bucket of evidence cannot be used") from error


class BucketStore:
    """Objects of a bucket, all of them under one prefix."""

    def __init__(self, bucket: S3Store) -> None:
        self._bucket = bucket

    async def has(self, name: str) -> bool:
        try:
            with answers():
                await obstore.head_async(self._bucket, name)
        except FileNotFoundError:
            return False
        return True

    async def put(self, name: str, data: bytes) -> None:
        with answers():
            await obstore.put_async(self._bucket, name, data, use_multipart=False)

    async def read(self, name: str) -> AsyncIterator[bytes] | None:
        try:
            with answers():
                result = await obstore.get_async(self._bucket, name)
        except FileNotFoundError:
            return None

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in result.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)

        return chunks()

    async def remove(self, name: str) -> None:
        await obstore.delete_async(self._bucket, name)

    async def names(self) -> AsyncIterator[tuple[str, dt.datetime]]:
        async for batch in obstore.list(self._bucket):
            for entry in batch:
                if NAME.fullmatch(entry["path"]) or PIECE.fullmatch(entry["path"]):
                    yield entry["path"], entry["last_modified"]

    async def owners(self) -> set[str]:
        batches = [batch async for batch in obstore.list(self._bucket, OWNERS)]
        return {entry["path"] for batch in batches for entry in batch if OWNER.fullmatch(entry["path"])}
