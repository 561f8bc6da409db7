"""Every file, class and function that docs/architecture.md names exists where it says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.markdown import read
from web.settings import ROOT

PAGE = ROOT / "docs" / "architecture.md"
# A row of a walk: a link to the file, and the names in it.
ROW = re.compile(r"^\| \[[^\]]+\]\(([^)]+\.py)\) \| (.+?) \|", re.MULTILINE)
# In a sentence: `name` in [file](link), or `name` in `file`.
SENTENCE = re.compile(r"`([\w.]+)`,? in\s+(?:\[[^\]]+\]\(([^)]+\.py)\)|`([\w/]+\.py)`)")


def definitions(path: Path) -> set[str]:
    """The names that a module defines, with those inside classes after a dot."""

    def names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            match node:
                case ast.ClassDef():
                    yield prefix + node.name
                    yield from names(node.body, f"{prefix}{node.name}.")
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield prefix + node.name
                case ast.Assign(targets=targets):
                    yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))
                case ast.AnnAssign(target=ast.Name(id=name)):
                    yield prefix + name

    return set(names(ast.parse(path.read_text("utf-8")).body, ""))


def named() -> Iterator[tuple[Path, str]]:
    text = PAGE.read_text("utf-8")
    for link, names in ROW.findall(text):
        yield from (((PAGE.parent / link).resolve(), name) for name in re.findall(r"`([^`]+)`", names))
    for name, link, file in SENTENCE.findall(text):
        yield ((PAGE.parent / link).resolve() if link else ROOT / file), name


def test_every_name_in_the_walks_exists() -> None:
    pairs = list(named())
    assert len(pairs) > 60
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in pairs
        if not path.is_file() or name not in definitions(path)
    ]
    assert missing == []


def test_every_method_that_the_page_names_exists_somewhere() -> None:
    """Also in sentences that do not name the file."""
    folders = ("models", "subscriptions", "resolvers", "schema", "web")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]
    known = set().union(*map(definitions, files))
    named = {name for _, name in read(PAGE).code if re.fullmatch(r"[A-Z]\w+\.\w+", name)}
    assert len(named) > 60
    assert named - known == set()


@pytest.mark.parametrize("heading", ["## Walk 1", "## Walk 2", "## The feed's invariants", "## Where to find what"])
def test_the_page_has_its_parts(heading: str) -> None:
    assert f"\n{heading}" in PAGE.read_text("utf-8")


def test_a_renamed_function_is_noticed(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("class A:\n    def b(self): ...\n    c: int = 1\nD = 1\nasync def e(): ...\n", "utf-8")
    assert definitions(module) == {"A", "A.b", "A.c", "D", "e"}
