"""The house has five floors: imports run one way, files are short, and names say what a thing is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each may import itself and what stands before it.
LAYERS = ("models", "subscriptions", "resolvers", "schema", "web")
LINES_MAXIMUM = 400
SUFFIXES = ("Type", "Model", "Manager", "Helper", "Util", "Utils")
# The docstring of a longer file says why it is that long, in these or nearly these words.
REASON = re.compile(r"\b(long|one step|one table|in one place)\b", re.IGNORECASE)

Import = tuple[str, int, bool, bool]  # what is imported, in which line, inside a function, for the type checker alone


def files(*folders: str) -> list[Path]:
    return [
        path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts
    ]


def layer(module: str) -> str:
    return module.split(".")[0]


def imports(tree: ast.AST, within: bool = False, checker: bool = False) -> Iterator[Import]:
    """Every import of a file, however deep it stands."""
    for child in ast.iter_child_nodes(tree):
        inside = within or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno, inside, checker) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            # A relative import would hide which layer it reaches.
            yield ("." * child.level + (child.module or ""), child.lineno, inside, checker)
        elif isinstance(child, ast.Call) and called(child) in {"import_module", "__import__"} and child.args:
            named = child.args[0]
            yield (named.value if isinstance(named, ast.Constant) else "?", child.lineno, True, checker)  # type: ignore[misc]  # a constant here is a text
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for statement in child.body:
                yield from imports(ast.Module([statement], []), inside, True)
            for statement in child.orelse:
                yield from imports(ast.Module([statement], []), inside, checker)
        else:
            yield from imports(child, inside, checker)


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def wrong(of: str, source: str) -> list[str]:
    """What is wrong with the imports of a file of the layer `of`."""
    found = []
    for name, line, within, checker in imports(ast.parse(source)):
        other = layer(name)
        if other == "" or name.startswith("."):
            found.append(f"{line}: relative import {name}")
        elif other == "tests":
            found.append(f"{line}: {name}")
        elif other in LAYERS:
            if LAYERS.index(other) > LAYERS.index(of):
                found.append(f"{line}: {of} must not know {name}")
            elif within:
                found.append(f"{line}: {name} is imported inside a function")
            elif checker and (of, other) != ("schema", "schema"):
                found.append(f"{line}: {name} is imported for the type checker alone")
    return found


@pytest.mark.parametrize("of", LAYERS)
def test_imports_run_one_way(of: str) -> None:
    bad = {str(path.relative_to(ROOT)): wrong(of, path.read_text()) for path in files(of)}
    assert {path: found for path, found in bad.items() if found} == {}


@pytest.mark.parametrize(
    ("of", "source"),
    [
        ("models", "import resolvers.paging"),
        ("models", "from schema import ids"),
        ("resolvers", "def f():\n    from schema import ids"),
        ("resolvers", "def f():\n    from models import Zone"),
        ("resolvers", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from schema.zone import Zone"),
        ("resolvers", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from models import Zone"),
        ("schema", "import importlib\nimportlib.import_module('web.app')"),
        ("schema", "from tests.conftest import NOW"),
        ("schema", "from .zone import Zone"),
        ("subscriptions", "if True:\n    import resolvers"),
    ],
)
def test_a_wrong_import_is_seen(of: str, source: str) -> None:
    assert len(wrong(of, source)) == 1


@pytest.mark.parametrize(
    ("of", "source"),
    [
        ("web", "from schema.root import build\nimport models\nimport web.app"),
        ("schema", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from schema.zone import Zone"),
        ("resolvers", "from models import Zone\nimport orjson"),
    ],
)
def test_a_right_import_is_left_alone(of: str, source: str) -> None:
    assert wrong(of, source) == []


def test_there_are_no_other_folders_of_code() -> None:
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and list(path.rglob("__init__.py"))}
    top -= {name for name in top if name.startswith(".")} | {"node_modules", "build", "var"}
    assert top <= {*LAYERS, "tests", "bench"}


def test_a_long_file_says_why() -> None:
    silent = []
    for path in files(*LAYERS, "tests", "bench"):
        text = path.read_text()
        if text.count("\n") > LINES_MAXIMUM and not REASON.search(ast.get_docstring(ast.parse(text)) or ""):
            silent.append(str(path.relative_to(ROOT)))
    assert silent == []


def test_no_class_is_named_for_its_kind() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {found.name}"
        for path in files(*LAYERS, "tests")
        for found in ast.walk(ast.parse(path.read_text()))
        if isinstance(found, ast.ClassDef) and found.name.endswith(SUFFIXES)
    ]
    assert named == []


def test_every_file_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files(*LAYERS)
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []
