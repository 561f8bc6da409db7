"""Files and folders that only the server's own user can open."""

import contextlib
import os
import stat
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(path: Path) -> None:
    """Take a file or folder away from everybody but its owner. Nothing happens if it is missing or another user's."""
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OTHERS:
            path.chmod(mode & ~OTHERS)


def private_folder(path: Path) -> None:
    """Make a folder and the missing ones above it, for their owner only. An existing one stays as it is."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def private_sqlite_file(path: Path) -> None:
    """Have a SQLite file, new or not, and the files beside it belong to their owner only.

    SQLite gives the files beside it the mode of the database's own file, so that must be private before it is opened.
    """
    private_folder(path.parent)
    with contextlib.suppress(OSError):  # opening the database will say what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    for suffix in ("", "-wal", "-shm"):
        make_private(path.with_name(path.name + suffix))
