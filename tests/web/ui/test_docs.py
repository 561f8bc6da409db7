"""The documents as pages under /docs."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.async_api import Browser, expect

from tests.support.fake_auth import FakeAuth
from tests.support.markdown import read
from tests.support.server_process import Process
from tests.web.ui.conftest import Open
from web.pages import FOLDERS, PAGES
from web.settings import ROOT

BUILT = PAGES / "pages"
OPERATORS = "/docs/guides/operators/"
# Paths that the server gives without a file.
SERVED = {"/", "/schema.graphql", "/graphql", "/metrics", "/healthz", "/readyz"}


class Links(HTMLParser):
    """Targets and fragments of one page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src"):
                self.targets.append(value or "")
            elif name == "id":
                self.ids.add(value or "")


def sources() -> Iterator[tuple[Path, str]]:
    """Each document with the path of its page."""
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/README")
        yield path, f"/{name}/"
    for name in ("README", "CONTRIBUTING", "CHANGELOG"):
        yield ROOT / f"{name}.md", f"/docs/{name.lower()}/"


def file_of(path: str) -> Path:
    """The built file behind a path; it need not exist."""
    for prefix, folder in FOLDERS.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            file = PAGES / folder / unquote(path.removeprefix(prefix).lstrip("/"))
            return file / "index.html" if path.endswith("/") else file
    return BUILT / "nowhere"


PAGES_OF = dict(sources())


@pytest.fixture(scope="module")
def built() -> dict[str, Links]:
    """The pages of all documents, by path."""
    return {path: Links(file_of(path).read_text("utf-8")) for path in PAGES_OF.values()}


def test_every_document_has_a_page_with_the_headings_of_its_file(built: dict[str, Links]) -> None:
    missing = {path: read(file).anchors - built[path].ids for file, path in PAGES_OF.items()}
    assert {path: anchors for path, anchors in missing.items() if anchors} == {}, "older than docs/: make setup"


def test_no_link_of_a_document_is_dead(built: dict[str, Links]) -> None:
    dead = []
    for path, page in built.items():
        for target in page.targets:
            link = urlsplit(target)
            if link.scheme in ("http", "https", "mailto", "data") or link.path in SERVED:
                continue
            other = link.path or path
            # The list of documents is drawn by its script, and has a section for each folder.
            anchors = built[other].ids if other in built else {"guides", "reference", "decisions", "proofs"}
            if not file_of(other).is_file() or (link.fragment and unquote(link.fragment) not in anchors):
                dead.append(f"{path}: {target}")
    assert dead == []


def test_comments_of_the_documents_are_left_out() -> None:
    assert "not run:" not in file_of(OPERATORS).read_text("utf-8")


async def test_a_chinese_page_says_that_documents_are_english(visit: Open) -> None:
    async with visit(OPERATORS, FakeAuth()) as page:
        note = page.get_by_text("文档为英文，随本版本提供，离线可读。")
        await expect(note).to_be_visible()
        await expect(page.locator("article")).to_have_attribute("lang", "en")
        await page.get_by_role("button", name="English").click()
        await expect(note).to_have_count(0)
        await expect(page.locator("article h1")).to_have_text("Guide for operators")


async def test_headings_are_found_by_keyboard(visit: Open) -> None:
    async with visit("/docs/", FakeAuth()) as page:
        await expect(page.get_by_role("heading", name="指南")).to_be_visible()
        await page.keyboard.press("/")
        await page.keyboard.type("identity prov")
        await expect(page.get_by_role("status").get_by_text("1 处")).to_be_visible()
        await page.keyboard.press("Enter")
        heading = page.get_by_role("heading", name="An identity provider")
        await expect(heading).to_be_in_viewport()
        assert urlsplit(page.url).fragment == "an-identity-provider"


async def test_a_document_can_be_read_without_javascript(chromium: Browser, served: Process) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{served.address}{OPERATORS}")
    await expect(page.get_by_role("heading", name="Guide for operators")).to_be_visible()
    await context.close()
