"""The build of the pages and their checks."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.page_messages import LANGUAGES, UI, messages
from web.pages import PAGES

SIGN_IN_MAXIMUM = 60_000  # bytes, compressed
MESSAGES = {name: messages(name) for name in LANGUAGES}
SOURCES = [path for path in (UI / "src").rglob("*") if path.suffix in (".svelte", ".ts")]


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def test_both_languages_have_the_same_messages_with_the_same_values() -> None:
    zh, en = MESSAGES["zh"], MESSAGES["en"]
    assert list(zh) == list(en)
    assert [key for key in zh if placeholders(zh[key]) != placeholders(en[key])] == []


def test_every_message_is_used() -> None:
    used = set(re.findall(r"\bm\.(\w+)", "\n".join(path.read_text("utf-8") for path in SOURCES)))
    assert used == set(MESSAGES["zh"])


def test_pages_do_not_import_each_other() -> None:
    """A page is a folder under src; only `shared` is for all."""
    wrong = []
    for path in SOURCES:
        folder = path.relative_to(UI / "src").parts[0]
        for target in re.findall(r"from '(\.[^']*)'", path.read_text("utf-8")):
            other = (path.parent / target).resolve().relative_to(UI / "src").parts[0]
            if other not in (folder, "shared"):
                wrong.append(f"{path.name}: {target}")
    assert wrong == []


def test_the_sign_in_page_is_small() -> None:
    page = (PAGES / "pages" / "signin" / "index.html").read_text("utf-8")
    files = re.findall(r'"/(assets/[^"]+\.(?:js|css))"', page)
    assert files
    size = sum(len(gzip.compress((PAGES / "pages" / name).read_bytes())) for name in files)
    assert size < SIGN_IN_MAXIMUM


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (UI / "package-lock.json").read_text("utf-8")


FAULTS = {
    "Type.svelte": ("<script lang='ts'>const n: number = 'text'; void n;</script>", "not assignable to type 'number'"),
    "Message.svelte": ("<script lang='ts'>import * as m from '#messages'; void m.not_there();</script>", "not_there"),
    "Picture.svelte": ("<img src='a.png'>", "a11y_missing_attribute"),
    "Style.svelte": ("<style>.unused { color: red }</style>", "Unused CSS selector"),
    "module.ts": ("export const b: boolean = 'text';", "not assignable to type 'boolean'"),
}


def test_the_check_of_types_finds_faults(tmp_path: Path) -> None:
    """svelte-check has passed without looking at anything, so errors are planted for it."""
    for name in ("package.json", "tsconfig.json", "vite.config.ts", "vite.graphiql.config.ts"):
        shutil.copy(UI / name, tmp_path / name)
    for name in ("node_modules", "generated", "build"):
        (tmp_path / name).symlink_to(UI / name)
    (tmp_path / "src").mkdir()
    for file, (code, _) in FAULTS.items():
        (tmp_path / "src" / file).write_text(code)
    npm = ["npm", "run", "--silent", "check:svelte"]
    done = subprocess.run(npm, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    for file, (_, complaint) in FAULTS.items():
        assert file in done.stdout
        assert complaint in done.stdout
