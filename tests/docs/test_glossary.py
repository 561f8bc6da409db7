"""The glossary's code names exist, and its words are sorted."""

import ast
import re

from tests.support.markdown import read
from web.settings import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
FOLDERS = ("models", "subscriptions", "resolvers", "schema", "web")
CLASS = re.compile(r"[A-Z][a-z]+(?:[A-Z][A-Za-z]*)*")


def classes() -> set[str]:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]
    trees = (ast.parse(path.read_text("utf-8")) for path in files)
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def test_every_class_in_the_glossary_exists() -> None:
    named = {text for _, text in read(GLOSSARY).code if CLASS.fullmatch(text)}
    assert len(named) > 20
    assert named - classes() == set()


def test_the_words_of_each_table_are_sorted() -> None:
    tables = re.findall(r"\n\|[- |]+\|\n((?:\|.*\n)+)", GLOSSARY.read_text("utf-8"))
    assert len(tables) == 5
    for table in tables:
        words = [line.split("|")[1].strip().strip("`").lower() for line in table.splitlines()]
        assert words == sorted(words)
