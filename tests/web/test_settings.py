"""The README and the other documents list the settings, commands and codes that exist."""

import re

from resolvers.errors import ErrorCode
from tests.support import browser
from web.settings import ROOT, Settings

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
ROW = re.compile(r"^\| `(HUHANG_\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)


def shown(default: object) -> str:
    """A default as in the table: as in the environment, with paths relative to the repository's root."""
    if default is None:
        return ""
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text.replace(f'{ROOT}/', '')}`"


def test_the_table_has_every_setting_with_its_default_and_description() -> None:
    fields = Settings.model_fields.items()
    expected = [(f"HUHANG_{name}".upper(), shown(field.default), field.description) for name, field in fields]
    assert ROW.findall(README) == expected


def test_every_variable_in_the_readme_exists() -> None:
    existing = {f"HUHANG_{name}".upper() for name in Settings.model_fields} | {browser.SETTING}
    assert set(re.findall(r"HUHANG_\w+", README)) == existing


def test_every_make_target_in_the_readme_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)`", README)) | set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert {"run", "test"} <= named <= targets


def test_the_reference_has_every_error_code() -> None:
    table = (ROOT / "docs" / "reference" / "http.md").read_text()
    assert re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE) == [code.value for code in ErrorCode]


def test_every_link_in_the_readme_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
