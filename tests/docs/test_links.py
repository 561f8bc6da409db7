"""No document has a dead link or names a file that does not exist."""

import re
from pathlib import Path

import pytest

from tests.support.markdown import documents, read, slug
from web.settings import ROOT

DOCUMENTS = documents()
OUTSIDE = re.compile(r"(https?|mailto):")
# A file of this repository in a code span, from the top: `web/graphql/endpoint.py`.
FILE = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.(?:py|md|toml|graphql|ts|tsx|mjs|yaml|conf|csv|geojson|txt|lock)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_relative_link_and_anchor_exists(path: Path) -> None:
    dead = []
    for line, target in read(path).links:
        if OUTSIDE.match(target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        if not linked.exists() or (anchor and anchor not in read(linked).anchors):
            dead.append(f"{name(path)}:{line}: {target}")
    assert dead == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_file_in_a_code_span_exists(path: Path) -> None:
    """A path from the top of the repository whose first folder exists; a missing one was moved or removed."""
    named = [(line, text) for line, text in read(path).code if FILE.fullmatch(text)]
    missing = [
        f"{name(path)}:{line}: {text}"
        for line, text in named
        if (ROOT / text.split("/")[0]).is_dir() and not (ROOT / text).exists()
    ]
    assert missing == []


def test_a_dead_link_and_a_dead_anchor_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Set up `make`\n\n[a](gone.md) ![b](#set-up-make)\n\n```\n[c](no.md)\n```\n", "utf-8")
    document = read(page)
    assert [target for _, target in document.links] == ["gone.md", "#set-up-make"]
    assert document.anchors == {"set-up-make"}
    assert [block.text for block in document.blocks] == ["[c](no.md)\n"]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Hazard 隐患", "hazard-隐患"),
        ("`make test`, and why", "make-test-and-why"),
        ("A [link](x.md) here", "a-link-here"),
        ("What is not_here?", "what-is-not_here"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor
