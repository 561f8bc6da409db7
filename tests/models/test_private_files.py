"""What the server writes is for its own user only, whether it is new or was there before."""

import os
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.db.database import Database
from models.private_files import make_private, private_folder
from resolvers.evidence.store import DirectoryStore
from web.auth.demo_secret import demo_secret

NAME = "ab" * 32


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _lax_umask() -> object:
    """The usual umask, under which files are readable for everybody."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(path: Path, bits: int) -> None:
    path.chmod(bits)


async def write(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    try:
        async with database.write() as session:
            await session.execute(sa.text("CREATE TABLE IF NOT EXISTS t (x)"))
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT * FROM t"))
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == [path.name, f"{path.name}-shm", f"{path.name}-wal"]
        assert [mode(file) for file in files] == [0o600] * 3
    finally:
        await database.close()


async def test_a_new_database_and_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "var" / "more" / "huhang.db"
    await write(path)
    assert (mode(path.parent), mode(path.parent.parent)) == (0o700, 0o700)


async def test_a_database_that_others_could_read(tmp_path: Path) -> None:
    path = tmp_path / "huhang.db"
    open_to_others(tmp_path, 0o755)
    await write(path)
    # As a process leaves them that is killed.
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"huhang.db{suffix}").touch()
        open_to_others(tmp_path / f"huhang.db{suffix}", 0o664)
    await write(path)
    assert mode(tmp_path) == 0o755  # it may be a folder of others too


async def test_evidence(tmp_path: Path) -> None:
    path = tmp_path / "var" / "evidence"
    await DirectoryStore(path).put(NAME, b"bytes")
    assert {mode(p) for p in (path.parent, path, path / "ab")} == {0o700}
    assert mode(path / "ab" / NAME) == 0o600
    open_to_others(path, 0o755)
    DirectoryStore(path)
    assert mode(path) == 0o700


def test_the_demos_secret(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret"
    made = demo_secret(path)
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)
    path.chmod(0o644)
    assert demo_secret(path) == made
    assert mode(path) == 0o600


def test_what_is_missing_or_private_stays_as_it_is(tmp_path: Path) -> None:
    make_private(tmp_path / "none")
    private_folder(tmp_path)
    path = tmp_path / "file"
    path.touch(0o400)
    make_private(path)
    assert mode(path) == 0o400
