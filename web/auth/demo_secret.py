"""The secret of a demo, which nobody has to choose."""

import contextlib
import secrets
from pathlib import Path

from models.private_files import make_private, private_folder


def demo_secret(path: Path) -> str:
    """The demo's own secret. It is made at the first start, and only its user can read it."""
    if not path.is_file():
        private_folder(path.parent)
        # The file gets its name when it is complete. Of several processes that start at once, one makes it for all.
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    make_private(path)
    return path.read_text().strip()
